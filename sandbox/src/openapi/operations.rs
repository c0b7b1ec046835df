//! The paths of a kind and what can be done at each.

use serde_json::{Map, Value, json};

use super::REFERENCE;
use crate::kinds::{Kind, Subresource};

const PACKAGE: &str = "io.k8s.apimachinery.pkg.apis.meta.v1";

/// The parameters of writes, of lists, and of deletions.
const WRITE: [(&str, &str); 3] = [
    ("dryRun", "string"),
    ("fieldManager", "string"),
    ("fieldValidation", "string"),
];
const LIST: [(&str, &str); 10] = [
    ("allowWatchBookmarks", "boolean"),
    ("continue", "string"),
    ("fieldSelector", "string"),
    ("labelSelector", "string"),
    ("limit", "integer"),
    ("resourceVersion", "string"),
    ("resourceVersionMatch", "string"),
    ("sendInitialEvents", "boolean"),
    ("timeoutSeconds", "integer"),
    ("watch", "boolean"),
];
const DELETE: [(&str, &str); 4] = [
    ("dryRun", "string"),
    ("gracePeriodSeconds", "integer"),
    ("orphanDependents", "boolean"),
    ("propagationPolicy", "string"),
];

/// A kind by its group and version, and the name of its schema.
struct Subject {
    gvk: Value,
    type_name: String,
    /// What the names of operations end with: `NamespacedStatefulSet`.
    suffix: String,
    tag: String,
}

/// The paths of a kind, each with its operations.
pub(super) fn of(kind: &Kind) -> Vec<(String, Value)> {
    let root = if kind.group.is_empty() {
        "/api"
    } else {
        "/apis"
    };
    let base = format!("{root}/{}", kind.api_version());
    let subject = Subject::of(kind);
    let scope = if kind.namespaced {
        "/namespaces/{namespace}"
    } else {
        ""
    };
    let collection = format!("{base}{scope}/{}", kind.plural);
    let item = format!("{collection}/{{name}}");
    if kind.review.is_some() {
        let ask = json!({
            "post": subject.write("create", "post", "post"),
            "parameters": parameters(if kind.namespaced { &["namespace"] } else { &[] }),
        });
        return vec![(collection, ask)];
    }
    let mut paths = Vec::new();
    if kind.namespaced {
        let everywhere = json!({"get": subject.list(kind), "parameters": parameters(&[])});
        paths.push((format!("{base}/{}", kind.plural), everywhere));
    }
    let mut operations = json!({
        "get": subject.list(kind),
        "post": subject.write("create", "post", "post"),
        "parameters": parameters(if kind.namespaced { &["namespace"] } else { &[] }),
    });
    if kind.delete_collection {
        operations["delete"] = subject.delete("deleteCollection", "deletecollection", &LIST);
    }
    paths.push((collection, operations));
    let placed: &[&str] = if kind.namespaced {
        &["name", "namespace"]
    } else {
        &["name"]
    };
    let mut operations = subject.read_and_write(kind);
    operations["delete"] = subject.delete("delete", "delete", &[]);
    operations["parameters"] = parameters(placed);
    paths.push((item.clone(), operations));
    for part in &kind.subresources {
        paths.push((
            format!("{item}/{}", part.name()),
            subresource(kind, *part, placed),
        ));
    }
    paths
}

fn subresource(kind: &Kind, part: Subresource, placed: &[&str]) -> Value {
    let about = part.announcement(kind);
    let mut subject = Subject::of(kind);
    let mut name = part.name().to_owned();
    name[..1].make_ascii_uppercase();
    subject.suffix.push_str(&name);
    if about.kind != kind.kind {
        let (group, version) = about.foreign.unwrap_or((&kind.group, &kind.version));
        subject.gvk = json!({"group": group, "kind": about.kind, "version": version});
        let package = match group.split('.').next() {
            None | Some("") => "core",
            Some(package) => package,
        };
        subject.type_name = format!("io.k8s.api.{package}.{version}.{}", about.kind);
    }
    let mut operations = Map::new();
    for verb in about.verbs {
        let (method, operation) = match *verb {
            "get" => ("get", subject.read()),
            "update" => ("put", subject.write("replace", "put", "put")),
            "patch" => ("patch", subject.patch(kind)),
            _ => ("post", subject.write("create", "post", "post")),
        };
        operations.insert(method.to_owned(), operation);
    }
    operations.insert("parameters".to_owned(), parameters(placed));
    Value::Object(operations)
}

// === impl Subject ===

impl Subject {
    fn of(kind: &Kind) -> Self {
        let group = kind.group.split('.').next().unwrap_or_default();
        let group = if group.is_empty() { "core" } else { group };
        let scope = if kind.namespaced { "Namespaced" } else { "" };
        Self {
            gvk: json!({"group": kind.group, "kind": kind.kind, "version": kind.version}),
            type_name: kind.type_name.to_string(),
            suffix: format!(
                "{}{}{scope}{}",
                capitalized(group),
                capitalized(&kind.version),
                kind.kind
            ),
            tag: format!("{group}_{}", kind.version),
        }
    }

    fn operation(&self, name: &str, action: &str, query: &[(&str, &str)], answer: &str) -> Value {
        let query = query.iter().map(|(name, form)| {
            json!({"name": name, "in": "query", "schema": {"type": form, "uniqueItems": true}})
        });
        json!({
            "tags": [self.tag],
            "operationId": format!("{name}{}", self.suffix),
            "parameters": query.collect::<Vec<_>>(),
            "responses": {"200": {
                "description": "OK",
                "content": {"application/json": {"schema": reference(answer)}},
            }},
            "x-kubernetes-action": action,
            "x-kubernetes-group-version-kind": self.gvk,
        })
    }

    fn list(&self, kind: &Kind) -> Value {
        let list = format!("{}List", kind.type_name);
        self.operation("list", "list", &LIST, &list)
    }

    fn read(&self) -> Value {
        self.operation("read", "get", &[], &self.type_name)
    }

    fn write(&self, name: &str, method: &str, action: &str) -> Value {
        let mut operation = self.operation(name, action, &WRITE, &self.type_name);
        operation["requestBody"] =
            json!({"content": {"*/*": {"schema": reference(&self.type_name)}}, "required": true});
        if method == "post" {
            operation["responses"]["201"] = operation["responses"]["200"].clone();
            operation["responses"]["201"]["description"] = json!("Created");
        }
        operation
    }

    fn patch(&self, kind: &Kind) -> Value {
        let mut query = WRITE.to_vec();
        query.push(("force", "boolean"));
        let mut operation = self.operation("patch", "patch", &query, &self.type_name);
        let mut forms = vec![
            "application/json-patch+json",
            "application/merge-patch+json",
            "application/apply-patch+yaml",
        ];
        if kind.schemas.is_none() {
            forms.push("application/strategic-merge-patch+json");
        }
        let schema = json!({"schema": reference(&format!("{PACKAGE}.Patch"))});
        let forms = forms
            .into_iter()
            .map(|form| (form.to_owned(), schema.clone()));
        let content: Map<_, _> = forms.collect();
        operation["requestBody"] = json!({"content": content, "required": true});
        operation
    }

    fn read_and_write(&self, kind: &Kind) -> Value {
        json!({
            "get": self.read(),
            "put": self.write("replace", "put", "put"),
            "patch": self.patch(kind),
        })
    }

    fn delete(&self, name: &str, action: &str, query: &[(&str, &str)]) -> Value {
        let query = [&DELETE, query].concat();
        let status = format!("{PACKAGE}.Status");
        let mut operation = self.operation(name, action, &query, &status);
        let options = reference(&format!("{PACKAGE}.DeleteOptions"));
        operation["requestBody"] = json!({"content": {"*/*": {"schema": options}}});
        operation
    }
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("{REFERENCE}{name}")})
}

/// What a path has in it.
fn parameters(placed: &[&str]) -> Value {
    let schema = json!({"type": "string", "uniqueItems": true});
    let placed = placed
        .iter()
        .map(|name| json!({"name": name, "in": "path", "required": true, "schema": schema}));
    let pretty = json!({"name": "pretty", "in": "query", "schema": schema});
    placed.chain([pretty]).collect()
}

fn capitalized(text: &str) -> String {
    let mut text = text.to_owned();
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    text
}
