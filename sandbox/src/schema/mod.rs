//! The types of the served kinds, as the OpenAPI description of Kubernetes has them.

mod base64;
mod custom;
mod decode;
mod go;
pub(crate) mod json;
mod quantity;
mod reader;
mod strict;
mod time;

use std::{
    collections::HashMap,
    sync::{LazyLock, OnceLock},
};

use serde_json::{Map, Value, json};

pub(crate) use self::{
    decode::Decoder,
    go::{Custom, Form, GoTypes, Id, Message, Struct},
    reader::Reader,
};
use crate::fields::{Model, TypeRef};

/// The schemas of the built-in kinds; see `openapi/README.md` for where the file is from.
static KUBERNETES: LazyLock<Schemas> = LazyLock::new(|| {
    let text = include_str!("../../openapi/schemas.json");
    Schemas {
        // A test reads the file back.
        by_name: serde_json::from_str(text).unwrap_or_default(),
        models: OnceLock::new(),
    }
});

const REFERENCE: &str = "#/components/schemas/";

/// Named schemas that refer to each other.
#[derive(Debug)]
pub(crate) struct Schemas {
    by_name: Map<String, Value>,
    /// The same types as merging sees them, made when somebody asks.
    models: OnceLock<HashMap<String, Model>>,
}

/// The type of a value: a place in a schema.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Type<'a> {
    all: &'a Schemas,
    /// Where the value is declared: it says how a list is merged, and what a field starts with.
    place: &'a Value,
    /// What the place refers to, or the place itself.
    node: &'a Value,
    name: Option<&'a str>,
}

/// The form of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Anything at all.
    Any,
    Text,
    /// Base64.
    Bytes,
    /// RFC 3339, in seconds.
    Time,
    /// RFC 3339, in microseconds.
    MicroTime,
    Quantity,
    IntOrText,
    Int32,
    Int64,
    Number,
    Boolean,
    /// Fields with names and types of their own.
    Struct,
    /// Values of one type under any key.
    Map,
    List,
}

/// How the items of a list are told apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum ListType<'a> {
    /// Not at all: the list is one value.
    Atomic,
    /// By their value.
    Set,
    /// By the values of these fields.
    Map(&'a [Value]),
}

// === impl Schemas ===

impl Schemas {
    /// Those of the built-in kinds.
    pub(crate) fn kubernetes() -> &'static Self {
        &KUBERNETES
    }

    /// That of a custom resource, with the types of Kubernetes that it refers to.
    pub(crate) fn custom(name: &str, schema: &Value, of_kind: &Value) -> Self {
        let metadata = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";
        let fields = |value: &Value| value.as_object().cloned().unwrap_or_default();
        let mut properties = fields(&schema["properties"]);
        for (name, node) in [
            ("apiVersion", json!({"type": "string"})),
            ("kind", json!({"type": "string"})),
            (
                "metadata",
                json!({"$ref": format!("{REFERENCE}{metadata}")}),
            ),
        ] {
            properties.insert(name.to_owned(), node);
        }
        let mut schema = fields(schema);
        schema.insert("properties".to_owned(), properties.into());
        schema.insert(
            "x-kubernetes-group-version-kind".to_owned(),
            of_kind.clone(),
        );
        let mut by_name = Map::new();
        let mut missing = vec![metadata.to_owned()];
        while let Some(name) = missing.pop() {
            let found = KUBERNETES.by_name.get(&name);
            let Some(node) = found.filter(|_| !by_name.contains_key(&name)) else {
                continue;
            };
            by_name.insert(name, node.clone());
            missing.extend(references(node));
        }
        by_name.insert(name.to_owned(), schema.into());
        Self {
            by_name,
            models: OnceLock::new(),
        }
    }

    /// The type of this full name, like `io.k8s.api.core.v1.Pod`.
    pub(crate) fn get(&self, name: &str) -> Option<Type<'_>> {
        let (name, node) = self.by_name.get_key_value(name)?;
        Some(Type {
            all: self,
            place: node,
            node,
            name: Some(name),
        })
    }

    /// The type of this name as merging sees it, for custom kinds.
    pub(crate) fn model(&self, name: &str) -> Option<TypeRef<'_>> {
        let models = self.models.get_or_init(|| {
            let names = self.by_name.keys();
            names
                .filter_map(|name| Some((name.clone(), Model::custom(self.get(name)?))))
                .collect()
        });
        models.get(name).map(Model::root)
    }

    /// All schemas, for those who publish them.
    pub(crate) fn all(&self) -> &Map<String, Value> {
        &self.by_name
    }

    fn at<'a>(&'a self, place: &'a Value) -> Type<'a> {
        let reference = place.get("$ref").or_else(|| place.pointer("/allOf/0/$ref"));
        let name = reference
            .and_then(Value::as_str)
            .and_then(|text| text.strip_prefix(REFERENCE));
        match name.and_then(|name| self.by_name.get_key_value(name)) {
            Some((name, node)) => Type {
                all: self,
                place,
                node,
                name: Some(name),
            },
            None => Type {
                all: self,
                place,
                node: place,
                name: None,
            },
        }
    }
}

/// The names that a schema refers to.
fn references(node: &Value) -> Vec<String> {
    match node {
        Value::Object(fields) => {
            let own = fields.get("$ref").and_then(Value::as_str);
            let own = own.and_then(|text| text.strip_prefix(REFERENCE));
            let inner = fields.values().flat_map(references);
            own.map(str::to_owned).into_iter().chain(inner).collect()
        }
        Value::Array(items) => items.iter().flat_map(references).collect(),
        _ => Vec::new(),
    }
}

// === impl Type ===

impl<'a> Type<'a> {
    pub(crate) fn shape(self) -> Shape {
        match self.short_name() {
            Some("Time") => return Shape::Time,
            Some("MicroTime") => return Shape::MicroTime,
            Some("Quantity") => return Shape::Quantity,
            Some("IntOrString") => return Shape::IntOrText,
            _ if self.flag("x-kubernetes-int-or-string") => return Shape::IntOrText,
            _ => {}
        }
        let format = self.node["format"].as_str().unwrap_or_default();
        match self.node["type"].as_str() {
            Some("string") if format == "byte" => Shape::Bytes,
            Some("string") => Shape::Text,
            Some("integer") if format == "int32" => Shape::Int32,
            Some("integer") => Shape::Int64,
            Some("number") => Shape::Number,
            Some("boolean") => Shape::Boolean,
            Some("array") => Shape::List,
            Some("object") if self.node.get("properties").is_some() => Shape::Struct,
            Some("object") if self.node["additionalProperties"].is_object() => Shape::Map,
            // A struct without fields, like an `emptyDir` of no wishes, has no schema at all in Kubernetes.
            _ => Shape::Any,
        }
    }

    /// The schema itself.
    pub(crate) fn node(self) -> &'a Value {
        self.node
    }

    /// The full name, where the type has one.
    pub(crate) fn name(self) -> Option<&'a str> {
        self.name
    }

    /// The last part of the name, which is that of the Go type.
    pub(crate) fn short_name(self) -> Option<&'a str> {
        self.name.and_then(|name| name.rsplit('.').next())
    }

    /// The fields of a struct, in the order of their names.
    pub(crate) fn fields(self) -> impl Iterator<Item = (&'a str, Type<'a>)> {
        let fields = self.node["properties"].as_object().into_iter().flatten();
        fields.map(move |(name, place)| (name.as_str(), self.all.at(place)))
    }

    pub(crate) fn field(self, name: &str) -> Option<Type<'a>> {
        let place = self.node.get("properties")?.get(name)?;
        Some(self.all.at(place))
    }

    /// The type of the values of a map.
    pub(crate) fn values(self) -> Option<Type<'a>> {
        let place = self
            .node
            .get("additionalProperties")
            .filter(|place| place.is_object())?;
        Some(self.all.at(place))
    }

    /// The type of the items of a list.
    pub(crate) fn items(self) -> Option<Type<'a>> {
        Some(self.all.at(self.node.get("items")?))
    }

    /// Whether a struct or map is applied as one value.
    pub(crate) fn is_atomic_map(self) -> bool {
        self.text("x-kubernetes-map-type") == Some("atomic")
    }

    pub(crate) fn list_type(self) -> ListType<'a> {
        match self.text("x-kubernetes-list-type") {
            Some("set") => ListType::Set,
            Some("map") => {
                let keys = self.extension("x-kubernetes-list-map-keys");
                ListType::Map(keys.and_then(Value::as_array).map_or(&[], Vec::as_slice))
            }
            _ => ListType::Atomic,
        }
    }

    /// How a strategic merge patch treats this field: some of `merge`, `replace` and `retainKeys`.
    pub(crate) fn patch_strategies(self) -> impl Iterator<Item = &'a str> {
        self.text("x-kubernetes-patch-strategy")
            .unwrap_or_default()
            .split(',')
    }

    /// The field by which a strategic merge patch tells the items of this list apart.
    pub(crate) fn patch_merge_key(self) -> Option<&'a str> {
        self.text("x-kubernetes-patch-merge-key")
    }

    /// Whether fields without a schema are kept.
    pub(crate) fn preserves_unknown(self) -> bool {
        self.flag("x-kubernetes-preserve-unknown-fields")
    }

    /// Whether the value is a whole object with metadata of its own.
    pub(crate) fn is_embedded(self) -> bool {
        self.flag("x-kubernetes-embedded-resource")
    }

    pub(crate) fn default(self) -> Option<&'a Value> {
        self.place.get("default")
    }

    pub(crate) fn requires(self, field: &str) -> bool {
        let required = self.node["required"].as_array();
        required.is_some_and(|required| required.iter().any(|name| name == field))
    }

    /// What is said beside the reference counts before what the named type says.
    fn extension(self, key: &str) -> Option<&'a Value> {
        self.place.get(key).or_else(|| self.node.get(key))
    }

    fn text(self, key: &str) -> Option<&'a str> {
        self.extension(key).and_then(Value::as_str)
    }

    fn flag(self, key: &str) -> bool {
        self.extension(key)
            .and_then(Value::as_bool)
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_has_the_types_of_kubernetes() {
        let pod = Schemas::kubernetes().get("io.k8s.api.core.v1.Pod").unwrap();
        let spec = pod.field("spec").unwrap();
        assert_eq!(
            (spec.shape(), spec.short_name()),
            (Shape::Struct, Some("PodSpec"))
        );
        let containers = spec.field("containers").unwrap();
        assert_eq!(
            containers.list_type(),
            ListType::Map(&[Value::from("name")])
        );
        assert_eq!(containers.patch_merge_key(), Some("name"));
        let ports = containers.items().unwrap().field("ports").unwrap();
        assert_eq!(
            ports
                .items()
                .unwrap()
                .field("containerPort")
                .unwrap()
                .shape(),
            Shape::Int32
        );
        assert!(spec.field("nodeSelector").unwrap().is_atomic_map());
        let created = pod
            .field("metadata")
            .unwrap()
            .field("creationTimestamp")
            .unwrap();
        assert_eq!(created.shape(), Shape::Time);
        assert!(spec.requires("containers"));
    }
}
