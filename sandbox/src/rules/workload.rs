//! What kinds with a template of Pods have in common.

use serde_json::{Value, json};

use super::{at::At, fill, metadata, pod, selection};
use crate::status::FieldError;

/// Fills in the template of a workload.
pub(crate) fn default_template(workload: &mut Value) {
    let Some(template) = fill::part(workload, "spec").and_then(|spec| fill::part(spec, "template"))
    else {
        return;
    };
    fill::part(template, "metadata");
    if let Some(spec) = fill::part(template, "spec") {
        pod::default_spec(spec);
    }
}

/// Checks the selector of a workload, which no workload can be without.
pub(crate) fn selector(spec: &At<'_>, kind: &str) -> Vec<FieldError> {
    let selector = spec.field("selector");
    if !selector.is_set() {
        return vec![selector.required("")];
    }
    let mut errors = selection::check(&selector);
    if is_empty(&selector) {
        errors.push(selector.invalid(&format!("empty selector is invalid for {kind}")));
    }
    errors
}

/// Checks that the template makes Pods that the selector selects, and that they are right; `broken` is what this kind
/// says of a selector that cannot be read.
pub(crate) fn template(spec: &At<'_>, broken: &str) -> Vec<FieldError> {
    let (selector, template) = (spec.field("selector"), spec.field("template"));
    let labels = template.field("metadata").field("labels");
    let mut errors = Vec::new();
    // A broken selector selects nothing, so that the template is not looked at.
    if selector.is_set() && !selection::check(&selector).is_empty() {
        errors.push(selector.invalid(broken));
        return errors;
    }
    let selects = selector.is_set() && selection::matches(selector.value(), labels.value());
    let everything = selector.is_set() && is_empty(&selector);
    if !selects && !everything {
        errors.push(labels.invalid("`selector` does not match template `labels`"));
    }
    errors.extend(tags(&template));
    errors.extend(pod::check_spec(&template.field("spec")));
    let ephemeral = template.field("spec").field("ephemeralContainers");
    if ephemeral.len() > 0 {
        errors.push(ephemeral.forbidden("ephemeral containers not allowed in pod template"));
    }
    errors
}

/// Checks the labels and annotations of a template, whose paths Kubernetes shortens.
pub(crate) fn tags(template: &At<'_>) -> Vec<FieldError> {
    let metadata = template.field("metadata");
    let shortened = |field: &str| {
        metadata
            .field(field)
            .renamed(&format!("{}.{field}", template.path()))
    };
    let mut errors = metadata::labels(&shortened("labels"));
    errors.extend(metadata::annotations(&shortened("annotations")));
    errors
}

/// The Pods of a workload run forever.
pub(crate) fn endless(spec: &At<'_>, kind: &str) -> Vec<FieldError> {
    let spec = spec.field("template").field("spec");
    let mut errors: Vec<_> = spec
        .field("restartPolicy")
        .one_of(&["Always"])
        .into_iter()
        .collect();
    let deadline = spec.field("activeDeadlineSeconds");
    if deadline.is_set() {
        let why = format!("activeDeadlineSeconds in {kind} is not Supported");
        errors.push(deadline.forbidden(&why));
    }
    errors
}

/// Checks the numbers of a status: none is negative, and some are part of others.
pub(crate) fn counts(status: &At<'_>, fields: &[&str], parts: &[(&str, &str)]) -> Vec<FieldError> {
    let negative = fields
        .iter()
        .filter_map(|field| status.field(field).not_negative());
    let mut errors: Vec<_> = negative.collect();
    for (part, whole) in parts {
        let (part, whole) = (status.field(part), status.field(whole));
        if part.number() > whole.number() {
            let why = format!("cannot be greater than {}", whole.path());
            errors.push(FieldError::invalid(
                part.path(),
                &json!(part.number()),
                &why,
            ));
        }
    }
    errors
}

fn is_empty(selector: &At<'_>) -> bool {
    selector.field("matchLabels").len() + selector.field("matchExpressions").len() == 0
}
