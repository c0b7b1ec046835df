//! How thoroughly the suite looks, and how long it waits.

use std::time::Duration;

use super::clause::Clause;

/// How thoroughly the suite looks, and how long it waits.
///
/// ```
/// use multicluster::testing::conformance::{Clause, Settings};
/// use std::time::Duration;
///
/// let one = Settings::default().quiet(Duration::from_secs(1)).only([Clause::Churn]);
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Settings {
    pub(super) patience: Duration,
    pub(super) quiet: Duration,
    pub(super) many: usize,
    pub(super) steps: usize,
    pub(super) seed: u64,
    only: Vec<Clause>,
}

// === impl Settings ===

impl Default for Settings {
    fn default() -> Self {
        Self {
            patience: Duration::from_secs(60),
            quiet: Duration::from_secs(1),
            many: 300,
            steps: 300,
            seed: 1,
            only: Vec::new(),
        }
    }
}

impl Settings {
    /// How long something that must happen may take; 60 s by default, which only failures take.
    pub fn patience(mut self, limit: Duration) -> Self {
        self.patience = limit;
        self
    }

    /// How long the suite looks whether something happens that must not; 1 s by default, about twenty times in all.
    ///
    /// Give a provider that polls its source two of its intervals, and under paused time whatever it likes.
    pub fn quiet(mut self, time: Duration) -> Self {
        self.quiet = time;
        self
    }

    /// How many clusters [`Clause::ManyClusters`] has; 300 by default.
    pub fn many(mut self, clusters: usize) -> Self {
        self.many = clusters;
        self
    }

    /// How many random changes [`Clause::Churn`] makes; 300 by default.
    pub fn steps(mut self, changes: usize) -> Self {
        self.steps = changes;
        self
    }

    /// What the random changes follow from; 1 by default.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Judges these clauses alone, to look into a failure.
    pub fn only(mut self, clauses: impl IntoIterator<Item = Clause>) -> Self {
        self.only = clauses.into_iter().collect();
        self
    }

    pub(super) fn clauses(&self) -> Vec<Clause> {
        let asked = |clause: &Clause| self.only.is_empty() || self.only.contains(clause);
        Clause::ALL.iter().copied().filter(asked).collect()
    }
}
