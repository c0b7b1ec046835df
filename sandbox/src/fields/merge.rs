//! An object with what a partial one says.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map as Fields, Value};

use super::{
    Element, TypeRef,
    model::{Form, Identity, List, Map},
    place::identify,
};

/// Merges `new` into `old`. Nothing goes by this; items of lists that `new` has come in its order.
pub(crate) fn merge(kind: TypeRef<'_>, old: &Value, new: &Value) -> Result<Value, String> {
    Ok(visit(kind, Some(old), Some(new))?.unwrap_or_default())
}

fn visit(
    kind: TypeRef<'_>,
    old: Option<&Value>,
    new: Option<&Value>,
) -> Result<Option<Value>, String> {
    match kind.form(new.or(old)) {
        Form::Map(map) if !map.atomic => {
            let fields = |value: Option<&'_ Value>| {
                value
                    .and_then(Value::as_object)
                    .is_some_and(|map| !map.is_empty())
            };
            if fields(old) || fields(new) {
                return merge_fields(kind, map, old, new);
            }
        }
        Form::List(list) if !matches!(list.identity, Identity::Atomic) => {
            let (old, new) = (items(old), items(new));
            if !old.is_empty() || !new.is_empty() {
                let merged = merge_items(kind.items(list), list, old, new)?;
                return Ok((!merged.is_empty()).then_some(Value::Array(merged)));
            }
        }
        _ => {}
    }
    Ok(new.or(old).cloned())
}

fn merge_fields(
    kind: TypeRef<'_>,
    map: &Map,
    old: Option<&Value>,
    new: Option<&Value>,
) -> Result<Option<Value>, String> {
    let fields = [old, new]
        .into_iter()
        .flatten()
        .filter_map(Value::as_object);
    let names: BTreeSet<_> = fields.flat_map(|fields| fields.keys()).collect();
    let mut merged = Fields::new();
    for name in names {
        let value = |object: Option<&'_ Value>| object.and_then(|object| object.get(name)).cloned();
        let (old, new) = (value(old), value(new));
        let value = match kind.field(map, name) {
            Some(of_field) => visit(of_field, old.as_ref(), new.as_ref())?,
            None => new.or(old),
        };
        if let Some(value) = value {
            merged.insert(name.clone(), value);
        }
    }
    Ok((!merged.is_empty()).then_some(Value::Object(merged)))
}

/// Items of both lists keep the order of the new one, and other items of the old list stay between the same ones.
fn merge_items(
    kind: TypeRef<'_>,
    list: &List,
    old: &[Value],
    new: &[Value],
) -> Result<Vec<Value>, String> {
    let (old_elements, new_elements) = (elements(list, old)?, elements(list, new)?);
    let mut old_values: BTreeMap<&Element, Option<&Value>> = BTreeMap::new();
    for (element, value) in old_elements.iter().zip(old) {
        let known = old_values.contains_key(element);
        // Of items with the same identity none can be merged.
        old_values.insert(element, (!known).then_some(value));
    }
    let new_values: BTreeMap<_, _> = new_elements.iter().zip(new).collect();
    let mut shared = new_elements
        .iter()
        .filter(|element| old_values.contains_key(element));
    let mut next_shared = shared.next();

    let mut merged = Vec::new();
    let mut done: BTreeSet<&Element> = BTreeSet::new();
    let take = |merged: &mut Vec<Value>, element, old: Option<&Value>| {
        let new = new_values.get(element).copied();
        merged.extend(visit(kind, old, new)?);
        Ok::<_, String>(())
    };
    let null = Value::Null;
    let stored = |element| {
        let value = old_values.get(element)?;
        Some(value.unwrap_or(&null))
    };
    let (mut left, mut right) = (0, 0);
    while left < old_elements.len() || right < new_elements.len() {
        if let (Some(ours), Some(theirs)) = (old_elements.get(left), new_elements.get(right)) {
            if ours == theirs {
                done.insert(ours);
                take(&mut merged, ours, stored(ours))?;
                (left, right) = (left + 1, right + 1);
                next_shared = shared.next();
                continue;
            }
            if new_values.contains_key(ours) && next_shared.is_some_and(|next| next != ours) {
                left += 1;
                continue;
            }
        }
        if let Some(ours) = old_elements.get(left) {
            if !new_values.contains_key(ours) {
                take(&mut merged, ours, old.get(left))?;
                left += 1;
                continue;
            }
            if done.contains(ours) {
                left += 1;
            }
        }
        if let Some(theirs) = new_elements.get(right) {
            done.insert(theirs);
            take(&mut merged, theirs, stored(theirs))?;
            right += 1;
            if next_shared == Some(theirs) {
                next_shared = shared.next();
            }
        }
    }
    Ok(merged)
}

fn elements(list: &List, items: &[Value]) -> Result<Vec<Element>, String> {
    items.iter().map(|item| identify(list, item)).collect()
}

fn items(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}
