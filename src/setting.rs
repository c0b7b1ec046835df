//! What the settings of all modules are made of.

pub(crate) mod duration;

use std::time::Duration;

use crate::error::{Error, Result};

/// The most that may be done at a time.
const MANY: usize = 1_000_000;

/// Settings that do not go together.
#[derive(Debug)]
pub(crate) struct Broken {
    /// The fields that the relation is about.
    pub(crate) fields: &'static [&'static str],
    /// What is wrong, and what to change.
    pub(crate) error: Error,
}

/// Checks a relation between `fields`.
pub(crate) fn holds(fields: &'static [&'static str], checked: Result<()>) -> Result<(), Broken> {
    checked.map_err(|error| Broken { fields, error })
}

/// A time limit that is over at once would end everything.
pub(crate) fn not_zero(what: &str, limit: Duration) -> Result<()> {
    if limit.is_zero() {
        let text = format!("the {what} must be longer than 0s: write a time such as 30s");
        return Err(Error::setting(text));
    }
    Ok(())
}

/// Where nothing may be done at a time, nothing is ever done.
pub(crate) fn some_at_a_time(what: &str, number: usize) -> Result<()> {
    // More are no limit.
    if !(1..=MANY).contains(&number) {
        let text = format!("the {what} must be from 1 to {MANY}, not {number}");
        return Err(Error::setting(text));
    }
    Ok(())
}
