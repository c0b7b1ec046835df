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

/// A label selector in the form of a query parameter.
pub(crate) fn selector(selector: &Value) -> String {
    let Some(fields) = selector.as_object() else {
        return String::new();
    };
    let equal = fields
        .get("matchLabels")
        .and_then(Value::as_object)
        .into_iter()
        .flatten();
    let equal = equal.map(|(key, value)| (key.as_str(), format!("{key}={}", text(value))));
    let listed = items(&selector["matchExpressions"])
        .iter()
        .map(|requirement| {
            let key = text(&requirement["key"]);
            let mut values: Vec<_> = items(&requirement["values"]).iter().map(text).collect();
            values.sort_unstable();
            let values = values.join(",");
            let text = match text(&requirement["operator"]) {
                "In" => format!("{key} in ({values})"),
                "NotIn" => format!("{key} notin ({values})"),
                "DoesNotExist" => format!("!{key}"),
                _ => key.to_owned(),
            };
            (key, text)
        });
    let mut requirements: Vec<_> = equal.chain(listed).collect();
    if requirements.is_empty() {
        return String::new();
    }
    requirements.sort_by_key(|(key, _)| *key);
    let texts: Vec<_> = requirements.into_iter().map(|(_, text)| text).collect();
    texts.join(",")
}
