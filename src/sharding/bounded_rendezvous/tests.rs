use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::sharding::rendezvous::{Digest, Inverse};

/// The definition, in as few words as possible: everything is computed, nothing is saved.
fn reference(slack: u32, costs: &[(String, u64)], peers: &[Peer]) -> BTreeMap<String, PeerId> {
    struct Side {
        load: u128,
        bound: u128,
    }
    let costs: Vec<(&str, u64)> = costs
        .iter()
        .map(|(name, objects)| (name.as_str(), Cost::of(*objects).get()))
        .collect();
    let digest = |name: &str| Digest::of(name);
    let key = |name: &str, peer: &Peer| {
        (
            Inverse::of(peer.weight).key_of(digest(name), digest(peer.id.as_str())),
            peer.id.clone(),
        )
    };
    let best = |name: &str| {
        peers
            .iter()
            .min_by_key(|peer| key(name, peer))
            .unwrap()
            .id
            .clone()
    };
    let exact: u128 = costs.iter().map(|(_, cost)| u128::from(*cost)).sum();
    // The next number whose binary form is five digits and zeros.
    let rounded = (0..100).flat_map(|zeros| (0..32_u128).map(move |digits| digits << zeros));
    let total = rounded.filter(|total| *total >= exact).min().unwrap();
    let largest = u128::from(costs.iter().map(|(_, cost)| *cost).max().unwrap_or(0));
    let (weights, heaviest): (u128, u128) = (
        peers.iter().map(|peer| u128::from(peer.weight)).sum(),
        peers
            .iter()
            .map(|peer| u128::from(peer.weight))
            .max()
            .unwrap(),
    );
    let mut sides: BTreeMap<PeerId, Side> = BTreeMap::new();
    for peer in peers {
        let weight = u128::from(peer.weight);
        let share = (total * weight * u128::from(1024 + slack)).div_ceil(weights * 1024);
        sides.insert(
            peer.id.clone(),
            Side {
                load: 0,
                bound: share.max((largest * weight).div_ceil(heaviest)),
            },
        );
    }
    let mut owners: BTreeMap<String, PeerId> = costs
        .iter()
        .map(|(name, _)| ((*name).to_owned(), best(name)))
        .collect();
    let load = |owners: &BTreeMap<String, PeerId>, id: &PeerId| {
        costs
            .iter()
            .filter(|(name, _)| owners[*name] == *id)
            .map(|(_, cost)| u128::from(*cost))
            .sum::<u128>()
    };
    if peers
        .iter()
        .all(|peer| load(&owners, &peer.id) <= sides[&peer.id].bound)
    {
        return owners;
    }
    let mut classes: Vec<u64> = costs.iter().map(|(_, cost)| *cost).collect();
    classes.sort_unstable();
    classes.dedup();
    for class in classes.into_iter().rev() {
        let names: Vec<&str> = costs
            .iter()
            .filter(|(_, cost)| *cost == class)
            .map(|(name, _)| *name)
            .collect();
        let slots: BTreeMap<&PeerId, usize> = sides
            .iter()
            .map(|(id, side)| {
                (
                    id,
                    (side.bound.saturating_sub(side.load) / u128::from(class)) as usize,
                )
            })
            .collect();
        // Deferred acceptance in rounds: everybody who is free asks the next on its list.
        let mut asked: BTreeMap<&str, usize> = names.iter().map(|name| (*name, 0)).collect();
        let mut held: BTreeMap<&PeerId, Vec<&str>> = BTreeMap::new();
        loop {
            let free: Vec<&str> = names
                .iter()
                .copied()
                .filter(|name| {
                    asked[name] < peers.len() && !held.values().flatten().any(|held| held == name)
                })
                .collect();
            if free.is_empty() {
                break;
            }
            for name in free {
                let mut order: Vec<&Peer> = peers.iter().collect();
                order.sort_by_key(|peer| key(name, peer));
                let peer = order[asked[name]];
                *asked.get_mut(name).unwrap() += 1;
                let held = held.entry(&peer.id).or_default();
                held.push(name);
                held.sort_by_key(|name| {
                    (key(name, peer).0, digest(name).value(), (*name).to_owned())
                });
                held.truncate(slots[&peer.id]);
            }
        }
        let held: Vec<(PeerId, Vec<&str>)> = held
            .into_iter()
            .map(|(id, names)| (id.clone(), names))
            .collect();
        let mut left: Vec<&str> = names.clone();
        for (id, names) in held {
            for name in names {
                owners.insert(name.to_owned(), id.clone());
                sides.get_mut(&id).unwrap().load += u128::from(class);
                left.retain(|other| *other != name);
            }
        }
        left.sort_by_key(|name| (digest(name).value(), (*name).to_owned()));
        for name in left {
            let full = |peer: &Peer| {
                (sides[&peer.id].load + u128::from(class)) * (1 << 64) / u128::from(peer.weight)
            };
            let peer = peers
                .iter()
                .min_by_key(|peer| (full(peer), key(name, peer)))
                .unwrap();
            owners.insert(name.to_owned(), peer.id.clone());
            sides.get_mut(&peer.id).unwrap().load += u128::from(class);
        }
    }
    owners
}

fn fleet() -> impl Strategy<Value = (u32, Vec<(String, u64)>, Vec<Peer>)> {
    let objects = prop_oneof![3 => Just(0), 3 => 0..300_u64, 1 => 0..20_000_u64];
    let clusters = proptest::collection::vec(objects, 0..60).prop_map(|all| {
        all.into_iter()
            .enumerate()
            .map(|(i, objects)| (format!("ns-{i}"), objects))
            .collect()
    });
    let weights = prop_oneof![
        Just(vec![1; 4]),
        proptest::collection::vec(prop_oneof![Just(1_u32), Just(2), Just(4)], 1..6)
    ];
    let peers = weights.prop_map(|all| {
        all.into_iter()
            .enumerate()
            .map(|(i, weight)| Peer {
                id: format!("p-{i}").parse().unwrap(),
                weight,
            })
            .collect()
    });
    (prop_oneof![Just(1), Just(64), Just(256)], clusters, peers)
}

proptest! {
    #[test]
    fn the_fast_matching_is_the_defined_one((slack, costs, peers) in fleet()) {
        let mut placement = BoundedRendezvous::with_slack(f64::from(slack) / 1024.0);
        for (name, objects) in &costs {
            let name = name.parse().unwrap();
            placement.insert(&name);
            placement.report(&name, Cost::of(*objects));
        }
        for peer in &peers {
            placement.join(peer);
        }
        let got: BTreeMap<String, PeerId> = costs.iter().map(|(name, _)| (name.clone(), placement.owner(&name.parse().unwrap()).unwrap().clone())).collect();
        prop_assert_eq!(got, reference(slack, &costs, &peers));
    }
}

mod quality;
