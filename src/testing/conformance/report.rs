//! What the suite has found.

use std::{error::Error as StdError, fmt};

use super::{clause::Clause, harness::Part};

/// What became of each clause.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// The clauses that the provider keeps.
    pub kept: Vec<Clause>,
    /// The clauses that could not be judged, since the harness cannot do this.
    pub not_judged: Vec<(Clause, Part)>,
}

/// A clause that the provider breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Violation {
    /// The clause.
    pub clause: Clause,
    /// What was expected, and what happened.
    pub what: String,
    /// What the suite did and saw before, oldest first.
    pub history: Vec<String>,
}

/// The suite could not say that the provider keeps the contract; `Debug` is readable too, for tests that return it.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failure {
    /// Every broken clause.
    pub violations: Vec<Violation>,
    /// What the harness could not do although it should.
    pub harness: Vec<String>,
    /// What became of the other clauses.
    pub report: Report,
}

/// Why a check ends early.
#[derive(Debug)]
pub(super) enum Stop {
    Broken(Violation),
    Harness(String),
}

/// The result of a check, or of a part of one.
pub(super) type Check<T = ()> = Result<T, Stop>;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} clauses are kept", self.kept.len())?;
        for (clause, part) in &self.not_judged {
            write!(
                f,
                "\nnot judged: {clause:?}, since the harness cannot {part:?}"
            )?;
        }
        Ok(())
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "broken: {}\n  {}", self.clause, self.what)?;
        for line in &self.history {
            write!(f, "\n    {line}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the provider was not found to keep the contract of ClusterProvider")?;
        for violation in &self.violations {
            write!(f, "\n{violation}")?;
        }
        for problem in &self.harness {
            write!(f, "\nthe harness failed: {problem}")?;
        }
        write!(f, "\n{}", self.report)
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl StdError for Failure {}
