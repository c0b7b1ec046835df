//! Filling in what a client left out.

use serde_json::{Map, Value, json};

/// The fields of a value, which are none when it is no object.
pub(crate) fn fields(value: &mut Value) -> Option<&mut Map<String, Value>> {
    value.as_object_mut()
}

/// The value at a field, where there is one.
pub(crate) fn at<'a>(value: &'a mut Value, field: &str) -> Option<&'a mut Value> {
    value.get_mut(field).filter(|value| !value.is_null())
}

/// The items of a list in a field; none when it is missing.
pub(crate) fn items<'a>(
    value: &'a mut Value,
    field: &str,
) -> impl Iterator<Item = &'a mut Value> + use<'a> {
    let list = value.get_mut(field).and_then(Value::as_array_mut);
    list.into_iter().flatten()
}

/// The struct in a field, which is made when it is missing.
pub(crate) fn part<'a>(value: &'a mut Value, field: &str) -> Option<&'a mut Value> {
    let entry = value
        .as_object_mut()?
        .entry(field)
        .or_insert_with(|| json!({}));
    if entry.is_null() {
        *entry = json!({});
    }
    Some(entry)
}

/// Fills a field that is missing.
pub(crate) fn missing(value: &mut Value, field: &str, default: impl Into<Value>) {
    if let Some(fields) = fields(value) {
        let entry = fields.entry(field).or_insert(Value::Null);
        if entry.is_null() {
            *entry = default.into();
        }
    }
}

/// Fills a field that is missing, or is an empty text or 0, which Go does not tell apart.
pub(crate) fn zero(value: &mut Value, field: &str, default: impl Into<Value>) {
    if let Some(fields) = fields(value) {
        let entry = fields.entry(field).or_insert(Value::Null);
        if entry.is_null() || *entry == json!("") || *entry == json!(0) {
            *entry = default.into();
        }
    }
}
