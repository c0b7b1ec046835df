//! Objects that a test or a demo starts with, as typed values or as the text of manifests.

use bytes::Bytes;
use futures_util::FutureExt;
use http::{Method, Request, header};
use http_body_util::BodyExt;
use serde::Serialize;
use serde_json::{Value, json};

use crate::{kinds::Kind, sandbox::Sandbox, service};

/// Why an object of a manifest is not in the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestError {
    /// Such as `ConfigMap zoo/elephant`; empty where no object could be read.
    object: String,
    why: String,
}

// === impl ManifestError ===

impl ManifestError {
    fn new(object: impl Into<String>, why: &impl ToString) -> Self {
        Self {
            object: object.into(),
            why: why.to_string(),
        }
    }
}

impl std::fmt::Display for ManifestError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.object.as_str() {
            "" => write!(f, "cannot read the manifest: {}", self.why),
            object => write!(f, "cannot load {object}: {}", self.why),
        }
    }
}

impl std::error::Error for ManifestError {}

/// The objects of a value: a text of documents, a list, or one object.
pub(crate) fn read(value: &impl Serialize) -> Result<Vec<Value>, ManifestError> {
    let error = |error: &dyn std::fmt::Display| ManifestError::new("", &error);
    let documents = match serde_json::to_value(value).map_err(|e| error(&e))? {
        Value::String(text) => serde_saphyr::from_multiple(&text).map_err(|e| error(&e))?,
        object => vec![object],
    };
    let mut objects = Vec::new();
    for mut document in documents {
        let kind = document["kind"].as_str().unwrap_or_default();
        let is_list = kind.ends_with("List");
        let items = document.get_mut("items").filter(|_| is_list);
        match items.and_then(Value::as_array_mut).map(std::mem::take) {
            Some(items) => objects.extend(items),
            None if document.is_null() => {}
            None => objects.push(document),
        }
    }
    Ok(objects)
}

/// Creates an object with the name, the namespace and the status that it comes with.
pub(crate) fn load(sandbox: &Sandbox, object: &Value) -> Result<(), ManifestError> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (version, kind_name) = (text(&object["apiVersion"]), text(&object["kind"]));
    let (group, short) = version.split_once('/').unwrap_or(("", &version));
    let name = text(&object["metadata"]["name"]);
    let described = format!("{kind_name} {name}");
    let registry = sandbox.registry();
    let mut kinds = registry.kinds();
    let kind = kinds
        .find(|kind| kind.group == group && kind.version == short && kind.kind == kind_name)
        .ok_or_else(|| {
            let why = format!("no kind {kind_name:?} is served in version {version:?}");
            ManifestError::new(&described, &why)
        })?;
    let path = path(kind, &text(&object["metadata"]["namespace"]));
    let send = |method, path: &str, body: &Value| {
        send(sandbox, method, path, body).map_err(|why| ManifestError::new(&described, &why))
    };
    let created = send(Method::POST, &path, object)?;
    let Some(status) = object.get("status") else {
        return Ok(());
    };
    if created.get("status") == Some(status) || kind.verbs() == ["create"] {
        return Ok(());
    }
    let mut new = created;
    let path = format!("{path}/{}/status", text(&new["metadata"]["name"]));
    new["status"] = status.clone();
    send(Method::PUT, &path, &new).map(drop)
}

fn path(kind: &Kind, namespace: &str) -> String {
    let prefix = match &*kind.group {
        "" => format!("/api/{}", kind.version),
        group => format!("/apis/{group}/{}", kind.version),
    };
    match (kind.namespaced, namespace) {
        (false, _) => format!("{prefix}/{}", kind.plural),
        (true, "") => format!("{prefix}/namespaces/default/{}", kind.plural),
        (true, namespace) => format!("{prefix}/namespaces/{namespace}/{}", kind.plural),
    }
}

/// Sends a request to the server itself, which answers at once.
fn send(sandbox: &Sandbox, method: Method, path: &str, body: &Value) -> Result<Value, String> {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::CONTENT_TYPE, "application/json")
        .body(Bytes::from(body.to_string()))
        .map_err(|error| error.to_string())?;
    let reply = service::handle(sandbox, request, None);
    let accepted = reply.status().is_success();
    let body = reply.into_body().collect().now_or_never();
    let bytes = match body {
        Some(Ok(body)) => body.to_bytes(),
        _ => return Err("the server has not answered".to_owned()),
    };
    let reply: Value = serde_json::from_slice(&bytes).unwrap_or_else(|_| json!({}));
    match accepted {
        true => Ok(reply),
        false => Err(reply["message"].as_str().unwrap_or_default().to_owned()),
    }
}
