//! What a new Pod gets from the API server beyond its defaults: a class of quality, a priority, tolerations.

use serde_json::{Value, json};

use crate::rules::{
    at::At,
    fill::{items, missing, part, zero},
    quantity,
};

/// How long a Pod stays on a Node that does not answer, in seconds.
const TOLERATION: i32 = 300;

/// The priority classes that every cluster has.
const PRIORITIES: [(&str, i32); 2] = [
    ("system-cluster-critical", 2_000_000_000),
    ("system-node-critical", 2_000_001_000),
];

/// Gives a Pod its priority, and lets it stay on a Node that is not ready for a while.
pub(crate) fn admit_pod(new: &mut Value, old: Option<&Value>) -> Result<(), String> {
    let Some(spec) = part(new, "spec") else {
        return Ok(());
    };
    tolerate(spec);
    if let Some(old) = old {
        for field in ["priority", "preemptionPolicy"] {
            if !old["spec"][field].is_null() {
                missing(spec, field, old["spec"][field].clone());
            }
        }
        return Ok(());
    }
    let class = spec["priorityClassName"].as_str().unwrap_or_default();
    let known = PRIORITIES.iter().find(|(name, _)| *name == class);
    let priority = match known {
        Some((_, priority)) => *priority,
        None if class.is_empty() => 0,
        None => return Err(format!("no PriorityClass with name {class} was found")),
    };
    let asked = &spec["priority"];
    if asked
        .as_i64()
        .is_some_and(|asked| asked != i64::from(priority))
    {
        return Err(format!(
            "the integer value of priority ({asked}) must not be provided in pod spec; priority admission \
             controller computed {priority} from the given PriorityClass name"
        ));
    }
    missing(spec, "priority", priority);
    zero(spec, "preemptionPolicy", "PreemptLowerPriority");
    Ok(())
}

/// Gives a new Pod the status that it starts with.
pub(crate) fn prepare_pod(new: &mut Value, old: Option<&Value>) {
    if old.is_some() {
        return;
    }
    let spec = &new["spec"];
    let gated = At::root(spec).field("schedulingGates").len() > 0;
    let quality = quality(spec);
    new["status"] = json!({"phase": "Pending", "qosClass": quality});
    if gated {
        new["status"]["conditions"] = json!([{
            "type": "PodScheduled",
            "status": "False",
            "reason": "SchedulingGated",
            "message": "Scheduling is blocked due to non-empty scheduling gates",
            "lastProbeTime": null,
            "lastTransitionTime": null,
        }]);
    }
}

/// Lets a Pod stay on a Node that is not ready, for a while.
fn tolerate(spec: &mut Value) {
    for key in [
        "node.kubernetes.io/not-ready",
        "node.kubernetes.io/unreachable",
    ] {
        let tolerated = items(spec, "tolerations").any(|toleration| {
            let toleration = At::root(toleration);
            let text = |field| toleration.field(field).text();
            (text("key") == key || text("key").is_empty())
                && matches!(text("effect"), "NoExecute" | "")
        });
        if tolerated {
            continue;
        }
        missing(spec, "tolerations", json!([]));
        if let Some(list) = spec["tolerations"].as_array_mut() {
            list.push(json!({
                "key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": TOLERATION,
            }));
        }
    }
}

/// How sure a Pod can be of its resources.
fn quality(spec: &Value) -> &'static str {
    let spec = At::root(spec);
    let containers = spec
        .field("containers")
        .items()
        .chain(spec.field("initContainers").items());
    let whole = spec.field("resources");
    let parts: Vec<_> = if whole.is_set() {
        vec![whole]
    } else {
        containers
            .map(|container| container.field("resources"))
            .collect()
    };
    let amount = |part: &At<'_>, kind: &str, name: &str| {
        let amount = quantity::parse(part.field(kind).field(name).text());
        amount.filter(|amount| *amount != 0)
    };
    let (mut any, mut full) = (false, true);
    for part in &parts {
        for name in ["cpu", "memory"] {
            let (limit, request) = (amount(part, "limits", name), amount(part, "requests", name));
            any |= limit.is_some() || request.is_some();
            full &= limit.is_some() && request.is_none_or(|request| Some(request) == limit);
        }
    }
    match (any, full) {
        (false, _) => "BestEffort",
        (true, true) => "Guaranteed",
        (true, false) => "Burstable",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quality_follows_from_resources() {
        let full = json!({"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "1000m", "memory": "1024Mi"}});
        for (resources, expected) in [
            (json!({}), "BestEffort"),
            (json!({"requests": {"storage": "1"}}), "BestEffort"),
            (json!({"requests": {"cpu": "0"}}), "BestEffort"),
            (json!({"requests": {"cpu": "1"}}), "Burstable"),
            (json!({"limits": {"memory": "1"}}), "Burstable"),
            (full.clone(), "Guaranteed"),
            (
                json!({"limits": full["limits"], "requests": {"cpu": "1"}}),
                "Guaranteed",
            ),
            (
                json!({"limits": full["limits"], "requests": {"cpu": "2"}}),
                "Burstable",
            ),
        ] {
            let spec = json!({"containers": [{"name": "c", "resources": resources}]});
            assert_eq!(quality(&spec), expected, "{resources}");
        }
    }

    #[test]
    fn every_pod_tolerates_a_silent_node_for_a_while() {
        for (given, added) in [
            (json!([]), 2),
            (json!([{"key": "a", "effect": "NoExecute"}]), 2),
            (json!([{"operator": "Exists"}]), 0),
            (
                json!([{"key": "node.kubernetes.io/not-ready", "effect": "NoExecute"}]),
                1,
            ),
            (json!([{"operator": "Exists", "effect": "NoSchedule"}]), 2),
        ] {
            let mut spec = json!({"tolerations": given});
            tolerate(&mut spec);
            let count = |list: &Value| list.as_array().unwrap().len();
            assert_eq!(
                count(&spec["tolerations"]) - count(&given),
                added,
                "{given}"
            );
        }
    }
}
