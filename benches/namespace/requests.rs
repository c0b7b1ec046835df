//! A request through the layer beside a direct one: to a server in the same process, which leaves out everything else, and
//! over loopback, as requests are.

use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, Client, Config,
    api::{ListParams, Patch},
};
use kube_sandbox::Sandbox;
use multicluster::{ClusterProvider, ClusterRef, cluster_client, providers::NamespaceProvider};
use serde_json::json;

use super::quantile;

pub(crate) fn measure(rounds: usize) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let sandbox = filled();
    let runtime = runtime.expect("a runtime");
    let mut lines =
        runtime.block_on(async { compare("in process", sandbox.client(), rounds).await });

    let server = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let serving = server.block_on(sandbox.listen("127.0.0.1:0"));
    let serving = serving.expect("a server");
    let url = serving.url();
    lines.extend(runtime.block_on(async {
        let client = cluster_client(Config::new(url.parse().expect("a URL")));
        compare("over loopback", client.expect("a client"), rounds).await
    }));
    lines
}

fn filled() -> Sandbox {
    let map = |number: usize| {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": format!("m{number}"), "namespace": "zoo"},
            "data": {"text": "some text of a value ".repeat(25)}})
    };
    let zoo = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "zoo"}});
    let sandbox = Sandbox::new();
    sandbox
        .load([zoo].into_iter().chain((0..50).map(map)))
        .expect("objects");
    sandbox
}

async fn compare(place: &str, direct: Client, rounds: usize) -> Vec<String> {
    let provider = NamespaceProvider::new(direct.clone());
    let cluster = ClusterRef::new("zoo".parse().expect("a name"));
    let cluster = provider.connect(&cluster).await.expect("a cluster");
    let scoped = cluster.client().clone();
    let mut lines = Vec::new();
    for what in ["get", "patch", "list of 50"] {
        let (mut here, mut there) = (Vec::new(), Vec::new());
        // By turns, so that what else the machine does concerns both.
        for round in 0..rounds {
            there.push(once(&direct, "zoo", what, round).await);
            here.push(once(&scoped, "default", what, round).await);
        }
        here.sort();
        there.sort();
        let (here, there) = (quantile(&here, 0.5), quantile(&there, 0.5));
        let ratio = here.as_secs_f64() / there.as_secs_f64();
        lines.push(format!(
            "{what}, {place}: direct {there:?}, through the layer {here:?}, ratio {ratio:.2} (medians)"
        ));
    }
    lines
}

async fn once(client: &Client, namespace: &str, what: &str, round: usize) -> Duration {
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    let start = Instant::now();
    match what {
        "get" => {
            maps.get("m0").await.expect("an object");
        }
        "patch" => {
            let patch = Patch::Merge(json!({"data": {"round": round.to_string()}}));
            maps.patch("m1", &Default::default(), &patch)
                .await
                .expect("a patch");
        }
        _ => {
            maps.list(&ListParams::default()).await.expect("a list");
        }
    }
    start.elapsed()
}
