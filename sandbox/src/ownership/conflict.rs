//! Refusals of an apply that would change what others own.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Claim, Owner, Owners, Role};
use crate::{
    fields::{Element, Set},
    status::ApiError,
};

/// The fields that an apply would take, by owner.
#[derive(Debug, Default)]
pub(super) struct Conflicts<'a> {
    of: BTreeMap<&'a Owner, (&'a Claim, Set)>,
}

// === impl Conflicts ===

impl<'a> Conflicts<'a> {
    /// What owners other than `applier` have of the changed fields.
    pub(super) fn find(owners: &'a Owners, applier: &Owner, changed: &Set) -> Self {
        let others = owners.claims.iter().filter(|(owner, _)| *owner != applier);
        let of = others.filter_map(|(owner, claim)| {
            let taken = claim.fields.intersection(changed);
            (!taken.is_empty()).then_some((owner, (claim, taken)))
        });
        Self { of: of.collect() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.of.is_empty()
    }

    /// The conflicts about fields that are not in `allowed`.
    pub(super) fn beyond(&self, allowed: &Set) -> Self {
        let of = self.of.iter().filter_map(|(owner, (claim, taken))| {
            let rest = taken.difference(allowed);
            (!rest.is_empty()).then_some((*owner, (*claim, rest)))
        });
        Self { of: of.collect() }
    }

    pub(super) fn to_error(&self) -> ApiError {
        let (mut texts, mut causes, mut single) = (Vec::new(), Vec::new(), String::new());
        for (owner, (claim, taken)) in &self.of {
            let who = describe(owner, claim);
            texts.push(format!("conflicts with {who}:"));
            for path in taken.paths() {
                let path: String = path.iter().map(Element::to_string).collect();
                single = format!("conflict with {who}: {path}");
                texts.push(format!("- {path}"));
                causes.push(cause(&who, &path));
            }
        }
        let message = match causes.len() {
            1 => format!("Apply failed with 1 conflict: {single}"),
            count => format!("Apply failed with {count} conflicts: {}", texts.join("\n")),
        };
        ApiError::apply_conflict(message, causes)
    }
}

fn cause(who: &str, path: &str) -> Value {
    json!({
        "reason": "FieldManagerConflict",
        "message": format!("conflict with {who}"),
        "field": path,
    })
}

fn describe(owner: &Owner, claim: &Claim) -> String {
    let mut text = format!("{:?}", owner.manager);
    if !owner.subresource.is_empty() {
        text.push_str(&format!(" with subresource {:?}", owner.subresource));
    }
    if owner.role != Role::Apply {
        text.push_str(&format!(" using {}", claim.api_version));
    }
    text
}
