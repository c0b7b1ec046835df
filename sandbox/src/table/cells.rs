//! What the cells of several kinds have in common.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::age;
use crate::meta;

/// What stands where there is nothing.
pub(crate) const NONE: &str = "<none>";

pub(crate) fn name(object: &Value) -> Value {
    json!(meta::text(object, "name"))
}

pub(crate) fn age(object: &Value, now: Timestamp) -> Value {
    json!(age::since(&object["metadata"]["creationTimestamp"], now))
}

/// A text; empty when it is missing.
pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// A number; 0 when it is missing.
pub(crate) fn number(value: &Value) -> i64 {
    value.as_i64().unwrap_or_default()
}

/// The items of a list; none when it is missing.
pub(crate) fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// How many entries a map has.
pub(crate) fn count(map: &Value) -> usize {
    map.as_object().map_or(0, serde_json::Map::len)
}

/// The text, or [`NONE`] when it is empty.
pub(crate) fn or_none(text: &str) -> &str {
    or(text, NONE)
}

pub(crate) fn or<'a>(text: &'a str, instead: &'a str) -> &'a str {
    if text.is_empty() { instead } else { text }
}

/// One field of each item, joined.
pub(crate) fn joined(list: &Value, field: &str) -> String {
    let texts: Vec<_> = items(list).iter().map(|item| text(&item[field])).collect();
    texts.join(",")
}

/// Labels as `key=value` pairs in order, or [`NONE`].
pub(crate) fn labels(map: &Value) -> String {
    let pairs = map.as_object().into_iter().flatten();
    let mut pairs: Vec<_> = pairs
        .map(|(key, value)| format!("{key}={}", text(value)))
        .collect();
    pairs.sort_unstable();
    or_none(&pairs.join(",")).to_owned()
}
