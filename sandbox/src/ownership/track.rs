//! Keeping `managedFields` up to date in the objects that are stored.

use std::{
    borrow::Cow,
    sync::{Arc, LazyLock},
};

use serde_json::Value;

use super::{Circumstances, Owners};
use crate::{
    fields::{Model, Set, TypeRef},
    kinds::{Kind, Subresource},
    meta,
    store::{Call, Object},
};

const FIELD: &str = "managedFields";

static NOTHING: LazyLock<Set> = LazyLock::new(Set::default);
static STATUS: LazyLock<Set> = LazyLock::new(|| [&["status"][..]].into_iter().collect());

// === impl Call ===

impl Call {
    /// Says who owns what in `new`, which replaces `old`; these are the owners.
    pub(crate) fn track(&self, new: &mut Value, old: Option<&Object>) -> Arc<Owners> {
        let stored = old.map_or_else(Arc::default, |old| old.owners().clone());
        let live = old.map(Object::value);
        let owners = match &self.decided {
            Some(decided) => decided.clone(),
            None => {
                let owners = Owners::of_request(new, live, &stored, self.part.is_some());
                meta::remove(new, FIELD);
                // An object without owners stays so, until something is applied.
                if owners.is_empty() && old.is_some() {
                    return owners;
                }
                self.written(&owners, new, live).unwrap_or_default()
            }
        };
        if owners.is_empty() {
            meta::remove(new, FIELD);
        } else {
            let written = live.and_then(|live| live["metadata"].get(FIELD));
            meta::set(new, FIELD, owners.to_json(&stored, written));
        }
        owners
    }

    /// The owners after a write; none when an object does not fit its type.
    fn written(
        &self,
        owners: &Arc<Owners>,
        new: &Value,
        old: Option<&Value>,
    ) -> Option<Arc<Owners>> {
        let kind = &self.kind;
        // A scale whose number nobody owns is an object without owners, and stays one.
        if let (Some(Subresource::Scale), Some(scale)) = (self.part, &kind.scale)
            && !owners.own(&scale.replicas)
        {
            return Some(owners.clone());
        }
        let nothing = Value::Object(Default::default());
        let old = old.unwrap_or(&nothing);
        let mut owners = Owners::clone(owners);
        let api_version = kind.api_version();
        let reset = self.reset();
        let by = self.circumstances(&api_version, &reset);
        let written = if kind.renames.is_empty() {
            owners.write(kind.model(), old, new, &by)
        } else {
            // Owners know the fields by the names that this group has for them.
            let (mut old, mut new) = (old.clone(), new.clone());
            kind.serve(&mut old);
            kind.serve(&mut new);
            owners.write(kind.model(), &old, &new, &by)
        };
        written.ok().map(|()| Arc::new(owners))
    }

    /// What owners have to know about this write.
    pub(crate) fn circumstances<'a>(
        &'a self,
        api_version: &'a str,
        reset: &'a Set,
    ) -> Circumstances<'a> {
        Circumstances {
            api_version,
            manager: &self.manager,
            subresource: self.part.map_or("", Subresource::name),
            now: &self.now,
            reset,
        }
    }

    /// The fields that this kind of write cannot change, so that nobody owns them by it.
    pub(crate) fn reset(&self) -> Cow<'static, Set> {
        let kind = &self.kind;
        match self.part {
            Some(Subresource::Status) => {
                let mut paths = vec![vec!["spec"]];
                if kind.schemas.is_some() {
                    paths.push(vec!["metadata"]);
                }
                if kind.kind == "Pod" {
                    paths.push(vec!["metadata", "deletionTimestamp"]);
                }
                let kept = kind.kept_by_status.iter();
                paths.extend(kept.map(|field| vec!["metadata", field]));
                Cow::Owned(paths.iter().map(Vec::as_slice).collect())
            }
            _ if kind.has(Subresource::Status) => Cow::Borrowed(&*STATUS),
            _ => Cow::Borrowed(&*NOTHING),
        }
    }
}

// === impl Kind ===

impl Kind {
    /// The type of its objects, as far as merging is concerned.
    pub(crate) fn model(&self) -> TypeRef<'_> {
        let model: Option<TypeRef<'_>> = match &self.schemas {
            None => Model::kubernetes(&self.type_name),
            Some(schemas) => schemas.model(&self.type_name),
        };
        match model {
            Some(model) => model,
            None => Model::anything(),
        }
    }
}

/// Takes back new times of owners when nothing else is new: a write that changes nothing is none.
pub(crate) fn keep_times(new: &mut Value, old: &Value) {
    if !is_same_but_for_times(new, old) {
        return;
    }
    meta::carry(new, FIELD, old);
}

fn is_same_but_for_times(new: &Value, old: &Value) -> bool {
    let (Some(new), Some(old)) = (new.as_object(), old.as_object()) else {
        return false;
    };
    let rest = new.iter().filter(|(key, _)| *key != "metadata");
    let metadata = || {
        let (new, old) = (
            new.get("metadata")?.as_object()?,
            old.get("metadata")?.as_object()?,
        );
        let mut fields = new.iter().filter(|(key, _)| *key != FIELD);
        let same = new.len() == old.len()
            && fields.all(|(key, value)| old.get(key) == Some(value))
            && same_owners(new.get(FIELD)?, old.get(FIELD)?);
        Some(same)
    };
    let mut rest = rest.map(|(key, value)| old.get(key) == Some(value));
    new.len() == old.len() && rest.all(|same| same) && metadata().unwrap_or_default()
}

fn same_owners(new: &Value, old: &Value) -> bool {
    let (Some(new), Some(old)) = (new.as_array(), old.as_array()) else {
        return false;
    };
    let mut pairs = new.iter().zip(old);
    new.len() == old.len()
        && pairs.all(|(new, old)| {
            let (Some(new), Some(old)) = (new.as_object(), old.as_object()) else {
                return false;
            };
            let timeless = |(key, _): &(&String, &Value)| *key != "time";
            new.iter().filter(timeless).eq(old.iter().filter(timeless))
        })
}
