//! One scenario for each fault that must be survived.

use std::time::Duration;

use multicluster::testing::simulation::{Health, Operation, Operation::*, Outcome, Scenario};

use crate::must_hold;

const SECOND: Duration = Duration::from_secs(1);
const LEASE: Duration = Duration::from_secs(5);

/// Everything is worked on soon after the start.
const START: Operation = ExpectOwned(Duration::from_secs(3));

/// Plays a fleet of three peers and twelve clusters, for several seeds.
fn play(name: &str, script: impl IntoIterator<Item = Operation>) -> Vec<Outcome> {
    let scenario = Scenario::new(3, 12)
        .name(name)
        .lease(LEASE)
        .script([START])
        .script(script);
    (0..100).map(|seed| must_hold(&scenario, seed)).collect()
}

/// Nothing was taken from anybody who was alive and connected.
fn no_thefts(outcomes: &[Outcome]) {
    for outcome in outcomes {
        assert_eq!(outcome.thefts, 0);
    }
}

#[test]
fn a_fleet_that_starts_together_moves_nothing_afterwards() {
    let outcomes = play("start", [ExpectNoMoves, Wait(20 * SECOND), ExpectNoMoves]);
    no_thefts(&outcomes);
}

/// F1, F10: requests and replies get lost and are slow, and nobody works twice.
#[test]
fn lost_and_slow_messages() {
    let script = [
        Loss(0.2),
        Wait(60 * SECOND),
        HealAll,
        ExpectOwned(20 * SECOND),
    ];
    let scenario = Scenario::new(3, 12)
        .name("loss")
        .lease(LEASE)
        .slow(0.05)
        .script([ExpectOwned(20 * SECOND)])
        .script(script);
    for seed in 0..100 {
        must_hold(&scenario, seed);
    }
}

/// F8, F14: a crash costs a Lease duration, a leave a moment; the name comes back as somebody else.
#[test]
fn crashes_and_leaves() {
    for outcome in play("crash", [Crash(0), ExpectOwned(7 * SECOND)]) {
        assert!(
            outcome.took[1] <= Duration::from_millis(5_600),
            "{:?}",
            outcome.took
        );
    }
    for outcome in play("leave", [Leave(0), Wait(SECOND), ExpectOwned(SECOND)]) {
        assert!(
            outcome.gaps.iter().all(|gap| *gap <= 2 * SECOND),
            "{:?}",
            outcome.gaps
        );
    }
    play(
        "restart",
        [
            Crash(0),
            Start(0),
            ExpectOwned(20 * SECOND),
            Wait(20 * SECOND),
            ExpectOwned(SECOND),
        ],
    );
}

/// F8: the old process goes on, cut off, while another one starts under its name.
#[test]
fn a_zombie_under_the_same_name() {
    play(
        "zombie",
        [
            Zombie(0),
            Wait(30 * SECOND),
            ExpectOwned(5 * SECOND),
            HealAll,
            Wait(10 * SECOND),
            ExpectOwned(5 * SECOND),
        ],
    );
}

/// F9: a process stands still for three Lease durations.
#[test]
fn a_frozen_process() {
    play(
        "freeze",
        [
            Freeze(0),
            Wait(15 * SECOND),
            ExpectOwned(SECOND),
            Thaw(0),
            Wait(10 * SECOND),
            ExpectOwned(5 * SECOND),
        ],
    );
}

/// F1: cut off, and everything under way is delivered after the heal.
#[test]
fn a_partition() {
    play(
        "partition",
        [
            Partition(0),
            Wait(15 * SECOND),
            ExpectOwned(SECOND),
            Heal(0),
            Wait(10 * SECOND),
            ExpectOwned(5 * SECOND),
        ],
    );
}

/// F15: outages of every length; nobody takes anything from a healthy owner.
#[test]
fn outages_of_the_hub() {
    for health in [Health::Refusing, Health::Hanging, Health::StoreDown] {
        for tenths in [3, 4, 5, 6, 7, 8, 10, 15, 30, 100] {
            let outage = LEASE.mul_f64(f64::from(tenths) / 10.0);
            let script = [
                Hub(health),
                Wait(outage),
                HealAll,
                ExpectOwned(10 * SECOND),
                Wait(10 * SECOND),
                ExpectOwned(SECOND),
            ];
            let name = format!("outage {health:?} {outage:?}");
            let scenario = Scenario::new(3, 12)
                .name(name)
                .lease(LEASE)
                .script([START])
                .script(script);
            for seed in 0..20 {
                let outcome = must_hold(&scenario, seed);
                assert_eq!(outcome.thefts, 0, "{} seed {seed}", outage.as_secs_f64());
                assert_eq!(outcome.moves, 0, "{} seed {seed}", outage.as_secs_f64());
            }
        }
    }
}

/// F16: a watch that shows nothing any more is noticed.
#[test]
fn a_stalled_watch() {
    let script = [
        StallWatch(0),
        StallWatch(1),
        Wait(5 * SECOND),
        Crash(2),
        ExpectOwned(8 * SECOND),
    ];
    play("stall", script);
}

/// F12: somebody deletes or annotates Leases.
#[test]
fn leases_changed_by_hand() {
    let mut script = Vec::new();
    for cluster in 0..6 {
        script.extend([
            DeleteFence(cluster),
            Wait(SECOND),
            AnnotateFence(cluster + 6),
            Wait(SECOND),
        ]);
    }
    script.extend([
        DeletePeerLease(1),
        Wait(2 * SECOND),
        ExpectOwned(10 * SECOND),
    ]);
    no_thefts(&play("by hand", script));
}

/// F3, F17: a reconcile that does not end keeps its cluster until it is dropped.
#[test]
fn work_that_does_not_end() {
    let script = [
        Stubborn(0, true),
        Weight(1, 4),
        Wait(60 * SECOND),
        ExpectOwned(5 * SECOND),
    ];
    play("stubborn", script);
}

/// F18: clusters come and go while peers do.
#[test]
fn clusters_come_and_go() {
    let mut script = Vec::new();
    for cluster in 12..24 {
        script.extend([Add(cluster), Wait(SECOND / 3)]);
    }
    script.push(Crash(0));
    for cluster in 0..6 {
        script.extend([Remove(cluster), Wait(SECOND / 3)]);
    }
    script.push(ExpectOwned(8 * SECOND));
    play("come and go", script);
}

/// F20: the first candidate does not know of a cluster for long.
#[test]
fn a_peer_that_knows_of_no_cluster() {
    let script = (0..12)
        .map(|cluster| Hide(0, cluster, true))
        .chain([Wait(600 * SECOND), ExpectOwned(5 * SECOND)]);
    for outcome in play("hidden", script) {
        assert!(
            outcome.tenures <= 100,
            "ping-pong: {} tenures",
            outcome.tenures
        );
    }
}

/// L5: faults of a minority that never heal leave its clusters to the rest.
#[test]
fn the_rest_owns_everything() {
    play(
        "minority",
        [
            Partition(0),
            ExpectOwned(9 * SECOND),
            Wait(300 * SECOND),
            ExpectOwned(SECOND),
        ],
    );
}

/// L6: a calm fleet renews each Lease once in a renew interval, and reads nothing.
#[test]
fn a_calm_fleet_writes_what_it_must() {
    let calm = |seconds: u32| {
        Scenario::new(3, 12)
            .lease(LEASE)
            .script([START, Wait(seconds * SECOND)])
    };
    for seed in 0..10 {
        let (short, long) = (calm(20).run(seed).unwrap(), calm(120).run(seed).unwrap());
        assert_eq!(long.hub_reads, short.hub_reads);
        // Twelve fences, 100 s, R = 5/3 s, and three peer Leases a quarter more often.
        let writes = long.hub_writes - short.hub_writes;
        assert!(writes <= 12 * 61 + 3 * 77, "{writes}");
    }
}

/// Who stood still for a little longer than a Lease lasts has its share back as soon as it shows a sign of life.
#[test]
fn a_short_stop_costs_nobody_its_place() {
    let owners = play("calm", [Wait(SECOND)])[0].owners.clone();
    for tenths in [48, 50, 52, 55, 60] {
        let stop = SECOND * tenths / 10;
        for outcome in play(
            "short stop",
            [Freeze(0), Wait(stop), Thaw(0), Wait(4 * SECOND)],
        ) {
            assert_eq!(outcome.owners, owners, "{stop:?}");
        }
    }
}

/// W11: what a dead peer leaves behind is taken over by many requests at once.
#[test]
fn a_thousand_clusters_are_taken_over_together() {
    let scenario = Scenario::new(3, 1_000)
        .lease(LEASE)
        .write_every(10 * SECOND)
        .script([
            ExpectOwned(4 * SECOND),
            Wait(7 * SECOND),
            Crash(0),
            Wait(2 * LEASE),
        ]);
    let outcome = must_hold(&scenario, 1);
    assert!(outcome.moves > 250, "{} moves", outcome.moves);
    let longest = outcome.gaps.iter().max().copied().unwrap_or_default();
    assert!(longest <= LEASE.mul_f64(1.01) + SECOND, "{longest:?}");
}
