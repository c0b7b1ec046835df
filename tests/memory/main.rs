//! Memory follows ownership: a replica keeps the objects of its own clusters, and nothing of others.
//!
//! Replicas are threads, each with a runtime of its own, against an API server on loopback; an allocator counts the bytes of
//! each.

mod counting;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::{Api, Config, ResourceExt, api::PostParams};
use kube_sandbox::Sandbox;
use multicluster::{
    Action, BoxError, Context, Controller, Manager, OwnedClusters, Sharding,
    providers::NamespaceProvider, sharding::Timings,
};
use tokio::sync::oneshot;

#[global_allocator]
static ALLOCATOR: counting::Counting = counting::Counting;

const CLUSTERS: usize = 300;
const OBJECTS: usize = 100;

/// One replica in a thread of its own, and the group of that thread.
struct Replica {
    group: usize,
    before: i64,
    reconciled: Arc<AtomicUsize>,
    owned: OwnedClusters,
    leave: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

// === impl Replica ===

impl Replica {
    fn start(url: &str, group: usize) -> Self {
        let mut config = Config::new(url.parse().unwrap());
        // Without certificates of its own it would load those of the machine.
        config.root_cert = Some(Vec::new());
        let reconciled = Arc::new(AtomicUsize::new(0));
        let (leave, leaves) = oneshot::channel();
        let (tell, told) = std::sync::mpsc::channel();
        let counter = reconciled.clone();
        let thread = thread::spawn(move || {
            counting::join(group);
            let before = counting::bytes(group);
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            let runtime = runtime.enable_all().build().unwrap();
            runtime.block_on(async {
                let controller = Controller::new("maps", move |_: Context<ConfigMap>| {
                    counter.fetch_add(1, Ordering::Relaxed);
                    async { Ok::<_, BoxError>(Action::await_change()) }
                });
                let provider = NamespaceProvider::try_from(config.clone()).unwrap();
                let sharding = Sharding::new(&config, "mcr")
                    .peer(format!("replica-{group}"))
                    .lease_namespace("kube-system")
                    .timings(Timings::new(Duration::from_secs(15)));
                let provider = provider.labels("fleet=yes");
                let manager = Manager::builder(provider)
                    .sharding(sharding)
                    .with(controller);
                let manager = manager.build().unwrap();
                tell.send((before, manager.owned_clusters())).unwrap();
                let left = manager.run(async { drop(leaves.await) }).await;
                left.unwrap();
            });
        });
        let (before, owned) = told.recv().unwrap();
        Self {
            group,
            before,
            reconciled,
            owned,
            leave,
            thread,
        }
    }

    fn clusters(&self) -> usize {
        self.owned.names().len()
    }

    fn bytes(&self) -> i64 {
        counting::bytes(self.group) - self.before
    }

    /// Whether every object of its clusters was reconciled.
    fn is_settled(&self) -> bool {
        self.reconciled.load(Ordering::Relaxed) >= self.clusters() * OBJECTS
    }

    fn leave(self) {
        self.leave.send(()).unwrap();
        self.thread.join().unwrap();
    }
}

fn until(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "not within a minute: {what}"
        );
        thread::sleep(Duration::from_millis(20));
    }
}

/// Waits until these replicas own everything, and have seen all of it.
fn settle(replicas: &[&Replica]) {
    until("everything is owned and reconciled", || {
        let clusters: usize = replicas.iter().map(|replica| replica.clusters()).sum();
        clusters == CLUSTERS && replicas.iter().all(|replica| replica.is_settled())
    });
    // Buffers of the last answers are freed a moment later.
    let sample = || replicas.iter().map(|replica| replica.bytes()).sum::<i64>();
    let last = std::cell::Cell::new(sample());
    until("the memory stays the same", || {
        thread::sleep(Duration::from_millis(500));
        let before = last.replace(sample());
        (last.get() - before).abs() * 200 < before
    });
}

async fn fill(sandbox: &Sandbox) {
    let client = sandbox.client();
    for place in 0..CLUSTERS {
        let name = format!("cluster-{place}");
        let mut namespace = Namespace::default();
        namespace.metadata.name = Some(name.clone());
        namespace.labels_mut().insert("fleet".into(), "yes".into());
        let namespaces: Api<Namespace> = Api::all(client.clone());
        namespaces
            .create(&PostParams::default(), &namespace)
            .await
            .unwrap();
        let maps: Api<ConfigMap> = Api::namespaced(client.clone(), &name);
        for object in 0..OBJECTS {
            let mut map = ConfigMap::default();
            map.metadata.name = Some(format!("map-{object}"));
            map.data = Some([("content".to_owned(), "x".repeat(1_000))].into());
            maps.create(&PostParams::default(), &map).await.unwrap();
        }
    }
}

/// W22: each of three replicas needs a third of what one needs for all, within 20 %; what it hands over, it frees.
#[test]
fn each_replica_pays_for_its_own_clusters_only() {
    let server = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let sandbox = Sandbox::new();
    server.block_on(fill(&sandbox));
    let serving = server.block_on(sandbox.listen("127.0.0.1:0")).unwrap();
    let url = serving.url();

    let alone = Replica::start(&url, 1);
    settle(&[&alone]);
    let all = alone.bytes();
    alone.leave();
    println!("MEASURED memory, one replica of {CLUSTERS} clusters: {all} bytes");

    let replicas = [2, 3, 4].map(|group| Replica::start(&url, group));
    settle(&replicas.each_ref());
    let third = all / 3;
    for replica in &replicas {
        let (bytes, clusters) = (replica.bytes(), replica.clusters());
        println!(
            "MEASURED memory, one of three with {clusters} clusters: {bytes} bytes, {} % of a third",
            bytes * 100 / third
        );
        assert!(
            (bytes - third).abs() * 5 <= third,
            "{bytes} bytes of {clusters} clusters, a third is {third}"
        );
    }

    let [first, second, third_replica] = replicas;
    let before = (first.bytes(), second.bytes());
    third_replica.leave();
    settle(&[&first, &second]);
    assert!(first.bytes() > before.0 && second.bytes() > before.1);
    let returned = Replica::start(&url, 4);
    settle(&[&first, &second, &returned]);
    for (replica, before) in [(&first, before.0), (&second, before.1)] {
        let after = replica.bytes();
        println!(
            "MEASURED memory, after clusters were taken over and handed back: {after} of {before} bytes"
        );
        assert!(
            (after - before).abs() * 5 <= before,
            "{after} bytes, {before} before"
        );
    }
    for replica in [first, second, returned] {
        replica.leave();
    }
}
