//! Whether an object fits its type, in the words of the API server.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    Element, TypeRef,
    model::{Form, Identity, List, Scalar},
    place::identify,
};
use crate::patch::go::{Printed, Syntax, type_name};

/// Checks an object that is to be applied; lists with keys must not have two items of the same identity.
pub(crate) fn check(kind: TypeRef<'_>, object: &Value) -> Result<(), String> {
    let mut errors = Vec::new();
    visit(kind, object, "", &mut errors);
    match errors.len() {
        0 => Ok(()),
        1 => Err(errors.remove(0)),
        _ => Err(format!("errors:\n  {}", errors.join("\n  "))),
    }
}

fn visit(kind: TypeRef<'_>, value: &Value, path: &str, errors: &mut Vec<String>) {
    let mut refuse = |why: String| {
        errors.push(if path.is_empty() {
            why
        } else {
            format!("{path}: {why}")
        });
    };
    match (kind.form(Some(value)), value) {
        (_, Value::Null) => {}
        (Form::Scalar(scalar), value) => {
            if let Some(why) = misfit(scalar, value) {
                refuse(why);
            }
        }
        (Form::Map(map), Value::Object(fields)) => {
            for (name, value) in fields {
                let path = format!("{path}.{name}");
                match kind.field(map, name) {
                    Some(of_field) => visit(of_field, value, &path, errors),
                    None => {
                        errors.push(format!("{path}: field not declared in schema"));
                        return;
                    }
                }
            }
        }
        (Form::List(list), Value::Array(items)) => visit_items(kind, list, items, path, errors),
        (Form::Map(_), other) => refuse(format!("expected map, got &{{{}}}", Printed(other))),
        (Form::List(_), other) => refuse(format!("expected list, got &{{{}}}", Printed(other))),
    }
}

fn visit_items(
    kind: TypeRef<'_>,
    list: &List,
    items: &[Value],
    path: &str,
    errors: &mut Vec<String>,
) {
    let mut seen = BTreeSet::new();
    for (index, item) in items.iter().enumerate() {
        let element = if matches!(list.identity, Identity::Atomic) {
            Element::Index(i64::try_from(index).unwrap_or(i64::MAX))
        } else {
            match identify(list, item) {
                Ok(element) => element,
                Err(why) => {
                    errors.push(format!("{path}: element {index}: {why}"));
                    return;
                }
            }
        };
        let below = format!("{path}{element}");
        if !seen.insert(element.clone()) {
            errors.push(format!("{path}: duplicate entries for key {element}"));
        }
        visit(kind.items(list), item, &below, errors);
    }
}

fn misfit(scalar: Scalar, value: &Value) -> Option<String> {
    let (fits, expected) = match scalar {
        Scalar::Number => (
            value.is_number(),
            format!("numeric (int or float), got {}", type_name(value)),
        ),
        Scalar::Text => (
            value.is_string(),
            format!(
                "string, got &value.valueUnstructured{{Value:{}}}",
                Syntax(value)
            ),
        ),
        Scalar::Boolean => (
            value.is_boolean(),
            format!("boolean, got &{{{}}}", Printed(value)),
        ),
        Scalar::Any => (
            !value.is_array() && !value.is_object(),
            format!("any scalar, got &{{{}}}", Printed(value)),
        ),
    };
    (!fits).then(|| format!("expected {expected}"))
}
