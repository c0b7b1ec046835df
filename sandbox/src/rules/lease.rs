//! Leases.

use serde_json::{Value, json};

use super::at::At;
use crate::status::FieldError;

/// Fields of coordinated leader election, which kube-apiserver drops unless that is switched on.
const COORDINATED: [&str; 2] = ["strategy", "preferredHolder"];

pub(crate) fn prepare_lease(new: &mut Value, old: Option<&Value>) {
    if new["spec"].is_null() {
        new["spec"] = json!({});
    }
    if let Some(spec) = new["spec"].as_object_mut() {
        for field in COORDINATED {
            if old.is_none_or(|old| old["spec"][field].is_null()) {
                spec.remove(field);
            }
        }
    }
}

pub(crate) fn validate_lease(new: &Value, _: Option<&Value>) -> Vec<FieldError> {
    let spec = At::root(new).field("spec");
    let mut errors = Vec::new();
    let duration = spec.field("leaseDurationSeconds");
    if duration.is_set() && duration.number() <= 0 {
        errors.push(duration.invalid("must be greater than 0"));
    }
    errors.extend(spec.field("leaseTransitions").not_negative());
    errors
}
