//! What may change in a Pod: next to nothing.

use serde_json::{Value, json};

use super::scheduling;
use crate::{
    rules::{at::At, names},
    status::FieldError,
};

/// What the API server says before it shows what has changed.
const FIXED: &str = "pod updates may not change fields other than `spec.containers[*].image`,\
    `spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing \
    tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

/// Checks a spec that replaces `old`.
pub(super) fn check(new: &At<'_>, old: &At<'_>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for list in ["containers", "initContainers"] {
        let list = new.field(list);
        if list.len() != old.field(list.path().trim_start_matches("spec.")).len() {
            errors.push(list.forbidden("pod updates may not add or remove containers"));
            return errors;
        }
        for container in list.items() {
            let image = container.field("image");
            if image.text().is_empty() {
                errors.push(image.required(""));
            }
            if image.text().trim() != image.text() {
                errors.push(image.invalid("must not have leading or trailing whitespace"));
            }
        }
    }
    let (deadline, before) = (
        new.field("activeDeadlineSeconds"),
        old.field("activeDeadlineSeconds"),
    );
    if deadline.is_set() {
        let wrong = names::between(deadline.number(), 0, i32::MAX.into());
        let why = "must be less than or equal to previous value";
        let later = before.is_set() && before.number() < deadline.number();
        if let Some(why) = wrong.first().map(String::as_str).or(later.then_some(why)) {
            errors.push(deadline.invalid(why));
            return errors;
        }
    } else if before.is_set() {
        let why = "must not update from a positive integer to nil value";
        errors.push(FieldError::invalid(deadline.path(), &Value::Null, why));
    }
    errors.extend(tolerations(
        &new.field("tolerations"),
        &old.field("tolerations"),
    ));
    let gates = new.field("schedulingGates");
    for gate in gates.items() {
        let known = old.field("schedulingGates");
        if !known.items().any(|one| one.value() == gate.value()) {
            let why = format!(
                "only deletion is allowed, but found new scheduling gate '{}'",
                gate.field("name").text()
            );
            errors.push(gate.forbidden(&why));
        }
    }
    let (mut changed, fixed) = (fixed(new.value()), fixed(old.value()));
    let (grace, before) = (
        new.field("terminationGracePeriodSeconds"),
        old.field("terminationGracePeriodSeconds"),
    );
    if before.number() < 0 && grace.number() == 1 {
        changed["terminationGracePeriodSeconds"] = before.value().clone();
    }
    if changed != fixed {
        let fields = changed
            .as_object()
            .into_iter()
            .chain(fixed.as_object())
            .flatten();
        let mut names: Vec<_> = fields
            .filter(|(name, _)| changed.get(*name) != fixed.get(*name))
            .map(|(name, _)| name.as_str())
            .collect();
        names.sort_unstable();
        names.dedup();
        let why = format!("{FIXED}\nchanged: {}", names.join(", "));
        errors.push(new.forbidden(&why));
    }
    errors
}

/// Tolerations can be added, and the existing ones can last otherwise.
fn tolerations(new: &At<'_>, old: &At<'_>) -> Vec<FieldError> {
    let lasting = |toleration: &At<'_>| {
        let mut value = toleration.value().clone();
        value["tolerationSeconds"] = Value::Null;
        value
    };
    let kept = |old: At<'_>| new.items().any(|new| lasting(&new) == lasting(&old));
    if !old.items().all(kept) {
        let why = "existing toleration can not be modified except its tolerationSeconds";
        return vec![new.forbidden(why)];
    }
    scheduling::tolerations(new)
}

/// A spec without what may change.
fn fixed(spec: &Value) -> Value {
    let mut spec = spec.clone();
    for list in ["containers", "initContainers"] {
        let list = spec.get_mut(list).and_then(Value::as_array_mut);
        for container in list.into_iter().flatten() {
            container["image"] = json!("");
        }
    }
    if let Some(fields) = spec.as_object_mut() {
        for field in ["activeDeadlineSeconds", "tolerations", "schedulingGates"] {
            fields.remove(field);
        }
    }
    spec
}
