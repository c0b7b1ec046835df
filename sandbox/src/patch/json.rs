//! JSON patches (RFC 6902) as the API server carries them out: `replace` also adds fields, and indexes count from the end
//! when they are negative.

use serde_json::{Map, Value};

use crate::{request::BODY_LIMIT, status::ApiError};

/// A list of operations.
#[derive(Debug)]
pub(crate) struct Operations(Vec<Map<String, Value>>);

/// How deep an object may nest, as for the JSON of a request.
const DEPTH_LIMIT: usize = 128;
const OPERATION_LIMIT: usize = 10_000;

// === impl Operations ===

impl Operations {
    pub(super) fn decode(value: Value) -> Result<Self, ApiError> {
        let kind = super::json_type(&value);
        let malformed = |found: &str, target: &str| {
            ApiError::bad_request(format!(
                "error decoding patch: json: cannot unmarshal {found} into Go value of type {target}"
            ))
        };
        let operations = match value {
            Value::Null => Vec::new(),
            Value::Array(operations) => operations,
            _ => return Err(malformed(kind, "[]handlers.jsonPatchOp")),
        };
        let fields = operations.into_iter().map(|operation| match operation {
            Value::Null => Ok(Map::new()),
            Value::Object(fields) => Ok(fields),
            other => Err(malformed(super::json_type(&other), "handlers.jsonPatchOp")),
        });
        let operations = fields.collect::<Result<Vec<_>, _>>()?;
        for fields in &operations {
            for name in ["op", "path", "from"] {
                let value = fields.get(name).unwrap_or(&Value::Null);
                if !value.is_null() && !value.is_string() {
                    let found = super::json_type(value);
                    return Err(ApiError::bad_request(format!(
                        "error decoding patch: json: cannot unmarshal {found} into Go struct field jsonPatchOp.{name} of type string"
                    )));
                }
            }
        }
        if operations.len() > OPERATION_LIMIT {
            return Err(ApiError::too_many_operations(
                operations.len(),
                OPERATION_LIMIT,
            ));
        }
        Ok(Self(operations))
    }

    /// Changes `object`; when an operation does not fit it, the object is of no use any more.
    pub(super) fn apply(&self, object: &mut Value) -> Result<(), ApiError> {
        for operation in &self.0 {
            operate(object, operation).ok_or_else(ApiError::unprocessable)?;
            // Copies of copies could fill the memory or the stack.
            if is_deeper(object, DEPTH_LIMIT) {
                return Err(ApiError::unprocessable());
            }
            let copies = operation.get("op").is_some_and(|kind| kind == "copy");
            if copies && object.to_string().len() > BODY_LIMIT {
                return Err(ApiError::body_too_large(BODY_LIMIT));
            }
        }
        Ok(())
    }
}

/// Carries out one operation; `None` when it does not fit.
fn operate(object: &mut Value, operation: &Map<String, Value>) -> Option<()> {
    let text = |name: &str| operation.get(name).and_then(Value::as_str);
    let path = text("path")?;
    let value = || operation.get("value").cloned().unwrap_or_default();
    match text("op")? {
        "add" => add(object, path, value()),
        "remove" => take(object, path).map(drop),
        "replace" => replace(object, path, value()),
        "move" => {
            let moved = take(object, text("from")?)?;
            add(object, path, moved)
        }
        "copy" => {
            let copied = read(object, text("from")?)?.clone();
            add(object, path, copied)
        }
        "test" => {
            let found = if path.is_empty() {
                &*object
            } else {
                read(object, path)?
            };
            (*found == value()).then_some(())
        }
        _ => None,
    }
}

fn add(object: &mut Value, path: &str, value: Value) -> Option<()> {
    let (parent, key) = parent(object, path)?;
    match parent {
        Value::Object(fields) => {
            fields.insert(key, value);
        }
        Value::Array(items) if key == "-" => items.push(value),
        Value::Array(items) => {
            let place = index(&key, items.len() + 1)?;
            items.insert(place, value);
        }
        _ => return None,
    }
    Some(())
}

fn replace(object: &mut Value, path: &str, value: Value) -> Option<()> {
    if path.is_empty() {
        if !value.is_object() && !value.is_array() {
            return None;
        }
        *object = value;
        return Some(());
    }
    let (parent, key) = parent(object, path)?;
    match parent {
        Value::Object(fields) => {
            fields.insert(key, value);
        }
        Value::Array(items) => {
            let place = index(&key, items.len())?;
            *items.get_mut(place)? = value;
        }
        _ => return None,
    }
    Some(())
}

fn take(object: &mut Value, path: &str) -> Option<Value> {
    let (parent, key) = parent(object, path)?;
    match parent {
        Value::Object(fields) => fields.remove(&key),
        Value::Array(items) => Some(items.remove(index(&key, items.len())?)),
        _ => None,
    }
}

/// The value at a path; a field that is missing reads as null.
fn read<'a>(object: &'a mut Value, path: &str) -> Option<&'a Value> {
    let (parent, key) = parent(object, path)?;
    match parent {
        Value::Object(fields) => Some(fields.get(&key).unwrap_or(&Value::Null)),
        Value::Array(items) => items.get(index(&key, items.len())?),
        _ => None,
    }
}

/// The struct or list that holds what a path names, and its key there.
fn parent<'a>(object: &'a mut Value, path: &str) -> Option<(&'a mut Value, String)> {
    let mut parts: Vec<_> = path.split('/').skip(1).map(unescape).collect();
    let key = parts.pop()?;
    let mut place = object;
    for part in parts {
        place = match place {
            Value::Object(fields) => fields.get_mut(&part)?,
            Value::Array(items) => {
                let index = index(&part, items.len())?;
                items.get_mut(index)?
            }
            _ => return None,
        };
    }
    Some((place, key))
}

/// A place in a list of `length`; negative ones count from its end.
fn index(text: &str, length: usize) -> Option<usize> {
    let number: i64 = text.parse().ok()?;
    let length = i64::try_from(length).ok()?;
    let place = if number < 0 { number + length } else { number };
    (0..length).contains(&place).then_some(())?;
    usize::try_from(place).ok()
}

fn unescape(part: &str) -> String {
    part.replace("~1", "/").replace("~0", "~")
}

fn is_deeper(value: &Value, limit: usize) -> bool {
    match value {
        Value::Array(items) => limit == 0 || items.iter().any(|inner| is_deeper(inner, limit - 1)),
        Value::Object(fields) => {
            limit == 0 || fields.values().any(|inner| is_deeper(inner, limit - 1))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Applies operations to a small object.
    fn patched(operations: Value) -> Result<Value, u16> {
        let mut object = json!({"a": {"b": 1, "c/d": 2}, "l": [1, 2, 3]});
        let code = |error: ApiError| error.code.as_u16();
        let operations = Operations::decode(operations).map_err(code)?;
        operations.apply(&mut object).map_err(code)?;
        Ok(object)
    }

    #[test]
    fn operations_change_what_they_name() {
        let base = json!({"a": {"b": 1, "c/d": 2}, "l": [1, 2, 3]});
        for (operation, pointer, expected) in [
            (
                json!({"op": "add", "path": "/a/x", "value": 7}),
                "/a/x",
                json!(7),
            ),
            (
                json!({"op": "add", "path": "/l/-", "value": 7}),
                "/l",
                json!([1, 2, 3, 7]),
            ),
            (
                json!({"op": "add", "path": "/l/-1", "value": 7}),
                "/l",
                json!([1, 2, 3, 7]),
            ),
            (
                json!({"op": "add", "path": "/l/0", "value": 7}),
                "/l",
                json!([7, 1, 2, 3]),
            ),
            (
                json!({"op": "remove", "path": "/l/-1"}),
                "/l",
                json!([1, 2]),
            ),
            (
                json!({"op": "replace", "path": "/a/new", "value": 7}),
                "/a/new",
                json!(7),
            ),
            (
                json!({"op": "replace", "path": "/a/c~1d", "value": 7}),
                "/a",
                json!({"b": 1, "c/d": 7}),
            ),
            (
                json!({"op": "move", "from": "/a/b", "path": "/m"}),
                "/m",
                json!(1),
            ),
            (
                json!({"op": "copy", "from": "/l/1", "path": "/a/b"}),
                "/a/b",
                json!(2),
            ),
            (
                json!({"op": "test", "path": "/a/b", "value": 1}),
                "",
                base.clone(),
            ),
            (
                json!({"op": "test", "path": "/a/none", "value": null}),
                "",
                base.clone(),
            ),
            (json!({"op": "add", "path": "/a/b"}), "/a/b", Value::Null),
        ] {
            let object = patched(json!([operation])).unwrap();
            assert_eq!(object.pointer(pointer), Some(&expected), "{operation}");
        }
    }

    #[test]
    fn operations_that_do_not_fit_are_refused() {
        for (operations, code) in [
            (json!([{"op": "test", "path": "/a/b", "value": 2}]), 422),
            (json!([{"op": "remove", "path": "/a/none"}]), 422),
            (json!([{"op": "remove", "path": "/l/3"}]), 422),
            (json!([{"op": "replace", "path": "/l/3", "value": 1}]), 422),
            (json!([{"op": "add", "path": "/none/x", "value": 1}]), 422),
            (json!([{"op": "add", "path": "/a/b/c", "value": 1}]), 422),
            (json!([{"op": "add", "path": "", "value": {}}]), 422),
            (json!([{"op": "add", "path": "/l/5", "value": 1}]), 422),
            (json!([{"op": "jump", "path": "/a"}]), 422),
            (json!([{"path": "/a"}]), 422),
            (json!([{"op": "add"}]), 422),
            (json!([{"op": "add", "path": 5}]), 400),
            (json!([5]), 400),
            (json!({}), 400),
            (
                json!(vec![
                    json!({"op": "test", "path": "/none", "value": null});
                    10_001
                ]),
                413,
            ),
        ] {
            assert_eq!(patched(operations.clone()), Err(code), "{operations}");
        }
    }

    #[test]
    fn copies_of_copies_are_bounded() {
        let wide = json!([{"op": "copy", "from": "/a", "path": "/a/x"}, {"op": "copy", "from": "/a", "path": "/a/y"}]);
        let wide: Vec<_> = wide
            .as_array()
            .unwrap()
            .iter()
            .cycle()
            .take(400)
            .cloned()
            .collect();
        assert!(patched(json!(wide)).is_err());
    }
}
