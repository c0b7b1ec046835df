//! A Namespace as a whole cluster.

use std::time::Duration;

use futures_util::StreamExt;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret};
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, ListParams, Patch, PostParams, WatchEvent, WatchParams},
};
use multicluster::{ClusterEvent, ClusterProvider, ClusterRef, providers::NamespaceProvider};

use crate::fleet::Fleet;

async fn connect(fleet: &Fleet, name: &str) -> Client {
    let provider = NamespaceProvider::new(fleet.client());
    let cluster = ClusterRef::new(name.parse().unwrap());
    provider.connect(&cluster).await.unwrap().client().clone()
}

fn config_map(name: &str) -> ConfigMap {
    let mut object = ConfigMap::default();
    object.metadata.name = Some(name.to_owned());
    object.metadata.namespace = Some("default".to_owned());
    object
}

#[tokio::test(start_paused = true)]
async fn objects_live_in_the_namespace_and_look_like_default() {
    let fleet = Fleet::new(&["zoo", "jungle"]).await;
    let maps: Api<ConfigMap> = Api::default_namespaced(connect(&fleet, "zoo").await);
    let there: Api<ConfigMap> = Api::namespaced(fleet.client(), "zoo");

    let made = maps
        .create(&PostParams::default(), &config_map("lion"))
        .await
        .unwrap();
    assert_eq!(made.namespace().as_deref(), Some("default"));
    assert_eq!(
        there.get("lion").await.unwrap().namespace().as_deref(),
        Some("zoo")
    );

    let mut changed = maps.get("lion").await.unwrap();
    changed.data = Some([("legs".to_owned(), "4".to_owned())].into());
    let changed = maps
        .replace("lion", &PostParams::default(), &changed)
        .await
        .unwrap();
    assert_eq!(changed.namespace().as_deref(), Some("default"));

    let patch = serde_json::json!({"metadata": {"namespace": "default"}, "data": {"tail": "1"}});
    maps.patch("lion", &Default::default(), &Patch::Merge(patch))
        .await
        .unwrap();
    assert_eq!(there.get("lion").await.unwrap().data.unwrap().len(), 2);

    maps.delete("lion", &DeleteParams::default()).await.unwrap();
    assert!(there.get_opt("lion").await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn lists_and_watches_show_the_one_namespace() {
    let fleet = Fleet::new(&["zoo", "jungle"]).await;
    let client = connect(&fleet, "zoo").await;
    let all: Api<ConfigMap> = Api::all(client);
    let list = all.list(&ListParams::default()).await.unwrap();
    let shown: Vec<_> = list
        .iter()
        .map(|map| (map.name_any(), map.namespace().unwrap()))
        .collect();
    assert_eq!(shown, [("first".to_owned(), "default".to_owned())]);

    let version = list.metadata.resource_version.unwrap();
    let mut events = all
        .watch(&WatchParams::default(), &version)
        .await
        .unwrap()
        .boxed();
    fleet.create_config_map("jungle", "monkey").await;
    fleet.create_config_map("zoo", "lion").await;
    let Some(Ok(WatchEvent::Added(lion))) = events.next().await else {
        panic!("no event")
    };
    assert_eq!(
        (lion.name_any().as_str(), lion.namespace().as_deref()),
        ("lion", Some("default"))
    );
}

#[tokio::test(start_paused = true)]
async fn nothing_else_can_be_reached() {
    let fleet = Fleet::new(&["zoo", "jungle"]).await;
    let client = connect(&fleet, "zoo").await;
    let not_found =
        |result: kube::Error| matches!(result, kube::Error::Api(status) if status.code == 404);
    let other: Api<ConfigMap> = Api::namespaced(client.clone(), "jungle");
    assert!(not_found(other.get("first").await.unwrap_err()));
    assert!(not_found(
        other
            .create(&PostParams::default(), &ConfigMap::default())
            .await
            .unwrap_err()
    ));
    let namespaces: Api<Namespace> = Api::all(client.clone());
    assert!(not_found(namespaces.get("default").await.unwrap_err()));
    assert!(not_found(
        namespaces.list(&ListParams::default()).await.unwrap_err()
    ));
    let secrets: Api<Secret> = Api::namespaced(client.clone(), "default");
    assert!(not_found(
        secrets
            .get("../../jungle/configmaps/first")
            .await
            .unwrap_err()
    ));

    let maps: Api<ConfigMap> = Api::default_namespaced(client);
    let mut outside = config_map("lion");
    outside.metadata.namespace = Some("jungle".into());
    let refused = maps.create(&PostParams::default(), &outside).await;
    assert!(matches!(refused, Err(kube::Error::Api(status)) if status.code == 400));
}

#[tokio::test(start_paused = true)]
async fn clusters_follow_the_namespaces() {
    let fleet = Fleet::new(&["zoo", "jungle"]).await;
    let provider = NamespaceProvider::new(fleet.client()).ignore([
        "kube-system",
        "kube-public",
        "kube-node-lease",
    ]);
    let mut events = provider.clusters();
    let mut next = async || match tokio::time::timeout(Duration::from_secs(10), events.next()).await
    {
        Ok(Some(Ok(ClusterEvent::Applied(cluster)))) => format!("+{}", cluster.name),
        Ok(Some(Ok(ClusterEvent::Removed(name)))) => format!("-{name}"),
        Ok(Some(Ok(ClusterEvent::Synced))) => "synced".to_owned(),
        other => panic!("{other:?}"),
    };
    let mut listed = [next().await, next().await, next().await];
    listed.sort();
    assert_eq!(listed, ["+default", "+jungle", "+zoo"]);
    assert_eq!(next().await, "synced");

    fleet.create_namespace("island").await;
    assert_eq!(next().await, "+island");
    // One that is being deleted leaves before it is gone.
    let namespaces: Api<Namespace> = Api::all(fleet.client());
    let hold = serde_json::json!({"metadata": {"finalizers": ["example.com/hold"]}});
    Api::<ConfigMap>::namespaced(fleet.client(), "zoo")
        .patch("first", &Default::default(), &Patch::Merge(hold))
        .await
        .unwrap();
    namespaces
        .delete("zoo", &DeleteParams::default())
        .await
        .unwrap();
    assert_eq!(next().await, "-zoo");
    assert!(namespaces.get_opt("zoo").await.unwrap().is_some());
    // One that was deleted and made again is another cluster.
    namespaces
        .delete("jungle", &DeleteParams::default())
        .await
        .unwrap();
    assert_eq!(next().await, "-jungle");
    fleet.create_namespace("jungle").await;
    assert_eq!(next().await, "+jungle");
}
