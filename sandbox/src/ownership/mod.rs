//! Who owns which fields of an object: `metadata.managedFields`.
//!
//! A write makes its field manager the owner of what it changes; the others lose what is changed or removed. An apply
//! (server-side) owns what it states, also when that changes nothing; it must not change what others own, unless it is
//! forced to, and what it stated the last time and leaves out now goes, if nobody else owns it.
//!
//! # Flow
//! 1. [`Owners::of_request`]: what an object that a client sent says about its owners, or else what was stored.
//! 2. [`Owners::write`] or [`apply`](apply::apply): who owns what afterwards.
//! 3. [`Owners::to_json`] goes into the object.
//!
//! # Not guaranteed
//! A change of a custom resource's schema that makes a list or map atomic leaves the paths of its fields in the sets.

pub(crate) mod apply;
mod conflict;
mod entry;
mod last_applied;
mod track;
mod write;

use std::{collections::BTreeMap, sync::Arc};

pub(crate) use self::track::keep_times;

use serde_json::Value;

use crate::fields::Set;

/// A field manager in one of its roles; each has one entry in `managedFields`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Owner {
    pub manager: String,
    pub role: Role,
    /// Empty for the object itself.
    pub subresource: String,
}

/// What an owner does.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    /// It states what it wants, in whatever version.
    Apply,
    /// It creates, replaces and patches through this API version.
    Update(String),
}

/// What an owner owns.
#[derive(Clone, Debug)]
pub(crate) struct Claim {
    pub api_version: String,
    /// When it last changed something, in seconds.
    pub time: Option<String>,
    pub fields: Arc<Set>,
}

/// All owners of the fields of an object.
#[derive(Clone, Debug, Default)]
pub(crate) struct Owners {
    claims: BTreeMap<Owner, Claim>,
}

/// The circumstances of a write, as far as they matter here.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Circumstances<'a> {
    pub api_version: &'a str,
    pub manager: &'a str,
    pub subresource: &'a str,
    pub now: &'a str,
    /// Fields that this kind of write cannot change.
    pub reset: &'a Set,
}

/// The longest name that is made of a user agent.
const AGENT_LIMIT: usize = 128;

/// The manager that a user agent stands for: its first part, without what cannot be printed.
pub(crate) fn manager_of(agent: &str) -> String {
    let first = agent.split('/').next().unwrap_or_default();
    let mut name = String::new();
    for letter in first.chars().filter(|letter| is_printable(*letter)) {
        if name.len() + letter.len_utf8() > AGENT_LIMIT {
            break;
        }
        name.push(letter);
    }
    name
}

/// Whether a character may be in the name of a manager.
pub(crate) fn is_printable(letter: char) -> bool {
    letter == ' ' || !(letter.is_control() || letter.is_whitespace())
}

// === impl Owners ===

impl Owners {
    pub(crate) fn is_empty(&self) -> bool {
        self.claims.is_empty()
    }

    /// Whether anybody owns the field at a path of names.
    fn own(&self, path: &[String]) -> bool {
        let path: Vec<_> = path.iter().map(String::as_str).collect();
        let field: Set = [path.as_slice()].into_iter().collect();
        let mut claims = self.claims.values();
        claims.any(|claim| claim.fields.covers(&field))
    }

    /// The owners that hold for a write of `new`.
    ///
    /// Clients that know nothing of owners send none back, which changes nothing; an empty list, or one with an empty
    /// entry, forgets all of them. What cannot be read counts as nothing, as does what comes through a subresource.
    pub(crate) fn of_request(
        new: &Value,
        live: Option<&Value>,
        stored: &Arc<Self>,
        on_part: bool,
    ) -> Arc<Self> {
        let sent = new["metadata"].get("managedFields");
        let was = live.and_then(|live| live["metadata"].get("managedFields"));
        match sent.and_then(Value::as_array) {
            None => stored.clone(),
            Some(_) if on_part || sent == was => stored.clone(),
            Some(entries)
                if entries.is_empty() || *entries == [Value::Object(Default::default())] =>
            {
                Arc::default()
            }
            Some(entries) => match Self::from_json(entries) {
                Ok(owners) => Arc::new(owners),
                Err(_) => stored.clone(),
            },
        }
    }

    fn remove_empty(&mut self) {
        self.claims.retain(|_, claim| !claim.fields.is_empty());
    }
}
