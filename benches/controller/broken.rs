//! Many clusters over loopback, with and without three among them that do not answer.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, Client, Config, ResourceExt, api::Patch};
use kube_sandbox::{Fault, Faults, Rule, Sandbox};
use multicluster::{Action, BoxError, Context, Controller, Manager};

use tokio::net::TcpListener;

use super::{
    clusters::{self, Switch},
    quantile, runtime,
};

const FAULTS: [Fault; 3] = [Fault::Hang, Fault::Status(500), Fault::Disconnect];

type Begun = Arc<Mutex<HashMap<(String, String), Instant>>>;

pub(crate) fn measure(clusters: usize) {
    println!(
        "broken: {} good clusters over loopback",
        clusters - FAULTS.len()
    );
    for (what, broken) in [
        ("alone", 0),
        (
            "beside one that hangs, one that fails, one that cuts",
            FAULTS.len(),
        ),
    ] {
        let (mut engaged, mut changed) = runtime().block_on(run(clusters - FAULTS.len(), broken));
        engaged.sort();
        changed.sort();
        let [e50, e99] = [0.5, 0.99].map(|part| quantile(&engaged, part));
        let [c50, c99] = [0.5, 0.99].map(|part| quantile(&changed, part));
        println!(
            "  {what}: start -> reconciled p50 {e50:.0?}, p99 {e99:.0?}; change -> reconcile p50 {c50:.0?}, p99 {c99:.0?}"
        );
    }
}

/// From the start to the first reconcile of each good cluster, and from a change to its reconcile.
async fn run(good: usize, broken: usize) -> (Vec<Duration>, Vec<Duration>) {
    let (mut sandboxes, mut servers, mut clients) = (Vec::new(), Vec::new(), Vec::new());
    for place in 0..good + broken {
        let sandbox = clusters::sandbox().await;
        let faults = Faults::new(&sandbox, 1);
        // The broken ones come first.
        if let Some(fault) = FAULTS[..broken].get(place) {
            faults.add(Rule::new(fault.clone()));
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        servers.push(faults.serve(listener).expect("a server"));
        clients.push(client(&url));
        sandboxes.push(sandbox);
    }
    let switch = Switch::new(clients);
    let begun = Begun::default();
    let notes = begun.clone();
    let controller = Controller::new("maps", move |context: Context<ConfigMap>| {
        let change = context
            .object()
            .and_then(|map| map.annotations().get("n").cloned());
        let key = (
            context.cluster_name().to_string(),
            change.unwrap_or_default(),
        );
        notes
            .lock()
            .expect("notes")
            .entry(key)
            .or_insert_with(Instant::now);
        async { Ok::<_, BoxError>(Action::await_change()) }
    });
    let manager = Manager::builder(switch.clone()).with(controller).build();
    let manager = tokio::spawn(manager.expect("a manager").run(std::future::pending()));
    let start = Instant::now();
    switch.turn(true);
    let names: Vec<_> = (broken..good + broken)
        .map(|place| format!("cluster-{place}"))
        .collect();
    let mut engaged = Vec::new();
    for name in &names {
        engaged.push(at(&begun, name, "").await - start);
    }
    let mut changed = Vec::new();
    for round in 0..20 {
        let round = round.to_string();
        for (sandbox, name) in sandboxes[broken..].iter().zip(&names) {
            changed.push(change(sandbox, &begun, name, &round).await);
        }
    }
    manager.abort();
    (engaged, changed)
}

async fn change(sandbox: &Sandbox, begun: &Begun, name: &str, round: &str) -> Duration {
    let maps: Api<ConfigMap> = Api::default_namespaced(sandbox.client());
    let patch = Patch::Merge(serde_json::json!({"metadata": {"annotations": {"n": round}}}));
    let sent = Instant::now();
    maps.patch("first", &Default::default(), &patch)
        .await
        .expect("a patch");
    at(begun, name, round).await - sent
}

/// When the reconcile of a change began.
async fn at(begun: &Begun, name: &str, change: &str) -> Instant {
    let key = (name.to_owned(), change.to_owned());
    let limit = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(at) = begun.lock().expect("notes").get(&key) {
            return *at;
        }
        assert!(
            Instant::now() < limit,
            "{name} is not reconciled within a minute"
        );
        tokio::time::sleep(Duration::from_micros(50)).await;
    }
}

fn client(url: &str) -> Client {
    let mut config = Config::new(url.parse().expect("a URL"));
    config.root_cert = Some(Vec::new());
    config.default_retry = false;
    Client::try_from(config).expect("a client")
}
