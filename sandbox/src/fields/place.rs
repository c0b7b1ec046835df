//! What tells the items of a list apart.

use serde_json::Value;

use super::{
    Element,
    model::{Identity, List},
};

/// The element that names an item of a list which is no single field.
pub(super) fn identify(list: &List, item: &Value) -> Result<Element, String> {
    match &list.identity {
        Identity::Atomic => Err("invalid indexing of non-associative list".to_owned()),
        Identity::Value => match item {
            Value::Object(_) => {
                Err("associative list without keys has an element that's a map type".to_owned())
            }
            Value::Array(_) => {
                Err("not supported: associative list with lists as elements".to_owned())
            }
            Value::Null => Err(
                "associative list without keys has an element that's an explicit null".to_owned(),
            ),
            scalar => Ok(Element::Value(scalar.clone())),
        },
        Identity::Keys(keys) => by_keys(keys, item),
    }
}

fn by_keys(keys: &[(String, Option<Value>)], item: &Value) -> Result<Element, String> {
    let fields = match item {
        Value::Object(fields) => fields,
        Value::Null => {
            return Err("associative list with keys may not have a null element".to_owned());
        }
        _ => return Err("associative list with keys may not have non-map elements".to_owned()),
    };
    let found = keys.iter().filter_map(|(name, default)| {
        let value = fields.get(name).or(default.as_ref())?;
        Some((name.clone(), value.clone()))
    });
    let mut found: Vec<_> = found.collect();
    if found.is_empty() && !keys.is_empty() {
        let names: Vec<_> = keys.iter().map(|(name, _)| format!("{name:?}")).collect();
        return Err(format!(
            "associative list with keys has an element that omits all key fields [{}] \
             (and doesn't have default values for any key fields)",
            names.join(" ")
        ));
    }
    found.sort_by(|one, two| one.0.cmp(&two.0));
    Ok(Element::Key(found))
}
