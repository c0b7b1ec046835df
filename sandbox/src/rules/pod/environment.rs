//! The rules for environment variables.

use serde_json::json;

use crate::{
    rules::{at::At, names},
    status::FieldError,
};

/// The fields of a Pod that a variable can show.
const SHOWN: [&str; 9] = [
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];

/// Fields that exist, though a variable cannot show them.
const KNOWN: [&str; 4] = [
    "metadata.annotations",
    "metadata.labels",
    "spec.restartPolicy",
    "status.phase",
];

/// Checks the variables of a container.
pub(super) fn check(container: &At<'_>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for variable in container.field("env").items() {
        let name = variable.field("name");
        if name.text().is_empty() {
            errors.push(name.required(""));
        } else {
            errors.extend(name.misformed(names::variable(name.text())));
        }
        errors.extend(source(&variable));
    }
    let list = container.field("envFrom");
    for all in list.items() {
        let prefix = all.field("prefix");
        errors.extend(prefix.misformed(names::variable(prefix.text())));
        let mut count = 0;
        for object in ["configMapRef", "secretRef"] {
            let object = all.field(object);
            if object.is_set() {
                count += 1;
                errors.extend(object_name(&object));
            }
        }
        let why = match count {
            0 => "must specify one of: `configMapRef` or `secretRef`",
            1 => continue,
            _ => "may not have more than one field specified at a time",
        };
        errors.push(FieldError::invalid(list.path(), &json!(""), why));
    }
    errors
}

/// Where the value of a variable comes from.
fn source(variable: &At<'_>) -> Vec<FieldError> {
    let from = variable.field("valueFrom");
    if !from.is_set() {
        return Vec::new();
    }
    let mut errors = Vec::new();
    let mut count = 0;
    let kinds = [
        "fieldRef",
        "resourceFieldRef",
        "configMapKeyRef",
        "secretKeyRef",
        "fileKeyRef",
    ];
    for kind in kinds {
        let source = from.field(kind);
        if !source.is_set() {
            continue;
        }
        count += 1;
        match kind {
            "fieldRef" => errors.extend(field(&source)),
            "configMapKeyRef" | "secretKeyRef" => {
                errors.extend(object_name(&source));
                let key = source.field("key");
                if key.text().is_empty() {
                    errors.push(key.required(""));
                } else {
                    errors.extend(key.misformed(names::config_key(key.text())));
                }
            }
            _ => {}
        }
    }
    let why = if count == 0 {
        "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"
    } else if !variable.field("value").text().is_empty() {
        "may not be specified when `value` is not empty"
    } else if count > 1 {
        "may not have more than one field specified at a time"
    } else {
        return errors;
    };
    errors.push(FieldError::invalid(from.path(), &json!(""), why));
    errors
}

/// A reference to a field of the Pod itself.
fn field(source: &At<'_>) -> Vec<FieldError> {
    let (version, path) = (source.field("apiVersion"), source.field("fieldPath"));
    if version.text().is_empty() {
        return vec![version.required("")];
    }
    if path.text().is_empty() {
        return vec![path.required("")];
    }
    if version.text() != "v1" {
        let why = format!(
            "error converting fieldPath: unsupported pod version: {}",
            version.text()
        );
        return vec![path.invalid(&why)];
    }
    let text = path.text();
    if let Some((field, key)) = text
        .strip_suffix("']")
        .and_then(|text| text.split_once("['"))
    {
        let key = match field {
            "metadata.labels" => key.to_owned(),
            "metadata.annotations" => key.to_lowercase(),
            _ => return vec![unknown(&path)],
        };
        let wrong = names::qualified(&key).into_iter();
        return wrong
            .map(|why| FieldError::invalid(source.path(), &json!(key), &why))
            .collect();
    }
    if KNOWN.contains(&text) {
        return path.one_of(&SHOWN).into_iter().collect();
    }
    if !SHOWN.contains(&text) {
        return vec![unknown(&path)];
    }
    Vec::new()
}

fn unknown(path: &At<'_>) -> FieldError {
    let why = format!(
        "error converting fieldPath: field label not supported: {}",
        path.text()
    );
    path.invalid(&why)
}

fn object_name(reference: &At<'_>) -> Vec<FieldError> {
    let name = reference.field("name");
    name.misformed(names::subdomain(name.text())).collect()
}
