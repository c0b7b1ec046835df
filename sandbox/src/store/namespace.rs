//! What the namespace controller writes into a namespace that is being deleted.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Value, json};

use super::Object;
use crate::{kinds::Kind, meta};

/// Takes the finalizer of the controller from a namespace.
pub(super) fn finalize(namespace: &mut Value) {
    if let Some(finalizers) = namespace["spec"]["finalizers"].as_array_mut() {
        finalizers.retain(|finalizer| finalizer != "kubernetes");
    }
}

/// Whether a finalizer still holds a namespace.
pub(super) fn is_held(namespace: &Value) -> bool {
    let own = namespace["spec"]["finalizers"].as_array();
    own.is_some_and(|own| !own.is_empty()) || !meta::finalizers(namespace).is_empty()
}

/// Says what is left in a namespace.
pub(super) fn report(namespace: &mut Value, left: &[(Arc<Kind>, Arc<Object>)], now: &str) {
    let (mut resources, mut finalizers) = (BTreeMap::new(), BTreeMap::new());
    for (kind, object) in left {
        // The controller names a core resource with the dot before its empty group.
        *resources
            .entry(format!("{}.{}", kind.plural, kind.group))
            .or_insert(0) += 1;
        for finalizer in meta::finalizers(object.value()) {
            *finalizers.entry(finalizer.to_owned()).or_insert(0) += 1;
        }
    }
    let said = |counts: &BTreeMap<String, i32>, verb: &str, what: &str| {
        let counts = counts.iter();
        let texts = counts.map(|(name, count)| format!("{name} {verb} {count} {what}"));
        texts.collect::<Vec<_>>().join(", ")
    };
    let remaining = format!(
        "Some resources are remaining: {}",
        said(&resources, "has", "resource instances")
    );
    let holding = format!(
        "Some content in the namespace has finalizers remaining: {}",
        said(&finalizers, "in", "resource instances")
    );
    let mut conditions = vec![
        (
            "NamespaceDeletionDiscoveryFailure",
            "False",
            "ResourcesDiscovered",
            "All resources successfully discovered",
        ),
        (
            "NamespaceDeletionGroupVersionParsingFailure",
            "False",
            "ParsedGroupVersions",
            "All legacy kube types successfully parsed",
        ),
        (
            "NamespaceDeletionContentFailure",
            "False",
            "ContentDeleted",
            "All content successfully deleted, may be waiting on finalization",
        ),
        (
            "NamespaceContentRemaining",
            "True",
            "SomeResourcesRemain",
            &remaining,
        ),
    ];
    conditions.push(match finalizers.is_empty() {
        true => (
            "NamespaceFinalizersRemaining",
            "False",
            "ContentHasNoFinalizers",
            "All content-preserving finalizers finished",
        ),
        false => (
            "NamespaceFinalizersRemaining",
            "True",
            "SomeFinalizersRemain",
            &holding,
        ),
    });
    let before = namespace["status"]["conditions"].clone();
    let conditions = conditions.iter().map(|(kind, status, reason, message)| {
        let mut conditions = before.as_array().into_iter().flatten();
        let old = conditions.find(|old| old["type"] == *kind && old["status"] == *status);
        let since = old.and_then(|old| old["lastTransitionTime"].as_str());
        json!({
            "type": kind, "status": status, "reason": reason, "message": message,
            "lastTransitionTime": since.unwrap_or(now),
        })
    });
    namespace["status"]["conditions"] = conditions.collect();
}
