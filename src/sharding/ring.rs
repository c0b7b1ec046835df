//! Consistent hashing on a ring.

use std::{
    collections::BTreeMap,
    fmt,
    hash::{Hash, Hasher},
};

use hashring::HashRing;
use xxhash_rust::xxh3::Xxh3Builder;

use super::{
    peer::{Peer, PeerId},
    placed::Placed,
    placement::{Move, Sharder},
};
use crate::cluster::ClusterName;

/// How many points a peer of weight one has on the ring.
const POINTS: u32 = 128;

/// How many points a peer can have at most.
const MOST_POINTS: u32 = 64 * POINTS;

/// Consistent hashing on a ring, by the crate `hashring`: a lookup costs `O(log p)` for `p` peers.
///
/// Each peer has 128 points on the ring for each unit of its weight, at most 8,192; a cluster belongs to the peer of the
/// next point clockwise. It leaves the busiest peer two to four times as far above the mean as
/// [`Rendezvous`](super::Rendezvous) does (`cargo run --example placement -- --sweep` shows both); choose it where another
/// system shares by a ring.
///
/// Points and clusters are hashed by XXH3 (64 bits, seed 0) over explicit bytes, so that peers of all versions and
/// platforms agree.
pub struct Ring {
    peers: BTreeMap<PeerId, u32>,
    ring: HashRing<Point, Xxh3Builder>,
    placed: Placed,
}

/// A point of a peer on the ring.
#[derive(Clone, Debug)]
struct Point {
    peer: PeerId,
    copy: u32,
}

/// A cluster's place on the ring.
struct Place<'a>(&'a ClusterName);

// === impl Ring ===

impl Ring {
    /// A placement without clusters and peers.
    #[must_use]
    pub fn new() -> Self {
        Self {
            peers: BTreeMap::new(),
            ring: HashRing::with_hasher(Xxh3Builder::new()),
            placed: Placed::default(),
        }
    }

    /// Sets the points anew, in the order of ids, so that equal hashes do not depend on who came first.
    fn place(&mut self) -> Vec<Move> {
        let points = self.peers.iter().flat_map(|(id, weight)| {
            let count = POINTS.saturating_mul(*weight).min(MOST_POINTS);
            (0..count).map(|copy| Point {
                peer: id.clone(),
                copy,
            })
        });
        self.ring = HashRing::with_hasher(Xxh3Builder::new());
        self.ring.batch_add(points.collect());
        let ring = &self.ring;
        self.placed.place(|cluster| winner(ring, cluster))
    }
}

impl Default for Ring {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Ring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ring")
            .field("peers", &self.peers)
            .finish_non_exhaustive()
    }
}

impl Sharder for Ring {
    fn formula(&self) -> &'static str {
        "ring/v1"
    }

    fn insert(&mut self, cluster: &ClusterName) {
        self.placed.insert(cluster, winner(&self.ring, cluster));
    }

    fn remove(&mut self, cluster: &ClusterName) {
        self.placed.remove(cluster);
    }

    fn join(&mut self, peer: &Peer) -> Vec<Move> {
        self.peers.insert(peer.id.clone(), peer.weight.max(1));
        self.place()
    }

    fn leave(&mut self, peer: &PeerId) -> Vec<Move> {
        match self.peers.remove(peer) {
            Some(_) => self.place(),
            None => Vec::new(),
        }
    }

    fn owner(&self, cluster: &ClusterName) -> Option<&PeerId> {
        self.placed.owner(cluster)
    }

    /// The order is that in which peers first appear clockwise.
    fn rank(&self, cluster: &ClusterName, peer: &PeerId, without: Option<&PeerId>) -> Option<u32> {
        self.peers.get(peer)?;
        let mut before: Vec<PeerId> = Vec::new();
        let points = self
            .ring
            .get_with_replicas(&Place(cluster), self.ring.len())?;
        for point in points {
            if point.peer == *peer {
                break;
            }
            if Some(&point.peer) != without && !before.contains(&point.peer) {
                before.push(point.peer);
            }
        }
        u32::try_from(before.len()).ok()
    }
}

fn winner<'a>(ring: &'a HashRing<Point, Xxh3Builder>, cluster: &ClusterName) -> Option<&'a PeerId> {
    Some(&ring.get(&Place(cluster))?.peer)
}

// === what is hashed ===

impl Hash for Point {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // No id holds a zero byte, so no two points are spelled alike.
        state.write(self.peer.as_str().as_bytes());
        state.write(&[0]);
        state.write(&self.copy.to_le_bytes());
    }
}

impl Hash for Place<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(self.0.as_str().as_bytes());
    }
}
