//! Rendezvous hashing, `hrw/v1`.
//!
//! Every peer draws a number for every cluster, and the largest wins. A peer that joins takes its share from all others
//! equally and nothing else moves; one that leaves gives its share to all others (Thaler and Ravishankar, "Using
//! name-based mappings to increase hit rates", 1998). The expected share of a peer of `n` is `1/n`; with `c` clusters
//! the largest is about `1 + sqrt(2 ln n * n / c)` times that.
//!
//! The numbers are fixed bit for bit, so that peers of all versions and platforms agree: digests are XXH3-64 with seed 0
//! over the raw bytes of a name, all arithmetic wraps, and nothing goes through [`std::hash::Hash`] or floats.

mod weight;

use std::collections::BTreeMap;

use xxhash_rust::xxh3::xxh3_64;

use super::{
    peer::{Peer, PeerId},
    placement::{Move, Sharder},
};
use crate::cluster::ClusterName;

/// The default placement: rendezvous hashing with weights.
///
/// ```
/// use multicluster::sharding::{Peer, Rendezvous, Sharder};
///
/// let mut placement = Rendezvous::new();
/// placement.insert(&"zoo".parse()?);
/// for id in ["sharded-namespace-0", "sharded-namespace-1", "sharded-namespace-2"] {
///     placement.join(&Peer { id: id.parse()?, weight: 1 });
/// }
/// assert_eq!(placement.owner(&"zoo".parse()?).unwrap().as_str(), "sharded-namespace-1");
/// # Ok::<(), multicluster::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct Rendezvous {
    clusters: BTreeMap<ClusterName, Placed>,
    peers: BTreeMap<PeerId, Entrant>,
}

#[derive(Clone, Debug)]
struct Placed {
    digest: u64,
    owner: Option<PeerId>,
}

#[derive(Clone, Copy, Debug)]
struct Entrant {
    digest: u64,
    weight: u32,
}

/// How strongly a peer wants a cluster: the larger wins, then the smaller peer id.
type Preference = std::cmp::Reverse<u64>;

// === impl Rendezvous ===

impl Rendezvous {
    /// A placement without clusters and peers.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether all weights are equal, so that the plain scores decide.
    fn is_uniform(&self) -> bool {
        let mut weights = self.peers.values().map(|entrant| entrant.weight);
        let first = weights.next();
        weights.all(|weight| Some(weight) == first)
    }

    fn best(&self, cluster: u64, uniform: bool) -> Option<&PeerId> {
        // `max_by_key` takes the last of equals and ids ascend, so it goes backwards.
        self.peers
            .iter()
            .rev()
            .max_by_key(|(_, entrant)| preference(cluster, **entrant, uniform))
            .map(|(id, _)| id)
    }

    fn assign(&mut self) -> Vec<Move> {
        let uniform = self.is_uniform();
        let mut clusters = std::mem::take(&mut self.clusters);
        let mut moves = Vec::new();
        for (name, placed) in &mut clusters {
            let best = self.best(placed.digest, uniform);
            if placed.owner.as_ref() != best {
                let from = std::mem::replace(&mut placed.owner, best.cloned());
                moves.push(Move {
                    cluster: name.clone(),
                    from,
                    to: placed.owner.clone(),
                });
            }
        }
        self.clusters = clusters;
        moves
    }
}

impl Sharder for Rendezvous {
    fn formula(&self) -> &'static str {
        "hrw/v1"
    }

    fn insert(&mut self, cluster: &ClusterName) {
        let digest = xxh3_64(cluster.as_str().as_bytes());
        let owner = self.best(digest, self.is_uniform()).cloned();
        self.clusters
            .insert(cluster.clone(), Placed { digest, owner });
    }

    fn remove(&mut self, cluster: &ClusterName) {
        self.clusters.remove(cluster);
    }

    fn join(&mut self, peer: &Peer) -> Vec<Move> {
        let entrant = Entrant {
            digest: xxh3_64(peer.id.as_str().as_bytes()),
            weight: peer.weight.clamp(1, super::peer::MAX_WEIGHT),
        };
        self.peers.insert(peer.id.clone(), entrant);
        self.assign()
    }

    fn leave(&mut self, peer: &PeerId) -> Vec<Move> {
        match self.peers.remove(peer) {
            Some(_) => self.assign(),
            None => Vec::new(),
        }
    }

    fn owner(&self, cluster: &ClusterName) -> Option<&PeerId> {
        self.clusters.get(cluster)?.owner.as_ref()
    }

    fn rank(&self, cluster: &ClusterName, peer: &PeerId, without: Option<&PeerId>) -> Option<u32> {
        let digest = xxh3_64(cluster.as_str().as_bytes());
        let uniform = self.is_uniform();
        let key = |(id, entrant): (&PeerId, &Entrant)| {
            (
                preference(digest, *entrant, uniform),
                std::cmp::Reverse(id.clone()),
            )
        };
        let own = key(self.peers.get_key_value(peer)?);
        let before = self
            .peers
            .iter()
            .filter(|(id, _)| Some(*id) != without)
            .filter(|entry| key(*entry) > own)
            .count();
        u32::try_from(before).ok()
    }
}

fn preference(cluster: u64, entrant: Entrant, uniform: bool) -> Preference {
    let score = score(cluster, entrant.digest);
    // Both are "smaller is better", so that one comparison serves both.
    std::cmp::Reverse(if uniform {
        u64::from(u32::MAX - score)
    } else {
        weight::key(score, entrant.weight)
    })
}

/// The number that a peer draws for a cluster, from both digests.
fn score(cluster: u64, peer: u64) -> u32 {
    let low = |digest: u64| digest as u32;
    let high = |digest: u64| (digest >> 32) as u32;
    let mut h = low(cluster) ^ low(peer);
    h ^= h >> 16;
    h = h.wrapping_mul(0x21f0_aaad);
    h ^= high(cluster) ^ high(peer);
    h ^= h >> 15;
    h = h.wrapping_mul(0x735a_2d97);
    h ^= h >> 15;
    h ^ 0x8000_0000
}

#[cfg(test)]
mod tests;
