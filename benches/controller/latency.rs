//! From a change to the begin of its reconcile, with everything in one process.

use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, ResourceExt, api::Patch};
use multicluster::{Action, BoxError, Context, Controller, Manager, providers::FixedProvider};
use tokio::sync::mpsc::unbounded_channel;

use super::{clusters, quantile, runtime};

pub(crate) fn measure(changes: usize) {
    let (mut whole, mut after) = runtime().block_on(latencies(changes));
    whole.sort();
    after.sort();
    println!("latency: {changes} changes in one cluster, one after the other, in one process");
    for (what, sorted) in [("request sent", whole), ("answer received", after)] {
        let [p50, p99] = [0.5, 0.99].map(|part| quantile(&sorted, part));
        println!("  {what} -> reconcile begins: p50 {p50:?}, p99 {p99:?}");
    }
}

/// Each from the time when the change was sent, and from when its answer came.
async fn latencies(changes: usize) -> (Vec<Duration>, Vec<Duration>) {
    let sandbox = clusters::sandbox().await;
    let (sender, mut begun) = unbounded_channel();
    let controller = Controller::new("maps", move |context: Context<ConfigMap>| {
        let now = Instant::now();
        let object = context
            .object()
            .and_then(|object| object.annotations().get("n").cloned());
        let _ = sender.send((object, now));
        async { Ok::<_, BoxError>(Action::await_change()) }
    });
    let provider = FixedProvider::new().cluster("a".parse().expect("a name"), sandbox.client());
    let manager = Manager::builder(provider)
        .with(controller)
        .build()
        .expect("a manager");
    let manager = tokio::spawn(manager.run(std::future::pending()));
    begun.recv().await;
    let maps: Api<ConfigMap> = Api::default_namespaced(sandbox.client());
    let (mut whole, mut after) = (Vec::new(), Vec::new());
    for change in 0..changes {
        let wanted = Some(change.to_string());
        let patch = Patch::Merge(serde_json::json!({"metadata": {"annotations": {"n": wanted}}}));
        let sent = Instant::now();
        maps.patch("first", &Default::default(), &patch)
            .await
            .expect("a patch");
        let answered = Instant::now();
        loop {
            let (seen, at) = begun.recv().await.expect("a reconcile");
            if seen == wanted {
                whole.push(at - sent);
                after.push(at.saturating_duration_since(answered));
                break;
            }
        }
    }
    manager.abort();
    (whole, after)
}
