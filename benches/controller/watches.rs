//! Many clusters with three watches each over loopback, beside the same watches with kube alone.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::{ConfigMap, Secret, Service};
use kube::{
    Api, Client, Config, Resource,
    api::ApiResource,
    core::{DynamicObject, GroupVersionKind},
    runtime::{WatchStreamExt, watcher},
};
use kube_sandbox::Sandbox;
use multicluster::{Action, BoxError, Cluster, Context, Controller, Manager, informer::Watched};

use super::{
    clusters::{self, Switch},
    counting, runtime,
};

pub(crate) fn measure(clusters: usize) {
    // The server's memory is not ours: its threads are a group of their own.
    let server = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .on_thread_start(|| counting::join(1))
        .enable_all()
        .build()
        .expect("a runtime");
    let sandbox = server.block_on(filled());
    let serving = server.block_on(sandbox.listen("127.0.0.1:0"));
    let serving = serving.expect("a server");
    let url = serving.url();
    // Watches of kube alone take an idle server, and so do ours.
    let (bare, bare_time) = runtime().block_on(kube_alone(clusters, &url));
    let (ours, our_time) = runtime().block_on(multicluster(clusters, &url));
    println!("watches: {clusters} clusters with three watches each, over loopback");
    println!("  kube's watchers alone: {bare} bytes per cluster, all listed after {bare_time:.0?}");
    println!(
        "  multicluster: {ours} bytes per cluster, all engaged and reconciled once after {our_time:.0?}"
    );
    println!("  ratio: {:.2}", ours as f64 / bare as f64);
}

/// One object of each kind, so that a reconcile tells that the list was there.
async fn filled() -> Sandbox {
    let objects = ["ConfigMap", "Secret", "Service"].map(|kind| {
        let ports = serde_json::json!({"ports": [{"port": 80}]});
        let mut object = serde_json::json!({
            "apiVersion": "v1", "kind": kind, "metadata": {"name": "first", "namespace": "default"},
        });
        if kind == "Service" {
            object["spec"] = ports;
        }
        object
    });
    let sandbox = Sandbox::new();
    let client = sandbox.client();
    for object in objects {
        let object: DynamicObject = serde_json::from_value(object).expect("an object");
        let types = object.types.clone().expect("its kind");
        let kind = GroupVersionKind::try_from(types).expect("a kind");
        let resource = ApiResource::from_gvk(&kind);
        let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), "default", &resource);
        api.create(&Default::default(), &object)
            .await
            .expect("created");
    }
    sandbox
}

fn config(url: &str) -> Config {
    let mut config = Config::new(url.parse().expect("a URL"));
    config.root_cert = Some(Vec::new());
    config.default_retry = false;
    config
}

async fn kube_alone(clusters: usize, url: &str) -> (i64, Duration) {
    let (before, start) = (counting::bytes(0), Instant::now());
    let listed = Arc::new(AtomicUsize::new(0));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..clusters {
        let client = Client::try_from(config(url)).expect("a client");
        tasks.spawn(follow::<ConfigMap>(client.clone(), listed.clone()));
        tasks.spawn(follow::<Secret>(client.clone(), listed.clone()));
        tasks.spawn(follow::<Service>(client, listed.clone()));
    }
    until(|| listed.load(Ordering::Relaxed) == 3 * clusters).await;
    let time = start.elapsed();
    let bytes = settled(before).await;
    tasks.shutdown().await;
    (bytes / clusters as i64, time)
}

async fn follow<K>(client: Client, listed: Arc<AtomicUsize>)
where
    K: Watched + Resource<DynamicType = ()>,
{
    let watch = watcher(Api::<K>::all(client), watcher::Config::default());
    let mut events = watch.default_backoff().boxed();
    while let Ok(Some(event)) = events.try_next().await {
        if matches!(event, watcher::Event::InitDone) {
            listed.fetch_add(1, Ordering::Relaxed);
        }
    }
}

async fn multicluster(count: usize, url: &str) -> (i64, Duration) {
    // The connections count as kube's do.
    let before = counting::bytes(0);
    let cluster = |place| Cluster::from_config(clusters::name(place), config(url));
    let switch = Switch::of((0..count).map(|place| cluster(place).expect("a cluster")));
    let reconciled = Arc::new(AtomicUsize::new(0));
    let manager = Manager::builder(switch.clone())
        .with(controller::<ConfigMap>("maps", &reconciled))
        .with(controller::<Secret>("secrets", &reconciled))
        .with(controller::<Service>("services", &reconciled));
    let manager = manager.build().expect("a manager");
    let manager = tokio::spawn(manager.run(std::future::pending()));
    let start = Instant::now();
    switch.turn(true);
    until(|| reconciled.load(Ordering::Relaxed) >= 3 * count).await;
    let time = start.elapsed();
    let bytes = settled(before).await;
    manager.abort();
    (bytes / count as i64, time)
}

fn controller<K: Watched<DynamicType: Default>>(
    name: &str,
    reconciled: &Arc<AtomicUsize>,
) -> Controller<K> {
    let reconciled = reconciled.clone();
    Controller::new(name, move |_: Context<K>| {
        reconciled.fetch_add(1, Ordering::Relaxed);
        async { Ok::<_, BoxError>(Action::await_change()) }
    })
}

/// The bytes since `before`, when they do not change any more.
async fn settled(before: i64) -> i64 {
    let mut last = 0;
    for _ in 0..60 {
        tokio::time::sleep(Duration::from_millis(250)).await;
        let now = counting::bytes(0) - before;
        if (now - last).abs() * 1_000 < now {
            return now;
        }
        last = now;
    }
    last
}

async fn until(condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(
            start.elapsed() < Duration::from_secs(120),
            "not within two minutes"
        );
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
