//! The stable matching of clusters and peers: clusters propose, peers keep those that they prefer.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap, HashMap},
};

use crate::sharding::{
    cost::Cost,
    peer::PeerId,
    rendezvous::{Contestant, Digest},
};

/// The bounds that a placement keeps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// How far above its share a peer may be, in 1024ths.
    pub(super) slack: u32,
}

/// A cluster that looks for a peer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cluster<'a> {
    pub(super) digest: Digest,
    pub(super) name: &'a str,
    pub(super) cost: Cost,
    /// The number of the peer that it prefers to all others.
    pub(super) first: Option<u32>,
}

/// A peer during the matching.
#[derive(Debug)]
struct Taker<'a> {
    contestant: Contestant<'a>,
    /// The most that it may have.
    bound: u128,
    load: u128,
    /// How many clusters of the present cost it has room for.
    slots: usize,
    /// Those that it keeps so far, the least wanted on top.
    kept: BinaryHeap<Proposal<'a>>,
}

/// A cluster in the eyes of a peer: the smaller is wanted more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Proposal<'a> {
    key: u64,
    digest: u64,
    name: &'a str,
    row: usize,
}

/// The peers in the order in which a cluster prefers them, and how far it has come.
#[derive(Debug, Default)]
struct Choice {
    order: Vec<usize>,
    next: usize,
}

// === impl Bounds ===

impl Bounds {
    /// The numbers of the owners of all clusters; there are none without peers.
    pub(super) fn place(
        self,
        clusters: &[Cluster<'_>],
        contestants: &[Contestant<'_>],
    ) -> Vec<Option<u32>> {
        let mut owners: Vec<_> = clusters.iter().map(|cluster| cluster.first).collect();
        let mut takers = self.takers(clusters, contestants);
        let places = takers.iter().enumerate();
        let place_of: HashMap<u32, usize> = places
            .map(|(at, taker)| (taker.contestant.number, at))
            .collect();
        for cluster in clusters {
            if let Some(at) = cluster.first.and_then(|number| place_of.get(&number)) {
                takers[*at].load += u128::from(cluster.cost.get());
            }
        }
        if takers.iter().all(|taker| taker.load <= taker.bound) {
            return owners;
        }
        takers.iter_mut().for_each(|taker| taker.load = 0);
        let mut by_cost: BTreeMap<Reverse<Cost>, Vec<usize>> = BTreeMap::new();
        for (row, cluster) in clusters.iter().enumerate() {
            by_cost.entry(Reverse(cluster.cost)).or_default().push(row);
        }
        for (Reverse(cost), rows) in by_cost {
            let mut class = Class {
                clusters,
                takers: &mut takers,
                place_of: &place_of,
                cost,
            };
            class.place(&rows, &mut owners);
        }
        owners
    }

    fn takers<'a>(
        self,
        clusters: &[Cluster<'_>],
        contestants: &[Contestant<'a>],
    ) -> Vec<Taker<'a>> {
        let total: u128 = clusters
            .iter()
            .map(|cluster| u128::from(cluster.cost.get()))
            .sum();
        let total = round_up(total);
        let largest = clusters
            .iter()
            .map(|cluster| cluster.cost.get())
            .max()
            .unwrap_or_default();
        let weights: u128 = contestants.iter().map(|peer| u128::from(peer.weight)).sum();
        let heaviest = contestants
            .iter()
            .map(|peer| peer.weight)
            .max()
            .unwrap_or(1);
        let taker = |contestant: &Contestant<'a>| {
            let weight = u128::from(contestant.weight);
            let share = (total * weight * u128::from(1024 + self.slack)).div_ceil(weights * 1024);
            // Somebody must have room for the largest one.
            let one = (u128::from(largest) * weight).div_ceil(u128::from(heaviest));
            Taker {
                contestant: *contestant,
                bound: share.max(one),
                load: 0,
                slots: 0,
                kept: BinaryHeap::new(),
            }
        };
        contestants.iter().map(taker).collect()
    }
}

/// Five significant bits, upwards: one more cluster must not change the bounds of all peers.
fn round_up(total: u128) -> u128 {
    let digits = u128::BITS - total.leading_zeros();
    let shift = digits.saturating_sub(5);
    total.div_ceil(1 << shift) << shift
}

/// The clusters of one cost, which are placed before all cheaper ones.
struct Class<'a, 'b> {
    clusters: &'b [Cluster<'a>],
    takers: &'b mut [Taker<'a>],
    place_of: &'b HashMap<u32, usize>,
    cost: Cost,
}

// === impl Class ===

impl<'a> Class<'a, '_> {
    fn place(&mut self, rows: &[usize], owners: &mut [Option<u32>]) {
        let cost = u128::from(self.cost.get());
        for taker in self.takers.iter_mut() {
            let slots = taker.bound.saturating_sub(taker.load) / cost;
            taker.slots = usize::try_from(slots).unwrap_or(usize::MAX);
        }
        let mut rejected = self.propose_first(rows);
        let mut choices: HashMap<usize, Choice> = HashMap::new();
        let mut left_over = Vec::new();
        while let Some(row) = rejected.pop() {
            let choice = choices.entry(row).or_insert_with(|| Choice {
                order: self.order(row),
                next: 1,
            });
            let Some(at) = choice.order.get(choice.next).copied() else {
                left_over.push(row);
                continue;
            };
            choice.next += 1;
            let proposal = self.proposal(row, at);
            rejected.extend(
                self.takers[at]
                    .consider(proposal)
                    .map(|refused| refused.row),
            );
        }
        for taker in self.takers.iter_mut() {
            taker.load += cost * taker.kept.len() as u128;
            for kept in taker.kept.drain() {
                owners[kept.row] = Some(taker.contestant.number);
            }
        }
        // All are full: the least loaded takes what is left, in an order that all peers know.
        left_over.sort_by_key(|row| (self.clusters[*row].digest.value(), self.clusters[*row].name));
        for row in left_over {
            if let Some(at) = self.least_loaded(row) {
                self.takers[at].load += cost;
                owners[row] = Some(self.takers[at].contestant.number);
            }
        }
    }

    /// Every cluster asks the peer that it prefers; gives those that are turned away.
    fn propose_first(&mut self, rows: &[usize]) -> Vec<usize> {
        let mut rejected = Vec::new();
        for row in rows {
            let first = self.clusters[*row]
                .first
                .and_then(|number| self.place_of.get(&number));
            if let Some(at) = first.copied() {
                let proposal = self.proposal(*row, at);
                rejected.extend(
                    self.takers[at]
                        .consider(proposal)
                        .map(|refused| refused.row),
                );
            }
        }
        rejected
    }

    fn proposal(&self, row: usize, at: usize) -> Proposal<'a> {
        let (cluster, peer) = (self.clusters[row], &self.takers[at].contestant);
        Proposal {
            key: peer.inverse.key_of(cluster.digest, peer.digest),
            digest: cluster.digest.value(),
            name: cluster.name,
            row,
        }
    }

    fn order(&self, row: usize) -> Vec<usize> {
        let mut order: Vec<_> = (0..self.takers.len()).collect();
        order.sort_by_cached_key(|at| self.preference(row, *at));
        order
    }

    /// How much a cluster wants a peer: the smaller, the more.
    fn preference(&self, row: usize, at: usize) -> (u64, &'a PeerId) {
        (self.proposal(row, at).key, self.takers[at].contestant.id)
    }

    fn least_loaded(&self, row: usize) -> Option<usize> {
        let cost = u128::from(self.cost.get());
        let fuller = |one: usize, other: usize| {
            let (one, other) = (&self.takers[one], &self.takers[other]);
            let relative = |taker: &Taker<'_>, rival: &Taker<'_>| {
                (taker.load + cost) * u128::from(rival.contestant.weight)
            };
            relative(one, other).cmp(&relative(other, one))
        };
        let by_preference =
            |one: usize, other: usize| self.preference(row, one).cmp(&self.preference(row, other));
        (0..self.takers.len())
            .min_by(|one, other| fuller(*one, *other).then_with(|| by_preference(*one, *other)))
    }
}

// === impl Taker ===

impl<'a> Taker<'a> {
    /// Keeps a cluster if there is room or it is wanted more than another; gives the one that is turned away.
    fn consider(&mut self, proposal: Proposal<'a>) -> Option<Proposal<'a>> {
        self.kept.push(proposal);
        (self.kept.len() > self.slots)
            .then(|| self.kept.pop())
            .flatten()
    }
}
