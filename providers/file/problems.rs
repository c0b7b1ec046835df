//! What cannot be used now: each problem is reported once.

use std::{collections::BTreeSet, error::Error as StdError, sync::Arc};

use multicluster::{BoxError, Error};

use super::NAME;

/// Something that cannot be used now; must hold no credentials.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    step: String,
    cause: Arc<dyn StdError + Send + Sync>,
}

/// The problems that were reported and are there still.
#[derive(Debug, Default)]
pub(super) struct Problems(BTreeSet<String>);

// === impl Problem ===

impl Problem {
    /// `step` failed because of `cause`.
    pub(super) fn new(step: impl Into<String>, cause: impl Into<BoxError>) -> Self {
        Self {
            step: step.into(),
            cause: cause.into().into(),
        }
    }

    /// The problem as an error of the provider.
    pub(super) fn error(&self) -> Error {
        Error::provider(NAME, &*self.step, self.cause.clone())
    }

    fn text(&self) -> String {
        format!("{}: {}", self.step, self.cause)
    }
}

// === impl Problems ===

impl Problems {
    /// Those of the present problems that were not there the last time.
    pub(super) fn news(&mut self, present: &[Problem]) -> Vec<Error> {
        let mut texts = BTreeSet::new();
        let mut news = Vec::new();
        for problem in present {
            let text = problem.text();
            if !self.0.contains(&text) && !texts.contains(&text) {
                news.push(problem.error());
            }
            texts.insert(text);
        }
        self.0 = texts;
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_news_until_it_was_reported_and_again_after_it_had_gone() {
        let (no, broken) = (
            Problem::new("read a", "no"),
            Problem::new("read a", "broken"),
        );
        let mut problems = Problems::default();
        let mut news = |present: &[Problem]| problems.news(present).len();
        assert_eq!(news(&[no.clone(), no.clone()]), 1);
        assert_eq!(news(std::slice::from_ref(&no)), 0);
        assert_eq!(news(&[broken.clone(), no.clone()]), 1);
        assert_eq!(news(&[broken]), 0);
        assert_eq!(news(&[no]), 1);
    }
}
