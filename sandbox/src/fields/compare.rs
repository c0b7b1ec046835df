//! The fields in which two states of an object differ.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map as Fields, Value};

use super::{
    Element, Set, TypeRef,
    model::{Form, Identity, List, Map},
    place::identify,
};

/// How a state differs from an earlier one; no field is in two of the sets.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Comparison {
    pub(crate) added: Set,
    pub(crate) modified: Set,
    pub(crate) removed: Set,
}

struct Walk {
    path: Vec<Element>,
    found: Comparison,
}

/// Compares two objects of a type; what does not fit the type is an error.
pub(crate) fn compare(kind: TypeRef<'_>, old: &Value, new: &Value) -> Result<Comparison, String> {
    let mut walk = Walk {
        path: Vec::new(),
        found: Comparison::default(),
    };
    walk.visit(kind, Some(old), Some(new))?;
    Ok(walk.found)
}

// === impl Comparison ===

impl Comparison {
    pub(crate) fn is_same(&self) -> bool {
        self.added.is_empty() && self.modified.is_empty() && self.removed.is_empty()
    }

    /// The fields that the later state has set.
    pub(crate) fn changed(&self) -> Set {
        self.modified.union(&self.added)
    }

    /// The same without some fields and what is below them.
    pub(crate) fn without(self, fields: &Set) -> Self {
        if fields.is_empty() {
            return self;
        }
        Self {
            added: self.added.without(fields),
            modified: self.modified.without(fields),
            removed: self.removed.without(fields),
        }
    }
}

// === impl Walk ===

impl Walk {
    fn visit(
        &mut self,
        kind: TypeRef<'_>,
        old: Option<&Value>,
        new: Option<&Value>,
    ) -> Result<(), String> {
        if old.is_some() && old == new {
            return Ok(());
        }
        let is_leaf = match (old, new) {
            (Some(_), None) => self.visit_as(kind.form(old), kind, old, new)?,
            _ => {
                let (was, is) = (kind.form(old), kind.form(new));
                let changes = std::mem::discriminant(&was) != std::mem::discriminant(&is);
                if old.is_some() && changes {
                    self.visit_as(was, kind, old, new)?;
                }
                self.visit_as(is, kind, old, new)?
            }
        };
        if !is_leaf {
            if old.is_none() {
                self.found.added.insert(&self.path);
            } else if new.is_none() {
                self.found.removed.insert(&self.path);
            }
        }
        Ok(())
    }

    /// Compares values as one form; says whether they are one field.
    fn visit_as(
        &mut self,
        form: Form<'_>,
        kind: TypeRef<'_>,
        old: Option<&Value>,
        new: Option<&Value>,
    ) -> Result<bool, String> {
        let nothing = |value: Option<&Value>| match (form, value) {
            (Form::List(_), Some(Value::Array(items))) => items.is_empty(),
            (Form::Map(_), Some(Value::Object(fields))) => fields.is_empty(),
            _ => true,
        };
        let empty = nothing(old) && nothing(new);
        match form {
            Form::List(list) if !empty && !matches!(list.identity, Identity::Atomic) => {
                self.items(list, kind, items_of(old), items_of(new))?;
                Ok(false)
            }
            Form::Map(map) if !map.atomic && (!empty || adds_fields(map, old, new)) => {
                self.fields(map, kind, fields_of(old), fields_of(new))?;
                Ok(false)
            }
            _ => {
                self.leaf(old, new);
                Ok(true)
            }
        }
    }

    fn leaf(&mut self, old: Option<&Value>, new: Option<&Value>) {
        let set = match (old, new) {
            (None, _) => &mut self.found.added,
            (_, None) => &mut self.found.removed,
            (Some(old), Some(new)) if equal(old, new) => return,
            _ => &mut self.found.modified,
        };
        set.insert(&self.path);
    }

    fn fields(
        &mut self,
        map: &Map,
        kind: TypeRef<'_>,
        old: Option<&Fields<String, Value>>,
        new: Option<&Fields<String, Value>>,
    ) -> Result<(), String> {
        let mut names: BTreeSet<&str> = BTreeSet::new();
        for fields in [old, new].into_iter().flatten() {
            names.extend(fields.keys().map(String::as_str));
        }
        if old.is_none() != new.is_none() {
            names.extend(map.written.iter().map(|(name, _)| name.as_str()));
        }
        for name in names {
            // What no type is declared for is not stored.
            let Some(of_field) = kind.field(map, name) else {
                continue;
            };
            let old = old.and_then(|fields| fields.get(name).or_else(|| map.missing(name)));
            let new = new.and_then(|fields| fields.get(name).or_else(|| map.missing(name)));
            self.path.push(Element::field(name));
            self.visit(of_field, old, new)?;
            self.path.pop();
        }
        Ok(())
    }

    fn items(
        &mut self,
        list: &List,
        kind: TypeRef<'_>,
        old: &[Value],
        new: &[Value],
    ) -> Result<(), String> {
        let mut items: BTreeMap<Element, (Vec<&Value>, Vec<&Value>)> = BTreeMap::new();
        for item in old {
            items.entry(identify(list, item)?).or_default().0.push(item);
        }
        for item in new {
            items.entry(identify(list, item)?).or_default().1.push(item);
        }
        for (element, (old, new)) in items {
            self.path.push(element);
            self.item(kind.items(list), &old, &new)?;
            self.path.pop();
        }
        Ok(())
    }

    /// Items with the same identity are one field while there are several of them.
    fn item(&mut self, kind: TypeRef<'_>, old: &[&Value], new: &[&Value]) -> Result<(), String> {
        match (old, new) {
            ([] | [_], [] | [_]) => {
                self.visit(kind, old.first().copied(), new.first().copied())?;
            }
            ([_, _, ..], [_, _, ..]) => {
                if old != new {
                    self.found.modified.insert(&self.path);
                }
            }
            ([_, _, ..], _) => {
                if let Some(new) = new.first() {
                    self.visit(kind, None, Some(new))?;
                }
                self.found.removed.insert(&self.path);
            }
            _ => {
                if let Some(old) = old.first() {
                    self.visit(kind, Some(old), None)?;
                }
                self.found.added.insert(&self.path);
            }
        }
        Ok(())
    }
}

/// Whether one of two empty structs is none at all, so that the other one's written fields count.
fn adds_fields(map: &Map, old: Option<&Value>, new: Option<&Value>) -> bool {
    let is_struct = |value: Option<&Value>| value.is_some_and(Value::is_object);
    !map.written.is_empty() && is_struct(old) != is_struct(new)
}

fn items_of(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn fields_of(value: Option<&Value>) -> Option<&Fields<String, Value>> {
    value.and_then(Value::as_object)
}

fn equal(one: &Value, two: &Value) -> bool {
    match (one, two) {
        (Value::Number(one), Value::Number(two)) if one.is_f64() || two.is_f64() => {
            one.as_f64() == two.as_f64()
        }
        _ => one == two,
    }
}
