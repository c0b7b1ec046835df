//! The rules for what concerns the choice of a Node.

use serde_json::json;

use crate::{
    rules::{at::At, names},
    status::FieldError,
};

/// Checks which taints of Nodes a Pod tolerates.
pub(super) fn tolerations(list: &At<'_>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for toleration in list.items() {
        let (key, operator, effect) = (
            toleration.field("key"),
            toleration.field("operator"),
            toleration.field("effect"),
        );
        if key.text().is_empty() {
            if operator.text() != "Exists" {
                let why = "operator must be Exists when `key` is empty, which means \"match all values and all keys\"";
                errors.push(operator.invalid_text(why));
            }
        } else {
            errors.extend(key.misformed(names::qualified(key.text())));
        }
        if toleration.field("tolerationSeconds").is_set() && effect.text() != "NoExecute" {
            let why = "effect must be 'NoExecute' when `tolerationSeconds` is set";
            errors.push(effect.invalid_text(why));
        }
        let value = toleration.field("value").text();
        match operator.text() {
            "Equal" | "" => {
                let wrong = names::label_value(value);
                if !wrong.is_empty() {
                    let why = wrong.join(";");
                    errors.push(FieldError::invalid(operator.path(), &json!(value), &why));
                }
            }
            "Exists" if !value.is_empty() => {
                let why = "value must be empty when `operator` is 'Exists'";
                errors.push(FieldError::invalid(operator.path(), &json!(value), why));
            }
            "Exists" => {}
            _ => errors.extend(operator.one_of(&["Equal", "Exists"])),
        }
        if !effect.text().is_empty() {
            let known = ["NoSchedule", "PreferNoSchedule", "NoExecute"];
            errors.extend(effect.one_of(&known));
        }
    }
    errors
}

/// Checks what a Pod waits for before it is scheduled.
pub(super) fn gates(list: &At<'_>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut known: Vec<&str> = Vec::new();
    for gate in list.items() {
        let name = gate.field("name");
        // As in Kubernetes, the place is that of the gate, and not of its name.
        for why in names::qualified(name.text()) {
            errors.push(FieldError::invalid(gate.path(), &json!(name.text()), &why));
        }
        if known.contains(&name.text()) {
            errors.push(FieldError::duplicate(gate.path(), &json!(name.text())));
        }
        known.push(name.text());
    }
    errors
}
