//! Work that nothing can stop, in real time: a thread that blocks cannot be simulated on the one that runs the test.

use std::{
    sync::{Mutex, mpsc},
    time::Duration,
};

use multicluster::{Action, sharding::Timings};

use crate::fleet::{Fleet, LEASE, What};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_cluster_is_not_given_away_while_a_reconcile_blocks_its_thread() {
    let fleet = Fleet::new(&["zoo"]).await;
    let (release, blocks) = mpsc::channel::<()>();
    let blocks = Mutex::new(blocks);
    let settings = |sharding: multicluster::Sharding| {
        sharding.timings(Timings::new(LEASE).drain_timeout(SECOND))
    };
    let blocked = fleet.start_with("a", settings, move |_| {
        // A poll that does not return: dropping the future has to wait for it.
        let _ = blocks.lock().map(|blocks| blocks.recv());
        async { Ok(Action::await_change()) }
    });
    let begun = What::Reconciled("first".into());
    fleet
        .until(10 * SECOND, "the reconcile blocks", async || {
            fleet.noted("zoo", &begun) == ["a"]
        })
        .await;
    let other = fleet.start("b");
    let leaving = tokio::spawn(blocked.leave());
    fleet
        .until(20 * SECOND, "b owns what did not block", async || {
            fleet
                .holders()
                .await
                .iter()
                .any(|(_, holder)| holder == "b")
        })
        .await;
    // Nothing may happen in this time: the drain timeout passes, and then a whole Lease duration.
    tokio::time::sleep(SECOND + LEASE + SECOND).await;
    assert!(fleet.holders().await.contains(&("zoo".into(), "a".into())));
    assert_eq!(fleet.noted("zoo", &begun), ["a"], "two replicas at work");

    drop(release);
    leaving.await.unwrap().unwrap();
    fleet
        .until(10 * SECOND, "b takes over", async || {
            fleet.noted("zoo", &begun) == ["a", "b"]
        })
        .await;
    drop(other);
}
