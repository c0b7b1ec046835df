//! Clusters that their owner cannot work on.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::{FutureExt, future::BoxFuture, stream::BoxStream};
use kube_sandbox::{Fault, Rule, Sandbox, Verb};
use multicluster::{
    Action, BoxError, Cluster, ClusterEvent, ClusterProvider, ClusterRef, Error, Manager,
    for_each_cluster, providers::FixedProvider,
};
use tokio::time::Instant;

use crate::fleet::{Fleet, Replica, What};

const SECOND: Duration = Duration::from_secs(1);

async fn holder_of(fleet: &Fleet, cluster: &str) -> Option<String> {
    let holders = fleet.holders().await.into_iter();
    holders
        .filter(|(name, _)| name == cluster)
        .map(|(_, holder)| holder)
        .next()
}

/// F17, W2, W30: who cannot connect tries again, less and less often, and keeps the fence until the placement moves it.
#[tokio::test(start_paused = true)]
async fn a_cluster_that_cannot_be_connected_is_tried_again_and_moves_like_any_other() {
    let fleet = Fleet::new(&["zoo", "jungle"]).await;
    let connects = Rule::new(Fault::Status(500)).verbs([Verb::Get]);
    fleet
        .faults
        .add(connects.kind("Namespace").name_prefix("zoo").user("a"));
    let first = What::Reconciled("first".into());
    let a = fleet.start("a");
    fleet
        .until(3 * SECOND, "the other cluster is worked on", async || {
            fleet.noted("jungle", &first) == ["a"]
        })
        .await;
    tokio::time::sleep(120 * SECOND).await;
    assert_eq!(holder_of(&fleet, "zoo").await.as_deref(), Some("a"));
    assert!(fleet.noted("zoo", &What::Engaged).is_empty());
    let calls = fleet.faults.calls().into_iter();
    let attempts = calls.filter(|call| call.verb == Verb::Get && call.name == "zoo");
    let attempts = attempts.count();
    assert!((5..30).contains(&attempts), "{attempts} attempts in 120 s");

    let b = fleet.start_with(
        "b",
        |sharding| sharding.weight(1 << 20),
        |_| async { Ok(Action::await_change()) },
    );
    fleet
        .until(10 * SECOND, "the new owner works", async || {
            fleet.noted("zoo", &first) == ["b"]
        })
        .await;
    assert_eq!(holder_of(&fleet, "zoo").await.as_deref(), Some("b"));
    drop((a, b));
}

/// Connects slowly, and counts how many do so at a time.
struct Slow {
    clusters: FixedProvider,
    /// How long the connection to a cluster takes.
    takes: fn(&ClusterRef) -> Duration,
    connecting: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

impl ClusterProvider for Slow {
    fn clusters(&self) -> BoxStream<'static, Result<ClusterEvent, Error>> {
        self.clusters.clusters()
    }

    fn connect(&self, cluster: &ClusterRef) -> BoxFuture<'static, Result<Cluster, Error>> {
        let (takes, connected) = ((self.takes)(cluster), self.clusters.connect(cluster));
        let (connecting, most) = (self.connecting.clone(), self.most.clone());
        async move {
            let now = connecting.fetch_add(1, Ordering::SeqCst) + 1;
            most.fetch_max(now, Ordering::SeqCst);
            tokio::time::sleep(takes).await;
            connecting.fetch_sub(1, Ordering::SeqCst);
            connected.await
        }
        .boxed()
    }
}

/// How long it takes to engage 100 clusters, and how many were connected to at a time.
async fn engage_a_hundred(takes: fn(&ClusterRef) -> Duration) -> (Duration, usize) {
    let (clusters, sandbox) = (FixedProvider::new(), Sandbox::new());
    for place in 0..100 {
        let name = format!("c{place:02}").parse().unwrap();
        clusters.add(Cluster::new(name, sandbox.client()));
    }
    let (connecting, most, engaged) = (Arc::default(), Arc::default(), Arc::default());
    let slow = Slow {
        clusters,
        takes,
        connecting,
        most: Arc::clone(&most),
    };
    let counter: Arc<AtomicUsize> = Arc::clone(&engaged);
    let manager = Manager::builder(slow).with(for_each_cluster("count", move |engagement| {
        counter.fetch_add(1, Ordering::SeqCst);
        async move {
            engagement.cancelled().await;
            Ok::<_, BoxError>(())
        }
    }));
    let start = Instant::now();
    let _replica = Replica::run(manager.build().unwrap());
    while engaged.load(Ordering::SeqCst) < 99 {
        tokio::time::sleep(Duration::from_millis(10)).await;
        assert!(start.elapsed() < 60 * SECOND);
    }
    (start.elapsed(), most.load(Ordering::SeqCst))
}

/// A large fleet is connected to in rounds, and one that hangs costs its place for 2 s only.
#[tokio::test(start_paused = true)]
async fn clusters_are_connected_to_32_at_a_time_and_slow_ones_do_not_count() {
    let (took, most) = engage_a_hundred(|_| SECOND).await;
    assert_eq!(most, 32);
    assert!((4 * SECOND..5 * SECOND).contains(&took), "{took:?}");
    let one_hangs = |cluster: &ClusterRef| match cluster.name.as_str() {
        "c00" => 25 * SECOND,
        _ => SECOND,
    };
    let (took, most) = engage_a_hundred(one_hangs).await;
    assert_eq!(most, 33, "the slow one beside 32 others");
    assert!((4 * SECOND..5 * SECOND).contains(&took), "{took:?}");
}
