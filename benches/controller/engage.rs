//! Engaging and disengaging many clusters at once, again and again: time, memory, tasks.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use k8s_openapi::api::core::v1::ConfigMap;
use kube_sandbox::Sandbox;
use multicluster::{Action, BoxError, Context, Controller, Manager};

use super::{
    clusters::{self, Switch},
    counting, runtime,
};

pub(crate) fn measure(clusters: usize, cycles: usize) {
    runtime().block_on(cycle(clusters, cycles));
}

async fn cycle(clusters: usize, cycles: usize) {
    let mut sandboxes = Vec::new();
    for _ in 0..clusters {
        sandboxes.push(clusters::sandbox().await);
    }
    let switch = Switch::new(sandboxes.iter().map(Sandbox::client));
    let reconciled = Arc::new(AtomicUsize::new(0));
    let counter = reconciled.clone();
    let controller = Controller::new("maps", move |_: Context<ConfigMap>| {
        counter.fetch_add(1, Ordering::Relaxed);
        async { Ok::<_, BoxError>(Action::await_change()) }
    });
    let manager = Manager::builder(switch.clone()).with(controller);
    let manager = manager.build().expect("a manager");
    let owned = manager.owned_clusters();
    let manager = tokio::spawn(manager.run(std::future::pending()));
    println!("engage: {clusters} clusters with one watch each, in one process");
    let mut start = (0, 0);
    for cycle in 0..=cycles {
        let before = settled().await;
        let begun = Instant::now();
        reconciled.store(0, Ordering::Relaxed);
        switch.turn(true);
        until(|| reconciled.load(Ordering::Relaxed) == clusters).await;
        let engaged = begun.elapsed();
        let during = settled().await;
        let begun = Instant::now();
        switch.turn(false);
        until(|| owned.names().is_empty()).await;
        let disengaged = begun.elapsed();
        let after = settled().await;
        if cycle == 0 {
            // The first one fills what stays: tables, caches of the runtime.
            start = after;
        }
        println!(
            "  cycle {cycle}: engaged and reconciled in {engaged:.0?}, disengaged in {disengaged:.0?}; {} bytes per cluster; afterwards {:+.2} % of the start's bytes, {:+} tasks",
            (during.0 - before.0) / clusters as i64,
            (after.0 - start.0) as f64 * 100.0 / start.0 as f64,
            after.1 as i64 - start.1 as i64,
        );
    }
    manager.abort();
}

/// The bytes and tasks of the process, when they do not change any more.
async fn settled() -> (i64, usize) {
    let metrics = tokio::runtime::Handle::current().metrics();
    let mut last = (0, 0);
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let now = (counting::total(), metrics.num_alive_tasks());
        if now == last {
            break;
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
