//! Deployments.

use serde_json::{Value, json};

use super::{amount, at::At, fill, workload};
use crate::status::FieldError;

const SHARE: &str = "25%";

pub(crate) fn default_deployment(new: &mut Value) {
    workload::default_template(new);
    let Some(spec) = fill::part(new, "spec") else {
        return;
    };
    fill::missing(spec, "replicas", 1);
    fill::missing(spec, "revisionHistoryLimit", 10);
    fill::missing(spec, "progressDeadlineSeconds", 600);
    let Some(strategy) = fill::part(spec, "strategy") else {
        return;
    };
    fill::zero(strategy, "type", "RollingUpdate");
    if strategy["type"] == "RollingUpdate"
        && let Some(rolling) = fill::part(strategy, "rollingUpdate")
    {
        fill::missing(rolling, "maxUnavailable", SHARE);
        fill::missing(rolling, "maxSurge", SHARE);
    }
}

pub(crate) fn prepare_deployment(new: &mut Value, old: Option<&Value>) {
    if old.is_none() {
        new["status"] = json!({});
    }
}

pub(crate) fn validate_deployment(new: &Value, old: Option<&Value>) -> Vec<FieldError> {
    let spec = At::root(new).field("spec");
    let mut errors: Vec<_> = spec.field("replicas").not_negative().into_iter().collect();
    errors.extend(workload::selector(&spec, "deployment"));
    errors.extend(workload::template(&spec, "invalid label selector"));
    errors.extend(workload::endless(&spec, "ReplicaSet"));
    errors.extend(strategy(&spec.field("strategy")));
    for field in [
        "minReadySeconds",
        "revisionHistoryLimit",
        "progressDeadlineSeconds",
    ] {
        errors.extend(spec.field(field).not_negative());
    }
    let deadline = spec.field("progressDeadlineSeconds");
    if deadline.is_set() && deadline.number() <= spec.field("minReadySeconds").number() {
        errors.push(deadline.invalid("must be greater than minReadySeconds"));
    }
    if let Some(old) = old {
        let before = At::root(old).field("spec").field("selector");
        errors.extend(spec.field("selector").unchanged(&before));
        errors.extend(workload::counts(
            &At::root(new).field("status"),
            &[
                "replicas",
                "updatedReplicas",
                "readyReplicas",
                "availableReplicas",
                "unavailableReplicas",
            ],
            &[
                ("updatedReplicas", "replicas"),
                ("readyReplicas", "replicas"),
                ("availableReplicas", "replicas"),
                ("availableReplicas", "readyReplicas"),
            ],
        ));
    }
    errors
}

fn strategy(strategy: &At<'_>) -> Vec<FieldError> {
    let rolling = strategy.field("rollingUpdate");
    match strategy.field("type").text() {
        "Recreate" if rolling.is_set() => {
            let why = "may not be specified when strategy `type` is 'Recreate'";
            vec![rolling.forbidden(why)]
        }
        "Recreate" => Vec::new(),
        "RollingUpdate" if !rolling.is_set() => {
            vec![rolling.required("this should be defaulted and never be nil")]
        }
        "RollingUpdate" => rolling_update(&rolling),
        kind => {
            let form = format!("{{\"Type\":{},\"RollingUpdate\":null}}", json!(kind));
            let known = ["Recreate", "RollingUpdate"];
            vec![FieldError::unsupported_form(strategy.path(), &form, &known)]
        }
    }
}

fn rolling_update(rolling: &At<'_>) -> Vec<FieldError> {
    let (missing, surplus) = (rolling.field("maxUnavailable"), rolling.field("maxSurge"));
    let mut errors = Vec::new();
    errors.extend(amount::not_negative(&missing));
    errors.extend(amount::not_negative(&surplus));
    if errors.is_empty() && amount::size(&missing) == 0 && amount::size(&surplus) == 0 {
        errors.push(missing.invalid("may not be 0 when `maxSurge` is 0"));
    }
    errors.extend(amount::at_most_all(&missing));
    errors
}
