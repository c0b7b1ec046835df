//! From OpenAPI schemas to a model.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Map as Fields, Value};

use super::{Atom, Identity, List, Map, Model, Scalar, written};
use crate::schema::{Schemas, Type};

const REFERENCE: &str = "#/components/schemas/";
const OBJECT_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";
const QUANTITY: &str = "io.k8s.apimachinery.pkg.api.resource.Quantity";
const RAW_EXTENSION: &str = "io.k8s.apimachinery.pkg.runtime.RawExtension";

/// Anything at all, as one field.
const UNTYPED: usize = 0;
/// Anything at all; a map has fields of its own.
pub(super) const DEDUCED: usize = 1;

struct Compiler<'a> {
    by_name: &'a Fields<String, Value>,
    model: Model,
}

/// All schemas that have a name.
pub(super) fn named(schemas: &Schemas) -> Model {
    let mut compiler = Compiler::new(schemas.all());
    for name in schemas.all().keys() {
        compiler.reference(name);
    }
    compiler.model
}

/// A custom kind: its own fields, and the metadata of all objects. The last atom is the root.
pub(super) fn custom(kind: Type<'_>) -> Model {
    let mut compiler = Compiler::new(Schemas::kubernetes().all());
    let metadata = compiler.reference(OBJECT_META);
    let text = compiler.add(Atom {
        scalar: Some(Scalar::Text),
        ..Atom::default()
    });
    let mut root = compiler.atom(kind.node(), false);
    // Custom resources are no Go values: nothing is written that is not set.
    if let Some(map) = root.map.as_mut() {
        map.fields.insert("metadata".to_owned(), metadata);
        map.fields.insert("apiVersion".to_owned(), text);
        map.fields.insert("kind".to_owned(), text);
    }
    compiler.add(root);
    compiler.model
}

// === impl Compiler ===

impl<'a> Compiler<'a> {
    fn new(by_name: &'a Fields<String, Value>) -> Self {
        let open = |below, atomic, identity| Atom {
            scalar: Some(Scalar::Any),
            list: Some(List {
                items: UNTYPED,
                identity,
            }),
            map: Some(Map {
                fields: BTreeMap::new(),
                others: Some(below),
                atomic,
                written: Vec::new(),
            }),
        };
        let model = Model {
            atoms: vec![
                open(UNTYPED, true, Identity::Atomic),
                open(DEDUCED, false, Identity::Atomic),
            ],
            by_name: HashMap::new(),
        };
        Self { by_name, model }
    }

    fn add(&mut self, atom: Atom) -> usize {
        self.model.atoms.push(atom);
        self.model.atoms.len() - 1
    }

    /// The type of this name. A type can contain itself, so it gets its place first.
    fn reference(&mut self, name: &str) -> usize {
        if let Some(place) = self.model.by_name.get(name) {
            return *place;
        }
        let Some(schema) = self.by_name.get(name) else {
            return DEDUCED;
        };
        let place = self.add(Atom::default());
        self.model.by_name.insert(name.to_owned(), place);
        let mut atom = match name {
            QUANTITY => Atom {
                scalar: Some(Scalar::Any),
                ..Atom::default()
            },
            RAW_EXTENSION => self.model.atoms[UNTYPED].clone(),
            _ => self.atom(schema, false),
        };
        if let Some(map) = atom.map.as_mut() {
            map.written = written::fields(name);
        }
        self.model.atoms[place] = atom;
        place
    }

    /// The type of a place: one with a name, or one of its own.
    fn place(&mut self, schema: &Value, preserves: bool) -> usize {
        let inner = schema
            .get("$ref")
            .or_else(|| match schema["allOf"].as_array() {
                Some(all) if all.len() == 1 => all[0].get("$ref"),
                _ => None,
            });
        let name = inner
            .and_then(Value::as_str)
            .and_then(|text| text.strip_prefix(REFERENCE));
        if let Some(name) = name {
            return self.reference(name);
        }
        let atom = self.atom(schema, preserves);
        self.add(atom)
    }

    fn atom(&mut self, schema: &Value, preserves: bool) -> Atom {
        let preserves = preserves || schema["x-kubernetes-preserve-unknown-fields"] == true;
        let mut atom = Atom::default();
        match schema["type"].as_str() {
            Some("object") => atom.map = Some(self.map(schema, preserves)),
            Some("array") => atom.list = Some(self.list(schema, preserves)),
            Some("integer" | "number") => atom.scalar = Some(Scalar::Number),
            Some("boolean") => atom.scalar = Some(Scalar::Boolean),
            Some("string") => {
                let plain = matches!(schema["format"].as_str(), None | Some("" | "byte"));
                atom.scalar = Some(if plain { Scalar::Text } else { Scalar::Any });
            }
            _ => {
                atom.scalar = Some(Scalar::Any);
                atom.list = Some(self.list(schema, preserves));
                atom.map = Some(self.map(schema, preserves));
            }
        }
        atom
    }

    fn map(&mut self, schema: &Value, preserves: bool) -> Map {
        let mut fields = BTreeMap::new();
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            fields.insert(name.clone(), self.place(field, preserves));
        }
        let others = match schema.get("additionalProperties") {
            None => (preserves || fields.is_empty()).then_some(DEDUCED),
            Some(Value::Bool(allowed)) => allowed.then_some(DEDUCED),
            Some(values) => Some(self.place(values, preserves)),
        };
        Map {
            fields,
            others,
            atomic: schema["x-kubernetes-map-type"] == "atomic",
            written: Vec::new(),
        }
    }

    fn list(&mut self, schema: &Value, preserves: bool) -> List {
        let items = match schema.get("items") {
            Some(items) => self.place(items, preserves),
            None => UNTYPED,
        };
        let default = |name: &str| {
            let items = schema.get("items")?;
            self.resolve(items)["properties"][name]
                .get("default")
                .cloned()
        };
        let keys = |names: &mut dyn Iterator<Item = &Value>| {
            let names = names.filter_map(Value::as_str);
            Identity::Keys(names.map(|name| (name.to_owned(), default(name))).collect())
        };
        let strategy = schema["x-kubernetes-patch-strategy"].as_str();
        let identity = match (schema["x-kubernetes-list-type"].as_str(), strategy) {
            (Some("set"), _) => Identity::Value,
            (Some("map"), _) => {
                let names = schema["x-kubernetes-list-map-keys"].as_array();
                keys(&mut names.into_iter().flatten())
            }
            (None, Some("merge" | "merge,retainKeys")) => {
                match schema.get("x-kubernetes-patch-merge-key") {
                    Some(name) => keys(&mut std::iter::once(name)),
                    None => Identity::Value,
                }
            }
            _ => Identity::Atomic,
        };
        List { items, identity }
    }

    /// The schema that a place refers to.
    fn resolve<'b>(&'b self, schema: &'b Value) -> &'b Value {
        let inner = schema
            .get("$ref")
            .or_else(|| schema.pointer("/allOf/0/$ref"));
        let name = inner
            .and_then(Value::as_str)
            .and_then(|text| text.strip_prefix(REFERENCE));
        name.and_then(|name| self.by_name.get(name))
            .unwrap_or(schema)
    }
}
