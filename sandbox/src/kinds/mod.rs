//! The kinds that are served: how each is named, and where its behaviour differs from that of the others.
//!
//! The built-in kinds are declared in the files beside this one, one file per API group; those of custom resources are
//! made from their definitions. The [`Registry`] knows which are served at the moment.

mod apiextensions;
mod apps;
mod coordination;
mod core;
mod events;
mod policy;
mod rbac;
mod registry;
mod reviews;
mod scale;
mod subresource;
mod version;

use std::{borrow::Cow, sync::Arc};

use serde_json::Value;

pub(crate) use self::{
    registry::Registry,
    scale::{ScaleFields, ScaleSelector},
    subresource::Subresource,
};
use crate::{
    auth::Review,
    custom::CustomType,
    rules::MetadataRules,
    schema::{GoTypes, Schemas, Type},
    status::FieldError,
    table::{Custom, Printer},
};

/// A text of a declaration: of the program, or of a definition that came at run time.
pub(crate) type Text = Cow<'static, str>;

/// A served kind: how it is named, and where its behaviour differs from that of other kinds.
#[derive(Clone, Debug)]
pub(crate) struct Kind {
    /// The API group; empty for the core group.
    pub group: Text,
    pub version: Text,
    pub plural: Text,
    pub singular: Text,
    pub kind: Text,
    /// What a list of objects is called.
    pub list_kind: Text,
    pub short_names: Vec<Text>,
    /// The sets of kinds that it belongs to, such as `all`.
    pub categories: Vec<Text>,
    pub namespaced: bool,
    /// The shelf that keeps the objects; two groups that serve the same objects name the same one.
    pub shelf: Text,
    /// Top-level fields that this group calls otherwise: `(on the shelf, as served)`.
    pub renames: &'static [(&'static str, &'static str)],
    /// The rules for metadata beyond those for all kinds.
    pub metadata: MetadataRules,
    /// Whether a PUT of a missing object creates it.
    pub create_on_update: bool,
    /// Whether a PUT without a resourceVersion overwrites whatever is there.
    pub unconditional_update: bool,
    pub delete_collection: bool,
    /// In the order of their names.
    pub subresources: Vec<Subresource>,
    /// What the subresource `scale` shows.
    pub scale: Option<ScaleFields>,
    /// Which changes `metadata.generation` counts.
    pub generation: Generation,
    /// Whether a new object keeps the status that it comes with.
    pub created_with_status: bool,
    /// The fields of the metadata that a write to the status leaves alone.
    pub kept_by_status: &'static [&'static str],
    /// The question that its objects ask; nothing of such a kind is kept.
    pub review: Option<Review>,
    /// Fills in what a client may leave out.
    pub default: fn(&mut Value),
    /// What goes before all other rules; says why an object may not be.
    pub admit: fn(&mut Value, Option<&Value>) -> Result<(), String>,
    /// Fills in what the server decides, given the new state and the one that it replaces.
    pub prepare: fn(&mut Value, Option<&Value>),
    /// Gives an object what no two of its kind can have, given all others; says what is not to be had.
    pub claim: fn(&mut Value, &mut dyn Iterator<Item = &Value>) -> Vec<FieldError>,
    /// The rules beyond types, given the new state and the one that it replaces.
    pub validate: fn(&Value, Option<&Value>) -> Vec<FieldError>,
    /// The fields that its objects can be selected by, beyond name and namespace.
    pub selectable: Vec<Text>,
    /// How `kubectl get` shows its objects.
    pub printer: Printer,
    /// The full name of its type in `schemas`.
    pub type_name: Text,
    /// Where its type is described; `None` for those of Kubernetes itself.
    pub schemas: Option<Arc<Schemas>>,
    /// What the definition of a custom resource says about its objects.
    pub custom: Option<Arc<CustomType>>,
}

/// Which changes `metadata.generation` counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Generation {
    /// None: objects have no generation.
    Never,
    /// Those of the spec.
    Spec,
    /// Those of the spec and of the annotations.
    SpecAndAnnotations,
    /// All but those of the metadata, and of the status where it is a subresource.
    Contents,
}

/// The type of what is on the shelf of Events, the one shelf that two groups serve.
const STORED_EVENT: &str = "io.k8s.api.core.v1.Event";

/// The shelf of the kind that decides where others may live.
const NAMESPACES: &str = "namespaces";

/// The shelf of the kind that defines others.
const DEFINITIONS: &str = "customresourcedefinitions";

// === impl Kind ===

impl Kind {
    /// A namespaced built-in kind that does what most kinds do; a declaration states the rest.
    fn new(
        group: &'static str,
        version: &'static str,
        kind: &'static str,
        plural: &'static str,
    ) -> Self {
        let package = match group.split('.').next() {
            None | Some("") => "core",
            Some(package) => package,
        };
        Self {
            singular: kind.to_lowercase().into(),
            list_kind: format!("{kind}List").into(),
            unconditional_update: true,
            metadata: MetadataRules::default(),
            printer: Printer::of(group, plural),
            type_name: format!("io.k8s.api.{package}.{version}.{kind}").into(),
            ..Self::named(group.into(), version.into(), kind.into(), plural.into())
        }
    }

    /// A kind of which only the name is known.
    pub(crate) fn named(group: Text, version: Text, kind: Text, plural: Text) -> Self {
        Self {
            group,
            version,
            shelf: plural.clone(),
            plural,
            kind,
            singular: Text::default(),
            list_kind: Text::default(),
            short_names: Vec::new(),
            categories: Vec::new(),
            namespaced: true,
            renames: &[],
            metadata: MetadataRules::custom(),
            create_on_update: false,
            delete_collection: true,
            subresources: Vec::new(),
            scale: None,
            generation: Generation::Never,
            created_with_status: false,
            kept_by_status: &[],
            review: None,
            default: |_| {},
            admit: |_, _| Ok(()),
            prepare: |_, _| {},
            claim: |_, _| Vec::new(),
            validate: |_, _| Vec::new(),
            selectable: Vec::new(),
            unconditional_update: false,
            printer: Printer::Custom(Custom::default()),
            type_name: Text::default(),
            schemas: None,
            custom: None,
        }
    }

    /// What the subresource `scale` is made of; there are no such objects by themselves.
    pub(crate) fn scale() -> Self {
        Self::new("autoscaling", "v1", "Scale", "scale")
    }

    /// What evicts a Pod.
    pub(crate) fn eviction() -> Self {
        Self::new("policy", "v1", "Eviction", "eviction")
    }

    /// What asks for credentials of a ServiceAccount.
    pub(crate) fn token_request() -> Self {
        Self::new("authentication.k8s.io", "v1", "TokenRequest", "token")
    }

    /// `v1` or `group/version`.
    pub(crate) fn api_version(&self) -> String {
        if self.group.is_empty() {
            return self.version.to_string();
        }
        format!("{}/{}", self.group, self.version)
    }

    /// The resource with its group, as messages name it: `configmaps`, `leases.coordination.k8s.io`.
    pub(crate) fn resource(&self) -> String {
        self.with_group(&self.plural)
    }

    /// The kind with its group, as messages name it: `ConfigMap`, `Lease.coordination.k8s.io`.
    pub(crate) fn qualified(&self) -> String {
        self.with_group(&self.kind)
    }

    /// The group of the form in which objects are kept, which refusals name.
    pub(crate) fn stored_group(&self) -> &str {
        if self.renames.is_empty() {
            &self.group
        } else {
            ""
        }
    }

    fn with_group(&self, name: &str) -> String {
        if self.group.is_empty() {
            return name.to_owned();
        }
        format!("{name}.{}", self.group)
    }

    pub(crate) fn is_namespace(&self) -> bool {
        self.shelf == NAMESPACES
    }

    /// Whether it comes from a definition rather than from Kubernetes itself.
    pub(crate) fn is_custom(&self) -> bool {
        self.custom.is_some()
    }

    /// The subresource of this name, if the kind has it.
    pub(crate) fn subresource(&self, name: &str) -> Option<Subresource> {
        Subresource::named(name).filter(|subresource| self.has(*subresource))
    }

    pub(crate) fn has(&self, subresource: Subresource) -> bool {
        self.subresources.contains(&subresource)
    }

    /// The type of its objects, where there is a description of it.
    // The first readers are on their way.
    #[allow(dead_code)]
    pub(crate) fn schema(&self) -> Option<Type<'_>> {
        let schemas = self.schemas.as_deref();
        schemas
            .unwrap_or_else(|| Schemas::kubernetes())
            .get(&self.type_name)
    }

    /// Whether it defines other kinds.
    pub(crate) fn is_definition(&self) -> bool {
        self.shelf == DEFINITIONS
    }

    /// What is wrong with a new state, given the one that it replaces.
    pub(crate) fn check(&self, new: &Value, old: Option<&Value>) -> Vec<FieldError> {
        let mut errors = (self.validate)(new, old);
        if let Some(custom) = &self.custom {
            errors.extend(custom.check(new));
        }
        errors
    }

    /// Whether the answer to a deletion is the object rather than a status.
    pub(crate) fn shows_deleted(&self) -> bool {
        let shown = ["namespaces", "pods", "serviceaccounts", "services"];
        self.group.is_empty() && shown.contains(&&*self.plural)
    }

    /// The verbs that discovery announces.
    pub(crate) fn verbs(&self) -> Vec<&'static str> {
        if self.review.is_some() {
            return vec!["create"];
        }
        if self.is_custom() {
            return vec![
                "delete",
                "deletecollection",
                "get",
                "list",
                "patch",
                "create",
                "update",
                "watch",
            ];
        }
        let all = [
            "create",
            "delete",
            "deletecollection",
            "get",
            "list",
            "patch",
            "update",
            "watch",
        ];
        let served = |verb: &&str| self.delete_collection || *verb != "deletecollection";
        all.into_iter().filter(served).collect()
    }

    /// Renames the fields of an object on the shelf to what this group calls them.
    pub(crate) fn serve(&self, object: &mut Value) {
        rename(object, self.renames.iter().copied());
        self.tidy(object, &self.type_name);
    }

    /// Renames the fields of a served object to what the shelf calls them.
    pub(crate) fn store(&self, object: &mut Value) {
        let names = self.renames.iter();
        rename(object, names.map(|(stored, served)| (*served, *stored)));
        self.tidy(object, STORED_EVENT);
    }

    /// The two groups do not agree on which empty fields are written.
    fn tidy(&self, object: &mut Value, type_name: &str) {
        let types = GoTypes::kubernetes();
        if let Some(of) = types
            .of_schema(type_name)
            .filter(|_| !self.renames.is_empty())
        {
            types.tidy(of, object);
        }
    }
}

/// The names of a declaration.
fn texts<const N: usize>(names: [&'static str; N]) -> Vec<Text> {
    names.into_iter().map(Text::from).collect()
}

fn rename<'a>(object: &mut Value, names: impl Iterator<Item = (&'a str, &'a str)>) {
    let Some(fields) = object.as_object_mut() else {
        return;
    };
    for (from, to) in names {
        if let Some(value) = fields.remove(from) {
            fields.insert(to.to_owned(), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_kind_has_a_type() {
        for kind in Registry::built_in().kinds() {
            assert!(kind.schema().is_some(), "{}", kind.type_name);
        }
    }
}
