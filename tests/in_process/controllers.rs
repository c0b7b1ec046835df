//! What a controller does with objects, errors and panics.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, ResourceExt};
use multicluster::{Action, BoxError, Context, Controller, Manager, providers::FixedProvider};
use tokio::time::Instant;

use crate::fleet::{Fleet, Replica};

const SECOND: Duration = Duration::from_secs(1);

/// Runs `reconcile` for the ConfigMaps of the one cluster `local`, without sharding.
fn run<F>(
    fleet: &Fleet,
    reconcile: impl Fn(Context<ConfigMap>) -> F + Send + Sync + 'static,
) -> Replica
where
    F: Future<Output = Result<Action, BoxError>> + Send + 'static,
{
    let provider = FixedProvider::new().cluster("local".parse().unwrap(), fleet.client());
    let manager = Manager::builder(provider)
        .with(Controller::new("config-maps", reconcile))
        .build()
        .unwrap();
    Replica::run(manager)
}

#[tokio::test(start_paused = true)]
async fn without_sharding_one_replica_owns_everything() {
    let fleet = Fleet::new(&["zoo"]).await;
    let seen = Arc::new(AtomicUsize::new(0));
    let counter = seen.clone();
    let replica = run(&fleet, move |context| {
        assert_eq!(context.token(), None);
        counter.fetch_add(1, Ordering::SeqCst);
        async { Ok(Action::await_change()) }
    });
    fleet
        .until(SECOND, "reconciled", async || {
            seen.load(Ordering::SeqCst) == 1
        })
        .await;
    replica.leave().await.unwrap();
    assert!(fleet.holders().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn errors_and_panics_are_retried_and_stop_nobody() {
    let fleet = Fleet::new(&["zoo"]).await;
    for name in ["fails", "panics"] {
        fleet.create_config_map("zoo", name).await;
    }
    let done = Arc::new(AtomicUsize::new(0));
    let (attempts, counter) = (Arc::new(AtomicUsize::new(0)), done.clone());
    let replica = run(&fleet, move |context| {
        let attempt = attempts.fetch_add(1, Ordering::SeqCst);
        let counter = counter.clone();
        let name = context.key().name.clone();
        assert!(
            !(name == "panics" && attempt < 10),
            "a panic before there is a future"
        );
        async move {
            if name == "fails" && attempt < 10 {
                return Err("not yet".into());
            }
            counter.fetch_add(1, Ordering::SeqCst);
            Ok(Action::await_change())
        }
    });
    fleet
        .until(5 * SECOND, "all three are done", async || {
            done.load(Ordering::SeqCst) == 3
        })
        .await;
    drop(replica);
}

#[tokio::test(start_paused = true)]
async fn a_requeue_comes_after_its_time() {
    let fleet = Fleet::new(&["zoo"]).await;
    let times = Arc::new(std::sync::Mutex::new(Vec::new()));
    let noted = times.clone();
    let replica = run(&fleet, move |_| {
        noted.lock().unwrap().push(Instant::now());
        async { Ok(Action::requeue(30 * SECOND)) }
    });
    fleet
        .until(100 * SECOND, "three rounds", async || {
            times.lock().unwrap().len() == 3
        })
        .await;
    let times = times.lock().unwrap();
    for pair in times.windows(2) {
        let gap = pair[1] - pair[0];
        assert!(gap >= 30 * SECOND && gap < 31 * SECOND, "{gap:?}");
    }
    drop(replica);
}

#[tokio::test(start_paused = true)]
async fn a_deleted_object_is_reconciled_with_its_last_state() {
    let fleet = Fleet::new(&["zoo"]).await;
    let (sender, mut seen) = tokio::sync::mpsc::unbounded_channel();
    let replica = run(&fleet, move |context| {
        let last = context.last_known().map(|object| object.name_any());
        sender.send((context.object().is_some(), last)).unwrap();
        async { Ok(Action::await_change()) }
    });
    let first = Some("first".to_owned());
    assert_eq!(seen.recv().await, Some((true, first.clone())));
    let maps: Api<ConfigMap> = Api::namespaced(fleet.client(), "zoo");
    maps.delete("first", &Default::default()).await.unwrap();
    assert_eq!(seen.recv().await, Some((false, first)));
    drop(replica);
}

#[tokio::test(start_paused = true)]
async fn a_change_during_a_reconcile_brings_another_one_and_never_two_at_once() {
    let fleet = Fleet::new(&["zoo"]).await;
    let (runs, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let running = Arc::new(AtomicUsize::new(0));
    let (counter, peak) = (runs.clone(), most.clone());
    let replica = run(&fleet, move |_| {
        let (counter, peak, running) = (counter.clone(), peak.clone(), running.clone());
        async move {
            peak.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::time::sleep(10 * SECOND).await;
            running.fetch_sub(1, Ordering::SeqCst);
            counter.fetch_add(1, Ordering::SeqCst);
            Ok(Action::await_change())
        }
    });
    tokio::time::sleep(SECOND).await;
    let maps: Api<ConfigMap> = Api::namespaced(fleet.client(), "zoo");
    for value in ["a", "b", "c"] {
        let patch = serde_json::json!({"data": {"value": value}});
        maps.patch(
            "first",
            &Default::default(),
            &kube::api::Patch::Merge(patch),
        )
        .await
        .unwrap();
    }
    tokio::time::sleep(60 * SECOND).await;
    assert_eq!(runs.load(Ordering::SeqCst), 2);
    assert_eq!(most.load(Ordering::SeqCst), 1);
    drop(replica);
}

#[tokio::test(start_paused = true)]
async fn a_drain_that_takes_too_long_ends_by_force() {
    let fleet = Fleet::new(&["zoo"]).await;
    let started = Arc::new(AtomicUsize::new(0));
    let counter = started.clone();
    let replica = run(&fleet, move |_| {
        counter.fetch_add(1, Ordering::SeqCst);
        std::future::pending()
    });
    fleet
        .until(SECOND, "started", async || {
            started.load(Ordering::SeqCst) == 1
        })
        .await;
    let start = Instant::now();
    replica.leave().await.unwrap();
    let took = start.elapsed();
    assert!(took >= 30 * SECOND && took < 31 * SECOND, "{took:?}");
}
