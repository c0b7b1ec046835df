//! The table of known differences, which is part of the crate's documentation.

use std::{collections::BTreeSet, env, fs};

use crate::script::folder;

const DOCUMENT: &str = include_str!("../../src/docs/differences.md");

/// A step of a case that is answered otherwise.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) case: String,
    /// Counted from one; none means all.
    pub(crate) step: Option<usize>,
    /// Whether somebody is at work on it: it may vanish at any time.
    pub(crate) open: bool,
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
            step: Some(step.trim().parse().expect("the number of a step")),
            open: false,
        };
        steps.split(',').map(known).collect()
    }

    pub(crate) fn is_about(&self, case: &str, step: usize) -> bool {
        self.case == case && self.step.is_none_or(|known| known == step)
    }
}

/// The table of the documentation, and the cases that are worked on unless these are asked for.
pub(crate) fn read() -> Vec<Known> {
    let rows = DOCUMENT.lines().filter(|line| line.starts_with('|'));
    let documented = rows.skip(2).flat_map(Known::parse);
    let asked = |name| env::var_os(name).is_some();
    if asked("CASES") || asked("NOT_YET") {
        return documented.collect();
    }
    let open = fs::read_to_string(folder("not_yet.txt")).unwrap_or_default();
    let open = open.lines().map(|case| Known {
        case: case.to_owned(),
        step: None,
        open: true,
    });
    documented.chain(open).collect()
}

/// Keeps the names of the cases that are worked on.
pub(crate) fn write_open(cases: &BTreeSet<String>) {
    let lines: String = cases.iter().map(|case| format!("{case}\n")).collect();
    fs::write(folder("not_yet.txt"), lines).expect("a file that can be written");
}
