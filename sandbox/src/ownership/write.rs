//! Who owns what after a create, replace or patch.

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock},
};

use serde_json::Value;

use super::{Circumstances, Claim, Owner, Owners, Role};
use crate::fields::{Comparison, Set, TypeRef, compare};

/// What belongs to the server, or names the object, and so has no owner.
static OWNERLESS: LazyLock<Set> = LazyLock::new(|| {
    let paths: [&[&str]; 12] = [
        &["apiVersion"],
        &["kind"],
        &["metadata"],
        &["metadata", "name"],
        &["metadata", "namespace"],
        &["metadata", "creationTimestamp"],
        &["metadata", "selfLink"],
        &["metadata", "uid"],
        &["metadata", "clusterName"],
        &["metadata", "generation"],
        &["metadata", "managedFields"],
        &["metadata", "resourceVersion"],
    ];
    paths.into_iter().collect()
});

/// How many owners an object may have that do not apply.
const UPDATER_LIMIT: usize = 10;
/// Who owns what the oldest of them did when there are more.
const ANCIENT: &str = "ancient-changes";

// === impl Owners ===

impl Owners {
    /// Makes the writer the owner of what it changed; fails when an object does not fit its type.
    pub(crate) fn write(
        &mut self,
        kind: TypeRef<'_>,
        old: &Value,
        new: &Value,
        by: &Circumstances<'_>,
    ) -> Result<(), String> {
        let found = compare(kind, old, new)?.without(by.reset);
        if found.is_same() {
            return Ok(());
        }
        let changed = found.changed();
        let set = without_ownerless(&changed);
        let owner = Owner {
            manager: name(by.manager),
            role: Role::Update(by.api_version.to_owned()),
            subresource: by.subresource.to_owned(),
        };
        for (other, claim) in &mut self.claims {
            let keeps = if *other == owner && !set.is_empty() {
                claim.fields.covers(&set) && changed_covers(&changed, &set, &claim.fields)
            } else {
                claim.fields.is_disjoint(&changed)
            };
            if !keeps {
                claim.fields = Arc::new(claim.fields.difference(&changed));
            }
            if !claim.fields.is_disjoint(&found.removed) {
                claim.fields = Arc::new(claim.fields.difference(&found.removed));
            }
        }
        if !set.is_empty() {
            let claim = self.claims.entry(owner).or_insert_with(|| Claim {
                api_version: by.api_version.to_owned(),
                time: None,
                fields: Arc::default(),
            });
            if !claim.fields.covers(&set) {
                claim.fields = Arc::new(claim.fields.union(&set));
            }
            // The scale of an object has no time of its own on the real server.
            if by.subresource != "scale" {
                claim.time = Some(by.now.to_owned());
            }
        }
        self.remove_empty();
        self.cap();
        Ok(())
    }

    /// Takes from all owners but one what a comparison says they lost.
    pub(super) fn lose(&mut self, found: &Comparison, except: &Owner) {
        let gone = found.changed().union(&found.removed);
        for (owner, claim) in &mut self.claims {
            if owner != except && !claim.fields.is_disjoint(&gone) {
                claim.fields = Arc::new(claim.fields.difference(&gone));
            }
        }
        self.remove_empty();
    }

    /// Merges the oldest owners while there are too many of them.
    fn cap(&mut self) {
        let updaters = self
            .claims
            .iter()
            .filter(|(owner, _)| owner.role != Role::Apply);
        let mut updaters: Vec<_> = updaters
            .map(|(owner, claim)| (claim.time.clone(), owner.clone()))
            .collect();
        let mut count = updaters.len();
        if count <= UPDATER_LIMIT {
            return;
        }
        updaters.sort();
        let mut first_of_version: BTreeMap<String, Owner> = BTreeMap::new();
        for (_, owner) in updaters {
            if count <= UPDATER_LIMIT {
                return;
            }
            let Some(version) = self
                .claims
                .get(&owner)
                .map(|claim| claim.api_version.clone())
            else {
                continue;
            };
            let Some(first) = first_of_version.get(&version) else {
                first_of_version.insert(version, owner);
                continue;
            };
            let bucket = Owner {
                manager: ANCIENT.to_owned(),
                role: Role::Update(version),
                subresource: String::new(),
            };
            if !self.claims.contains_key(&bucket)
                && let Some(claim) = self.claims.remove(first)
            {
                self.claims.insert(bucket.clone(), claim);
            }
            if let Some(claim) = self.claims.remove(&owner) {
                let merged = self.claims.entry(bucket).or_insert_with(|| claim.clone());
                merged.fields = Arc::new(merged.fields.union(&claim.fields));
                merged.time = claim.time;
                count -= 1;
            }
        }
    }
}

/// The name of a manager; one that has none is not known.
pub(super) fn name(manager: &str) -> String {
    let unknown = manager.is_empty();
    if unknown { "unknown" } else { manager }.to_owned()
}

pub(super) fn without_ownerless(set: &Set) -> Set {
    set.difference(&OWNERLESS)
}

/// Whether an owner that sets `set` again keeps all of its fields although they changed.
fn changed_covers(changed: &Set, set: &Set, fields: &Set) -> bool {
    // What is changed but has no owner is in no claim, unless a client put it there.
    fields.is_disjoint(&changed.difference(set))
}
