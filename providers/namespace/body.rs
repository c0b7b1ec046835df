//! The namespace inside objects.

use multicluster::BoxError;
use serde_json::Value;

use super::path::VISIBLE;

/// Fields of an Event that name its subject, whose namespace must be the Event's own.
const SUBJECTS: [&str; 3] = ["involvedObject", "regarding", "related"];

/// Renames the namespace `from` to `to` in an object, in the items of a list, and in the rows of a table.
pub(super) fn rename(value: &mut Value, from: &str, to: &str) {
    let kind = value
        .get("kind")
        .and_then(Value::as_str)
        .unwrap_or_default();
    if kind.ends_with("List") {
        each(value, "items", |item| rename_object(item, from, to));
    } else if kind == "Table" {
        each(value, "rows", |row| {
            if let Some(object) = row.get_mut("object") {
                rename_object(object, from, to);
            }
        });
    } else {
        rename_object(value, from, to);
    }
}

/// Renames the namespace in a JSON document; one that is no JSON stays as it is.
pub(super) fn rename_document(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    match serde_json::from_slice::<Value>(bytes) {
        Ok(mut value) => {
            rename(&mut value, from, to);
            value.to_string().into_bytes()
        }
        Err(_) => bytes.to_vec(),
    }
}

/// Renames the namespace in one line of a watch.
pub(super) fn rename_line(line: &[u8], from: &str, to: &str) -> Result<Vec<u8>, BoxError> {
    let mut event: Value = serde_json::from_slice(line)?;
    if let Some(object) = event.get_mut("object") {
        rename(object, from, to);
    }
    let mut line = event.to_string().into_bytes();
    line.push(b'\n');
    Ok(line)
}

/// Whether an object that a user sends stays in the one namespace.
pub(super) fn stays(bytes: &[u8]) -> bool {
    let Ok(value) = serde_json::from_slice::<Value>(bytes) else {
        // The server says what is wrong with it.
        return true;
    };
    let namespace = value.pointer("/metadata/namespace").and_then(Value::as_str);
    matches!(namespace, None | Some("" | VISIBLE))
}

fn rename_object(object: &mut Value, from: &str, to: &str) {
    rename_field(object, "metadata", from, to);
    for subject in SUBJECTS {
        rename_field(object, subject, from, to);
    }
}

fn rename_field(object: &mut Value, field: &str, from: &str, to: &str) {
    if let Some(namespace) = object.pointer_mut(&format!("/{field}/namespace"))
        && namespace.as_str() == Some(from)
    {
        *namespace = to.into();
    }
}

fn each(value: &mut Value, field: &str, act: impl FnMut(&mut Value)) {
    if let Some(items) = value.get_mut(field).and_then(Value::as_array_mut) {
        items.iter_mut().for_each(act);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn renamed(mut value: Value) -> Value {
        rename(&mut value, "zoo", "default");
        value
    }

    #[test]
    fn objects_lists_and_tables() {
        let (before, after) = (
            json!({"metadata": {"namespace": "zoo"}}),
            json!({"metadata": {"namespace": "default"}}),
        );
        assert_eq!(renamed(before.clone()), after);
        assert_eq!(
            renamed(json!({"kind": "ConfigMapList", "items": [before]})),
            json!({"kind": "ConfigMapList", "items": [after]})
        );
        assert_eq!(
            renamed(json!({"kind": "Table", "rows": [{"object": before}]})),
            json!({"kind": "Table", "rows": [{"object": after}]})
        );
    }

    #[test]
    fn only_namespaces_are_renamed() {
        let object = json!({"kind": "ConfigMap", "metadata": {"name": "zoo", "namespace": "other"}, "data": {"namespace": "zoo"}});
        assert_eq!(renamed(object.clone()), object);
        let event = json!({"kind": "Event", "involvedObject": {"namespace": "zoo", "name": "zoo"}});
        assert_eq!(
            renamed(event)["involvedObject"],
            json!({"namespace": "default", "name": "zoo"})
        );
        assert_eq!(renamed(json!([1])), json!([1]));
    }

    #[test]
    fn watch_lines_stay_lines() {
        let line =
            br#"{"type":"ADDED","object":{"metadata":{"namespace":"zoo"},"data":{"a":"x\ny"}}}"#;
        let renamed = rename_line(line, "zoo", "default").unwrap();
        assert_eq!(renamed.iter().filter(|byte| **byte == b'\n').count(), 1);
        assert!(
            String::from_utf8(renamed)
                .unwrap()
                .contains(r#""namespace":"default""#)
        );
    }
}
