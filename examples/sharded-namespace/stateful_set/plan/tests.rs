use serde_json::json;

use super::*;
use crate::stateful_set::revisions::Revision;

const OLD: &str = "web-1";
const NEW: &str = "web-2";

/// A StatefulSet with these fields in its spec.
fn set(spec: serde_json::Value) -> StatefulSet {
    let mut set = json!({
        "metadata": {"name": "web", "namespace": "zoo", "uid": "u", "generation": 3},
        "spec": {"selector": {}, "template": {}},
    });
    let serde_json::Value::Object(spec) = spec else {
        panic!("{spec} is no object");
    };
    for (field, value) in spec {
        set["spec"][field] = value;
    }
    serde_json::from_value(set).unwrap()
}

/// A Pod of a revision, ready or not.
fn pod(ordinal: i32, revision: &str, ready: bool) -> Pod {
    let status = if ready { "True" } else { "False" };
    let pod = json!({
        "metadata": {"name": format!("web-{ordinal}"), "uid": format!("u{ordinal}"),
            "labels": {"controller-revision-hash": revision}},
        "status": {"phase": "Running", "conditions": [
            {"type": "Ready", "status": status, "lastTransitionTime": "2026-01-01T00:00:00Z"}]},
    });
    serde_json::from_value(pod).unwrap()
}

fn leaving(mut pod: Pod) -> Pod {
    let time = "2026-01-01T00:00:00Z".parse().unwrap();
    pod.metadata.deletion_timestamp =
        Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(time));
    pod
}

fn plan_at(set: &StatefulSet, pods: &[Pod], now: &str) -> Plan {
    let revision = |name: &str| Revision {
        name: name.to_owned(),
        template: set.spec.template.clone(),
    };
    let history = History {
        current: revision(OLD),
        update: revision(NEW),
        collisions: 0,
    };
    let now = now.parse().unwrap();
    plan(&Input {
        set,
        history: &history,
        pods,
        now,
    })
}

/// The steps in short: `+` and `-` with the ordinals; a new Pod's revision behind it where it is the old one.
fn steps(set: &StatefulSet, pods: &[Pod]) -> String {
    let plan = plan_at(set, pods, "2026-01-01T00:01:00Z");
    let steps = plan.steps.iter().map(|step| match step {
        Step::Create(pod) => {
            let old = if pods::revision(pod) == Some(OLD) {
                "old"
            } else {
                ""
            };
            format!("+{}{old}", pod.name_any().trim_start_matches("web-"))
        }
        Step::Delete { name, .. } => format!("-{}", name.trim_start_matches("web-")),
    });
    steps.collect::<Vec<_>>().join(" ")
}

#[test]
fn ordered_pods_come_one_by_one_and_go_from_the_highest() {
    let three = set(json!({"replicas": 3}));
    let (ready, starting) = (|i| pod(i, NEW, true), |i| pod(i, NEW, false));
    assert_eq!(steps(&three, &[]), "+0");
    assert_eq!(steps(&three, &[starting(0)]), "");
    assert_eq!(steps(&three, &[ready(0)]), "+1");
    assert_eq!(steps(&three, &[ready(0), ready(2)]), "+1");
    let one = set(json!({"replicas": 1}));
    assert_eq!(steps(&one, &[ready(0), ready(1), ready(2)]), "-2");
    assert_eq!(steps(&one, &[ready(0), ready(1), leaving(ready(2))]), "");
    assert_eq!(steps(&one, &[ready(0), starting(1), ready(2)]), "-2");
    assert_eq!(
        steps(&one, &[ready(0), ready(1), starting(2)]),
        "-2",
        "the first that is not ready"
    );
}

#[test]
fn parallel_pods_do_not_wait() {
    let three = set(json!({"replicas": 3, "podManagementPolicy": "Parallel"}));
    assert_eq!(steps(&three, &[]), "+0 +1 +2");
    let one = set(json!({"replicas": 1, "podManagementPolicy": "Parallel"}));
    let pods = [pod(0, NEW, false), pod(1, NEW, true), pod(2, NEW, true)];
    assert_eq!(steps(&one, &pods), "-2 -1");
}

#[test]
fn old_pods_are_replaced_one_by_one_down_to_the_partition() {
    let rolling = |partition: i32| {
        let strategy = json!({"type": "RollingUpdate", "rollingUpdate": {"partition": partition}});
        set(json!({"replicas": 3, "podManagementPolicy": "Parallel", "updateStrategy": strategy}))
    };
    let old = |i| pod(i, OLD, true);
    assert_eq!(steps(&rolling(0), &[old(0), old(1), old(2)]), "-2");
    assert_eq!(steps(&rolling(0), &[old(0), old(1)]), "+2");
    assert_eq!(
        steps(&rolling(0), &[old(0), old(1), pod(2, NEW, false)]),
        ""
    );
    assert_eq!(
        steps(&rolling(0), &[old(0), old(1), pod(2, NEW, true)]),
        "-1"
    );
    assert_eq!(steps(&rolling(2), &[old(0), old(1), pod(2, NEW, true)]), "");
    assert_eq!(steps(&rolling(2), &[old(0), pod(2, NEW, true)]), "+1old");
    let on_delete = set(json!({"replicas": 1, "updateStrategy": {"type": "OnDelete"}}));
    assert_eq!(steps(&on_delete, &[old(0)]), "");
}

#[test]
fn a_pod_that_has_ended_is_replaced() {
    let one = set(json!({"replicas": 1}));
    let mut ended = pod(0, NEW, false);
    ended.status.as_mut().unwrap().phase = Some("Failed".into());
    assert_eq!(steps(&one, &[ended.clone()]), "-0");
    assert_eq!(steps(&one, &[leaving(ended)]), "");
}

#[test]
fn the_status_counts_what_is_there() {
    let pods = [pod(0, OLD, true), pod(1, NEW, true), pod(2, NEW, false)];
    let status = plan_at(&set(json!({"replicas": 3})), &pods, "2026-01-01T00:01:00Z").status;
    assert_eq!((status.replicas, status.ready_replicas), (3, Some(2)));
    assert_eq!(
        (status.current_replicas, status.updated_replicas),
        (Some(1), Some(2))
    );
    assert_eq!(status.current_revision.as_deref(), Some(OLD));
    assert_eq!(status.observed_generation, Some(3));

    let pods = [pod(0, NEW, true)];
    let status = plan_at(&set(json!({"replicas": 1})), &pods, "2026-01-01T00:01:00Z").status;
    assert_eq!(
        status.current_revision.as_deref(),
        Some(NEW),
        "the update is complete"
    );
    assert_eq!(status.current_replicas, Some(1));
}

#[test]
fn a_ready_pod_is_available_after_a_while() {
    let patient = set(json!({"replicas": 1, "minReadySeconds": 30}));
    let pods = [pod(0, NEW, true)];
    let early = plan_at(&patient, &pods, "2026-01-01T00:00:10Z");
    assert_eq!(early.status.available_replicas, Some(0));
    assert_eq!(early.again, Some(Duration::from_secs(20)));
    let late = plan_at(&patient, &pods, "2026-01-01T00:00:30Z");
    assert_eq!(
        (late.status.available_replicas, late.again),
        (Some(1), None)
    );
}
