//! Objects and shorthands for the tests.

// Each test binary uses some of it.
#![allow(dead_code)]

pub(crate) mod control_plane;

use std::time::Duration;

use futures_util::{Stream, StreamExt, TryStreamExt};
use k8s_openapi::api::{coordination::v1::Lease, core::v1::ConfigMap};
use kube::{
    Api, Client, ResourceExt,
    api::{ObjectList, WatchEvent, WatchParams},
    core::Status,
};
use serde_json::{Value, json};

pub(crate) fn config_map(name: &str) -> ConfigMap {
    serde_json::from_value(json!({"metadata": {"name": name}})).unwrap()
}

pub(crate) fn labelled(name: &str, labels: &serde_json::Value) -> ConfigMap {
    serde_json::from_value(json!({"metadata": {"name": name, "labels": labels}})).unwrap()
}

pub(crate) fn lease(name: &str) -> Lease {
    serde_json::from_value(
        json!({"metadata": {"name": name}, "spec": {"leaseDurationSeconds": 15}}),
    )
    .unwrap()
}

pub(crate) fn names<K: ResourceExt + Clone>(list: &ObjectList<K>) -> Vec<String> {
    list.items.iter().map(ResourceExt::name_any).collect()
}

/// The `Status` of a refused request.
pub(crate) fn refusal<T>(result: kube::Result<T>) -> Status {
    match result {
        Ok(_) => panic!("the request was not refused"),
        Err(kube::Error::Api(status)) => *status,
        Err(other) => panic!("not an answer of the server: {other}"),
    }
}

/// Sends a request as it is; a body of null is none. The answer is the code and the JSON.
pub(crate) async fn ask(client: &Client, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let bytes = match body {
        Value::Null => Vec::new(),
        Value::String(text) => text.clone().into_bytes(),
        body => body.to_string().into_bytes(),
    };
    let request = http::Request::builder().method(method).uri(path);
    let request = request.body(bytes.into()).unwrap();
    let reply = client.send(request).await.unwrap();
    let code = reply.status().as_u16();
    let body = reply.into_body().collect_bytes().await.unwrap();
    (code, serde_json::from_slice(&body).unwrap())
}

/// What a watch delivers, as `WORD name@version`.
pub(crate) async fn watch(
    api: &Api<ConfigMap>,
    params: &WatchParams,
    from: &str,
) -> impl Stream<Item = String> + Unpin + use<> {
    let events = api.watch(params, from).await.unwrap().into_stream();
    let describe = |event: kube::Result<WatchEvent<ConfigMap>>| match event.unwrap() {
        WatchEvent::Added(map) => describe("ADDED", &map),
        WatchEvent::Modified(map) => describe("MODIFIED", &map),
        WatchEvent::Deleted(map) => describe("DELETED", &map),
        WatchEvent::Bookmark(bookmark) => {
            let end = bookmark
                .metadata
                .annotations
                .contains_key("k8s.io/initial-events-end");
            let word = if end { "END" } else { "BOOKMARK" };
            format!("{word} @{}", bookmark.metadata.resource_version)
        }
        WatchEvent::Error(status) => format!("ERROR {} {}", status.code, status.reason),
    };
    events.map(describe).boxed()
}

fn describe(word: &str, map: &ConfigMap) -> String {
    format!(
        "{word} {}@{}",
        map.name_any(),
        map.resource_version().unwrap()
    )
}

/// The next item, which must come without waiting for the clock.
pub(crate) async fn next<T>(stream: &mut (impl Stream<Item = T> + Unpin)) -> T {
    let soon = tokio::time::timeout(Duration::from_secs(5), stream.next());
    soon.await
        .expect("nothing was delivered")
        .expect("the stream ended")
}
