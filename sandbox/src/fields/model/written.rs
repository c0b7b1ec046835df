//! The fields that Kubernetes writes even when nothing sets them: structs, and what is not declared `omitempty` in Go.

use std::{collections::HashMap, sync::LazyLock};

use serde_json::{Map, Value, json};

/// By the name of the schema.
static WRITTEN: LazyLock<HashMap<String, Vec<(String, Value)>>> = LazyLock::new(|| {
    let text = include_str!("../../../openapi/types.json");
    // A test reads the file back.
    read(&serde_json::from_str(text).unwrap_or_default())
});

/// The fields of the struct with this schema that are always written, with what stands there when nothing is set.
pub(super) fn fields(schema: &str) -> Vec<(String, Value)> {
    WRITTEN.get(schema).cloned().unwrap_or_default()
}

fn read(types: &Map<String, Value>) -> HashMap<String, Vec<(String, Value)>> {
    let described = types.values().filter_map(|described| {
        let schema = described["schema"].as_str()?;
        Some((schema.to_owned(), of_struct(described, types)))
    });
    described.collect()
}

fn of_struct(described: &Value, types: &Map<String, Value>) -> Vec<(String, Value)> {
    let mut written = Vec::new();
    for field in described["fields"].as_array().into_iter().flatten() {
        let name = field["type"].as_str().unwrap_or_default();
        if field["inline"] == true {
            written.extend(of_struct(&types[name], types));
            continue;
        }
        let is_struct = types
            .get(name)
            .is_some_and(|inner| inner["fields"].is_array());
        let omitted = match field["omit"].as_str() {
            None => false,
            Some("empty") => !is_struct,
            Some(_) => true,
        };
        if !omitted {
            let field = field["name"].as_str().unwrap_or_default();
            written.push((field.to_owned(), empty(name, types)));
        }
    }
    written
}

/// What a Go value of this type is written as when nothing is set.
fn empty(name: &str, types: &Map<String, Value>) -> Value {
    if name.starts_with(['*', '[']) || name.starts_with("map[") {
        return Value::Null;
    }
    match name {
        "string" => return json!(""),
        "bool" => return json!(false),
        "k8s.io/apimachinery/pkg/api/resource.Quantity" => return json!("0"),
        "k8s.io/apimachinery/pkg/util/intstr.IntOrString" => return json!(0),
        _ => {}
    }
    match types.get(name) {
        None => json!(0),
        Some(described) if described["custom"] == true => Value::Null,
        Some(described) => match described["of"].as_str() {
            Some(of) => empty(of, types),
            None => json!({}),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structs_are_written_empty() {
        assert_eq!(
            fields("io.k8s.api.apps.v1.DeploymentSpec"),
            [
                ("selector".to_owned(), Value::Null),
                ("template".to_owned(), json!({})),
                ("strategy".to_owned(), json!({})),
            ]
        );
        let container = fields("io.k8s.api.core.v1.Container");
        assert!(container.contains(&("resources".to_owned(), json!({}))));
        assert!(container.contains(&("name".to_owned(), json!(""))));
        assert!(!container.iter().any(|(name, _)| name == "image"));
    }
}
