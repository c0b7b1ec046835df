//! What the server fills into a CustomResourceDefinition, and what it refuses.

use regex::Regex;
use serde_json::{Value, json};

use super::names;
use crate::{meta, rules::At, status::FieldError};

/// Holds a definition until its objects are gone.
pub(crate) const FINALIZER: &str = "customresourcecleanup.apiextensions.k8s.io";

/// Fills in the names that follow from the kind.
pub(crate) fn default(new: &mut Value) {
    let Some(spec) = new.get_mut("spec").filter(|spec| spec.is_object()) else {
        return;
    };
    if let Some(names) = spec.get_mut("names").and_then(Value::as_object_mut) {
        let kind = names
            .get("kind")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let (singular, list) = (json!(kind.to_lowercase()), json!(format!("{kind}List")));
        if !kind.is_empty() {
            names.entry("singular").or_insert(singular);
            names.entry("listKind").or_insert(list);
        }
    }
    if spec["conversion"].is_null() {
        spec["conversion"] = json!({"strategy": "None"});
    }
}

/// Records which versions objects are kept in.
pub(crate) fn prepare(new: &mut Value, old: Option<&Value>) {
    if old.is_none() {
        new["status"] = json!({
            "acceptedNames": {"kind": "", "plural": ""}, "conditions": null, "storedVersions": null,
        });
    }
    let versions = new["spec"]["versions"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let stored = versions.iter().filter(|version| version["storage"] == true);
    for name in stored.map(|version| version["name"].clone()) {
        let kept = &mut new["status"]["storedVersions"];
        match kept.as_array_mut() {
            Some(kept) if kept.contains(&name) => {}
            Some(kept) => kept.push(name),
            None => *kept = json!([name]),
        }
    }
}

/// The rules of a definition.
pub(crate) fn validate(new: &Value, old: Option<&Value>) -> Vec<FieldError> {
    let root = At::root(new);
    let spec = root.field("spec");
    let (group, of_names) = (spec.field("group"), spec.field("names"));
    let mut errors = Vec::new();
    let expected = format!("{}.{}", of_names.field("plural").text(), group.text());
    if meta::text(new, "name") != expected {
        let why = "must be spec.names.plural+\".\"+spec.group";
        errors.push(root.field("metadata").field("name").invalid(why));
    }
    if group.text().is_empty() {
        errors.push(group.required(""));
    } else if !group.text().contains('.') {
        errors.push(group.invalid("should be a domain with at least one dot"));
    }
    errors.extend(
        spec.field("scope")
            .required_one_of(&["Cluster", "Namespaced"]),
    );
    errors.extend(check_versions(&spec));
    for field in ["plural", "singular", "kind", "listKind"] {
        let name = of_names.field(field);
        if name.text().is_empty() {
            errors.push(name.required(""));
        }
    }
    let stored = root.field("status").field("storedVersions");
    if stored.len() == 0 {
        errors.push(stored.invalid("must have at least one stored version"));
    }
    if let Some(old) = old.filter(|old| names::is_true(&old["status"], "Established")) {
        let before = At::root(old).field("spec");
        errors.extend(spec.field("scope").unchanged(&before.field("scope")));
        let kind = of_names.field("kind");
        errors.extend(kind.unchanged(&before.field("names").field("kind")));
    }
    errors
}

fn check_versions(spec: &At<'_>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let versions = spec.field("versions");
    let mut seen = Vec::new();
    for version in versions.items() {
        let name = version.field("name").text();
        if seen.contains(&name) {
            errors.push(versions.invalid("must contain unique version names"));
        }
        seen.push(name);
        let schema = version.field("schema").field("openAPIV3Schema");
        if !schema.is_set() {
            errors.push(schema.required(""));
            continue;
        }
        match schema.field("type").text() {
            "object" => {}
            "" => errors.push(
                schema
                    .field("type")
                    .required("must not be empty at the root"),
            ),
            _ => errors.push(schema.field("type").invalid("must be object at the root")),
        }
        check_structure(&schema, &mut errors);
    }
    let stored = versions
        .items()
        .filter(|version| version.field("storage").is_true());
    if stored.count() != 1 {
        let value = if versions.is_set() {
            versions.value().clone()
        } else {
            json!([])
        };
        let why = "must have exactly one version marked as storage version";
        errors.push(FieldError::invalid(versions.path(), &value, why));
    }
    errors
}

/// Every field and item of a schema has a type, and every pattern can be read.
fn check_structure(schema: &At<'_>, errors: &mut Vec<FieldError>) {
    let has_type = |inner: &At<'_>| {
        let free = [
            "x-kubernetes-int-or-string",
            "x-kubernetes-preserve-unknown-fields",
        ];
        !inner.field("type").text().is_empty()
            || free.iter().any(|flag| inner.field(flag).is_true())
    };
    let pattern = schema.field("pattern");
    if let Err(error) = Regex::new(pattern.text()) {
        let why = format!("must be a valid regular expression, but isn't: {error}");
        errors.push(pattern.invalid(&why));
    }
    for (_, field) in schema.field("properties").entries() {
        if !has_type(&field) {
            let why = "must not be empty for specified object fields";
            errors.push(field.field("type").required(why));
        }
        check_structure(&field, errors);
    }
    let items = schema.field("items");
    if items.is_set() {
        if !has_type(&items) {
            let why = "must not be empty for specified array items";
            errors.push(items.field("type").required(why));
        }
        check_structure(&items, errors);
    }
    let values = schema.field("additionalProperties");
    if values.value().is_object() {
        check_structure(&values, errors);
    }
}

/// The state of a definition whose deletion has begun.
pub(crate) fn terminating(definition: &Value, now: &str) -> Value {
    let mut value = definition.clone();
    let mut finalizers = meta::finalizers(definition);
    if !finalizers.contains(&FINALIZER) {
        finalizers.push(FINALIZER);
    }
    let finalizers = json!(finalizers);
    meta::set(&mut value, "finalizers", finalizers);
    meta::set(&mut value, "deletionTimestamp", now);
    names::terminate(&mut value["status"], now);
    value
}
