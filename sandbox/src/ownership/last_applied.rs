//! Where `kubectl apply` once kept what it applied, before the server knew owners.

use serde_json::Value;

use super::apply::Apply;
use crate::fields::{Set, collect, compare};

const ANNOTATION: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// Who applied with that annotation, and takes these fields over without a conflict.
const KUBECTL: &str = "kubectl";

/// The fields that `kubectl` may take since it applied them itself, and nobody changed them.
pub(super) fn allowed(apply: &Apply<'_>) -> Option<Set> {
    if apply.by.manager != KUBECTL {
        return None;
    }
    let text = annotation(apply.live)?;
    let last: Value = serde_json::from_str(text).ok()?;
    if last["apiVersion"] != apply.by.api_version {
        return None;
    }
    let found = compare(apply.kind, &last, apply.live).ok()?;
    let set = collect(apply.kind, &last).ok()?;
    Some(set.difference(&found.changed()).difference(&found.removed))
}

/// The object with the annotation brought up to date, where it has one.
pub(super) fn refreshed(apply: &Apply<'_>, mut object: Value) -> Value {
    if apply.by.manager != KUBECTL || annotation(&object).is_none() {
        return object;
    }
    let mut config = apply.config.clone();
    if let Some(annotations) = config["metadata"]["annotations"].as_object_mut() {
        annotations.remove(ANNOTATION);
    }
    object["metadata"]["annotations"][ANNOTATION] = format!("{config}\n").into();
    object
}

fn annotation(object: &Value) -> Option<&str> {
    let text = object["metadata"]["annotations"][ANNOTATION].as_str()?;
    (!text.is_empty()).then_some(text)
}
