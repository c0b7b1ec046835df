//! Namespaces.

use serde_json::{Value, json};

use super::{at::At, names};
use crate::{meta, status::FieldError};

pub(crate) fn default_namespace(new: &mut Value) {
    let name = meta::text(new, "name").to_owned();
    if !name.is_empty() {
        meta::set_label(new, "kubernetes.io/metadata.name", &name);
    }
}

pub(crate) fn prepare_namespace(new: &mut Value, old: Option<&Value>) {
    // A generated name comes after the defaults.
    default_namespace(new);
    if old.is_some() {
        return;
    }
    new["status"] = json!({"phase": "Active"});
    let finalizers = At::root(new).field("spec").field("finalizers");
    let mut finalizers: Vec<_> = finalizers.items().map(|one| one.value().clone()).collect();
    if !finalizers.contains(&json!("kubernetes")) {
        finalizers.push(json!("kubernetes"));
    }
    new["spec"] = json!({"finalizers": finalizers});
}

pub(crate) fn validate_namespace(new: &Value, old: Option<&Value>) -> Vec<FieldError> {
    if old.is_some_and(|old| old["spec"] == new["spec"]) {
        return Vec::new();
    }
    let finalizers = At::root(new).field("spec").field("finalizers");
    let mut errors = Vec::new();
    for finalizer in finalizers.items() {
        let mut wrong = names::qualified(finalizer.text());
        let standard = ["kubernetes", "orphan", "foregroundDeletion"];
        if !finalizer.text().contains('/') && !standard.contains(&finalizer.text()) {
            wrong.push(
                "name is neither a standard finalizer name nor is it fully qualified".to_owned(),
            );
        }
        for why in wrong {
            let path = match old {
                Some(_) => finalizer.path(),
                None => finalizers.path(),
            };
            errors.push(FieldError::invalid(path, finalizer.value(), &why));
        }
    }
    errors
}
