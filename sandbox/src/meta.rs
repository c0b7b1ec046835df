//! Access to `metadata`, which every object has once it is decoded.

use serde_json::{Map, Value, json};

/// A text of the metadata; empty when it is missing, as in Go.
pub(crate) fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object["metadata"][field].as_str().unwrap_or_default()
}

pub(crate) fn set(object: &mut Value, field: &str, value: impl Into<Value>) {
    if let Some(fields) = fields(object) {
        fields.insert(field.to_owned(), value.into());
    }
}

pub(crate) fn remove(object: &mut Value, field: &str) {
    if let Some(fields) = fields(object) {
        fields.remove(field);
    }
}

/// Takes a field over from another state of the object, or removes it when it is missing there.
pub(crate) fn carry(object: &mut Value, field: &str, from: &Value) {
    match from["metadata"].get(field) {
        Some(value) => set(object, field, value.clone()),
        None => remove(object, field),
    }
}

pub(crate) fn set_label(object: &mut Value, key: &str, value: &str) {
    if let Some(fields) = fields(object) {
        let labels = fields.entry("labels").or_insert_with(|| json!({}));
        labels[key] = json!(value);
    }
}

pub(crate) fn label<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object["metadata"]["labels"].get(key)?.as_str()
}

pub(crate) fn finalizers(object: &Value) -> Vec<&str> {
    let list = object["metadata"]["finalizers"].as_array();
    list.into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}

pub(crate) fn is_deleting(object: &Value) -> bool {
    object["metadata"].get("deletionTimestamp").is_some()
}

fn fields(object: &mut Value) -> Option<&mut Map<String, Value>> {
    object.get_mut("metadata")?.as_object_mut()
}
