//! Leases that people and other programs write: the cluster is left alone or recovered by the rules, nobody works twice,
//! and the others go on.

use std::time::Duration;

use multicluster::testing::simulation::{Nonsense, Operation, Operation::*, Outcome, Scenario};

use crate::must_hold;

const SECOND: Duration = Duration::from_secs(1);
const LEASE: Duration = Duration::from_secs(5);
const ALL: [Nonsense; 7] = [
    Nonsense::NoHolder,
    Nonsense::NoDuration,
    Nonsense::Forever,
    Nonsense::Future,
    Nonsense::OtherCluster,
    Nonsense::Stranger,
    Nonsense::Empty,
];

fn play(name: &str, script: impl IntoIterator<Item = Operation>) -> Vec<Outcome> {
    let scenario = Scenario::new(3, 12)
        .name(name)
        .lease(LEASE)
        .script([ExpectOwned(4 * SECOND)])
        .script(script);
    let run = |seed| must_hold(&scenario, seed);
    (0..50).map(run).collect()
}

/// What is written into one fence costs that cluster a Lease duration at most, and the others nothing.
#[test]
fn nonsense_in_a_fence_is_recovered_from() {
    for nonsense in ALL {
        let recovers = nonsense != Nonsense::OtherCluster;
        let script = [SpoilFence(0, nonsense), Wait(2 * LEASE)];
        let then = recovers.then_some(ExpectOwned(2 * SECOND));
        for outcome in play(&format!("{nonsense:?}"), script.into_iter().chain(then)) {
            // To the next peer, and back to the one that should have it.
            assert!(outcome.moves <= 2, "{nonsense:?}: {} moves", outcome.moves);
            let longest = outcome.gaps.iter().max().copied().unwrap_or_default();
            assert!(
                longest <= LEASE.mul_f64(1.01) + 4 * SECOND,
                "{nonsense:?}: {longest:?}"
            );
        }
    }
}

/// While its owner stands still, a fence says that it lasts for 68 years: ten minutes of it are believed.
#[test]
fn a_duration_of_years_is_believed_for_ten_minutes() {
    let script = [
        SpoilFence(0, Nonsense::Forever),
        Crash(0),
        Crash(1),
        Crash(2),
        Start(0),
        Wait(590 * SECOND),
        ExpectOwned(30 * SECOND),
    ];
    play("forever", script);
}

#[test]
fn nonsense_in_a_peer_lease_costs_that_peer_at_most() {
    for nonsense in ALL {
        let script = [SpoilPeerLease(0, nonsense), Wait(2 * LEASE)];
        for outcome in play(&format!("peer {nonsense:?}"), script) {
            assert_eq!(outcome.thefts, 0, "{nonsense:?}");
        }
    }
}

/// A Lease under the name of a cluster that comes later, of somebody who does not know us.
#[test]
fn leases_of_a_go_replica_are_taken_when_it_stops_and_no_earlier() {
    let renew = |_| [GoTakes(12), Wait(2 * SECOND)];
    let script = [GoTakes(12), Add(12)]
        .into_iter()
        .chain((0..10).flat_map(renew));
    for outcome in play("go", script.clone()) {
        assert_eq!(
            outcome.owners.len(),
            12,
            "nobody of ours works on cluster-12"
        );
    }
    // It renewed every 2 s; a Go Lease lasts for 20 s.
    let script = script.chain([Wait(15 * SECOND), ExpectOwned(10 * SECOND)]);
    for outcome in play("go, stopped", script) {
        assert_eq!(outcome.owners.len(), 13);
    }
}

/// F11, W17: names that differ only in what a Lease cannot be called.
#[test]
fn awkward_names_are_told_apart() {
    let scenario = Scenario::new(3, 25).lease(LEASE).awkward_names().script([
        ExpectOwned(4 * SECOND),
        Crash(0),
        ExpectOwned(8 * SECOND),
    ]);
    for seed in 0..50 {
        must_hold(&scenario, seed);
    }
}

/// P11: what nobody needs any more goes by itself, an hour or ten Lease durations later.
#[test]
fn garbage_goes() {
    let scenario = |hours: u32| {
        let rest = Wait(hours * 3_700 * SECOND);
        Scenario::new(3, 4)
            .lease(LEASE)
            .write_every(60 * SECOND)
            // They are removed while nobody runs, so that nobody who comes later knows them.
            .script([ExpectOwned(4 * SECOND), Crash(0), Crash(1), Crash(2)])
            .script([
                Remove(0),
                Remove(1),
                Start(0),
                Start(1),
                ExpectOwned(20 * SECOND),
                rest,
            ])
    };
    for seed in 0..3 {
        let leases = |hours| must_hold(&scenario(hours), seed).leases;
        assert_eq!(leases(0), 7, "four fences and three peers");
        assert_eq!(leases(1), 4, "two fences and two peers");
    }
}
