//! The rules for probes and for hooks in the life of a container.

use serde_json::Value;

use crate::{
    rules::{at::At, names},
    status::FieldError,
};

/// Checks the hooks and probes of a container that may have them.
pub(super) fn check(container: &At<'_>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for hook in ["postStart", "preStop"] {
        let hook = container.field("lifecycle").field(hook);
        if hook.is_set() {
            errors.extend(handler(&hook));
        }
    }
    for kind in ["livenessProbe", "readinessProbe", "startupProbe"] {
        let probe = container.field(kind);
        if !probe.is_set() {
            continue;
        }
        errors.extend(handler(&probe));
        for field in [
            "initialDelaySeconds",
            "timeoutSeconds",
            "periodSeconds",
            "successThreshold",
            "failureThreshold",
        ] {
            errors.extend(probe.field(field).not_negative());
        }
        let grace = probe.field("terminationGracePeriodSeconds");
        if grace.is_set() && kind == "readinessProbe" {
            errors.push(grace.invalid("must not be set for readinessProbes"));
        } else if grace.is_set() && grace.number() <= 0 {
            errors.push(grace.invalid("must be greater than 0"));
        }
        let successes = probe.field("successThreshold");
        if kind != "readinessProbe" && successes.number() != 1 {
            errors.push(successes.invalid("must be 1"));
        }
    }
    errors
}

/// What a probe or hook does: exactly one thing.
fn handler(handler: &At<'_>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut count = 0;
    for kind in ["exec", "httpGet", "tcpSocket", "grpc", "sleep"] {
        let action = handler.field(kind);
        if !action.is_set() {
            continue;
        }
        count += 1;
        if count > 1 {
            errors.push(action.forbidden("may not specify more than 1 handler type"));
            continue;
        }
        match kind {
            "exec" if action.field("command").len() == 0 => {
                errors.push(action.field("command").required(""));
            }
            "httpGet" => {
                errors.extend(port(&action.field("port")));
                errors.extend(action.field("scheme").one_of(&["HTTP", "HTTPS"]));
            }
            "tcpSocket" | "grpc" => errors.extend(port(&action.field("port"))),
            _ => {}
        }
    }
    if count == 0 {
        errors.push(handler.required("must specify a handler type"));
    }
    errors
}

/// A port by its number or its name.
pub(crate) fn port(port: &At<'_>) -> Vec<FieldError> {
    match port.value() {
        Value::String(name) => port.misformed(names::port_name(name)).collect(),
        _ => {
            let wrong = names::port_number(port.number());
            let zero = Value::from(port.number());
            let errors = wrong
                .iter()
                .map(|why| FieldError::invalid(port.path(), &zero, why));
            errors.collect()
        }
    }
}
