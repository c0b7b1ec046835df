//! `PodDisruptionBudgets`.

use serde_json::{Value, json};

use super::{amount, at::At, selection};
use crate::status::FieldError;

const STATUS: [&str; 4] = [
    "disruptionsAllowed",
    "currentHealthy",
    "desiredHealthy",
    "expectedPods",
];

pub(crate) fn prepare_budget(new: &mut Value, old: Option<&Value>) {
    if old.is_none() {
        let zeros = STATUS.iter().map(|field| ((*field).to_owned(), json!(0)));
        new["status"] = Value::Object(zeros.collect());
    }
}

pub(crate) fn validate_budget(new: &Value, _: Option<&Value>) -> Vec<FieldError> {
    let spec = At::root(new).field("spec");
    let bounds = [spec.field("minAvailable"), spec.field("maxUnavailable")];
    let mut errors = Vec::new();
    if bounds.iter().all(At::is_set) {
        let why = "minAvailable and maxUnavailable cannot be both set";
        errors.push(FieldError::invalid_form("spec", &shown(&spec), why));
    }
    for bound in bounds.iter().filter(|bound| bound.is_set()) {
        errors.extend(amount::not_negative(bound));
        errors.extend(amount::at_most_all(bound));
    }
    errors.extend(selection::check(&spec.field("selector")));
    let policy = spec.field("unhealthyPodEvictionPolicy");
    if policy.is_set() {
        errors.extend(policy.one_of(&["AlwaysAllow", "IfHealthyBudget"]));
    }
    errors
}

/// A spec as the API server's own types write it.
fn shown(spec: &At<'_>) -> String {
    let fields = [
        "minAvailable",
        "selector",
        "maxUnavailable",
        "unhealthyPodEvictionPolicy",
    ];
    let fields = fields.map(|field| {
        let (first, rest) = field.split_at(1);
        format!(
            "\"{}{rest}\":{}",
            first.to_uppercase(),
            spec.field(field).value()
        )
    });
    format!("{{{}}}", fields.join(","))
}
