//! Strategic merge patches: a merge that knows the types of Kubernetes.
//!
//! Structs and maps merge by field. A list replaces another one unless its field is declared to merge: then items with
//! the same merge key merge, and lists of texts unite. Fields that start with `$` steer this:
//! - `$patch`: `replace` or `delete` the struct, map, item or list that it stands in;
//! - `$deleteFromPrimitiveList/finalizers`: the items that leave the list `finalizers`;
//! - `$setElementOrder/containers`: the order of the list `containers` afterwards;
//! - `$retainKeys`: the only fields that the struct keeps.

mod list;
mod order;

use serde_json::{Map, Value};

use super::go::{Printed, type_name};
use crate::{schema::Type, status::ApiError};

const DIRECTIVE: &str = "$patch";
const RETAIN_KEYS: &str = "$retainKeys";
const DELETE_ITEMS: &str = "$deleteFromPrimitiveList";
const ORDER: &str = "$setElementOrder";

type Fields = Map<String, Value>;

/// How a list is patched.
#[derive(Clone, Copy, Debug)]
struct Rule<'a> {
    /// The type of the items.
    items: Option<Type<'a>>,
    /// Whether items are merged rather than the list replaced.
    merges: bool,
    /// The field that tells items apart; none for lists of texts and numbers.
    key: Option<&'a str>,
}

/// Merges `patch` into `original`, an object of type `kind`.
pub(super) fn merge(original: Fields, patch: Fields, kind: Type<'_>) -> Result<Fields, ApiError> {
    merge_fields(original, patch, Some(kind))
}

fn merge_fields(
    mut original: Fields,
    mut patch: Fields,
    kind: Option<Type<'_>>,
) -> Result<Fields, ApiError> {
    if let Some(directive) = patch.get(DIRECTIVE) {
        return match directive.as_str() {
            Some("replace") => {
                patch.remove(DIRECTIVE);
                Ok(patch)
            }
            Some("delete") => Ok(Fields::new()),
            _ => Err(unknown_directive(directive, &patch)),
        };
    }
    retain_keys(&mut original, &mut patch)?;
    order_lists(&mut original, &mut patch, kind)?;
    for (field, value) in patch {
        match list_name(&field, DELETE_ITEMS, "primitive list")? {
            Some(list) => delete_items(&mut original, list, value, kind)?,
            None => merge_field(&mut original, field, value, kind)?,
        }
    }
    Ok(original)
}

fn merge_field(
    original: &mut Fields,
    field: String,
    value: Value,
    kind: Option<Type<'_>>,
) -> Result<(), ApiError> {
    let merged = match (original.remove(&field), value) {
        (_, Value::Null) => None,
        (Some(Value::Object(old)), Value::Object(new)) => {
            let (of_field, replaces) = struct_rule(kind, &field)?;
            let merged = if replaces {
                new
            } else {
                merge_fields(old, new, of_field)?
            };
            Some(Value::Object(merged))
        }
        (Some(Value::Array(old)), Value::Array(new)) => {
            let rule = list_rule(kind, &field)?;
            Some(Value::Array(if rule.merges {
                list::merge(old, new, rule)?
            } else {
                new
            }))
        }
        (_, new) => without_directives(new, true),
    };
    if let Some(merged) = merged {
        original.insert(field, merged);
    }
    Ok(())
}

/// Takes items out of a list of texts or numbers; a list that is not there has none to lose.
fn delete_items(
    original: &mut Fields,
    list: &str,
    items: Value,
    kind: Option<Type<'_>>,
) -> Result<(), ApiError> {
    if items.is_null() {
        original.remove(list);
        return Ok(());
    }
    let (Some(Value::Array(old)), Value::Array(gone)) = (original.get_mut(list), items) else {
        return Ok(());
    };
    list_rule(kind, list)?;
    if old.is_empty() && gone.is_empty() {
        return Ok(());
    }
    list::check_types(&[old.as_slice(), &gone])?;
    let kept = old.drain(..).filter(|item| !gone.contains(item)).collect();
    *old = kept;
    Ok(())
}

/// Clears the fields that a patch does not name when it says which ones stay.
fn retain_keys(original: &mut Fields, patch: &mut Fields) -> Result<(), ApiError> {
    let Some(kept) = patch.remove(RETAIN_KEYS) else {
        return Ok(());
    };
    let malformed = || ApiError::bad_request("invalid patch format of retainKeys");
    let kept = kept.as_array().ok_or_else(malformed)?;
    let keeps = |field: &String| kept.iter().any(|name| name == field);
    let mut set = patch
        .iter()
        .filter(|(field, value)| {
            !value.is_null() && !field.starts_with(DELETE_ITEMS) && !field.starts_with(ORDER)
        })
        .map(|(field, _)| field);
    if !set.all(keeps) {
        return Err(malformed());
    }
    original.retain(|field, _| keeps(field));
    Ok(())
}

/// Merges the lists for which the patch states an order, and brings them into it.
fn order_lists(
    original: &mut Fields,
    patch: &mut Fields,
    kind: Option<Type<'_>>,
) -> Result<(), ApiError> {
    let directives: Vec<_> = patch
        .keys()
        .filter(|field| field.starts_with(ORDER))
        .cloned()
        .collect();
    for directive in directives {
        let order = match patch.remove(&directive) {
            Some(Value::Array(order)) => order,
            other => {
                return Err(bad_type(
                    &Value::Array(Vec::new()),
                    &other.unwrap_or_default(),
                ));
            }
        };
        let Some(field) = list_name(&directive, ORDER, "setElementOrder list")? else {
            continue;
        };
        let old = as_list(original.get(field).cloned())?;
        let new = as_list(patch.get(field).cloned())?;
        let rule = list_rule(kind, field)?;
        order::check(new.as_deref().unwrap_or_default(), &order, rule.key)?;
        let all: Vec<_> = [&old, &new]
            .into_iter()
            .flatten()
            .flatten()
            .cloned()
            .collect();
        let merged = match (old.clone(), new) {
            (None, None) => continue,
            (Some(old), None) => old,
            (None, Some(new)) => kept_items(new, false),
            (Some(old), Some(new)) if rule.merges => list::merge(old, new, rule)?,
            (Some(_), Some(new)) => new,
        };
        let (listed, others) = order::partition(merged, &order, rule.key)?;
        let of_maps = list::check_types(&[&all])?;
        let server = old.unwrap_or_default();
        let key = if of_maps {
            Some(rule.key.unwrap_or_default())
        } else {
            None
        };
        let merged = order::interleave(listed, others, &order, &server, key)?;
        original.insert(field.to_owned(), Value::Array(merged));
        patch.remove(field);
    }
    Ok(())
}

fn as_list(value: Option<Value>) -> Result<Option<Vec<Value>>, ApiError> {
    match value {
        None => Ok(None),
        Some(Value::Array(items)) => Ok(Some(items)),
        Some(other) => Err(bad_type(&Value::Array(Vec::new()), &other)),
    }
}

/// What is new in an object comes without directives; where nothing was, nulls of new structs say nothing either.
fn without_directives(value: Value, drop_nulls: bool) -> Option<Value> {
    match value {
        Value::Object(fields) if fields.contains_key(DIRECTIVE) => None,
        Value::Object(fields) => {
            let kept = fields.into_iter().filter_map(|(field, value)| {
                if drop_nulls && value.is_null() {
                    return None;
                }
                Some((field, without_directives(value, drop_nulls)?))
            });
            Some(Value::Object(kept.collect()))
        }
        Value::Array(items) => Some(Value::Array(kept_items(items, drop_nulls))),
        other => Some(other),
    }
}

fn kept_items(items: Vec<Value>, drop_nulls: bool) -> Vec<Value> {
    let kept = items.into_iter();
    kept.filter_map(|item| without_directives(item, drop_nulls))
        .collect()
}

/// The name of the list that a directive like `$setElementOrder/containers` is about.
fn list_name<'a>(field: &'a str, directive: &str, what: &str) -> Result<Option<&'a str>, ApiError> {
    match field.strip_prefix(directive) {
        None => Ok(None),
        Some(rest) => match rest.strip_prefix('/') {
            Some(list) => Ok(Some(list)),
            None => Err(ApiError::bad_request(format!(
                "invalid patch format of {what}"
            ))),
        },
    }
}

/// The type of a struct or map in a field, and whether a patch replaces it.
fn struct_rule<'a>(
    kind: Option<Type<'a>>,
    field: &str,
) -> Result<(Option<Type<'a>>, bool), ApiError> {
    let Some(kind) = kind else {
        return Err(not_a_struct("map"));
    };
    let of_field = child(kind, field)?;
    Ok((
        Some(of_field),
        of_field.patch_strategies().any(|name| name == "replace"),
    ))
}

fn list_rule<'a>(kind: Option<Type<'a>>, field: &str) -> Result<Rule<'a>, ApiError> {
    let Some(kind) = kind else {
        return Err(not_a_struct("map"));
    };
    let of_field = child(kind, field)?;
    Ok(Rule {
        items: of_field.items(),
        merges: of_field.patch_strategies().any(|name| name == "merge"),
        key: of_field.patch_merge_key(),
    })
}

fn child<'a>(kind: Type<'a>, field: &str) -> Result<Type<'a>, ApiError> {
    if kind.fields().next().is_none() {
        return Err(not_a_struct("map"));
    }
    kind.field(field).ok_or_else(|| {
        let name = kind.short_name().unwrap_or_default();
        ApiError::bad_request(format!(
            "unable to find api field in struct {name} for the json field {field:?}"
        ))
    })
}

// The API server has no code for these refusals and answers 500; a client's mistake is a bad request here.

fn not_a_struct(found: &str) -> ApiError {
    ApiError::bad_request(format!(
        "merging an object in json but data type is not struct, instead is: {found}"
    ))
}

fn unknown_directive(directive: &Value, fields: &Fields) -> ApiError {
    let fields = Value::Object(fields.clone());
    ApiError::bad_request(format!(
        "unknown patch type: {} in map: {}",
        Printed(directive),
        Printed(&fields)
    ))
}

fn bad_type(expected: &Value, found: &Value) -> ApiError {
    ApiError::bad_request(format!(
        "expected a {}, but received a {}",
        type_name(expected),
        type_name(found)
    ))
}

fn no_merge_key(item: &Fields, key: &str) -> ApiError {
    let item = Value::Object(item.clone());
    ApiError::bad_request(format!(
        "map: {} does not contain declared merge key: {key}",
        Printed(&item)
    ))
}

#[cfg(test)]
mod tests;
