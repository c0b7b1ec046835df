//! What a client can rely on: evictions of Pods.

use crate::support::refusal;
use k8s_openapi::api::{core::v1::Pod, policy::v1::PodDisruptionBudget};
use kube::{
    Api, Client,
    api::{EvictParams, Patch, PatchParams, PostParams},
};
use kube_sandbox::Sandbox;
use serde_json::{Value, json};

async fn pod(client: &Client, name: &str, phase: &str, ready: &str) -> Api<Pod> {
    let pods: Api<Pod> = Api::default_namespaced(client.clone());
    let pod = json!({
        "metadata": {"name": name, "labels": {"app": "zoo"}},
        "spec": {"containers": [{"name": "main", "image": "zoo:dev"}]},
    });
    let pod = serde_json::from_value(pod).unwrap();
    pods.create(&PostParams::default(), &pod).await.unwrap();
    let conditions = json!([{"type": "Ready", "status": ready}]);
    let status = json!({"status": {"phase": phase, "conditions": conditions}});
    pods.patch_status(name, &PatchParams::default(), &Patch::Merge(&status))
        .await
        .unwrap();
    pods
}

async fn budget(client: &Client, name: &str, status: Value) -> Api<PodDisruptionBudget> {
    let budgets: Api<PodDisruptionBudget> = Api::default_namespaced(client.clone());
    let spec = json!({"minAvailable": 1, "selector": {"matchLabels": {"app": "zoo"}}});
    let budget = json!({"metadata": {"name": name}, "spec": spec});
    let budget = serde_json::from_value(budget).unwrap();
    budgets
        .create(&PostParams::default(), &budget)
        .await
        .unwrap();
    let status = Patch::Merge(json!({"status": status}));
    budgets
        .patch_status(name, &PatchParams::default(), &status)
        .await
        .unwrap();
    budgets
}

/// What a controller writes: all seen, and so many disruptions allowed.
fn allowed(count: i32) -> Value {
    json!({
        "observedGeneration": 1, "disruptionsAllowed": count,
        "currentHealthy": 1 + count, "desiredHealthy": 1, "expectedPods": 2,
    })
}

#[tokio::test]
async fn a_pod_that_no_budget_is_about_is_evicted() {
    let client = Sandbox::new().client();
    let pods = pod(&client, "lion", "Running", "True").await;
    let evicted = pods.evict("lion", &EvictParams::default()).await.unwrap();
    assert_eq!(evicted.code, 201);
    assert_eq!(
        refusal(pods.evict("nobody", &EvictParams::default()).await).code,
        404
    );
}

#[tokio::test]
async fn a_budget_without_disruptions_left_keeps_its_pods() {
    let client = Sandbox::new().client();
    let pods = pod(&client, "lion", "Running", "True").await;
    budget(&client, "herd", allowed(0)).await;
    let status = refusal(pods.evict("lion", &EvictParams::default()).await);
    assert_eq!(
        (status.code, status.reason.as_str()),
        (429, "TooManyRequests")
    );
    assert_eq!(
        status.details.unwrap().causes[0].message,
        "The disruption budget herd needs 1 healthy pods and has 1 currently"
    );
    assert!(
        pods.get("lion")
            .await
            .unwrap()
            .metadata
            .deletion_timestamp
            .is_none()
    );
}

#[tokio::test]
async fn a_budget_that_no_controller_has_seen_allows_nothing_yet() {
    let client = Sandbox::new().client();
    let pods = pod(&client, "lion", "Running", "True").await;
    budget(&client, "herd", json!({"disruptionsAllowed": 7})).await;
    let details = refusal(pods.evict("lion", &EvictParams::default()).await)
        .details
        .unwrap();
    assert_eq!(details.retry_after_seconds, 10);
    assert_eq!(
        details.causes[0].message,
        "The disruption budget herd is still being processed by the server."
    );
}

#[tokio::test]
async fn each_eviction_uses_up_a_disruption() {
    let client = Sandbox::new().client();
    let pods = pod(&client, "lion", "Running", "True").await;
    pod(&client, "tiger", "Running", "True").await;
    let budgets = budget(&client, "herd", allowed(1)).await;
    pods.evict("lion", &EvictParams::default()).await.unwrap();
    let status = budgets.get("herd").await.unwrap().status.unwrap();
    assert_eq!(status.disruptions_allowed, Some(0));
    assert!(status.disrupted_pods.unwrap().contains_key("lion"));
    assert_eq!(
        refusal(pods.evict("tiger", &EvictParams::default()).await).code,
        429
    );
}

#[tokio::test]
async fn pods_that_do_not_work_are_no_disruption() {
    for (phase, ready, budgeted) in [
        ("Pending", "False", allowed(0)),
        ("Succeeded", "False", allowed(0)),
        ("Failed", "False", allowed(0)),
        // Not ready, while enough others are.
        ("Running", "False", allowed(0)),
    ] {
        let client = Sandbox::new().client();
        let pods = pod(&client, "lion", phase, ready).await;
        budget(&client, "herd", budgeted).await;
        pods.evict("lion", &EvictParams::default()).await.unwrap();
    }
}
