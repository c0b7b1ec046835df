//! An object without some of its fields.

use serde_json::{Map as Fields, Value};

use super::{
    Set, TypeRef,
    model::{Form, Identity},
    place::identify,
    set::Node,
};
use crate::fields::Element;

/// Removes the members of a set from an object, with all that is below them.
pub(crate) fn remove(kind: TypeRef<'_>, object: &Value, fields: &Set) -> Value {
    match (kind.form(Some(object)), object) {
        (Form::Map(map), Value::Object(old)) if !map.atomic && !old.is_empty() => {
            let mut kept = Fields::new();
            for (name, value) in old {
                let element = Element::field(name);
                if fields.has(&element) {
                    continue;
                }
                let value = match (fields.below(&element), kind.field(map, name)) {
                    (Some(below), Some(of_field)) => remove(of_field, value, below),
                    _ => value.clone(),
                };
                kept.insert(name.clone(), value);
            }
            non_empty(Value::Object(kept))
        }
        (Form::List(list), Value::Array(old)) if !matches!(list.identity, Identity::Atomic) => {
            let kept = old.iter().filter_map(|item| {
                let Ok(element) = identify(list, item) else {
                    return Some(item.clone());
                };
                if fields.has(&element) {
                    return None;
                }
                Some(match fields.below(&element) {
                    Some(below) => remove(kind.items(list), item, below),
                    None => item.clone(),
                })
            });
            non_empty(Value::Array(kept.collect()))
        }
        (Form::Scalar(_), scalar) => scalar.clone(),
        _ => Value::Null,
    }
}

fn non_empty(value: Value) -> Value {
    let is_empty = match &value {
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    };
    if is_empty { Value::Null } else { value }
}

// === impl Set ===

impl Set {
    /// The set with the declared structs that it has fields of.
    pub(crate) fn with_structs(&self, kind: TypeRef<'_>) -> Self {
        self.with_structs_of(Some(kind))
    }

    fn with_structs_of(&self, kind: Option<TypeRef<'_>>) -> Self {
        let nodes = self.nodes.iter().map(|(element, node)| {
            let (declared, below) = match (element, kind) {
                (Element::Field(name), Some(kind)) => match &kind.atom.map {
                    Some(map) => (map.declares(name), kind.field(map, name)),
                    None => (false, None),
                },
                (Element::Key(_), Some(kind)) => {
                    let list = kind.atom.list.as_ref();
                    (false, list.map(|list| kind.items(list)))
                }
                _ => (false, None),
            };
            let member = node.member || (declared && !node.below.is_empty());
            let below = node.below.with_structs_of(below);
            (element.clone(), Node { member, below })
        });
        Self {
            nodes: nodes.collect(),
        }
    }
}
