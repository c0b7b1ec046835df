//! What a replica does when it does not see what others do.

use std::time::Duration;

use kube_sandbox::{End, Fault, Rule, Verb};
use tokio::time::Instant;

use crate::fleet::{Fleet, LEASE, Replica};

const SECOND: Duration = Duration::from_secs(1);

const CLUSTERS: [&str; 8] = [
    "zoo", "jungle", "island", "reef", "desert", "steppe", "tundra", "forest",
];

/// Two replicas that own everything together.
async fn two() -> (Fleet, Replica, Replica) {
    let fleet = Fleet::new(&CLUSTERS).await;
    let replicas = ["a", "b"].map(|peer| fleet.start(peer));
    fleet
        .until(5 * SECOND, "start", async || {
            fleet.holders().await.len() == CLUSTERS.len() + 4
        })
        .await;
    let [a, b] = replicas;
    (fleet, a, b)
}

/// Watches of Leases by "a".
fn leases_of_a(fault: Fault) -> Rule {
    Rule::new(fault).kind("Lease").user("a")
}

/// Cuts what is open now, and nothing that is opened later.
fn cut_open_watches(fleet: &Fleet) {
    let cut = fleet.faults.add(leases_of_a(Fault::CutWatch {
        after: Duration::ZERO..=Duration::ZERO,
        end: End::Broken,
    }));
    assert_eq!(fleet.faults.remove(cut), 1);
}

/// When "a" asked for the Leases with this verb.
fn asked(fleet: &Fleet, verb: Verb) -> Vec<Instant> {
    let calls = fleet.faults.calls().into_iter();
    calls
        .filter(|call| call.user == "a" && call.kind == "Lease" && call.verb == verb)
        .map(|call| call.at)
        .collect()
}

async fn owns_all(fleet: &Fleet, peer: &str) -> bool {
    let holders = fleet.holders().await;
    holders.len() == CLUSTERS.len() + 4 && holders.iter().all(|(_, holder)| holder == peer)
}

#[tokio::test(start_paused = true)]
async fn lists_that_fail_are_asked_for_every_second_or_two_and_work_again_soon() {
    let (fleet, a, b) = two().await;
    fleet.faults.forget_calls();
    let failing = leases_of_a(Fault::Status(500)).verbs([Verb::List, Verb::Watch]);
    let failing = fleet.faults.add(failing);
    cut_open_watches(&fleet);
    tokio::time::sleep(60 * SECOND).await;
    let lists = asked(&fleet, Verb::List);
    assert!((30..=75).contains(&lists.len()), "{} lists", lists.len());
    let gaps: Vec<_> = lists.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps.iter().all(|gap| *gap <= 2 * SECOND), "{gaps:?}");
    assert!(
        gaps[10..].iter().all(|gap| *gap >= SECOND),
        "the pauses grow: {gaps:?}"
    );

    fleet.faults.remove(failing);
    b.leave().await.unwrap();
    fleet
        .until(3 * SECOND, "a sees that b has left", async || {
            owns_all(&fleet, "a").await
        })
        .await;
    drop(a);
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_ends_or_breaks_is_followed_by_another() {
    let (fleet, a, b) = two().await;
    // As a load balancer with an idle limit does.
    fleet.faults.add(leases_of_a(Fault::CutWatch {
        after: Duration::ZERO..=5 * SECOND,
        end: End::Clean,
    }));
    tokio::time::sleep(60 * SECOND).await;
    b.leave().await.unwrap();
    fleet
        .until(3 * SECOND, "a sees that b has left", async || {
            owns_all(&fleet, "a").await
        })
        .await;
    let watches = asked(&fleet, Verb::Watch).len();
    assert!(watches < 60, "{watches} watches in a minute");
    drop(a);
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_is_silent_is_replaced_within_a_renewal() {
    let (fleet, a, b) = two().await;
    // Between two renewals: what is owed from before would be found earlier.
    fleet.faults.forget_calls();
    let silent = fleet.faults.add(leases_of_a(Fault::StallWatch));
    assert_eq!(fleet.faults.remove(silent), 1);
    let start = Instant::now();
    // R until the next renewal, and T for it to come back.
    let limit = LEASE / 3 + LEASE / 5 + SECOND / 10;
    fleet
        .until(limit, "a new list", async || {
            !asked(&fleet, Verb::List).is_empty()
        })
        .await;
    tokio::time::sleep(60 * SECOND).await;
    let lists = asked(&fleet, Verb::List).len();
    assert_eq!(lists, 1, "one restart is enough, {:?}", start.elapsed());
    drop((a, b));
}

#[tokio::test(start_paused = true)]
async fn one_whose_watch_was_silent_makes_way_for_a_newcomer_and_replaces_the_dead() {
    let (fleet, a, b) = two().await;
    let silent = fleet.faults.add(leases_of_a(Fault::StallWatch).user("b"));
    fleet.faults.remove(silent);
    // b has most clusters, and c the first right to some of them.
    let mut of_b = fleet.holders().await;
    of_b.retain(|(_, holder)| holder == "b");
    let newcomer = fleet.start("c");
    fleet
        .until(10 * SECOND, "c has clusters of b", async || {
            let holders = fleet.holders().await;
            let moved = |(cluster, _): &(String, String)| {
                holders.contains(&(cluster.clone(), "c".to_owned()))
            };
            of_b.iter().any(moved)
        })
        .await;
    // Once more, while another peer dies.
    let silent = fleet.faults.add(leases_of_a(Fault::StallWatch).user("b"));
    fleet.faults.remove(silent);
    drop(a);
    let took = fleet
        .until(2 * LEASE, "a is replaced", async || {
            let holders = fleet.holders().await;
            holders.iter().all(|(_, holder)| holder != "a")
        })
        .await;
    // A lease, and the time until the silence is noticed.
    assert!(took <= LEASE + 4 * SECOND, "{took:?}");
    drop((b, newcomer));
}
