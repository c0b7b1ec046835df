//! What a write to a part of an object leaves alone, and which writes count as a new generation.

use serde_json::Value;

use crate::{
    kinds::{Generation, Kind, Subresource},
    meta,
};

/// Takes from a new object what its creator does not decide.
pub(super) fn start(kind: &Kind, new: &mut Value) {
    if kind.has(Subresource::Status) && !kind.created_with_status {
        remove(new, "status");
    }
    if kind.generation != Generation::Never {
        meta::set(new, "generation", 1);
    }
}

/// Brings back from the old state what a write to the object, or to a part of it, cannot change.
pub(super) fn isolate(kind: &Kind, part: Option<Subresource>, new: &mut Value, old: &Value) {
    match part {
        Some(Subresource::Status) => {
            let status = new.get("status").cloned();
            let metadata = new["metadata"].take();
            *new = old.clone();
            new["metadata"] = metadata;
            for field in kind.kept_by_status {
                meta::carry(new, field, old);
            }
            match status {
                Some(status) => new["status"] = status,
                None => remove(new, "status"),
            }
        }
        // The finalizers of a namespace are all of its spec, which no other write changes.
        _ if kind.is_namespace() && part != Some(Subresource::Finalize) => {
            carry(new, "spec", old);
            carry(new, "status", old);
        }
        _ if kind.has(Subresource::Status) => carry(new, "status", old),
        _ => {}
    }
}

/// Counts a change of what the kind counts.
pub(super) fn count(kind: &Kind, new: &mut Value, old: &Value) {
    let same = |field: &str| new.get(field) == old.get(field);
    let changed = match kind.generation {
        Generation::Never => false,
        Generation::Spec => !same("spec"),
        Generation::SpecAndAnnotations => {
            let annotations = |object: &Value| object["metadata"].get("annotations").cloned();
            !same("spec") || annotations(new) != annotations(old)
        }
        Generation::Contents => contents(kind, new) != contents(kind, old),
    };
    if changed {
        advance(new, old);
    }
}

/// The generation of `old`, plus one; objects without one stay without.
pub(super) fn advance(new: &mut Value, old: &Value) {
    if let Some(generation) = old["metadata"]["generation"].as_i64() {
        meta::set(new, "generation", generation.saturating_add(1));
    }
}

fn contents<'a>(kind: &Kind, object: &'a Value) -> Vec<(&'a String, &'a Value)> {
    let counted =
        |key: &str| key != "metadata" && !(key == "status" && kind.has(Subresource::Status));
    let fields = object.as_object().into_iter().flatten();
    fields.filter(|(key, _)| counted(key)).collect()
}

fn carry(new: &mut Value, field: &str, old: &Value) {
    match old.get(field) {
        Some(value) => new[field] = value.clone(),
        None => remove(new, field),
    }
}

fn remove(object: &mut Value, field: &str) {
    if let Some(fields) = object.as_object_mut() {
        fields.remove(field);
    }
}
