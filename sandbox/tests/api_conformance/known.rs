//! The table of known differences, which is part of the crate's documentation.

const DOCUMENT: &str = include_str!("../../src/docs/differences.md");

/// A step of a case that is answered otherwise.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) case: String,
    /// Counted from one.
    pub(crate) step: usize,
}

// === impl Known ===

impl Known {
    /// Reads a row: case, steps, reason.
    fn parse(row: &str) -> Vec<Self> {
        let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [case, steps, reason] = cells.as_slice() else {
            panic!("three cells: {row}");
        };
        assert!(!reason.is_empty(), "a reason: {row}");
        let known = |step: &str| Self {
            case: (*case).to_owned(),
            step: step.trim().parse().expect("the number of a step"),
        };
        steps.split(',').map(known).collect()
    }

    pub(crate) fn is_about(&self, case: &str, step: usize) -> bool {
        self.case == case && self.step == step
    }
}

/// The table of the documentation.
pub(crate) fn read() -> Vec<Known> {
    let rows = DOCUMENT.lines().filter(|line| line.starts_with('|'));
    rows.skip(2).flat_map(Known::parse).collect()
}
