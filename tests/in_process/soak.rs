//! Ten minutes of random faults: two replicas never work on one cluster at a time, and afterwards everything is as before.
//!
//! `SOAK_SEEDS=100 cargo test --all-features --test in_process soak` plays more of them. A seed fixes the script and
//! the faults; the names of processes and objects are random all the same, so that a replay differs in details.

mod script;
mod work;

use std::{collections::BTreeMap, time::Duration};

use crate::fleet::{Fleet, LEASE, What};
use script::Script;
use work::{Work, follow_writes};

const SECOND: Duration = Duration::from_secs(1);

const CLUSTERS: [&str; 8] = [
    "zoo", "jungle", "island", "reef", "desert", "steppe", "tundra", "forest",
];

const PEERS: [&str; 3] = ["a", "b", "c"];

#[tokio::test(start_paused = true)]
async fn nothing_is_ever_worked_on_by_two_whatever_goes_wrong() {
    let seeds = std::env::var("SOAK_SEEDS").ok();
    let seeds = seeds.map_or(3, |seeds| seeds.parse().unwrap());
    for seed in 0..seeds {
        println!("seed {seed}");
        soak(seed).await;
    }
}

async fn soak(seed: u64) {
    // The product's jitter too.
    fastrand::seed(seed);
    let fleet = Fleet::seeded(&CLUSTERS, seed).await;
    let (work, writes) = (Work::default(), follow_writes(&fleet).await);
    let mut script = Script::new(&fleet, &work, seed);
    script.play(600 * SECOND).await;
    let replicas = script.heal();

    // L1 of a simulation: 2 L + 2 s for each further peer + 10 s.
    let limit = 2 * LEASE + 4 * SECOND + 10 * SECOND;
    fleet
        .until(limit, "everything has an owner", async || {
            fleet.holders().await.len() == CLUSTERS.len() + 4
        })
        .await;
    for cluster in CLUSTERS {
        fleet.create_config_map(cluster, "last").await;
    }
    let last = What::Reconciled("last".into());
    fleet
        .until(limit, "changes are reconciled", async || {
            let reconciled = |cluster: &&str| !fleet.noted(cluster, &last).is_empty();
            CLUSTERS.iter().all(reconciled)
        })
        .await;
    drop(replicas);

    work.assert_one_at_a_time(&fleet);
    writes.assert_tokens_grow();
    reconciles_are_within_engagements(&fleet);
}

fn reconciles_are_within_engagements(fleet: &Fleet) {
    let mut engaged = BTreeMap::new();
    for note in fleet.notes() {
        let engaged = engaged
            .entry((note.peer.clone(), note.cluster.clone()))
            .or_insert(false);
        match note.what {
            What::Engaged => *engaged = true,
            What::Ended => *engaged = false,
            What::Reconciled(_) => assert!(*engaged, "outside of an engagement: {note:?}"),
        }
    }
}
