//! Server-side apply: what an object becomes, and who owns what then.

use std::sync::Arc;

use serde_json::Value;

use super::{
    Circumstances, Claim, Owner, Owners, Role,
    conflict::Conflicts,
    last_applied,
    write::{name, without_ownerless},
};
use crate::{
    fields::{Set, TypeRef, check, collect, compare, merge, remove},
    status::ApiError,
};

/// An apply that is to be carried out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Apply<'a> {
    pub kind: TypeRef<'a>,
    /// The object as it is served; an empty one when there is none yet.
    pub live: &'a Value,
    /// What the client wants to see in it.
    pub config: &'a Value,
    pub by: Circumstances<'a>,
    /// Whether to take what others own.
    pub force: bool,
}

/// Who owned what existed before the first apply, where nobody kept record of that.
const BEFORE: &str = "before-first-apply";

// === impl Apply ===

impl Apply<'_> {
    /// The object afterwards; it still has the owners that it had. `None` when it is as it was.
    pub(crate) fn run(self, owners: &mut Owners) -> Result<Option<Value>, ApiError> {
        self.check()?;
        if owners.is_empty() {
            let by = Circumstances {
                manager: BEFORE,
                ..self.by
            };
            let nothing = Value::Object(Default::default());
            let written = owners.write(self.kind, &nothing, self.live, &by);
            written.map_err(ApiError::bad_request)?;
        }
        let applier = Owner {
            manager: name(self.by.manager),
            role: Role::Apply,
            subresource: self.by.subresource.to_owned(),
        };
        let object = self.merge(owners, &applier)?;
        if let Some(claim) = owners.claims.get_mut(&applier) {
            claim.fields = Arc::new(without_ownerless(&claim.fields));
            if object.is_some() {
                claim.time = Some(self.by.now.to_owned());
            }
        }
        owners.remove_empty();
        Ok(object)
    }

    fn check(&self) -> Result<(), ApiError> {
        let metadata = &self.config["metadata"];
        if metadata["managedFields"].is_array() {
            return Err(ApiError::bad_request("metadata.managedFields must be nil"));
        }
        check(self.kind, self.config).map_err(|why| {
            let text = |value: &'_ Value| value.as_str().unwrap_or_default().to_owned();
            let api_version = text(&self.config["apiVersion"]);
            let slash = if api_version.contains('/') { "" } else { "/" };
            ApiError::bad_request(format!(
                "failed to create typed patch object ({}/{}; {slash}{api_version}, Kind={}): {why}",
                text(&metadata["namespace"]),
                text(&metadata["name"]),
                text(&self.config["kind"]),
            ))
        })
    }

    fn merge(&self, owners: &mut Owners, applier: &Owner) -> Result<Option<Value>, ApiError> {
        let (kind, live) = (self.kind, self.live);
        let failed = |what: &str| {
            let what = what.to_owned();
            move |why: String| ApiError::bad_request(format!("{what}: {why}"))
        };
        let merged = merge(kind, live, self.config).map_err(failed("failed to merge config"))?;
        let stated = collect(kind, self.config).map_err(failed("failed to get field set"))?;
        let claim = Claim {
            api_version: self.by.api_version.to_owned(),
            time: owners
                .claims
                .get(applier)
                .and_then(|last| last.time.clone()),
            fields: Arc::new(stated.without(self.by.reset)),
        };
        let last = owners.claims.insert(applier.clone(), claim);
        let object = match last {
            Some(last) if !last.fields.is_empty() => prune(kind, &merged, owners, &last.fields)
                .map_err(failed("failed to prune fields"))?,
            _ => merged,
        };
        let found = compare(kind, live, &object).map_err(failed("failed to compare objects"))?;
        let found = found.without(self.by.reset);
        let conflicts = Conflicts::find(owners, applier, &found.changed());
        if !self.force && !conflicts.is_empty() {
            let rest = match last_applied::allowed(self) {
                Some(allowed) => conflicts.beyond(&allowed),
                None => conflicts,
            };
            if !rest.is_empty() {
                return Err(rest.to_error());
            }
        }
        owners.lose(&found, applier);
        // An order of items has no owner, yet it is part of the object.
        let is_same = *live == object;
        Ok((!is_same).then(|| last_applied::refreshed(self, object)))
    }
}

/// Removes what the applier stated the last time and nobody owns now.
fn prune(kind: TypeRef<'_>, merged: &Value, owners: &Owners, last: &Set) -> Result<Value, String> {
    let last = last.with_structs(kind);
    let of = |object: &Value| Ok::<_, String>(collect(kind, object)?.with_structs(kind));
    let all = of(merged)?;
    let owned = owners
        .claims
        .values()
        .fold(Set::default(), |mut owned, claim| {
            owned.extend(&claim.fields);
            owned
        });
    let kept = of(&remove(kind, merged, &last))?;
    let owned = kept.union(&owned.with_structs(kind));
    let pruned = remove(kind, merged, &all.difference(&owned));
    // What the applier never owned does not go because something around it does.
    let gone = all.difference(&of(&pruned)?);
    Ok(remove(kind, merged, &gone.intersection(&last)))
}
