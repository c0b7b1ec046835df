//! Every verb and kind of patch, through a client of the cluster.

use futures_util::StreamExt;
use k8s_openapi::api::{
    apps::v1::Deployment,
    coordination::v1::Lease,
    core::v1::{ConfigMap, Event, ObjectReference},
    events::v1::Event as NewEvent,
};
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams},
    runtime::events::{Event as Report, EventType, Recorder},
};
use serde_json::json;

use super::{Place, config_map};

#[tokio::test(start_paused = true)]
async fn patches_of_all_kinds() {
    let place = Place::new(&["zoo"]);
    place.create("zoo", "lion").await;
    let maps: Api<ConfigMap> = Api::default_namespaced(place.connect("zoo").await);
    let value = |key: &str| json!({"metadata": {"namespace": "default"}, "data": {key: "1"}});
    let json_patch = json!([
        {"op": "test", "path": "/metadata/namespace", "value": "default"},
        {"op": "add", "path": "/data/c", "value": "1"},
    ]);
    let applied = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "lion", "namespace": "default"}, "data": {"d": "1"},
    });
    let params = PatchParams::apply("keeper");
    for patch in [
        Patch::Merge(value("a")),
        Patch::Strategic(value("b")),
        Patch::Json::<serde_json::Value>(serde_json::from_value(json_patch).unwrap()),
        Patch::Apply(applied.clone()),
    ] {
        let params = match &patch {
            Patch::Apply(_) => params.clone(),
            _ => PatchParams::default(),
        };
        let patched = maps.patch("lion", &params, &patch).await.unwrap();
        assert_eq!(patched.namespace().as_deref(), Some("default"));
    }
    let keys: Vec<_> = maps
        .get("lion")
        .await
        .unwrap()
        .data
        .unwrap()
        .into_keys()
        .collect();
    assert_eq!(keys, ["a", "b", "c", "d"]);

    // Two that apply the same field, as in any cluster.
    let mut other = applied;
    other["data"]["d"] = "2".into();
    let rival = PatchParams::apply("rival");
    let refused = maps.patch("lion", &rival, &Patch::Apply(&other)).await;
    assert!(matches!(refused, Err(kube::Error::Api(status)) if status.is_conflict()));
    let forced = maps
        .patch("lion", &rival.force(), &Patch::Apply(&other))
        .await;
    assert_eq!(forced.unwrap().data.unwrap()["d"], "2");
}

#[tokio::test(start_paused = true)]
async fn status_and_scale() {
    let place = Place::new(&["zoo"]);
    let deployments: Api<Deployment> = Api::default_namespaced(place.connect("zoo").await);
    let deployment = serde_json::from_value(json!({
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {
            "replicas": 1, "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web", "image": "web"}]}},
        },
    }));
    let mut made = deployments
        .create(&PostParams::default(), &deployment.unwrap())
        .await
        .unwrap();
    made.status.get_or_insert_default().observed_generation = Some(1);
    let made = deployments
        .replace_status("web", &PostParams::default(), &made)
        .await
        .unwrap();
    assert_eq!(made.namespace().as_deref(), Some("default"));
    let status = json!({"metadata": {"namespace": "default"}, "status": {"observedGeneration": 2}});
    let patched = deployments
        .patch_status("web", &Default::default(), &Patch::Merge(status))
        .await
        .unwrap();
    assert_eq!(patched.status.unwrap().observed_generation, Some(2));

    let mut scale = deployments.get_scale("web").await.unwrap();
    assert_eq!(scale.metadata.namespace.as_deref(), Some("default"));
    scale.spec.as_mut().unwrap().replicas = Some(3);
    let scaled = deployments
        .replace_scale("web", &PostParams::default(), &scale)
        .await
        .unwrap();
    assert_eq!(scaled.metadata.namespace.as_deref(), Some("default"));
    let replicas = json!({"spec": {"replicas": 4}});
    deployments
        .patch_scale("web", &Default::default(), &Patch::Merge(replicas))
        .await
        .unwrap();
    let there: Api<Deployment> = Api::namespaced(place.sandbox.client(), "zoo");
    let stored = there.get("web").await.unwrap();
    assert_eq!(stored.spec.replicas, Some(4));
}

#[tokio::test(start_paused = true)]
async fn leases_and_events_of_both_groups() {
    let place = Place::new(&["zoo"]);
    let client = place.connect("zoo").await;
    let leases: Api<Lease> = Api::default_namespaced(client.clone());
    let mut lease = Lease::default();
    lease.metadata.name = Some("turn".into());
    lease.metadata.namespace = Some("default".into());
    let lease = leases.create(&PostParams::default(), &lease).await.unwrap();
    // By its version: a second writer is refused.
    let lease = leases
        .replace("turn", &PostParams::default(), &lease)
        .await
        .unwrap();
    let mut late = lease.clone();
    late.metadata.resource_version = Some("1".into());
    assert!(
        leases
            .replace("turn", &PostParams::default(), &late)
            .await
            .is_err()
    );

    let lion = place.create("zoo", "lion").await;
    let subject = ObjectReference {
        kind: Some("ConfigMap".into()),
        namespace: Some("default".into()),
        name: Some(lion.name_any()),
        uid: lion.uid(),
        ..Default::default()
    };
    let recorder = Recorder::new(client.clone(), "keeper".into());
    let report = Report {
        type_: EventType::Normal,
        reason: "Fed".into(),
        note: None,
        action: "Feed".into(),
        secondary: Some(subject.clone()),
    };
    recorder.publish(&report, &subject).await.unwrap();
    let mut event = Event {
        involved_object: subject,
        ..Default::default()
    };
    event.metadata.name = Some("old".into());
    event.metadata.namespace = Some("default".into());
    let events: Api<Event> = Api::default_namespaced(client.clone());
    events.create(&PostParams::default(), &event).await.unwrap();

    let about =
        ListParams::default().fields("involvedObject.namespace=default,involvedObject.name=lion");
    let seen = events.list(&about).await.unwrap();
    assert_eq!(seen.items.len(), 2);
    for event in seen {
        assert_eq!(event.involved_object.namespace.as_deref(), Some("default"));
    }
    let new: Api<NewEvent> = Api::default_namespaced(client);
    for event in new.list(&ListParams::default()).await.unwrap() {
        assert_eq!(
            event.regarding.unwrap().namespace.as_deref(),
            Some("default")
        );
        assert!(
            event
                .related
                .is_none_or(|related| related.namespace.as_deref() == Some("default"))
        );
    }
    let there: Api<Event> = Api::namespaced(place.sandbox.client(), "zoo");
    for event in there.list(&ListParams::default()).await.unwrap() {
        assert_eq!(event.involved_object.namespace.as_deref(), Some("zoo"));
    }
}

#[tokio::test(start_paused = true)]
async fn selectors_and_deletions_of_many() {
    let place = Place::new(&["zoo", "jungle"]);
    let maps: Api<ConfigMap> = Api::all(place.connect("zoo").await);
    for name in ["lion", "tiger"] {
        place.create("zoo", name).await;
        place.create("jungle", name).await;
    }
    for (fields, count) in [
        ("metadata.namespace=default", 2),
        ("metadata.namespace=default,metadata.name=lion", 1),
        ("metadata.namespace!=default", 0),
        ("metadata.namespace=zoo", 0),
        ("metadata.name!=lion", 1),
    ] {
        let list = maps
            .list(&ListParams::default().fields(fields))
            .await
            .unwrap();
        assert_eq!(list.items.len(), count, "{fields}");
    }
    let version = maps.list(&ListParams::default()).await.unwrap();
    let version = version.metadata.resource_version.unwrap();
    let only = WatchParams::default().fields("metadata.namespace=default,metadata.name=lion");
    let mut events = maps.watch(&only, &version).await.unwrap().boxed();

    let here: Api<ConfigMap> = Api::default_namespaced(place.connect("zoo").await);
    let gone = here
        .delete_collection(
            &DeleteParams::default(),
            &ListParams::default().fields("metadata.namespace=default"),
        )
        .await
        .unwrap();
    for map in gone.left().into_iter().flatten() {
        assert_eq!(map.namespace().as_deref(), Some("default"));
    }
    let Some(Ok(WatchEvent::Deleted(lion))) = events.next().await else {
        panic!("no event")
    };
    assert_eq!(lion.namespace().as_deref(), Some("default"));
    let all: Api<ConfigMap> = Api::all(place.sandbox.client());
    let left: Vec<_> = all.list(&ListParams::default()).await.unwrap().items;
    assert_eq!(left.len(), 2);
    assert!(
        left.iter()
            .all(|map| map.namespace().as_deref() == Some("jungle"))
    );
}

#[tokio::test(start_paused = true)]
async fn the_namespace_default_is_a_cluster_too() {
    let place = Place::new(&["zoo"]);
    place.create("zoo", "lion").await;
    let maps: Api<ConfigMap> = Api::default_namespaced(place.connect("default").await);
    maps.create(&PostParams::default(), &config_map("dog"))
        .await
        .unwrap();
    let names: Vec<_> = maps.list(&ListParams::default()).await.unwrap().items;
    let names: Vec<_> = names.iter().map(ResourceExt::name_any).collect();
    assert_eq!(names, ["dog"]);
}
