//! What single kinds fill in and refuse, and the rules for metadata that all kinds share.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use crate::{kinds::Kind, meta, status::FieldError};

const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', \
    and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
    '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', \
    and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is \
    '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";

// === all kinds ===

/// The rules for the metadata of any object.
pub(crate) fn validate_metadata(kind: &Kind, object: &Value) -> Vec<FieldError> {
    let name = meta::text(object, "name");
    if name.is_empty() {
        let why = "name or generateName is required";
        return vec![FieldError::required("metadata.name", why)];
    }
    let (limit, form, fits) = if kind.label_name {
        (63, LABEL, is_label(name))
    } else {
        (253, SUBDOMAIN, name.split('.').all(is_label))
    };
    let mut errors = Vec::new();
    if name.len() > limit {
        let why = format!("must be no more than {limit} characters");
        errors.push(FieldError::invalid("metadata.name", &json!(name), &why));
    }
    if kind.label_name && name.contains('.') {
        errors.push(FieldError::invalid(
            "metadata.name",
            &json!(name),
            "must not contain dots",
        ));
    } else if !fits {
        errors.push(FieldError::invalid("metadata.name", &json!(name), form));
    }
    errors
}

/// The rules for the metadata of an object that replaces `old`.
pub(crate) fn validate_change(new: &Value, old: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if meta::text(new, "uid") != meta::text(old, "uid") {
        let uid = json!(meta::text(new, "uid"));
        errors.push(FieldError::invalid(
            "metadata.uid",
            &uid,
            "field is immutable",
        ));
    }
    let before = meta::finalizers(old);
    let mut added = meta::finalizers(new);
    added.retain(|finalizer| !before.contains(finalizer));
    if meta::is_deleting(old) && !added.is_empty() {
        let list = format!("{added:?}");
        let list = list.trim_matches(['[', ']']);
        let why = format!(
            "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{list}}}"
        );
        errors.push(FieldError::forbidden("metadata.finalizers", &why));
    }
    errors
}

fn is_label(text: &str) -> bool {
    let inner = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-';
    !text.is_empty()
        && text.bytes().all(|byte| inner(&byte))
        && !text.starts_with('-')
        && !text.ends_with('-')
}

// === Namespace ===

pub(crate) fn prepare_namespace(new: &mut Value, old: Option<&Value>) {
    let name = meta::text(new, "name").to_owned();
    meta::set_label(new, "kubernetes.io/metadata.name", &name);
    if old.is_none() {
        new["spec"] = json!({"finalizers": ["kubernetes"]});
        new["status"] = json!({"phase": "Active"});
    }
}

// === Secret ===

pub(crate) fn prepare_secret(new: &mut Value, _: Option<&Value>) {
    let Some(fields) = new.as_object_mut() else {
        return;
    };
    fields.entry("type").or_insert_with(|| json!("Opaque"));
    let Some(Value::Object(plain)) = fields.remove("stringData") else {
        return;
    };
    let data = fields.entry("data").or_insert_with(|| json!({}));
    for (key, text) in plain {
        data[key] = json!(BASE64_STANDARD.encode(text.as_str().unwrap_or_default()));
    }
}

pub(crate) fn validate_secret(new: &Value, old: Option<&Value>) -> Vec<FieldError> {
    match old {
        Some(old) if old["type"] != new["type"] => {
            vec![FieldError::invalid(
                "type",
                &new["type"],
                "field is immutable",
            )]
        }
        _ => Vec::new(),
    }
}

// === Lease ===

pub(crate) fn prepare_lease(new: &mut Value, _: Option<&Value>) {
    if new["spec"].is_null() {
        new["spec"] = json!({});
    }
}

pub(crate) fn validate_lease(new: &Value, _: Option<&Value>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let duration = &new["spec"]["leaseDurationSeconds"];
    if duration.as_i64().is_some_and(|seconds| seconds <= 0) {
        let field = "spec.leaseDurationSeconds";
        errors.push(FieldError::invalid(
            field,
            duration,
            "must be greater than 0",
        ));
    }
    let transitions = &new["spec"]["leaseTransitions"];
    if transitions.as_i64().is_some_and(|count| count < 0) {
        let field = "spec.leaseTransitions";
        errors.push(FieldError::invalid(
            field,
            transitions,
            "must be greater than or equal to 0",
        ));
    }
    errors
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::Registry;

    #[test]
    fn names_are_dns_names() {
        let lease = Registry::built_in()
            .find("coordination.k8s.io", "v1", "leases")
            .unwrap();
        let namespace = Registry::built_in().find("", "v1", "namespaces").unwrap();
        for (name, as_lease, as_namespace) in [
            ("zoo", true, true),
            ("zoo-1", true, true),
            ("1.zoo", true, false),
            ("", false, false),
            ("Zoo", false, false),
            ("-zoo", false, false),
            ("zoo-", false, false),
            ("zoo..x", false, false),
            ("zoo_1", false, false),
            (&"z".repeat(63), true, true),
            (&"z".repeat(64), true, false),
            (&"z".repeat(254), false, false),
        ] {
            let object = json!({"metadata": {"name": name}});
            assert_eq!(
                validate_metadata(&lease, &object).is_empty(),
                as_lease,
                "{name:?}"
            );
            assert_eq!(
                validate_metadata(&namespace, &object).is_empty(),
                as_namespace,
                "{name:?}"
            );
        }
    }
}
