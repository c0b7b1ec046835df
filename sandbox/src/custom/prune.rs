//! What a schema takes from an object, and what it adds.

use serde_json::{Map, Value, json};

/// The fields of an object that every schema knows.
const KNOWN: [&str; 3] = ["apiVersion", "kind", "metadata"];

/// Drops the fields of an object that its schema does not know, and says where they were.
pub(super) fn prune(schema: &Value, object: &mut Value) -> Vec<String> {
    let mut dropped = Vec::new();
    prune_object(schema, object, "", &mut dropped);
    dropped.sort_unstable();
    dropped
}

fn prune_object(schema: &Value, object: &mut Value, path: &str, dropped: &mut Vec<String>) {
    let Some(fields) = object.as_object_mut() else {
        return;
    };
    let kept: Map<_, _> = KNOWN
        .iter()
        .filter_map(|name| fields.remove_entry(*name))
        .collect();
    prune_fields(schema, fields, path, dropped);
    fields.extend(kept);
}

fn prune_value(schema: &Value, value: &mut Value, path: &str, dropped: &mut Vec<String>) {
    match value {
        Value::Object(_) if is_set(schema, "x-kubernetes-embedded-resource") => {
            prune_object(schema, value, path, dropped);
        }
        Value::Object(fields) => prune_fields(schema, fields, path, dropped),
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                let path = format!("{path}[{index}]");
                prune_value(&schema["items"], item, &path, dropped);
            }
        }
        _ => {}
    }
}

fn prune_fields(
    schema: &Value,
    fields: &mut Map<String, Value>,
    path: &str,
    dropped: &mut Vec<String>,
) {
    let values = &schema["additionalProperties"];
    let keeps = is_set(schema, "x-kubernetes-preserve-unknown-fields")
        || values.is_object()
        || values == &json!(true);
    let known = &schema["properties"];
    fields.retain(|name, value| {
        let path = match path {
            "" => name.clone(),
            path => format!("{path}.{name}"),
        };
        if let Some(of_field) = known.get(name) {
            // A null that cannot be is as good as nothing.
            if value.is_null() && !is_set(of_field, "nullable") {
                return is_set(of_field, "x-kubernetes-preserve-unknown-fields");
            }
            prune_value(of_field, value, &path, dropped);
            return true;
        }
        if values.is_object() {
            prune_value(values, value, &path, dropped);
        }
        if !keeps {
            dropped.push(path);
        }
        keeps
    });
}

/// Fills in the defaults of a schema where nothing is set.
pub(super) fn fill(schema: &Value, value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, of_field) in schema["properties"].as_object().into_iter().flatten() {
                if let Some(default) = of_field.get("default")
                    && !fields.contains_key(name)
                {
                    fields.insert(name.clone(), default.clone());
                }
                if let Some(field) = fields.get_mut(name) {
                    fill(of_field, field);
                }
            }
            let values = &schema["additionalProperties"];
            if values.is_object() {
                let known = &schema["properties"];
                let others = fields
                    .iter_mut()
                    .filter(|(name, _)| known.get(name).is_none());
                others.for_each(|(_, value)| fill(values, value));
            }
        }
        Value::Array(items) => items
            .iter_mut()
            .for_each(|item| fill(&schema["items"], item)),
        _ => {}
    }
}

fn is_set(schema: &Value, flag: &str) -> bool {
    schema[flag].as_bool().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_shapes_what_it_knows() {
        let schema = json!({"type": "object", "properties": {
            "spec": {"type": "object", "properties": {
                "legs": {"type": "integer", "default": 4},
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true, "properties": {
                    "known": {"type": "object"},
                }},
                "map": {"type": "object", "additionalProperties": {"type": "object", "properties": {
                    "a": {"type": "integer", "default": 1},
                }}},
                "list": {"type": "array", "items": {"type": "object", "properties": {"b": {"default": {"c": 2}}}}},
            }},
        }});
        let mut object = json!({
            "metadata": {"name": "x", "any": 1},
            "other": 1,
            "spec": {
                "wings": 2,
                "free": {"x": {"y": 1}, "known": {"z": 1}},
                "map": {"k": {"q": 1}},
                "list": [{"q": 1}, 7],
            },
        });
        let dropped = prune(&schema, &mut object);
        assert_eq!(
            dropped,
            [
                "other",
                "spec.free.known.z",
                "spec.list[0].q",
                "spec.map.k.q",
                "spec.wings"
            ]
        );
        fill(&schema, &mut object);
        let expected = json!({
            "metadata": {"name": "x", "any": 1},
            "spec": {
                "legs": 4,
                "free": {"x": {"y": 1}, "known": {}},
                "map": {"k": {"a": 1}},
                "list": [{"b": {"c": 2}}, 7],
            },
        });
        assert_eq!(object, expected);
    }
}
