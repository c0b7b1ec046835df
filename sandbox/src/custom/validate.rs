//! Whether an object fits a schema, in the words of kube-apiserver.

use regex::Regex;
use serde_json::{Value, json};

use crate::status::FieldError;

/// What is wrong with an object.
pub(super) fn check(schema: &Value, object: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    check_value(schema, object, "", &mut errors);
    errors
}

fn check_value(schema: &Value, value: &Value, path: &str, errors: &mut Vec<FieldError>) {
    if value.is_null() && schema["nullable"] == true {
        return;
    }
    let (found, wanted) = (type_of(value), schema["type"].as_str().unwrap_or_default());
    let any_number = schema["x-kubernetes-int-or-string"] == true;
    let fits = wanted.is_empty() || wanted == found || (wanted == "number" && found == "integer");
    if !fits && !any_number {
        let why = format!("{path} in body must be of type {wanted}: {found:?}");
        errors.push(FieldError::wrong_type(path, &json!(found), &why));
    }
    let mut refuse = |why: String| {
        let why = format!("{path} in body should {why}");
        errors.push(FieldError::invalid(path, value, &why));
    };
    match value {
        Value::String(text) => {
            let length = text.chars().count();
            if limit(schema, "minLength").is_some_and(|least| length < least) {
                refuse(format!("be at least {} chars long", schema["minLength"]));
            }
            let pattern = schema["pattern"].as_str().unwrap_or_default();
            // A pattern that is none was refused with the definition.
            if Regex::new(pattern).is_ok_and(|pattern| !pattern.is_match(text)) {
                refuse(format!("match '{pattern}'"));
            }
            if let Some(most) = limit(schema, "maxLength").filter(|most| length > *most) {
                errors.push(FieldError::too_long(path, most));
            }
        }
        Value::Number(number) => check_number(schema, number.as_f64().unwrap_or_default(), refuse),
        Value::Array(items) => {
            if limit(schema, "minItems").is_some_and(|least| items.len() < least) {
                refuse(format!("have at least {} items", schema["minItems"]));
            }
            if let Some(most) = limit(schema, "maxItems").filter(|most| items.len() > *most) {
                errors.push(FieldError::too_many(path, items.len(), most));
            }
            for (index, item) in items.iter().enumerate() {
                check_value(&schema["items"], item, &format!("{path}[{index}]"), errors);
            }
        }
        Value::Object(_) => check_fields(schema, value, path, errors),
        _ => {}
    }
    if let Some(known) = schema["enum"]
        .as_array()
        .filter(|known| !known.contains(value))
    {
        let known: Vec<_> = known.iter().map(shown).collect();
        let known: Vec<_> = known.iter().map(String::as_str).collect();
        errors.push(FieldError::unsupported(path, value, &known));
    }
    check_combinations(schema, value, path, errors);
}

fn check_number(schema: &Value, number: f64, mut refuse: impl FnMut(String)) {
    let exclusive = |flag: &str| schema[flag] == true;
    if let Some(least) = schema["minimum"].as_f64() {
        if exclusive("exclusiveMinimum") && number <= least {
            refuse(format!("be greater than {least}"));
        } else if number < least {
            refuse(format!("be greater than or equal to {least}"));
        }
    }
    if let Some(most) = schema["maximum"].as_f64() {
        if exclusive("exclusiveMaximum") && number >= most {
            refuse(format!("be less than {most}"));
        } else if number > most {
            refuse(format!("be less than or equal to {most}"));
        }
    }
    if let Some(factor) = schema["multipleOf"].as_f64()
        && (number / factor).fract() != 0.0
    {
        refuse(format!("be a multiple of {factor}"));
    }
}

fn check_fields(schema: &Value, value: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let inside = |name: &str| match path {
        "" => name.to_owned(),
        path => format!("{path}.{name}"),
    };
    let fields = value.as_object().into_iter().flatten();
    let count = value.as_object().map_or(0, serde_json::Map::len);
    if limit(schema, "minProperties").is_some_and(|least| count < least) {
        let why = format!(
            "{path} in body should have at least {} properties",
            schema["minProperties"]
        );
        errors.push(FieldError::invalid(path, value, &why));
    }
    if let Some(most) = limit(schema, "maxProperties").filter(|most| count > *most) {
        errors.push(FieldError::too_many(path, count, most));
    }
    let required = schema["required"].as_array().into_iter().flatten();
    for name in required.filter_map(Value::as_str) {
        if value.get(name).is_none() {
            errors.push(FieldError::required(inside(name), ""));
        }
    }
    for (name, field) in fields {
        let of_field = schema["properties"].get(name);
        let values = schema
            .get("additionalProperties")
            .filter(|values| values.is_object());
        if let Some(of_field) = of_field.or(values) {
            check_value(of_field, field, &inside(name), errors);
        }
    }
}

/// Checks schemas of which all, some, one or none must fit.
fn check_combinations(schema: &Value, value: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let each = |key: &str| schema[key].as_array().into_iter().flatten();
    for inner in each("allOf") {
        check_value(inner, value, path, errors);
    }
    let fits = |inner: &Value| {
        let mut errors = Vec::new();
        check_value(inner, value, path, &mut errors);
        errors.is_empty()
    };
    let mut refuse = |why: &str| {
        let why = format!("{path:?} must {why}");
        errors.push(FieldError::invalid("<nil>", &json!(""), &why));
    };
    if schema["anyOf"].is_array() && !each("anyOf").any(fits) {
        refuse("validate at least one schema (anyOf)");
    }
    if schema["oneOf"].is_array() && each("oneOf").filter(|inner| fits(inner)).count() != 1 {
        refuse("validate one and only one schema (oneOf)");
    }
    if schema["not"].is_object() && fits(&schema["not"]) {
        refuse("not validate the schema (not)");
    }
}

fn limit(schema: &Value, key: &str) -> Option<usize> {
    usize::try_from(schema[key].as_u64()?).ok()
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number)
            if number.is_f64() && number.as_f64().is_some_and(|number| number.fract() != 0.0) =>
        {
            "number"
        }
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_refused_in_the_words_of_the_api_server() {
        let schema = json!({"type": "object", "required": ["legs"], "properties": {
            "legs": {"type": "integer", "minimum": 0, "maximum": 8},
            "name": {"type": "string", "minLength": 2, "maxLength": 5, "pattern": "^[a-z]*$"},
            "sound": {"type": "string", "enum": ["roar", "moo"]},
            "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 2},
            "port": {"x-kubernetes-int-or-string": true},
            "either": {"anyOf": [{"type": "string"}, {"type": "boolean"}]},
        }});
        for (object, expected) in [
            (
                json!({"legs": 4, "name": "leo", "sound": "moo", "tags": [], "port": "x"}),
                "",
            ),
            (
                json!({"legs": 9}),
                "legs: Invalid value: 9: legs in body should be less than or equal to 8",
            ),
            (
                json!({"legs": -1}),
                "legs: Invalid value: -1: legs in body should be greater than or equal to 0",
            ),
            (
                json!({"legs": 1.5}),
                "legs: Invalid value: \"number\": legs in body must be of type integer: \"number\"",
            ),
            (json!({}), "legs: Required value"),
            (
                json!({"legs": 1, "name": "a"}),
                "name: Invalid value: \"a\": name in body should be at least 2 chars long",
            ),
            (
                json!({"legs": 1, "name": "abcdef"}),
                "name: Too long: may not be more than 5 bytes",
            ),
            (
                json!({"legs": 1, "name": "ABC"}),
                "name: Invalid value: \"ABC\": name in body should match '^[a-z]*$'",
            ),
            (
                json!({"legs": 1, "sound": "oink"}),
                "sound: Unsupported value: \"oink\": supported values: \"roar\", \"moo\"",
            ),
            (
                json!({"legs": 1, "tags": ["a", "b", "c"]}),
                "tags: Too many: 3: must have at most 2 items",
            ),
            (
                json!({"legs": 1, "tags": ["a", 2]}),
                "tags[1]: Invalid value: \"integer\": tags[1] in body must be of type string: \"integer\"",
            ),
            (json!({"legs": 1, "either": true}), ""),
            (
                json!({"legs": 1, "either": 7}),
                "<nil>: Invalid value: \"\": \"either\" must validate at least one schema (anyOf)",
            ),
        ] {
            let errors: Vec<_> = check(&schema, &object)
                .iter()
                .map(ToString::to_string)
                .collect();
            assert_eq!(errors.join("\n"), expected, "{object}");
        }
    }
}
