//! The helpers for tests of controllers, as a program's own tests use them.

use std::{
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::FutureExt;
use k8s_openapi::api::core::v1::ConfigMap;
use multicluster::{
    Cluster, Error, Manager, Sharding,
    clock::TokioClock,
    for_each_cluster,
    providers::FixedProvider,
    sharding::Timings,
    testing::{Running, eventually},
};
use tokio::time::Instant;

use crate::{
    fleet::LEASE,
    local::{Member, SECOND, Seen, config_map},
};

fn cluster(name: &str, member: &Member) -> Cluster {
    Cluster::new(name.parse().unwrap(), member.client())
}

/// Counts how often it is looked at, and holds from the given time on.
async fn looks(limit: Duration, after: Duration) -> (Duration, usize) {
    let (start, mut looks) = (Instant::now(), 0);
    eventually(limit, "it is time", async || {
        looks += 1;
        // As a request does.
        tokio::task::yield_now().await;
        start.elapsed() >= after
    })
    .await;
    (start.elapsed(), looks)
}

/// What [`eventually`] says about a condition that does not come to hold.
async fn failure(limit: Duration, condition: impl AsyncFnMut() -> bool) -> String {
    let waited = AssertUnwindSafe(eventually(limit, "the zoo is open", condition));
    let panic = waited.catch_unwind().await.unwrap_err();
    *panic.downcast::<String>().unwrap()
}

#[tokio::test(start_paused = true)]
async fn clusters_come_change_and_go_while_a_manager_runs() {
    let (zoo, reef, other) = (Member::new(), Member::new(), Member::new());
    for (member, name) in [(&zoo, "a"), (&reef, "b"), (&other, "c")] {
        member.create(&config_map(name)).await;
    }
    let (clusters, seen) = (FixedProvider::new(), Seen::default());
    clusters.add(cluster("zoo", &zoo));
    let manager = Manager::builder(clusters.clone());
    let running = Running::start(manager.with(seen.controller::<ConfigMap>("maps"))).unwrap();
    seen.exactly(&["zoo/a"]).await;

    clusters.add(cluster("reef", &reef));
    seen.exactly(&["reef/b"]).await;

    // Another API server under the same name.
    clusters.add(cluster("reef", &other));
    seen.exactly(&["reef/c"]).await;
    reef.create(&config_map("unseen")).await;
    other.create(&config_map("d")).await;
    seen.exactly(&["reef/d"]).await;

    let owned = || running.owned_clusters().names();
    assert_eq!(owned().len(), 2);
    clusters.remove(&"zoo".parse().unwrap());
    eventually(SECOND, "the zoo is closed", async || {
        owned() == ["reef".parse().unwrap()]
    })
    .await;
    zoo.create(&config_map("unseen")).await;
    seen.exactly(&[]).await;
    running.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_stop_waits_for_what_runs_and_a_drop_does_not() {
    let member = Member::new();
    let (begun, ended) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let start = || {
        let (begun, ended) = (begun.clone(), ended.clone());
        let part = for_each_cluster("slow", move |engagement| {
            let (begun, ended) = (begun.clone(), ended.clone());
            async move {
                begun.fetch_add(1, Ordering::SeqCst);
                engagement.cancelled().await;
                tokio::time::sleep(10 * SECOND).await;
                ended.fetch_add(1, Ordering::SeqCst);
                Ok::<_, Error>(())
            }
        });
        let clusters = FixedProvider::new().cluster("zoo".parse().unwrap(), member.client());
        Running::start(Manager::builder(clusters).with(part)).unwrap()
    };
    let count = |counter: &AtomicUsize| counter.load(Ordering::SeqCst);

    let running = start();
    eventually(SECOND, "begun", async || count(&begun) == 1).await;
    let before = Instant::now();
    running.stop().await.unwrap();
    assert_eq!(count(&ended), 1);
    assert!(before.elapsed() >= 10 * SECOND, "{:?}", before.elapsed());

    let running = start();
    eventually(SECOND, "begun again", async || count(&begun) == 2).await;
    drop(running);
    tokio::time::sleep(60 * SECOND).await;
    assert_eq!(count(&ended), 1, "it went on after its crash");
}

/// Replicas in one test: one that is dropped keeps its cluster for its Lease, one that is stopped gives it up.
#[tokio::test(start_paused = true)]
async fn a_replica_that_is_dropped_is_replaced_after_its_lease() {
    let (host, zoo) = (Member::new(), Member::new());
    zoo.create(&config_map("a")).await;
    let (clock, seen) = (TokioClock::new(), Seen::default());
    let start = |peer: &str| {
        let sharding = Sharding::with_client(host.client(), "mcr")
            .peer(peer)
            .lease_namespace("kube-system")
            .timings(Timings::new(LEASE))
            .clock(clock);
        let clusters = FixedProvider::new().cluster("zoo".parse().unwrap(), zoo.client());
        let manager = Manager::builder(clusters).sharding(sharding);
        Running::start(manager.with(seen.controller::<ConfigMap>("maps"))).unwrap()
    };
    let first = start("a");
    seen.exactly(&["zoo/a"]).await;

    drop(first);
    let crashed = Instant::now();
    let second = start("b");
    seen.exactly(&["zoo/a"]).await;
    // `exactly` looks around for one second more.
    let took = crashed.elapsed() - SECOND;
    assert!(took > LEASE / 2 && took < 2 * LEASE, "{took:?}");

    second.stop().await.unwrap();
    let stopped = Instant::now();
    let third = start("c");
    seen.exactly(&["zoo/a"]).await;
    let took = stopped.elapsed() - SECOND;
    assert!(took < LEASE / 2, "{took:?}");
    third.stop().await.unwrap();
}

/// Bad input: settings that cannot be used are an error of the start.
#[tokio::test]
async fn a_manager_that_cannot_be_built_is_not_started() {
    let manager = Manager::builder(FixedProvider::new()).concurrent_connections(0);
    let error = Running::start(manager).unwrap_err();
    assert!(matches!(error, Error::Setting(_)), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_condition_is_looked_at_often_and_not_too_often() {
    let (took, _) = looks(SECOND, SECOND / 2).await;
    assert!(took < SECOND / 2 + SECOND / 100, "{took:?}");
    // A day of 5 ms steps would be 17 million looks.
    let day = Duration::from_secs(86_400);
    let (took, looks) = looks(day, day / 2).await;
    assert!(took < day / 2 + day / 500, "{took:?}");
    assert!(looks < 2_000, "{looks}");
}

/// Also what holds only when the limit is over, and where the limit is no multiple of a step.
#[tokio::test(start_paused = true)]
async fn the_last_look_is_at_the_limit() {
    for limit in [SECOND, Duration::from_millis(7), 3601 * SECOND] {
        let (took, _) = looks(limit, limit).await;
        assert!(took < limit + SECOND / 100, "{took:?} of {limit:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_condition_that_fails_or_hangs_ends_with_the_limit() {
    let expected = "not within 30s: the zoo is open";
    let start = Instant::now();
    assert_eq!(failure(30 * SECOND, async || false).await, expected);
    let hangs = async || std::future::pending().await;
    assert_eq!(failure(30 * SECOND, hangs).await, expected);
    assert!(start.elapsed() < 62 * SECOND, "{:?}", start.elapsed());
}
