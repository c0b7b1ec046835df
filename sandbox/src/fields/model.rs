//! Types in the form that merging needs: what may stand at a place, and how much of it is one field.

mod compile;
mod written;

use std::{
    collections::{BTreeMap, HashMap},
    sync::LazyLock,
};

use serde_json::Value;

use crate::schema::{Schemas, Type};

/// The types of the built-in kinds.
static KUBERNETES: LazyLock<Model> = LazyLock::new(|| compile::named(Schemas::kubernetes()));

/// Types that refer to each other.
#[derive(Debug)]
pub(crate) struct Model {
    atoms: Vec<Atom>,
    by_name: HashMap<String, usize>,
}

/// One type of a model.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TypeRef<'a> {
    model: &'a Model,
    pub(super) atom: &'a Atom,
}

/// What may stand at a place; several of these where the type is open.
#[derive(Clone, Debug, Default)]
pub(super) struct Atom {
    pub(super) scalar: Option<Scalar>,
    pub(super) list: Option<List>,
    pub(super) map: Option<Map>,
}

/// The JSON type of a scalar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scalar {
    Number,
    Text,
    Boolean,
    Any,
}

/// A list.
#[derive(Clone, Debug)]
pub(super) struct List {
    items: usize,
    pub(super) identity: Identity,
}

/// How the items of a list are told apart.
#[derive(Clone, Debug)]
pub(super) enum Identity {
    /// Not at all: the list is one field.
    Atomic,
    Value,
    /// By these fields, each with the value that it has when it is missing.
    Keys(Vec<(String, Option<Value>)>),
}

/// A struct, a map, or a struct that takes more fields than it declares.
#[derive(Clone, Debug)]
pub(super) struct Map {
    fields: BTreeMap<String, usize>,
    /// The type of what is no declared field.
    others: Option<usize>,
    pub(super) atomic: bool,
    /// Fields that are written even when nothing sets them, as in Go, with what is written then.
    pub(super) written: Vec<(String, Value)>,
}

// === impl Model ===

impl Model {
    /// For objects of a custom kind.
    pub(crate) fn custom(kind: Type<'_>) -> Self {
        compile::custom(kind)
    }

    /// The type of an object of a built-in kind.
    pub(crate) fn kubernetes(name: &str) -> Option<TypeRef<'static>> {
        KUBERNETES.named(name)
    }

    /// The type of objects of which nothing is known.
    pub(crate) fn anything() -> TypeRef<'static> {
        KUBERNETES.at(compile::DEDUCED)
    }

    fn named(&self, name: &str) -> Option<TypeRef<'_>> {
        Some(self.at(*self.by_name.get(name)?))
    }

    /// The type of whole objects, where a model is for one kind.
    pub(crate) fn root(&self) -> TypeRef<'_> {
        self.at(self.atoms.len() - 1)
    }

    fn at(&self, place: usize) -> TypeRef<'_> {
        TypeRef {
            model: self,
            atom: &self.atoms[place],
        }
    }
}

// === impl TypeRef ===

impl<'a> TypeRef<'a> {
    pub(super) fn field(self, map: &Map, name: &str) -> Option<TypeRef<'a>> {
        let place = map.fields.get(name).or(map.others.as_ref())?;
        Some(self.model.at(*place))
    }

    pub(super) fn items(self, list: &List) -> TypeRef<'a> {
        self.model.at(list.items)
    }

    /// The form that a value has, or that its place has when the value does not tell.
    pub(super) fn form(self, value: Option<&Value>) -> Form<'a> {
        let Atom { scalar, list, map } = self.atom;
        let fits = match value {
            Some(Value::Array(_)) => list.as_ref().map(Form::List),
            Some(Value::Object(_)) => map.as_ref().map(Form::Map),
            Some(Value::Null) | None => None,
            Some(_) => scalar.map(Form::Scalar),
        };
        let first = || {
            let map = map.as_ref().map(Form::Map);
            map.or(scalar.map(Form::Scalar))
                .or(list.as_ref().map(Form::List))
        };
        fits.or_else(first).unwrap_or(Form::Scalar(Scalar::Any))
    }
}

/// One of the things that may stand at a place.
#[derive(Clone, Copy, Debug)]
pub(super) enum Form<'a> {
    Scalar(Scalar),
    List(&'a List),
    Map(&'a Map),
}

// === impl Map ===

impl Map {
    pub(super) fn declares(&self, name: &str) -> bool {
        self.fields.contains_key(name)
    }

    /// What stands for a field that is not there.
    pub(super) fn missing(&self, name: &str) -> Option<&Value> {
        let mut written = self.written.iter();
        written
            .find(|(field, _)| field == name)
            .map(|(_, value)| value)
    }
}
