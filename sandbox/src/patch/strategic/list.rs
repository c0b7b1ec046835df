//! Merging one list into another.

use serde_json::Value;

use super::{DIRECTIVE, Fields, Rule, merge_fields, no_merge_key, order, unknown_directive};
use crate::{patch::go::Printed, status::ApiError};

/// Merges the items of `patch` into `original`; items of the patch keep its order, the others theirs.
pub(super) fn merge(
    mut original: Vec<Value>,
    mut patch: Vec<Value>,
    rule: Rule<'_>,
) -> Result<Vec<Value>, ApiError> {
    if original.is_empty() && patch.is_empty() {
        return Ok(original);
    }
    if !check_types(&[&original, &patch])? {
        let server = original.clone();
        original.extend(patch.iter().cloned());
        deduplicate(&mut original);
        let (listed, others) = order::partition(original, &patch, rule.key)?;
        return order::interleave(listed, others, &patch, &server, None);
    }
    let Some(key) = rule.key else {
        return Err(ApiError::bad_request(
            "cannot merge lists without merge key for struct",
        ));
    };
    follow_directives(&mut original, &mut patch, key)?;
    let server = original.clone();
    for item in &patch {
        merge_item(&mut original, item, key, rule)?;
    }
    let (listed, others) = order::partition(original, &patch, Some(key))?;
    order::interleave(listed, others, &patch, &server, Some(key))
}

/// Whether the items are objects; they must be all of one type, and no lists.
pub(super) fn check_types(lists: &[&[Value]]) -> Result<bool, ApiError> {
    let mut items = lists.iter().copied().flatten();
    let Some(first) = items.next() else {
        return Err(ApiError::bad_request(
            "no elements in any of the given slices",
        ));
    };
    if first.is_array() {
        return Err(ApiError::unprocessable());
    }
    let kind = std::mem::discriminant(first);
    if items.any(|item| std::mem::discriminant(item) != kind) {
        let lists: Vec<_> = lists
            .iter()
            .map(|list| Value::from(list.to_vec()))
            .collect();
        return Err(ApiError::bad_request(format!(
            "list element types are not identical: {}",
            Printed(&Value::Array(lists))
        )));
    }
    Ok(first.is_object())
}

/// Carries out what the items of a patch say about whole items or the whole list, and takes these items out of it.
fn follow_directives(
    original: &mut Vec<Value>,
    patch: &mut Vec<Value>,
    key: &str,
) -> Result<(), ApiError> {
    let mut replaces = false;
    let mut kept = Vec::new();
    for item in patch.drain(..) {
        let Value::Object(fields) = &item else {
            continue;
        };
        let Some(directive) = fields.get(DIRECTIVE) else {
            kept.push(item);
            continue;
        };
        match directive.as_str() {
            Some("delete") => {
                let value = fields.get(key).ok_or_else(|| no_merge_key(fields, key))?;
                original.retain(|other| other.get(key) != Some(value));
            }
            Some("replace") => replaces = true,
            Some("merge") => {
                let message = "merging lists cannot yet be specified in the patch";
                return Err(ApiError::bad_request(message));
            }
            _ => return Err(unknown_directive(directive, fields)),
        }
    }
    if replaces {
        *original = kept;
    } else {
        *patch = kept;
    }
    Ok(())
}

fn merge_item(
    original: &mut Vec<Value>,
    item: &Value,
    key: &str,
    rule: Rule<'_>,
) -> Result<(), ApiError> {
    let Value::Object(fields) = item else {
        return Ok(());
    };
    let value = fields.get(key).ok_or_else(|| no_merge_key(fields, key))?;
    let same = original
        .iter_mut()
        .find(|other| other.get(key) == Some(value));
    match same {
        Some(Value::Object(old)) => {
            let merged: Fields = merge_fields(std::mem::take(old), fields.clone(), rule.items)?;
            *old = merged;
        }
        _ => original.push(item.clone()),
    }
    Ok(())
}

/// Keeps one of equal items; the last item takes the place of each that goes.
fn deduplicate(items: &mut Vec<Value>) {
    let mut first = 0;
    while first < items.len() {
        let mut other = first + 1;
        while other < items.len() {
            if items[first] == items[other] {
                items.swap_remove(other);
            } else {
                other += 1;
            }
        }
        first += 1;
    }
}
