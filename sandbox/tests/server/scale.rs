//! What a client can rely on: the subresource `scale`.

use crate::support::refusal;
use k8s_openapi::api::{apps::v1::StatefulSet, autoscaling::v1::Scale};
use kube::{
    Api, ResourceExt,
    api::{Patch, PatchParams, PostParams},
};
use kube_sandbox::Sandbox;
use serde_json::{Value, json};

/// A StatefulSet `zoo` with one replica.
async fn sets() -> Api<StatefulSet> {
    let sets: Api<StatefulSet> = Api::default_namespaced(Sandbox::new().client());
    let labels = json!({"app": "zoo"});
    let template = json!({
        "metadata": {"labels": labels},
        "spec": {"containers": [{"name": "main", "image": "zoo:dev"}]},
    });
    let set = json!({
        "metadata": {"name": "zoo"},
        "spec": {"serviceName": "zoo", "replicas": 1, "selector": {"matchLabels": labels}, "template": template},
    });
    let set = serde_json::from_value(set).unwrap();
    sets.create(&PostParams::default(), &set).await.unwrap();
    let status = Patch::Merge(json!({"status": {"replicas": 3}}));
    sets.patch_status("zoo", &PatchParams::default(), &status)
        .await
        .unwrap();
    sets
}

fn scale(metadata: &Value, replicas: i32) -> Value {
    let mut scale = json!({"metadata": {"name": "zoo"}, "spec": {"replicas": replicas}});
    for (field, value) in metadata.as_object().unwrap() {
        scale["metadata"][field] = value.clone();
    }
    scale
}

async fn replace(sets: &Api<StatefulSet>, scale: &Value) -> kube::Result<Scale> {
    let request = http::Request::put(format!("{}/zoo/scale", sets.resource_url()));
    let request = request.header("content-type", "application/json");
    let client = sets.clone().into_client();
    client
        .request(request.body(serde_json::to_vec(scale).unwrap()).unwrap())
        .await
}

#[tokio::test]
async fn the_scale_shows_the_wish_the_state_and_the_selector() {
    let sets = sets().await;
    let set = sets.get("zoo").await.unwrap();
    let scale = sets.get_scale("zoo").await.unwrap();
    assert_eq!(
        (scale.uid(), scale.resource_version()),
        (set.uid(), set.resource_version())
    );
    let value = serde_json::to_value(&scale).unwrap();
    assert_eq!(value["spec"], json!({"replicas": 1}));
    assert_eq!(
        value["status"],
        json!({"replicas": 3, "selector": "app=zoo"})
    );
}

#[tokio::test]
async fn scaling_changes_the_spec_and_nothing_else() {
    let sets = sets().await;
    let before = sets.get("zoo").await.unwrap();
    let change = json!({"metadata": {"labels": {"a": "b"}}, "spec": {"replicas": 5}, "status": {"replicas": 9}});
    let params = PatchParams::default();
    let patched = sets
        .patch_scale("zoo", &params, &Patch::Merge(change))
        .await
        .unwrap();
    assert_eq!(patched.spec.unwrap().replicas, Some(5));
    let mut after = sets.get("zoo").await.unwrap();
    assert_eq!(after.metadata.generation, Some(2));
    assert_eq!(after.spec.replicas.replace(1), Some(5));
    after
        .metadata
        .generation
        .clone_from(&before.metadata.generation);
    after
        .metadata
        .resource_version
        .clone_from(&before.metadata.resource_version);
    after
        .metadata
        .managed_fields
        .clone_from(&before.metadata.managed_fields);
    assert_eq!(after, before);

    replace(&sets, &scale(&json!({}), 0)).await.unwrap();
    assert_eq!(sets.get("zoo").await.unwrap().spec.replicas, Some(0));
}

#[tokio::test]
async fn a_scale_is_refused_like_the_object_would_be() {
    let sets = sets().await;
    for (metadata, replicas, code, message) in [
        (
            json!({"resourceVersion": "1"}),
            2,
            409,
            "the object has been modified",
        ),
        (
            json!({"uid": "x"}),
            2,
            409,
            "Precondition failed: UID in precondition: x",
        ),
        (
            json!({"name": "other"}),
            2,
            400,
            "the name of the object (other) does not match the name on the URL (zoo)",
        ),
        (
            json!({}),
            -1,
            422,
            "Scale.autoscaling \"zoo\" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0",
        ),
    ] {
        let status = refusal(replace(&sets, &scale(&metadata, replicas)).await);
        assert_eq!(status.code, code, "{}", status.message);
        assert!(status.message.contains(message), "{}", status.message);
    }
    let params = PatchParams::default();
    let patch = Patch::Merge(json!({"spec": {"replicas": 2}}));
    let status = refusal(sets.patch_scale("nowhere", &params, &patch).await);
    assert_eq!(status.message, "statefulsets.apps \"nowhere\" not found");
    assert_eq!(sets.get("zoo").await.unwrap().spec.replicas, Some(1));
}
