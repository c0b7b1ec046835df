//! What a client can rely on: the status of an object, and its generation.

use crate::support::refusal;
use k8s_openapi::api::{
    apps::v1::StatefulSet,
    core::v1::{Namespace, Node},
};
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, Patch, PatchParams, PostParams},
};
use kube_sandbox::Sandbox;
use serde_json::{Value, json};

fn stateful_set() -> StatefulSet {
    let labels = json!({"app": "zoo"});
    let template = json!({
        "metadata": {"labels": labels},
        "spec": {"containers": [{"name": "main", "image": "zoo:dev"}]},
    });
    let spec = json!({
        "serviceName": "zoo", "replicas": 1, "selector": {"matchLabels": labels}, "template": template,
    });
    let object = json!({"metadata": {"name": "zoo"}, "spec": spec, "status": {"replicas": 7}});
    serde_json::from_value(object).unwrap()
}

async fn patch(sets: &Api<StatefulSet>, patch: Value) -> StatefulSet {
    let params = PatchParams::default();
    sets.patch("zoo", &params, &Patch::Merge(patch))
        .await
        .unwrap()
}

async fn patch_status(sets: &Api<StatefulSet>, patch: Value) -> StatefulSet {
    let params = PatchParams::default();
    sets.patch_status("zoo", &params, &Patch::Merge(patch))
        .await
        .unwrap()
}

fn replicas(set: &StatefulSet) -> (Option<i32>, i32) {
    let status = set.status.as_ref().map_or(0, |status| status.replicas);
    (set.spec.replicas, status)
}

#[tokio::test]
async fn the_status_and_the_rest_do_not_touch_each_other() {
    let sets: Api<StatefulSet> = Api::default_namespaced(Sandbox::new().client());
    let created = sets
        .create(&PostParams::default(), &stateful_set())
        .await
        .unwrap();
    assert_eq!(
        replicas(&created),
        (Some(1), 0),
        "a new object has no status yet"
    );

    let both = json!({"spec": {"replicas": 2}, "status": {"replicas": 3}});
    assert_eq!(
        replicas(&patch_status(&sets, both.clone()).await),
        (Some(1), 3)
    );
    assert_eq!(replicas(&patch(&sets, both).await), (Some(2), 3));

    let mut stale = created;
    stale.status = Some(serde_json::from_value(json!({"replicas": 9})).unwrap());
    let refused = sets
        .replace_status("zoo", &PostParams::default(), &stale)
        .await;
    assert_eq!(refusal(refused).reason, "Conflict");
    stale.metadata.resource_version = sets.get_status("zoo").await.unwrap().resource_version();
    let replaced = sets
        .replace_status("zoo", &PostParams::default(), &stale)
        .await
        .unwrap();
    assert_eq!(replicas(&replaced), (Some(2), 9));
}

#[tokio::test]
async fn only_changes_of_the_spec_make_a_new_generation() {
    let sets: Api<StatefulSet> = Api::default_namespaced(Sandbox::new().client());
    let mut sent = stateful_set();
    sent.metadata.generation = Some(7);
    let created = sets.create(&PostParams::default(), &sent).await.unwrap();
    assert_eq!(created.metadata.generation, Some(1));
    for (change, generation) in [
        (json!({"metadata": {"labels": {"a": "b"}}}), 1),
        (json!({"spec": {"replicas": 1}}), 1),
        (json!({"spec": {"replicas": 2}}), 2),
        (json!({"metadata": {"generation": 9}}), 2),
        (
            json!({"metadata": {"finalizers": ["zoo.example.com/keeper"]}}),
            2,
        ),
    ] {
        let changed = patch(&sets, change.clone()).await;
        assert_eq!(changed.metadata.generation, Some(generation), "{change}");
    }
    let changed = patch_status(&sets, json!({"status": {"replicas": 5}})).await;
    assert_eq!(changed.metadata.generation, Some(2));
    // A deletion that has to wait is a change of what is wished for.
    let deleted = sets.delete("zoo", &DeleteParams::default()).await.unwrap();
    assert_eq!(deleted.left().unwrap().metadata.generation, Some(3));
}

#[tokio::test]
async fn a_status_belongs_to_an_object_of_a_kind_that_has_one() {
    let client = Sandbox::new().client();
    let nodes: Api<Node> = Api::all(client.clone());
    let node = json!({"metadata": {"name": "savanna"}, "status": {"phase": "Running"}});
    let node = serde_json::from_value(node).unwrap();
    let created = nodes.create(&PostParams::default(), &node).await.unwrap();
    assert!(created.status.is_some(), "a Node brings its status along");
    assert_eq!(created.metadata.generation, None);

    let sets: Api<StatefulSet> = Api::default_namespaced(client);
    let params = PatchParams::default();
    let status = Patch::Merge(json!({"status": {"replicas": 1}}));
    assert_eq!(
        refusal(sets.patch_status("zoo", &params, &status).await).code,
        404
    );
}

#[tokio::test]
async fn the_finalizers_of_a_namespace_change_through_their_own_path() {
    let client = Sandbox::new().client();
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let params = PatchParams::default();
    let change = json!({"spec": {"finalizers": ["kubernetes", "zoo.example.com/keeper"]}});
    let finalizers = |namespace: &Namespace| namespace.spec.clone().unwrap().finalizers.unwrap();

    let patched = namespaces
        .patch("default", &params, &Patch::Merge(&change))
        .await
        .unwrap();
    assert_eq!(finalizers(&patched), ["kubernetes"]);

    let mut object = serde_json::to_value(&patched).unwrap();
    object["spec"] = change["spec"].clone();
    let request = http::Request::put("/api/v1/namespaces/default/finalize");
    let request = request.body(serde_json::to_vec(&object).unwrap()).unwrap();
    let finalized: Namespace = client.request(request).await.unwrap();
    assert_eq!(
        finalizers(&finalized),
        ["kubernetes", "zoo.example.com/keeper"]
    );
}
