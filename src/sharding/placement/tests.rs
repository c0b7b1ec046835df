//! What is true of every placement.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::sharding::{BoundedRendezvous, MulticlusterRuntime, Rendezvous, Ring};

/// A change of the fleet.
#[derive(Clone, Debug)]
enum Change {
    Insert(u8),
    Remove(u8),
    Join(u8, u32),
    Leave(u8),
    Report(u8, u64),
}

fn change() -> impl Strategy<Value = Change> {
    let weight = prop_oneof![4 => Just(1), 1 => 0..5_u32, 1 => Just(u32::MAX)];
    prop_oneof![
        6 => (0..40_u8).prop_map(Change::Insert),
        1 => (0..40_u8).prop_map(Change::Remove),
        2 => (0..6_u8, weight).prop_map(|(peer, weight)| Change::Join(peer, weight)),
        1 => (0..6_u8).prop_map(Change::Leave),
        1 => (0..40_u8, prop_oneof![0..1_000_u64, Just(u64::MAX)]).prop_map(|(cluster, objects)| Change::Report(cluster, objects)),
    ]
}

fn cluster(number: u8) -> ClusterName {
    format!("ns-{number}").parse().unwrap()
}

fn peer(number: u8, weight: u32) -> Peer {
    Peer {
        id: format!("sharded-namespace-{number}").parse().unwrap(),
        weight,
    }
}

fn all() -> [Box<dyn Sharder>; 4] {
    [
        Box::new(Rendezvous::new()),
        Box::new(BoundedRendezvous::new()),
        Box::new(Ring::new()),
        Box::new(MulticlusterRuntime::new()),
    ]
}

fn owners(
    sharder: &dyn Sharder,
    clusters: &BTreeMap<u8, u64>,
) -> BTreeMap<ClusterName, Option<PeerId>> {
    let names = clusters.keys().map(|number| cluster(*number));
    names
        .map(|name| {
            let owner = sharder.owner(&name).cloned();
            (name, owner)
        })
        .collect()
}

/// Makes all changes one by one, and checks what each of them says to have moved.
fn play(sharder: &mut dyn Sharder, changes: &[Change]) -> (BTreeMap<u8, u64>, BTreeMap<u8, u32>) {
    let (mut clusters, mut peers) = (BTreeMap::new(), BTreeMap::new());
    for change in changes {
        let before = owners(sharder, &clusters);
        let moves = match *change {
            Change::Insert(number) => {
                sharder.insert(&cluster(number));
                clusters.entry(number).or_insert(0);
                continue;
            }
            Change::Remove(number) => {
                sharder.remove(&cluster(number));
                clusters.remove(&number);
                assert_eq!(sharder.owner(&cluster(number)), None);
                continue;
            }
            Change::Join(number, weight) => {
                peers.insert(number, weight);
                sharder.join(&peer(number, weight))
            }
            Change::Leave(number) => {
                peers.remove(&number);
                sharder.leave(&peer(number, 1).id)
            }
            Change::Report(number, objects) => {
                if let Some(known) = clusters.get_mut(&number) {
                    *known = objects;
                }
                sharder.report(&cluster(number), Cost::of(objects));
                continue;
            }
        };
        let mut expected = owners(sharder, &clusters);
        expected.retain(|name, owner| before[name] != *owner);
        let told = moves
            .iter()
            .map(|moved| (moved.cluster.clone(), moved.to.clone()))
            .collect();
        assert_eq!(expected, told, "{}: {change:?}", sharder.formula());
        assert!(
            moves
                .iter()
                .all(|moved| before[&moved.cluster] == moved.from),
            "{}: {change:?}",
            sharder.formula()
        );
    }
    (clusters, peers)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn owners_depend_on_the_present_fleet_and_every_move_is_told(changes in proptest::collection::vec(change(), 1..80)) {
        for (mut sharder, mut fresh) in all().into_iter().zip(all()) {
            let (clusters, peers) = play(&mut *sharder, &changes);
            for (number, weight) in peers.iter().rev() {
                fresh.join(&peer(*number, *weight));
            }
            for (number, objects) in clusters.iter().rev() {
                fresh.insert(&cluster(*number));
                fresh.report(&cluster(*number), Cost::of(*objects));
            }
            prop_assert_eq!(owners(&*sharder, &clusters), owners(&*fresh, &clusters), "{}", sharder.formula());
        }
    }

    #[test]
    fn ranks_are_places_in_one_order_and_the_owner_is_first(
        changes in proptest::collection::vec(change(), 1..60),
        left_out in 0..6_u8,
    ) {
        for mut sharder in all() {
            let (clusters, peers) = play(&mut *sharder, &changes);
            let left_out = peer(left_out, 1).id;
            let absent = !peers.keys().any(|number| peer(*number, 1).id == left_out);
            for name in clusters.keys().map(|number| cluster(*number)) {
                let rank = |number: &u8, without| sharder.rank(&name, &peer(*number, 1).id, without).unwrap();
                let mut ranks: Vec<_> = peers.keys().map(|number| rank(number, None)).collect();
                if let Some(owner) = sharder.owner(&name) {
                    prop_assert_eq!(sharder.rank(&name, owner, None), Some(0), "{}", sharder.formula());
                }
                for number in peers.keys() {
                    let first = sharder.rank(&name, &left_out, None).is_some_and(|left_out| left_out < rank(number, None));
                    prop_assert_eq!(rank(number, Some(&left_out)) + u32::from(first), rank(number, None));
                }
                ranks.sort_unstable();
                prop_assert!(ranks.into_iter().eq(0..peers.len() as u32), "{}", sharder.formula());
                prop_assert_eq!(sharder.rank(&name, &left_out, None).is_none(), absent);
            }
        }
    }
}

#[test]
fn without_peers_nobody_owns_anything() {
    for mut sharder in all() {
        sharder.insert(&cluster(0));
        assert_eq!(sharder.owner(&cluster(0)), None);
        assert_eq!(sharder.rank(&cluster(0), &peer(0, 1).id, None), None);
        sharder.join(&peer(0, 1));
        let moves = sharder.leave(&peer(0, 1).id);
        assert_eq!(moves.len(), 1, "{}", sharder.formula());
        assert_eq!(moves[0].to, None);
        assert_eq!(sharder.owner(&cluster(0)), None);
        assert!(
            sharder.leave(&peer(0, 1).id).is_empty(),
            "nobody is there to leave"
        );
    }
}

#[test]
fn a_peer_that_joins_twice_is_one_peer() {
    for mut sharder in all() {
        (0..40).for_each(|number| sharder.insert(&cluster(number)));
        sharder.join(&peer(0, 1));
        sharder.join(&peer(1, 1));
        assert!(
            sharder.join(&peer(1, 1)).is_empty(),
            "{}",
            sharder.formula()
        );
    }
}
