//! OpenAPI v3: what clients read about the types, the paths and their parameters, made from the served kinds.

mod operations;

use std::{
    collections::hash_map::DefaultHasher,
    hash::{Hash, Hasher},
};

use serde_json::{Map, Value, json};

use crate::{
    kinds::{Kind, Registry},
    schema::Schemas,
};

/// What kubectl asks for: OpenAPI v2 in protobuf, the one form in which it reads it.
pub(crate) const OLD_WANTED: &str = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";

/// The media type of the answer; that of the request is none by the rules for media types.
pub(crate) const OLD_TYPE: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

/// [`old_document`] in protobuf: the version, and the title and the version of what it is about.
pub(crate) const OLD_DOCUMENT: &[u8] = b"\x0a\x032.0\x12\x15\x0a\x0aKubernetes\x12\x07v1.36.3";

const REFERENCE: &str = "#/components/schemas/";

const METADATA: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

/// `/openapi/v2`: a document without types and paths.
///
/// kubectl asks it for what v3 does not know, such as objects of kind `List`, and leaves the check to the server then.
pub(crate) fn old_document() -> Value {
    json!({
        "swagger": "2.0",
        "info": {"title": "Kubernetes", "version": "v1.36.3"},
        "paths": {},
    })
}

/// `/openapi/v3`: where the documents are; the hash changes with what they say.
pub(crate) fn index(registry: &Registry) -> Value {
    let groups = [""].into_iter().chain(registry.groups());
    let mut paths = Map::new();
    for group in groups {
        for version in registry.versions(group) {
            let path = match group {
                "" => format!("api/{version}"),
                group => format!("apis/{group}/{version}"),
            };
            let hash = hash(registry, group, version);
            let url = format!("/openapi/v3/{path}?hash={hash}");
            paths.insert(path, json!({"serverRelativeURL": url}));
        }
    }
    json!({"paths": paths})
}

/// `/openapi/v3/{path of a group}`: the types and paths of a group.
pub(crate) fn document(registry: &Registry, group: &str, version: &str) -> Option<Value> {
    let kinds = registry.within(group, version);
    if kinds.is_empty() {
        return None;
    }
    let mut paths = Map::new();
    let mut schemas = Map::new();
    for kind in kinds {
        if kind.schemas.is_some() {
            custom(kind, &mut schemas);
        }
        for (path, operations) in operations::of(kind) {
            paths.insert(path, operations);
        }
    }
    let wanted = references(&Value::Object(paths.clone()));
    let custom = references(&Value::Object(schemas.clone()));
    for name in wanted.into_iter().chain(custom) {
        take(&mut schemas, &name);
    }
    Some(json!({
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "v1.36.3"},
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"BearerToken": {
                "type": "apiKey",
                "description": "Bearer Token authentication",
                "name": "authorization",
                "in": "header",
            }},
        },
    }))
}

/// What tells one state of a document from another.
fn hash(registry: &Registry, group: &str, version: &str) -> String {
    let mut hasher = DefaultHasher::new();
    for kind in registry.within(group, version) {
        (&kind.kind, &kind.plural, kind.namespaced).hash(&mut hasher);
        if let Some(schemas) = &kind.schemas {
            Value::Object(schemas.all().clone())
                .to_string()
                .hash(&mut hasher);
        }
    }
    format!("{:016X}", hasher.finish())
}

/// Adds a schema of Kubernetes and all that it refers to.
fn take(schemas: &mut Map<String, Value>, name: &str) {
    if schemas.contains_key(name) {
        return;
    }
    if let Some(schema) = Schemas::kubernetes().all().get(name) {
        schemas.insert(name.to_owned(), schema.clone());
        for name in references(schema) {
            take(schemas, &name);
        }
    }
}

/// The names of the schemas that a value refers to.
fn references(value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = vec![value];
    while let Some(value) = rest.pop() {
        match value {
            Value::Object(fields) => {
                let reference = fields.get("$ref").and_then(Value::as_str);
                let name = reference.and_then(|text| text.strip_prefix(REFERENCE));
                found.extend(name.map(str::to_owned));
                rest.extend(fields.values());
            }
            Value::Array(items) => rest.extend(items),
            _ => {}
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// Adds the schemas of a custom resource: that of its definition with the fields of every object, and that of its lists.
fn custom(kind: &Kind, schemas: &mut Map<String, Value>) {
    let Some(all) = &kind.schemas else {
        return;
    };
    schemas.extend(all.all().clone());
    let gvk = |name: String| json!([{"group": kind.group, "kind": name, "version": kind.version}]);
    let common = |field: &str| {
        let kubernetes = Schemas::kubernetes().all();
        kubernetes["io.k8s.api.core.v1.ConfigMapList"]["properties"][field].clone()
    };
    let type_name: &str = &kind.type_name;
    let schema = schemas.entry(type_name).or_insert_with(|| json!({}));
    if !schema.is_object() {
        *schema = json!({});
    }
    schema["type"] = json!("object");
    schema["x-kubernetes-group-version-kind"] = gvk(kind.kind.to_string());
    if !schema["properties"].is_object() {
        schema["properties"] = json!({});
    }
    for field in ["apiVersion", "kind"] {
        schema["properties"][field] = common(field);
    }
    schema["properties"]["metadata"] = json!({
        "description": "Standard object's metadata. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata",
        "allOf": [{"$ref": format!("{REFERENCE}{METADATA}")}],
    });
    let reference = json!({"$ref": format!("{REFERENCE}{type_name}")});
    let list = json!({
        "description": format!("{} is a list of {}", kind.list_kind, kind.kind),
        "type": "object",
        "required": ["items"],
        "properties": {
            "apiVersion": common("apiVersion"),
            "kind": common("kind"),
            "metadata": common("metadata"),
            "items": {
                "description": format!("List of {}. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md", kind.plural),
                "type": "array",
                "items": reference,
            },
        },
        "x-kubernetes-group-version-kind": gvk(kind.list_kind.to_string()),
    });
    schemas.insert(format!("{type_name}List"), list);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reference_of_a_document_leads_to_a_schema() {
        let registry = Registry::built_in();
        let mut documents = 0;
        for path in index(&registry)["paths"].as_object().unwrap().keys() {
            let mut parts = path.split('/').skip(1);
            let (group, version) = match (parts.next().unwrap(), parts.next()) {
                (version, None) => ("", version),
                (group, Some(version)) => (group, version),
            };
            let document = document(&registry, group, version).unwrap();
            let schemas = document["components"]["schemas"].as_object().unwrap();
            for name in references(&document) {
                assert!(schemas.contains_key(&name), "{name} in {path}");
            }
            documents += 1;
        }
        assert!(documents >= 7, "{documents}");
        assert_eq!(document(&registry, "apps", "v9"), None);
    }

    #[test]
    fn clients_find_the_parameters_that_they_look_for() {
        let document = document(&Registry::built_in(), "apps", "v1").unwrap();
        let path = "/apis/apps/v1/namespaces/{namespace}/statefulsets/{name}";
        let patch = &document["paths"][path]["patch"];
        assert_eq!(
            patch["x-kubernetes-group-version-kind"],
            json!({"group": "apps", "kind": "StatefulSet", "version": "v1"})
        );
        let parameters = patch["parameters"].as_array().unwrap();
        assert!(parameters.iter().any(|it| it["name"] == "fieldValidation"));
        let content = &patch["requestBody"]["content"];
        assert!(content["application/strategic-merge-patch+json"].is_object());
        let scale = &document["paths"][format!("{path}/scale")]["get"];
        assert_eq!(scale["x-kubernetes-group-version-kind"]["kind"], "Scale");
    }
}
