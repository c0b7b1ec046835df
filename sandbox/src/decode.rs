//! From the bytes of a request to an object that fits its kind.
//!
//! An object is kept without `apiVersion` and `kind`, which follow from the path, and without nulls, which mean "not set"
//! in Kubernetes. Unknown fields stay.

use serde_json::{Value, json};

use crate::{
    kinds::{Kind, Shape},
    status::ApiError,
};

/// The types of the metadata fields that the server itself reads or that typed clients refuse to read.
const METADATA: [(&str, Shape); 11] = [
    ("metadata.name", Shape::Text),
    ("metadata.generateName", Shape::Text),
    ("metadata.namespace", Shape::Text),
    ("metadata.uid", Shape::Text),
    ("metadata.resourceVersion", Shape::Text),
    ("metadata.creationTimestamp", Shape::Text),
    ("metadata.deletionTimestamp", Shape::Text),
    ("metadata.labels", Shape::TextMap),
    ("metadata.annotations", Shape::TextMap),
    ("metadata.finalizers", Shape::TextList),
    ("metadata.ownerReferences", Shape::List),
];

/// Decodes the object of a create or replace request.
pub(crate) fn object(kind: &Kind, body: &[u8]) -> Result<Value, ApiError> {
    let value = serde_json::from_slice(body).map_err(|error| {
        let must = format!(
            "the object provided is unrecognized (must be of type {})",
            kind.kind
        );
        ApiError::bad_request(format!(
            "{must}: couldn't get version/kind; json parse error: {error}"
        ))
    })?;
    admit(kind, value)
}

/// Checks that a JSON value is an object of `kind`, and brings it into the form in which it is kept.
pub(crate) fn admit(kind: &Kind, mut value: Value) -> Result<Value, ApiError> {
    let Some(fields) = value.as_object_mut() else {
        return Err(mismatch(kind, json_type(&value), "", "object"));
    };
    let (version, name) = (fields.remove("apiVersion"), fields.remove("kind"));
    check_type(kind, version, name)?;

    drop_nulls(&mut value);
    if value.get("metadata").is_none() {
        value["metadata"] = json!({});
    }
    if !value["metadata"].is_object() {
        return Err(mismatch(
            kind,
            json_type(&value["metadata"]),
            ".metadata",
            "ObjectMeta",
        ));
    }
    for (path, shape) in METADATA.iter().chain(kind.shape) {
        check_shape(kind, &value, path, *shape)?;
    }
    tidy_metadata(&mut value);
    kind.store(&mut value);
    if let Some(custom) = &kind.custom {
        custom.admit(&mut value);
    }
    (kind.default)(&mut value);
    Ok(value)
}

/// A missing `apiVersion` or `kind` means the one of the path.
fn check_type(kind: &Kind, version: Option<Value>, name: Option<Value>) -> Result<(), ApiError> {
    let text = |value: Option<Value>, default: String| match value {
        None | Some(Value::Null) => Ok(default),
        Some(Value::String(text)) if text.is_empty() => Ok(default),
        Some(Value::String(text)) => Ok(text),
        Some(other) => Err(mismatch(kind, json_type(&other), "", "string")),
    };
    let expected = kind.api_version();
    let (version, name) = (
        text(version, expected.clone())?,
        text(name, kind.kind.to_string())?,
    );
    if name != kind.kind {
        let message = format!(
            "{name} in version {version:?} cannot be handled as a {}",
            kind.kind
        );
        return Err(ApiError::bad_request(message));
    }
    if version != expected {
        return Err(ApiError::bad_request(format!(
            "the API version in the data ({version}) does not match the expected API version ({expected})"
        )));
    }
    Ok(())
}

fn check_shape(kind: &Kind, object: &Value, path: &str, shape: Shape) -> Result<(), ApiError> {
    let mut value = object;
    for part in path.split('.') {
        match value.get(part) {
            Some(inner) => value = inner,
            None => return Ok(()),
        }
    }
    let (fits, expected) = match shape {
        Shape::Text => (value.is_string(), "string"),
        Shape::Int => (
            value
                .as_i64()
                .is_some_and(|number| i32::try_from(number).is_ok()),
            "int32",
        ),
        Shape::Map => (value.is_object(), "object"),
        Shape::List => (value.is_array(), "[]object"),
        Shape::TextMap => {
            let map = value.as_object();
            (
                map.is_some_and(|map| map.values().all(Value::is_string)),
                "map[string]string",
            )
        }
        Shape::TextList => {
            let list = value.as_array();
            (
                list.is_some_and(|list| list.iter().all(Value::is_string)),
                "[]string",
            )
        }
    };
    if fits {
        return Ok(());
    }
    Err(mismatch(
        kind,
        json_type(value),
        &format!(".{path}"),
        expected,
    ))
}

fn mismatch(kind: &Kind, found: &str, path: &str, expected: &str) -> ApiError {
    let Kind { kind, version, .. } = kind;
    ApiError::bad_request(format!(
        "{kind} in version {version:?} cannot be handled as a {kind}: \
         json: cannot unmarshal {found} into Go struct field {kind}{path} of type {expected}"
    ))
}

fn json_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, inner| !inner.is_null());
            fields.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

/// Removes what Go omits when it is empty, and what this server does not keep.
fn tidy_metadata(object: &mut Value) {
    let Some(fields) = object["metadata"].as_object_mut() else {
        return;
    };
    fields.retain(|key, value| match value {
        _ if key == "selfLink" => false,
        // An empty list means something here.
        _ if key == "managedFields" => true,
        Value::Object(map) => !map.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::String(text) => !text.is_empty(),
        _ => true,
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::Registry;

    #[test]
    fn an_object_is_kept_without_what_says_nothing() {
        let kind = Registry::built_in().find("", "v1", "configmaps").unwrap();
        let sent = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "data": null,
            "metadata": {"name": "m", "labels": {}, "creationTimestamp": null, "selfLink": "x"},
        });
        assert_eq!(
            admit(&kind, sent).unwrap(),
            json!({"metadata": {"name": "m"}})
        );
    }

    #[test]
    fn fields_have_the_types_of_their_kind() {
        let kind = Registry::built_in()
            .find("coordination.k8s.io", "v1", "leases")
            .unwrap();
        for (spec, accepted) in [
            (
                json!({"leaseDurationSeconds": 15, "holderIdentity": "p"}),
                true,
            ),
            (json!({"leaseDurationSeconds": null}), true),
            (json!({"leaseDurationSeconds": "15"}), false),
            (json!({"leaseDurationSeconds": 1.5}), false),
            (json!({"leaseDurationSeconds": 3_000_000_000_u32}), false),
            (json!({"holderIdentity": 1}), false),
            (json!([]), false),
        ] {
            let admitted = admit(&kind, json!({"metadata": {"name": "l"}, "spec": spec}));
            assert_eq!(admitted.is_ok(), accepted, "{spec}");
        }
        let error = admit(&kind, json!({"spec": {"leaseTransitions": "1"}})).unwrap_err();
        assert_eq!(
            error.message,
            "Lease in version \"v1\" cannot be handled as a Lease: json: cannot unmarshal string into \
             Go struct field Lease.spec.leaseTransitions of type int32"
        );
    }
}
