//! Bodies in YAML, which become JSON first, as in the API server.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_saphyr::{DuplicateKeyPolicy, Error};

/// A document, and the keys that are set twice in it.
pub(super) fn read(text: &[u8]) -> Result<(Value, Vec<String>), String> {
    match document(text, DuplicateKeyPolicy::Error) {
        Ok(value) => Ok((value, Vec::new())),
        Err(error) => {
            let doubled = match error.without_snippet() {
                Error::DuplicateMappingKey { key, location } => {
                    let key = key.as_deref().unwrap_or_default();
                    format!("line {}: key {key:?} already set in map", location.line())
                }
                error => return Err(refusal(error)),
            };
            let value = document(text, DuplicateKeyPolicy::LastWins);
            Ok((
                value.map_err(|error| refusal(error.without_snippet()))?,
                vec![doubled],
            ))
        }
    }
}

/// The first document of a text; an empty one is null.
fn document(mut text: &[u8], duplicate_keys: DuplicateKeyPolicy) -> Result<Value, Error> {
    let options = serde_saphyr::options! { duplicate_keys: duplicate_keys };
    let first = serde_saphyr::read_with_options::<_, Node>(&mut text, options).next();
    Ok(first.transpose()?.map_or(Value::Null, |node| node.0))
}

fn refusal(error: &Error) -> String {
    let text = error.to_string();
    let text = text.lines().next().unwrap_or_default().to_owned();
    match error.location() {
        Some(location) => format!("yaml: line {}: {text}", location.line()),
        None => format!("yaml: {text}"),
    }
}

/// A value of YAML as JSON has it: every key is a text.
struct Node(Value);

struct NodeVisitor;

// === impl Node ===

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor).map(Self)
    }
}

// === impl NodeVisitor ===

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Value;

    fn expecting(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        text.write_str("a value that JSON has, too")
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Bool(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::from(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(Value::from(number))
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Value, E> {
        let refused = || E::custom(format!("json: unsupported value: {number}"));
        Number::from_f64(number)
            .map(Value::Number)
            .ok_or_else(refused)
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::from(text))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<Value, D::Error> {
        inner.deserialize_any(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(Node(item)) = list.next_element()? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut fields = Map::new();
        while let Some((Node(key), Node(value))) = map.next_entry()? {
            let key = match key {
                Value::String(text) => text,
                Value::Bool(_) | Value::Number(_) => key.to_string(),
                _ => {
                    let refused = "unsupported map key, which is no text, number or boolean";
                    return Err(serde::de::Error::custom(refused));
                }
            };
            fields.insert(key, value);
        }
        Ok(Value::Object(fields))
    }
}
