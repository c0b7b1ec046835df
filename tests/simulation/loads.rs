//! A fleet whose placement bounds the loads of its peers.

use std::{collections::BTreeMap, time::Duration};

use multicluster::{
    sharding::{BoundedRendezvous, Cost, Peer, Rendezvous, Sharder},
    testing::simulation::{Operation::*, Outcome, Scenario},
};

use crate::must_hold;

const LEASE: Duration = Duration::from_secs(5);
const PEERS: usize = 4;
const CLUSTERS: usize = 40;

/// A few clusters are large.
fn objects(cluster: usize) -> u64 {
    if cluster < 5 {
        10_000
    } else {
        10 * cluster as u64
    }
}

fn reports() -> impl Iterator<Item = multicluster::testing::simulation::Operation> {
    (0..CLUSTERS).map(|cluster| Load(cluster, objects(cluster)))
}

fn fleet() -> Scenario {
    Scenario::new(PEERS, CLUSTERS)
        .lease(LEASE)
        .bounded_loads()
        .script([ExpectOwned(LEASE)])
}

/// The owners that follow from the definition.
fn placed(mut sharder: impl Sharder, peers: &[usize]) -> BTreeMap<usize, usize> {
    for cluster in 0..CLUSTERS {
        let name = format!("cluster-{cluster}").parse().unwrap();
        sharder.insert(&name);
        sharder.report(&name, Cost::of(objects(cluster)));
    }
    let id = |peer: &usize| format!("peer-{peer}").parse().unwrap();
    for peer in peers {
        sharder.join(&Peer {
            id: id(peer),
            weight: 1,
        });
    }
    let owner = |cluster: &usize| {
        let owner = sharder.owner(&format!("cluster-{cluster}").parse().unwrap());
        *peers.iter().find(|peer| owner == Some(&id(peer))).unwrap()
    };
    (0..CLUSTERS)
        .map(|cluster| (cluster, owner(&cluster)))
        .collect()
}

fn loads(outcome: &Outcome) -> Vec<u64> {
    let mut loads = vec![0; PEERS];
    for (cluster, peer) in &outcome.owners {
        loads[*peer] += Cost::of(objects(*cluster)).get();
    }
    loads
}

/// Owners tell each other what clusters cost, and all of them come to the same placement.
#[test]
fn reported_loads_are_evened_out() {
    let everybody = [0, 1, 2, 3];
    let expected = placed(BoundedRendezvous::new(), &everybody);
    assert_ne!(
        expected,
        placed(Rendezvous::new(), &everybody),
        "the loads count"
    );
    for seed in 0..20 {
        let settled = fleet()
            .script(reports())
            .script([Wait(3 * LEASE), ExpectOwned(LEASE)]);
        let outcome = must_hold(&settled.name("loads"), seed);
        assert_eq!(
            outcome.owners,
            expected,
            "seed {seed}: {:?}",
            loads(&outcome)
        );
    }
}

/// What the owner before had announced is known after it is gone, without a new report.
#[test]
fn reports_survive_their_owner() {
    let expected = placed(BoundedRendezvous::new(), &[1, 2, 3]);
    for seed in 0..20 {
        let gone = if seed % 2 == 0 { Leave(0) } else { Crash(0) };
        let scenario = fleet().name("loads of the dead").script(reports()).script([
            Wait(3 * LEASE),
            gone,
            Wait(3 * LEASE),
            ExpectOwned(LEASE),
        ]);
        let outcome = must_hold(&scenario, seed);
        assert_eq!(
            outcome.owners,
            expected,
            "seed {seed}: {:?}",
            loads(&outcome)
        );
    }
}

/// A number of objects that varies a little around the limit of a step moves nothing.
#[test]
fn small_changes_move_nothing() {
    let wobble = |by: u64| {
        (0..CLUSTERS).map(move |cluster| Load(cluster, objects(cluster) * (90 + by) / 100))
    };
    for seed in 0..10 {
        let scenario = fleet()
            .name("small changes")
            .script(reports())
            .script([Wait(3 * LEASE)])
            .script((0..10).flat_map(|turn| wobble(turn % 2 * 20).chain([Wait(LEASE)])));
        let outcome = must_hold(&scenario, seed);
        let settled = fleet().script(reports()).script([Wait(3 * LEASE)]);
        assert_eq!(outcome.moves, must_hold(&settled, seed).moves);
    }
}
