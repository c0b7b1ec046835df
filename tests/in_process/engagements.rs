//! Clusters that their owner cannot work on.

use std::time::Duration;

use kube_sandbox::{Fault, Rule, Verb};
use multicluster::Action;

use crate::fleet::{Fleet, What};

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
