//! Events, which two groups serve: the younger one is stricter.

use serde_json::{Value, json};

use super::{at::At, names};
use crate::{meta, status::FieldError};

/// The longest name of an instance, action or reason.
const WORD_LIMIT: usize = 128;

const MESSAGE_LIMIT: usize = 1024;

/// What the younger group calls otherwise than the older one, and wants to be unset.
const OLD_FIELDS: [&str; 4] = ["firstTimestamp", "lastTimestamp", "count", "source"];

/// What an Event of the younger group keeps from its first day on.
const KEPT: [&str; 13] = [
    "involvedObject",
    "reason",
    "message",
    "source",
    "firstTimestamp",
    "lastTimestamp",
    "count",
    "type",
    "eventTime",
    "action",
    "related",
    "reportingController",
    "reportingInstance",
];

/// The rules of the core group.
pub(crate) fn validate_event(new: &Value, _: Option<&Value>) -> Vec<FieldError> {
    let event = At::root(new);
    let namespace = meta::text(new, "namespace");
    let mut errors = Vec::new();
    let about = event.field("involvedObject").field("namespace");
    let mismatch =
        |fits: bool| (!fits).then(|| about.invalid_text("does not match event.namespace"));
    if !event.field("eventTime").is_set() {
        errors.extend(mismatch(match about.text() {
            "" => namespace == "default",
            about => about == namespace,
        }));
    } else {
        errors.extend(mismatch(
            !about.text().is_empty() || matches!(namespace, "default" | "kube-system"),
        ));
        errors.extend(words(&event));
    }
    for why in names::subdomain(namespace) {
        errors.push(FieldError::invalid("namespace", &json!(namespace), &why));
    }
    errors
}

/// The rules of `events.k8s.io`, for an object in the form of the core group.
pub(crate) fn validate_event_v1(new: &Value, old: Option<&Value>) -> Vec<FieldError> {
    let mut errors = validate_event(new, old);
    let event = At::root(new);
    let Some(old) = old.map(At::root) else {
        errors.extend(series(&event));
        if !event.field("eventTime").is_set() {
            errors.push(event.field("eventTime").required(""));
        }
        let kind = event.field("type").text();
        if !matches!(kind, "Normal" | "Warning") {
            let why = format!("has invalid value: {kind}");
            errors.push(FieldError::invalid("type", &json!(""), &why));
        }
        for field in OLD_FIELDS {
            let value = event.field(field);
            let empty = match value.value() {
                Value::Null => true,
                Value::Number(number) => number.as_i64() == Some(0),
                Value::Object(fields) => fields.is_empty(),
                _ => false,
            };
            if !empty {
                errors.push(FieldError::invalid(field, &json!(""), "needs to be unset"));
            }
        }
        return errors;
    };
    if event.field("series").value() != old.field("series").value() {
        errors.extend(series(&event));
    }
    for field in KEPT {
        errors.extend(event.field(field).unchanged(&old.field(field)));
    }
    errors
}

fn words(event: &At<'_>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let controller = event.field("reportingComponent");
    if controller.text().is_empty() {
        errors.push(controller.required(""));
    }
    errors.extend(controller.misformed(names::qualified(controller.text())));
    for (field, required, limit) in [
        ("reportingInstance", true, WORD_LIMIT),
        ("action", true, WORD_LIMIT),
        ("reason", true, WORD_LIMIT),
        ("message", false, MESSAGE_LIMIT),
    ] {
        let text = event.field(field).text();
        if required && text.is_empty() {
            errors.push(FieldError::required(field, ""));
        }
        if text.len() > limit {
            let why = format!("can have at most {limit} characters");
            errors.push(FieldError::invalid(field, &json!(""), &why));
        }
    }
    errors
}

fn series(event: &At<'_>) -> Vec<FieldError> {
    let series = event.field("series");
    let mut errors = Vec::new();
    if series.is_set() && series.field("count").number() < 2 {
        errors.push(FieldError::invalid(
            "series.count",
            &json!(""),
            "should be at least 2",
        ));
    }
    if series.is_set() && !series.field("lastObservedTime").is_set() {
        errors.push(FieldError::required("series.lastObservedTime", ""));
    }
    errors
}
