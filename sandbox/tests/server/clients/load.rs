//! Many watchers, many objects, many changes.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Empty};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use kube_sandbox::Sandbox;
use serde_json::json;
use tower::ServiceExt;

const OBJECTS: usize = 10_000;
const WATCHERS: usize = 100;
const CHANGES: usize = 20_000;
/// A thousand in a second.
const PAUSE: Duration = Duration::from_millis(1);

/// What one watcher has seen.
struct Seen {
    /// The last change of each object.
    changes: Vec<usize>,
    version: u64,
    events: usize,
}

#[tokio::test(start_paused = true)]
async fn a_hundred_watchers_see_every_change_of_ten_thousand_objects_once_and_in_order() {
    let maps = (0..OBJECTS).map(|number| {
        json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": name(number), "namespace": "default"}, "data": {"change": "0"},
        })
    });
    let sandbox = Sandbox::new().with_objects(maps).unwrap();
    let api: Api<ConfigMap> = Api::default_namespaced(sandbox.client());
    let version = api.list_metadata(&Default::default()).await.unwrap();
    let version = version.metadata.resource_version.unwrap();

    let watchers: Vec<_> = (0..WATCHERS)
        .map(|_| tokio::spawn(follow(sandbox.clone(), version.clone())))
        .collect();
    let mut turns = tokio::time::interval(PAUSE);
    for change in 0..CHANGES {
        turns.tick().await;
        // Every object in turn, in an order of its own.
        let number = change * 7_919 % OBJECTS;
        let patch = json!({"data": {"change": (change / OBJECTS + 1).to_string()}});
        api.patch(&name(number), &PatchParams::default(), &Patch::Merge(patch))
            .await
            .unwrap();
    }
    for watcher in watchers {
        let seen = watcher.await.unwrap();
        assert!(seen.changes.iter().all(|last| *last == CHANGES / OBJECTS));
    }
}

/// Watches until all changes were seen.
async fn follow(sandbox: Sandbox, version: String) -> Seen {
    let path =
        format!("/api/v1/namespaces/default/configmaps?watch=true&resourceVersion={version}");
    let request = Request::get(path).body(Empty::<Bytes>::new()).unwrap();
    let mut lines = sandbox.oneshot(request).await.unwrap().into_body();
    let mut seen = Seen {
        changes: vec![0; OBJECTS],
        version: version.parse().unwrap(),
        events: 0,
    };
    while seen.events < CHANGES {
        let frame = tokio::time::timeout(Duration::from_secs(60), lines.frame()).await;
        let frame = frame
            .expect("news within a minute")
            .expect("the watch goes on")
            .unwrap();
        let line = frame.into_data().unwrap();
        seen.take_in(std::str::from_utf8(&line).unwrap());
    }
    seen
}

impl Seen {
    fn take_in(&mut self, line: &str) {
        assert!(
            line.starts_with(r#"{"type":"MODIFIED""#) && line.ends_with('\n'),
            "{line}"
        );
        let version: u64 = text(line, "resourceVersion").parse().unwrap();
        assert!(version > self.version, "{version} after {}", self.version);
        self.version = version;
        let number: usize = text(line, "name")
            .strip_prefix("map-")
            .unwrap()
            .parse()
            .unwrap();
        let change: usize = text(line, "change").parse().unwrap();
        assert_eq!(
            change,
            self.changes[number] + 1,
            "a change was lost, or seen twice"
        );
        self.changes[number] = change;
        self.events += 1;
    }
}

fn name(number: usize) -> String {
    format!("map-{number:05}")
}

/// The value of a field of text, without the cost of decoding two million objects.
fn text<'a>(line: &'a str, field: &str) -> &'a str {
    let start = line
        .find(&format!(r#""{field}":""#))
        .expect("the field is there")
        + field.len()
        + 4;
    &line[start..start + line[start..].find('"').unwrap()]
}
