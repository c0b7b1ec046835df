//! `ConfigMaps` and Secrets.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use super::{at::At, names};
use crate::status::FieldError;

/// The largest size of all values together.
const SIZE_LIMIT: usize = 1024 * 1024;

// === ConfigMap ===

pub(crate) fn validate_config_map(new: &Value, old: Option<&Value>) -> Vec<FieldError> {
    let root = At::root(new);
    let mut errors = Vec::new();
    if let Some(old) = old {
        errors.extend(sealed(&root, &At::root(old), &["data", "binaryData"]));
    }
    let mut size = 0;
    for (key, value) in root.field("data").entries() {
        errors.extend(key_errors(key, &value));
        if new["binaryData"].get(key).is_some() {
            let why = "duplicate of key present in binaryData";
            errors.push(FieldError::invalid(value.path(), &json!(key), why));
        }
        size += value.text().len();
    }
    for (key, value) in root.field("binaryData").entries() {
        errors.extend(key_errors(key, &value));
        size += decoded(&value).len();
    }
    if size > SIZE_LIMIT {
        errors.push(FieldError::too_long("", SIZE_LIMIT));
    }
    errors
}

// === Secret ===

pub(crate) fn default_secret(new: &mut Value) {
    let Some(fields) = new.as_object_mut() else {
        return;
    };
    if fields.get("type").is_none_or(|kind| kind == "") {
        fields.insert("type".to_owned(), json!("Opaque"));
    }
    let Some(Value::Object(plain)) = fields.remove("stringData") else {
        return;
    };
    if plain.is_empty() {
        return;
    }
    let data = fields.entry("data").or_insert_with(|| json!({}));
    if let Some(data) = data.as_object_mut() {
        for (key, text) in plain {
            let encoded = BASE64_STANDARD.encode(text.as_str().unwrap_or_default());
            data.insert(key, json!(encoded));
        }
    }
}

pub(crate) fn validate_secret(new: &Value, old: Option<&Value>) -> Vec<FieldError> {
    let root = At::root(new);
    let mut errors = Vec::new();
    if let Some(old) = old.map(At::root) {
        errors.extend(root.field("type").unchanged(&old.field("type")));
        errors.extend(sealed(&root, &old, &["data"]));
    }
    let data = root.field("data");
    let mut size = 0;
    for (key, value) in data.entries() {
        errors.extend(key_errors(key, &value));
        size += decoded(&value).len();
    }
    if size > SIZE_LIMIT {
        errors.push(FieldError::too_long("data", SIZE_LIMIT));
    }
    errors.extend(typed(&root, &data));
    errors
}

/// What the type of a Secret asks for.
fn typed(secret: &At<'_>, data: &At<'_>) -> Vec<FieldError> {
    let get = |key: &str| data.value().get(key);
    let missing = |keys: &[&str]| {
        let missing = keys.iter().filter(|key| get(key).is_none());
        missing
            .map(|key| FieldError::required(format!("data[{key}]"), ""))
            .collect()
    };
    match secret.field("type").text() {
        "kubernetes.io/service-account-token" => {
            let key = "kubernetes.io/service-account.name";
            let annotations = secret.field("metadata").field("annotations");
            if annotations.field(key).text().is_empty() {
                let path = format!("metadata.annotations[{key}]");
                return vec![FieldError::required(path, "")];
            }
            Vec::new()
        }
        "kubernetes.io/dockercfg" => registry(data, ".dockercfg"),
        "kubernetes.io/dockerconfigjson" => registry(data, ".dockerconfigjson"),
        "kubernetes.io/basic-auth" => match (get("username"), get("password")) {
            (None, None) => missing(&["username", "password"]),
            _ => Vec::new(),
        },
        "kubernetes.io/ssh-auth" => {
            if data.field("ssh-privatekey").text().is_empty() {
                return vec![FieldError::required("data[ssh-privatekey]", "")];
            }
            Vec::new()
        }
        "kubernetes.io/tls" => missing(&["tls.crt", "tls.key"]),
        _ => Vec::new(),
    }
}

/// The credentials of image registries are a JSON object.
fn registry(data: &At<'_>, key: &str) -> Vec<FieldError> {
    let path = format!("data[{key}]");
    let entry = data.field(key);
    if !entry.is_set() {
        return vec![FieldError::required(path, "")];
    }
    let parsed = serde_json::from_slice::<serde_json::Map<String, Value>>(&decoded(&entry));
    let refuse = |error: serde_json::Error| {
        FieldError::invalid(
            path,
            &json!("<secret contents redacted>"),
            &error.to_string(),
        )
    };
    parsed.err().map(refuse).into_iter().collect()
}

// === both ===

/// An immutable object stays as it is.
fn sealed(new: &At<'_>, old: &At<'_>, fields: &[&str]) -> Vec<FieldError> {
    if !old.field("immutable").is_true() {
        return Vec::new();
    }
    let why = "field is immutable when `immutable` is set";
    let mut errors = Vec::new();
    if !new.field("immutable").is_true() {
        errors.push(FieldError::forbidden("immutable", why));
    }
    for field in fields {
        let (new, old) = (new.field(field), old.field(field));
        let same = new.value() == old.value() || (new.len() == 0 && old.len() == 0);
        if !same {
            errors.push(new.forbidden(why));
        }
    }
    errors
}

fn key_errors(key: &str, value: &At<'_>) -> Vec<FieldError> {
    let wrong = names::config_key(key).into_iter();
    wrong
        .map(|why| FieldError::invalid(value.path(), &json!(key), &why))
        .collect()
}

fn decoded(value: &At<'_>) -> Vec<u8> {
    BASE64_STANDARD.decode(value.text()).unwrap_or_default()
}
