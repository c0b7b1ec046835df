//! The forms in which objects are sent and shown: tables, metadata alone, YAML.

use futures_util::StreamExt;
use http::Method;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, ResourceExt,
    api::{ListParams, PartialObjectMeta},
    runtime::watcher,
};
use serde_json::json;

use super::{Place, get, parsed, raw};

const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";

#[tokio::test(start_paused = true)]
async fn rows_of_tables_say_default() {
    let place = Place::new(&["zoo", "jungle"]);
    let version = place
        .create("zoo", "lion")
        .await
        .resource_version()
        .unwrap();
    place.create("jungle", "monkey").await;
    let zoo = place.connect("zoo").await;
    let (code, text) = get(&zoo, "/api/v1/configmaps", TABLE).await;
    assert_eq!(code, 200);
    let table = parsed(&text);
    assert_eq!(table["kind"], "Table");
    let rows = table["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["object"]["metadata"]["namespace"], "default");

    place.create("zoo", "tiger").await;
    let path = format!(
        "/api/v1/namespaces/default/configmaps?watch=true&resourceVersion={version}&timeoutSeconds=1"
    );
    let (_, lines) = get(&zoo, &path, TABLE).await;
    let line = parsed(lines.trim());
    assert_eq!(
        line["object"]["rows"][0]["object"]["metadata"]["namespace"],
        "default"
    );
}

#[tokio::test(start_paused = true)]
async fn pretty_watches_are_lines_too() {
    let place = Place::new(&["zoo"]);
    let version = place
        .create("zoo", "lion")
        .await
        .resource_version()
        .unwrap();
    place.create("zoo", "tiger").await;
    let zoo = place.connect("zoo").await;
    let path = format!(
        "/api/v1/configmaps?watch=true&pretty=true&resourceVersion={version}&timeoutSeconds=1"
    );
    let (_, lines) = get(&zoo, &path, "application/json").await;
    assert_eq!(
        parsed(lines.trim())["object"]["metadata"]["namespace"],
        "default"
    );
}

#[tokio::test(start_paused = true)]
async fn metadata_alone_can_be_listed_and_watched() {
    let place = Place::new(&["zoo", "jungle"]);
    place.create("zoo", "lion").await;
    let maps: Api<PartialObjectMeta<ConfigMap>> = Api::all(place.connect("zoo").await);
    let plain = watcher::Config::default();
    for (round, config) in [plain.clone(), plain.streaming_lists()]
        .into_iter()
        .enumerate()
    {
        let mut events = watcher(maps.clone(), config).boxed();
        let mut seen = Vec::new();
        while seen.len() < 2 + round {
            match events.next().await.unwrap().unwrap() {
                watcher::Event::InitApply(map) | watcher::Event::Apply(map) => {
                    assert_eq!(map.namespace().as_deref(), Some("default"));
                    seen.push(map.name_any());
                }
                watcher::Event::InitDone => {
                    place.create("jungle", &format!("monkey-{round}")).await;
                    place.create("zoo", &format!("tiger-{round}")).await;
                }
                _ => {}
            }
        }
        assert!(
            seen.iter().all(|name| !name.starts_with("monkey")),
            "{seen:?}"
        );
    }
    let listed = maps.list(&ListParams::default()).await.unwrap();
    assert_eq!(listed.items.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn yaml_is_understood() {
    let place = Place::new(&["zoo"]);
    let zoo = place.connect("zoo").await;
    let path = "/api/v1/namespaces/default/configmaps";
    let yaml = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: lion\n  namespace: default\ndata: {legs: '4'}\n";
    let (code, text) = raw(&zoo, Method::POST, path, "application/yaml", yaml).await;
    assert_eq!(
        (code, &parsed(&text)["data"]),
        (201, &json!({"legs": "4"})),
        "{text}"
    );
    let apply = format!("{path}/lion?fieldManager=keeper&force=true");
    let yaml = yaml.replace("'4'", "'3'");
    let (code, text) = raw(
        &zoo,
        Method::PATCH,
        &apply,
        "application/apply-patch+yaml",
        yaml,
    )
    .await;
    let object = parsed(&text);
    assert_eq!(
        (code, &object["data"]),
        (200, &json!({"legs": "3"})),
        "{text}"
    );
    assert_eq!(object["metadata"]["namespace"], "default");
}
