//! The table of known differences.

use std::fs;

use crate::script::folder;

/// A step of a case that is answered otherwise.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) case: String,
    /// The steps, counted from one; none means all.
    pub(crate) steps: Vec<usize>,
    /// Why.
    pub(crate) reason: String,
}

// === impl Known ===

impl Known {
    pub(crate) fn is_about(&self, case: &str, step: usize) -> bool {
        self.case == case && (self.steps.is_empty() || self.steps.contains(&step))
    }

    /// Whether somebody is at work on it: it may vanish at any time.
    pub(crate) fn is_open(&self) -> bool {
        self.reason == "not yet"
    }
}

/// The table of the documentation, and the cases that are worked on unless these are asked for.
pub(crate) fn read() -> Vec<Known> {
    let asked = |name| std::env::var_os(name).is_some();
    if asked("CASES") || asked("NOT_YET") {
        return Vec::new();
    }
    let open = fs::read_to_string(folder("not_yet.txt")).unwrap_or_default();
    let known = |line: &str| Known {
        case: line.to_owned(),
        steps: Vec::new(),
        reason: "not yet".to_owned(),
    };
    open.lines().map(known).collect()
}

/// Keeps the names of the cases that are worked on.
pub(crate) fn write_open(cases: &std::collections::BTreeSet<String>) {
    let lines: String = cases.iter().map(|case| format!("{case}\n")).collect();
    fs::write(folder("not_yet.txt"), lines).expect("a file that can be written");
}
