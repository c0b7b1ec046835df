//! The kinds that are served: one table entry each.

use serde_json::Value;

use crate::{rules, status::FieldError};

/// A served kind: how it is named, and where its behaviour differs from that of other kinds.
#[derive(Debug)]
pub(crate) struct Kind {
    /// The API group; empty for the core group.
    pub group: &'static str,
    pub version: &'static str,
    pub plural: &'static str,
    pub singular: &'static str,
    pub kind: &'static str,
    pub short_names: &'static [&'static str],
    pub namespaced: bool,
    /// The shelf that keeps the objects; two groups that serve the same objects name the same one.
    pub shelf: &'static str,
    /// Top-level fields that this group calls otherwise: `(on the shelf, as served)`.
    pub renames: &'static [(&'static str, &'static str)],
    /// Whether a name is a DNS label (one part, 63 characters) rather than a DNS subdomain.
    pub label_name: bool,
    /// Whether a PUT of a missing object creates it.
    pub create_on_update: bool,
    /// Whether a PUT without a resourceVersion overwrites whatever is there.
    pub unconditional_update: bool,
    pub delete_collection: bool,
    /// The types of fields, by dotted path; fields that are not listed may hold anything.
    pub shape: &'static [(&'static str, Shape)],
    /// Fills in what the server decides, given the new state and the one that it replaces.
    pub prepare: fn(&mut Value, Option<&Value>),
    /// The rules beyond types, given the new state and the one that it replaces.
    pub validate: fn(&Value, Option<&Value>) -> Vec<FieldError>,
}

/// The JSON type of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Text,
    Int,
    Map,
    TextMap,
    TextList,
    List,
}

/// What most kinds have in common; an entry states the rest.
const COMMON: Kind = Kind {
    group: "",
    version: "v1",
    plural: "",
    singular: "",
    kind: "",
    short_names: &[],
    namespaced: true,
    shelf: "",
    renames: &[],
    label_name: false,
    create_on_update: false,
    unconditional_update: true,
    delete_collection: true,
    shape: &[],
    prepare: |_, _| {},
    validate: |_, _| Vec::new(),
};

/// Namespaces; they decide where the others may live.
pub(crate) static NAMESPACE: Kind = Kind {
    plural: "namespaces",
    singular: "namespace",
    kind: "Namespace",
    short_names: &["ns"],
    namespaced: false,
    shelf: "namespaces",
    label_name: true,
    delete_collection: false,
    shape: &[("spec", Shape::Map), ("status", Shape::Map)],
    prepare: rules::prepare_namespace,
    ..COMMON
};

static CONFIG_MAP: Kind = Kind {
    plural: "configmaps",
    singular: "configmap",
    kind: "ConfigMap",
    short_names: &["cm"],
    shelf: "configmaps",
    shape: &[("data", Shape::TextMap), ("binaryData", Shape::TextMap)],
    ..COMMON
};

static SECRET: Kind = Kind {
    plural: "secrets",
    singular: "secret",
    kind: "Secret",
    shelf: "secrets",
    shape: &[
        ("type", Shape::Text),
        ("data", Shape::TextMap),
        ("stringData", Shape::TextMap),
    ],
    prepare: rules::prepare_secret,
    validate: rules::validate_secret,
    ..COMMON
};

static EVENT: Kind = Kind {
    plural: "events",
    singular: "event",
    kind: "Event",
    short_names: &["ev"],
    shelf: "events",
    create_on_update: true,
    shape: &[("involvedObject", Shape::Map), ("message", Shape::Text)],
    ..COMMON
};

/// The same objects as [`EVENT`], under the names of the younger group.
static EVENT_V1: Kind = Kind {
    group: "events.k8s.io",
    plural: "events",
    singular: "event",
    kind: "Event",
    short_names: &["ev"],
    shelf: "events",
    renames: &[
        ("involvedObject", "regarding"),
        ("message", "note"),
        ("source", "deprecatedSource"),
        ("firstTimestamp", "deprecatedFirstTimestamp"),
        ("lastTimestamp", "deprecatedLastTimestamp"),
        ("count", "deprecatedCount"),
        ("reportingComponent", "reportingController"),
    ],
    create_on_update: true,
    shape: &[("regarding", Shape::Map), ("note", Shape::Text)],
    ..COMMON
};

static LEASE: Kind = Kind {
    group: "coordination.k8s.io",
    plural: "leases",
    singular: "lease",
    kind: "Lease",
    shelf: "leases",
    create_on_update: true,
    unconditional_update: false,
    shape: &[
        ("spec", Shape::Map),
        ("spec.acquireTime", Shape::Text),
        ("spec.holderIdentity", Shape::Text),
        ("spec.leaseDurationSeconds", Shape::Int),
        ("spec.leaseTransitions", Shape::Int),
        ("spec.renewTime", Shape::Text),
    ],
    prepare: rules::prepare_lease,
    validate: rules::validate_lease,
    ..COMMON
};

/// Every served kind, in the order of discovery.
pub(crate) static KINDS: [&Kind; 6] = [&CONFIG_MAP, &EVENT, &NAMESPACE, &SECRET, &LEASE, &EVENT_V1];

/// The kind at a path.
pub(crate) fn find(group: &str, version: &str, plural: &str) -> Option<&'static Kind> {
    let wanted =
        |kind: &&&Kind| (kind.group, kind.version, kind.plural) == (group, version, plural);
    KINDS.iter().find(wanted).copied()
}

/// The kind of this name, which must be one.
pub(crate) fn named(name: &str) -> &'static Kind {
    let wanted = |kind: &&&Kind| kind.kind == name;
    KINDS.iter().find(wanted).copied().unwrap_or(&NAMESPACE)
}

// === impl Kind ===

impl Kind {
    /// `v1` or `group/version`.
    pub(crate) fn api_version(&self) -> String {
        if self.group.is_empty() {
            return self.version.to_owned();
        }
        format!("{}/{}", self.group, self.version)
    }

    /// The resource with its group, as messages name it: `configmaps`, `leases.coordination.k8s.io`.
    pub(crate) fn resource(&self) -> String {
        self.with_group(self.plural)
    }

    /// The kind with its group, as messages name it: `ConfigMap`, `Lease.coordination.k8s.io`.
    pub(crate) fn qualified(&self) -> String {
        self.with_group(self.kind)
    }

    fn with_group(&self, name: &str) -> String {
        if self.group.is_empty() {
            return name.to_owned();
        }
        format!("{name}.{}", self.group)
    }

    pub(crate) fn is_namespace(&self) -> bool {
        self.shelf == NAMESPACE.shelf
    }

    /// The verbs that discovery announces.
    pub(crate) fn verbs(&self) -> Vec<&'static str> {
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
    }

    /// Renames the fields of a served object to what the shelf calls them.
    pub(crate) fn store(&self, object: &mut Value) {
        rename(
            object,
            self.renames
                .iter()
                .map(|(stored, served)| (*served, *stored)),
        );
    }
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
