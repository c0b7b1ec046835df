//! The fields that an object has.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    Element, Set, TypeRef,
    model::{Form, Identity},
    place::identify,
};

/// Every field and item of an object; a struct that is declared counts only by what is in it.
pub(crate) fn collect(kind: TypeRef<'_>, object: &Value) -> Result<Set, String> {
    let mut set = Set::default();
    visit(kind, object, &mut Vec::new(), &mut set)?;
    Ok(set)
}

fn visit(
    kind: TypeRef<'_>,
    value: &Value,
    path: &mut Vec<Element>,
    set: &mut Set,
) -> Result<(), String> {
    match (kind.form(Some(value)), value) {
        (Form::Map(map), Value::Object(fields)) if !map.atomic => {
            for (name, value) in fields {
                let Some(of_field) = kind.field(map, name) else {
                    continue;
                };
                path.push(Element::field(name));
                visit(of_field, value, path, set)?;
                let is_empty =
                    value.is_null() || value.as_object().is_some_and(serde_json::Map::is_empty);
                if is_empty || !map.declares(name) {
                    set.insert(path);
                }
                path.pop();
            }
        }
        (Form::List(list), Value::Array(items)) if !matches!(list.identity, Identity::Atomic) => {
            let mut by_identity: BTreeMap<Element, Vec<&Value>> = BTreeMap::new();
            for item in items {
                let same = by_identity.entry(identify(list, item)?).or_default();
                same.push(item);
            }
            for (element, items) in by_identity {
                path.push(element);
                if let [item] = items[..] {
                    visit(kind.items(list), item, path, set)?;
                }
                set.insert(path);
                path.pop();
            }
        }
        // Nothing is no field of a struct or list that could have some.
        (Form::Map(map), _) if !map.atomic => {}
        (Form::List(list), _) if !matches!(list.identity, Identity::Atomic) => {}
        _ => set.insert(path),
    }
    Ok(())
}
