//! What the server says about itself, made from the registry of kinds.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::kinds::{Kind, Registry, Subresource};

/// `/version`
pub(crate) fn version() -> Value {
    json!({
        "major": "1",
        "minor": "36",
        "emulationMajor": "1",
        "emulationMinor": "36",
        "minCompatibilityMajor": "1",
        "minCompatibilityMinor": "35",
        "gitVersion": "v1.36.3",
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": "",
        "platform": "kube-sandbox",
    })
}

/// `/api`
pub(crate) fn core_versions() -> Value {
    json!({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []})
}

/// `/apis`
pub(crate) fn groups(registry: &Registry) -> Value {
    let entry = |group| group_entry(registry, group);
    let groups: Vec<_> = registry.groups().into_iter().map(entry).collect();
    json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
}

/// `/apis/{group}`
pub(crate) fn group(registry: &Registry, name: &str) -> Option<Value> {
    let mut entry = registry
        .groups()
        .contains(&name)
        .then(|| group_entry(registry, name))?;
    entry["kind"] = json!("APIGroup");
    entry["apiVersion"] = json!("v1");
    Some(entry)
}

/// `/api/v1` and `/apis/{group}/{version}`
pub(crate) fn resources(registry: &Registry, group: &str, version: &str) -> Value {
    let kinds = registry.within(group, version);
    let group_version = kinds
        .first()
        .map_or_else(String::new, |kind| kind.api_version());
    let mut resources = Vec::new();
    for kind in kinds {
        resources.push(resource(kind));
        resources.extend(
            kind.subresources
                .iter()
                .map(|part| subresource(kind, *part)),
        );
    }
    let mut list =
        json!({"kind": "APIResourceList", "groupVersion": group_version, "resources": resources});
    // The core group is older than the field.
    if !group.is_empty() {
        list["apiVersion"] = json!("v1");
    }
    list
}

/// `/api` and `/apis` for clients that take all resources at once.
pub(crate) fn aggregated(registry: &Registry, core: bool) -> Value {
    let groups = if core { vec![""] } else { registry.groups() };
    let version = |group, version| {
        let kinds = registry.within(group, version).into_iter();
        let resources: Vec<_> = kinds.map(aggregated_resource).collect();
        json!({"version": version, "resources": resources, "freshness": "Current"})
    };
    let group = |group| {
        let versions = registry.versions(group).into_iter();
        let versions: Vec<_> = versions.map(|name| version(group, name)).collect();
        let metadata = if group.is_empty() {
            json!({})
        } else {
            json!({"name": group})
        };
        json!({"metadata": metadata, "versions": versions})
    };
    let items: Vec<_> = groups.into_iter().map(group).collect();
    json!({
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": items,
    })
}

fn group_entry(registry: &Registry, name: &str) -> Value {
    let version =
        |version| json!({"groupVersion": format!("{name}/{version}"), "version": version});
    let versions: Vec<_> = registry.versions(name).into_iter().map(version).collect();
    json!({"name": name, "versions": versions, "preferredVersion": versions.first()})
}

fn resource(kind: &Kind) -> Value {
    let mut entry = json!({
        "name": kind.plural,
        "singularName": kind.singular,
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": kind.verbs(),
    });
    name_sets(kind, &mut entry);
    if kind.review.is_none() {
        entry["storageVersionHash"] = json!(storage_version_hash(kind));
    }
    entry
}

/// Names the version in which objects are stored, for those who watch over its changes.
fn storage_version_hash(kind: &Kind) -> String {
    // Both groups of events share the objects of the older one.
    let group = match &*kind.group {
        "events.k8s.io" => "",
        group => group,
    };
    // kube-apiserver keeps definitions in the version before.
    let version = match kind.is_definition() {
        true => "v1beta1",
        false => &kind.version,
    };
    let name = format!("{group}/{version}/{}", kind.kind);
    BASE64_STANDARD.encode(&Sha256::digest(name)[..8])
}

fn subresource(kind: &Kind, part: Subresource) -> Value {
    let about = part.announcement(kind);
    let mut entry = json!({
        "name": format!("{}/{}", kind.plural, part.name()),
        "singularName": "",
        "namespaced": kind.namespaced,
        "kind": about.kind,
        "verbs": about.verbs,
    });
    if let Some((group, version)) = about.foreign {
        entry["group"] = json!(group);
        entry["version"] = json!(version);
    }
    entry
}

fn aggregated_resource(kind: &Kind) -> Value {
    // kube-apiserver leaves the group and version of built-in kinds out: they are those of the list.
    let own = match kind.is_custom() {
        true => (&*kind.group, &*kind.version),
        false => ("", ""),
    };
    let response = |(group, version): (&str, &str), kind: &str| json!({"group": group, "version": version, "kind": kind});
    let subresource = |part: &Subresource| {
        let about = part.announcement(kind);
        json!({
            "subresource": part.name(),
            "responseKind": response(about.foreign.unwrap_or(own), about.kind),
            "verbs": about.verbs,
        })
    };
    let mut entry = json!({
        "resource": kind.plural,
        "responseKind": response(own, &kind.kind),
        "scope": if kind.namespaced { "Namespaced" } else { "Cluster" },
        "singularResource": kind.singular,
        "verbs": kind.verbs(),
    });
    name_sets(kind, &mut entry);
    if !kind.subresources.is_empty() {
        entry["subresources"] = kind.subresources.iter().map(subresource).collect();
    }
    entry
}

/// Adds the other names of a kind, which are left out where there are none.
fn name_sets(kind: &Kind, entry: &mut Value) {
    for (field, names) in [
        ("shortNames", &kind.short_names),
        ("categories", &kind.categories),
    ] {
        if !names.is_empty() {
            entry[field] = json!(names);
        }
    }
}
