//! What is found in a text beyond what its type asks for: unknown and doubled fields.

use std::{borrow::Cow, collections::HashSet};

use super::json::quote;

/// How many are told.
const LIMIT: usize = 100;

/// The unknown and doubled fields so far.
#[derive(Debug, Default)]
pub(super) struct Strict<'a> {
    pub(super) path: Vec<Step<'a>>,
    pub(super) problems: Vec<String>,
    seen: HashSet<String>,
}

/// A part of a path.
#[derive(Debug)]
pub(super) enum Step<'a> {
    Key(Cow<'a, str>),
    Index(usize),
}

// === impl Strict ===

impl Strict<'_> {
    pub(super) fn add(&mut self, what: &str, key: &str) {
        if self.problems.len() >= LIMIT {
            return;
        }
        let mut path = String::new();
        for step in &self.path {
            match step {
                Step::Key(key) if path.is_empty() => path.push_str(key),
                Step::Key(key) => path.extend([".", key]),
                Step::Index(index) => path.push_str(&format!("[{index}]")),
            }
        }
        if !self.path.is_empty() {
            path.push('.');
        }
        path.push_str(key);
        let problem = format!("{what} {}", quote(&path));
        if self.seen.insert(problem.clone()) {
            self.problems.push(problem);
        }
    }
}
