//! The order of a merged list: that of the patch first, then that of the stored list.

use serde_json::Value;

use super::{DIRECTIVE, Fields, bad_type, no_merge_key};
use crate::{patch::go::Printed, status::ApiError};

/// Checks that `patch` has no items besides those of `order`, and in the same order.
pub(super) fn check(patch: &[Value], order: &[Value], key: Option<&str>) -> Result<(), ApiError> {
    if patch.is_empty() || order.is_empty() {
        return Ok(());
    }
    let mut items = Vec::new();
    for item in patch {
        if key.is_some() && !item.is_object() {
            return Err(bad_type(&Value::Object(Fields::new()), item));
        }
        if item.get(DIRECTIVE).is_none() {
            items.push(item);
        }
    }
    let mut wanted = order.iter();
    for item in items {
        loop {
            let Some(place) = wanted.next() else {
                let (patch, order) = (Value::from(patch.to_vec()), Value::from(order.to_vec()));
                return Err(ApiError::bad_request(format!(
                    "The order in patch list:\n{}\n doesn't match $setElementOrder list:\n{}\n",
                    Printed(&patch),
                    Printed(&order)
                )));
            };
            if identity(item, key)? == identity(place, key)? {
                break;
            }
        }
    }
    Ok(())
}

/// The items that `order` has too, and the others.
pub(super) fn partition(
    items: Vec<Value>,
    order: &[Value],
    key: Option<&str>,
) -> Result<(Vec<Value>, Vec<Value>), ApiError> {
    let (mut listed, mut others) = (Vec::new(), Vec::new());
    for item in items {
        let this = identity(&item, key)?;
        let mut found = false;
        for place in order {
            if key.is_some() && !place.is_object() {
                return Err(ApiError::bad_request("value for key 0 is not a map"));
            }
            found |= within(place, key) == Some(this);
        }
        if found {
            listed.push(item);
        } else {
            others.push(item);
        }
    }
    Ok((listed, others))
}

/// Puts the items of a patch into their order, and each other item before the first one that it preceded on the server.
pub(super) fn interleave(
    mut listed: Vec<Value>,
    mut others: Vec<Value>,
    order: &[Value],
    server: &[Value],
    key: Option<&str>,
) -> Result<Vec<Value>, ApiError> {
    sort(&mut listed, order, key)?;
    sort(&mut others, server, key)?;
    let (mut listed, mut others) = (listed.into_iter().peekable(), others.into_iter().peekable());
    let mut all = Vec::new();
    loop {
        let other_first = match (others.peek(), listed.peek()) {
            (None, None) => return Ok(all),
            (Some(other), Some(item)) => {
                let (other, item) = (index(server, other, key), index(server, item, key));
                matches!((other, item), (Some(other), Some(item)) if other < item)
            }
            (other, _) => other.is_some(),
        };
        all.extend(if other_first {
            others.next()
        } else {
            listed.next()
        });
    }
}

/// Sorts by the place in `order`.
fn sort(items: &mut [Value], order: &[Value], key: Option<&str>) -> Result<(), ApiError> {
    if key.is_some() {
        for item in items.iter().chain(order) {
            identity(item, key)?;
        }
    }
    items.sort_by_cached_key(|item| index(order, item, key));
    Ok(())
}

fn index(list: &[Value], item: &Value, key: Option<&str>) -> Option<usize> {
    list.iter()
        .position(|other| within(other, key) == within(item, key))
}

/// What tells an item apart: the value of its merge key, or the item itself.
fn identity<'a>(item: &'a Value, key: Option<&str>) -> Result<&'a Value, ApiError> {
    match (item, key) {
        (_, None) => Ok(item),
        (Value::Object(fields), Some(key)) => {
            fields.get(key).ok_or_else(|| no_merge_key(fields, key))
        }
        (other, Some(_)) => Err(bad_type(&Value::Object(Fields::new()), other)),
    }
}

fn within<'a>(item: &'a Value, key: Option<&str>) -> Option<&'a Value> {
    match key {
        None => Some(item),
        Some(key) => item.get(key),
    }
}
