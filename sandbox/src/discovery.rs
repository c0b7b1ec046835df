//! What the server says about itself, made from the table of kinds.

use serde_json::{Value, json};

use crate::kinds::{Kind, Registry};

/// `/version`
pub(crate) fn version() -> Value {
    json!({
        "major": "1",
        "minor": "36",
        "gitVersion": "v1.36.0",
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
    let groups: Vec<_> = registry.groups().into_iter().map(group_entry).collect();
    json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
}

/// `/apis/{group}`
pub(crate) fn group(registry: &Registry, name: &str) -> Option<Value> {
    let mut entry = registry
        .groups()
        .contains(&name)
        .then(|| group_entry(name))?;
    entry["kind"] = json!("APIGroup");
    entry["apiVersion"] = json!("v1");
    Some(entry)
}

/// `/api/v1` and `/apis/{group}/{version}`
pub(crate) fn resources(registry: &Registry, group: &str, version: &str) -> Value {
    let kinds = kinds(registry, group, version);
    let group_version = kinds
        .first()
        .map_or_else(String::new, |kind| kind.api_version());
    let resources: Vec<_> = kinds.into_iter().map(resource).collect();
    json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": resources})
}

/// `/api` and `/apis` for clients that take all resources at once.
pub(crate) fn aggregated(registry: &Registry, core: bool) -> Value {
    let groups = if core { vec![""] } else { registry.groups() };
    let items: Vec<_> = groups
        .into_iter()
        .map(|group| {
            let resources: Vec<_> = kinds(registry, group, "v1")
                .into_iter()
                .map(aggregated_resource)
                .collect();
            let version = json!({"version": "v1", "resources": resources, "freshness": "Current"});
            json!({"metadata": {"name": group}, "versions": [version]})
        })
        .collect();
    json!({
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": items,
    })
}

/// `/openapi/v3`
pub(crate) fn open_api(registry: &Registry) -> Value {
    let path = |group: &str| {
        if group.is_empty() {
            "api/v1".to_owned()
        } else {
            format!("apis/{group}/v1")
        }
    };
    let entry = |group| {
        (
            path(group),
            json!({"serverRelativeURL": format!("/openapi/v3/{}", path(group))}),
        )
    };
    let paths: serde_json::Map<_, _> = [""]
        .into_iter()
        .chain(registry.groups())
        .map(entry)
        .collect();
    json!({"paths": paths})
}

/// `/openapi/v3/{path of a group}`: only that the server validates fields itself, which clients look for before they write.
pub(crate) fn open_api_group(registry: &Registry, group: &str, version: &str) -> Value {
    let entry = |kind: &Kind| {
        let scope = if kind.namespaced {
            "/namespaces/{namespace}"
        } else {
            ""
        };
        let root = if group.is_empty() { "/api" } else { "/apis" };
        let path = format!(
            "{root}/{}{scope}/{}/{{name}}",
            kind.api_version(),
            kind.plural
        );
        let operation = json!({"patch": {
            "parameters": [{"name": "fieldValidation", "in": "query", "schema": {"type": "string"}}],
            "x-kubernetes-group-version-kind": {"group": group, "version": version, "kind": kind.kind},
        }});
        (path, operation)
    };
    let paths: serde_json::Map<_, _> = kinds(registry, group, version)
        .into_iter()
        .map(entry)
        .collect();
    json!({"openapi": "3.0.0", "info": {"title": "kube-sandbox", "version": "v1.36.0"}, "paths": paths})
}

fn kinds<'a>(registry: &'a Registry, group: &str, version: &str) -> Vec<&'a Kind> {
    let wanted = |kind: &&Kind| kind.group == group && kind.version == version;
    registry.kinds().map(AsRef::as_ref).filter(wanted).collect()
}

fn group_entry(name: &str) -> Value {
    let version = json!({"groupVersion": format!("{name}/v1"), "version": "v1"});
    json!({"name": name, "versions": [version], "preferredVersion": version})
}

fn resource(kind: &Kind) -> Value {
    let mut entry = json!({
        "name": kind.plural,
        "singularName": kind.singular,
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": kind.verbs(),
    });
    if !kind.short_names.is_empty() {
        entry["shortNames"] = json!(kind.short_names);
    }
    if !kind.categories.is_empty() {
        entry["categories"] = json!(kind.categories);
    }
    entry
}

fn aggregated_resource(kind: &Kind) -> Value {
    json!({
        "resource": kind.plural,
        "responseKind": {"group": kind.group, "version": kind.version, "kind": kind.kind},
        "scope": if kind.namespaced { "Namespaced" } else { "Cluster" },
        "singularResource": kind.singular,
        "shortNames": kind.short_names,
        "categories": kind.categories,
        "verbs": kind.verbs(),
    })
}
