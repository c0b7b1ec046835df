//! The placement of numbered clusters.

mod field;
mod place;

use std::cmp::Ordering;

use super::{
    kernel::{Instructions, LANES},
    score::Digest,
    weight::Inverse,
};
use crate::sharding::peer::{MAX_WEIGHT, Peer, PeerId};
use field::{Entrant, Field};

/// The owner of a cluster that has none.
const NOBODY: u32 = u32::MAX;

/// The most clusters of one table.
const CAPACITY: usize = (u32::MAX as usize) - LANES;

/// Rendezvous hashing, `hrw/v1`, over clusters that are numbered from zero without gaps.
///
/// This is what [`Rendezvous`](super::Rendezvous) keeps under its names: 16 bytes for each cluster, no name, and no
/// allocation once its buffers have grown. A tool that plays with large fleets can use it directly.
///
/// ```
/// use multicluster::sharding::{Peer, RendezvousTable};
///
/// let mut table = RendezvousTable::new();
/// table.extend(["zoo", "jungle", "island"]);
/// table.join(&Peer { id: "sharded-namespace-0".parse()?, weight: 1 });
/// let moved = table.join(&Peer { id: "sharded-namespace-1".parse()?, weight: 1 });
/// assert!(moved.iter().all(|moved| moved.to == Some(1)));
/// # Ok::<(), multicluster::Error>(())
/// ```
///
/// # Cost
/// With `n` clusters and `p` peers a join costs `O(n)`, a leave `O(n)` and `O(p)` for each cluster that moves, and an
/// assignment from scratch `O(n p)`.
#[derive(Clone, Debug, Default)]
pub struct RendezvousTable {
    /// The digests of the clusters; this and the next three are padded to whole blocks.
    low: Vec<u32>,
    high: Vec<u32>,
    /// The score of the owner.
    best: Vec<i32>,
    /// The number of the owner, or [`NOBODY`].
    owner: Vec<u32>,
    clusters: usize,
    field: Field,
    moved: Vec<RowMove>,
    buffers: Buffers,
}

/// A numbered cluster whose owner changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RowMove {
    /// The number of the cluster.
    pub row: u32,
    /// The number of its owner before; `None` without peers. The peer itself may be gone.
    pub from: Option<u32>,
    /// The number of its owner now; `None` without peers.
    pub to: Option<u32>,
}

/// A peer and what its scores are made from.
#[derive(Clone, Copy, Debug)]
pub(in crate::sharding) struct Contestant<'a> {
    pub(in crate::sharding) number: u32,
    pub(in crate::sharding) id: &'a PeerId,
    pub(in crate::sharding) digest: Digest,
    pub(in crate::sharding) weight: u32,
    pub(in crate::sharding) inverse: Inverse,
}

/// Working memory, kept so that a change of the fleet allocates nothing.
#[derive(Clone, Debug, Default)]
struct Buffers {
    /// The owners before an assignment.
    before: Vec<u32>,
    /// The rows and scores that a contender wins, or may win.
    won: Vec<(u32, i32)>,
    /// The rows that look for a new owner, and copies of their columns.
    rows: Vec<u32>,
    low: Vec<u32>,
    high: Vec<u32>,
    best: Vec<i32>,
    owner: Vec<u32>,
    class: ClassBuffers,
}

/// The winners of one class of weights, and the keys of the winners so far.
#[derive(Clone, Debug, Default)]
struct ClassBuffers {
    best: Vec<i32>,
    owner: Vec<u32>,
    keys: Vec<u64>,
}

// === impl RendezvousTable ===

impl RendezvousTable {
    /// A table without clusters and peers.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A table that uses no instructions beyond those of every processor of this kind: the same results, more slowly.
    ///
    /// For benches and comparisons; [`new`](Self::new) finds out by itself what the processor has.
    #[must_use]
    pub fn portable() -> Self {
        let mut table = Self::default();
        table.field.instructions = Instructions::Portable;
        table
    }

    /// The number of clusters.
    #[must_use]
    pub fn len(&self) -> usize {
        self.clusters
    }

    /// Whether there is no cluster.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.clusters == 0
    }

    /// Adds clusters, which get the next numbers in their order, and places them.
    ///
    /// What goes beyond 2^32 - 17 clusters is left out: compare [`len`](Self::len).
    pub fn extend<'a>(&mut self, names: impl IntoIterator<Item = &'a str>) {
        let first = self.clusters;
        self.low.truncate(first);
        self.high.truncate(first);
        for name in names.into_iter().take(CAPACITY.saturating_sub(first)) {
            let digest = Digest::of(name);
            self.low.push(digest.low);
            self.high.push(digest.high);
        }
        self.resize(self.low.len());
        self.place_from(first);
    }

    /// Removes all clusters.
    pub fn clear(&mut self) {
        self.resize(0);
    }

    /// Removes a cluster; the last one takes over its number. Nothing happens when there is none of this number.
    pub fn remove(&mut self, row: u32) {
        let row = row as usize;
        if row >= self.clusters {
            return;
        }
        let last = self.clusters - 1;
        self.low.swap(row, last);
        self.high.swap(row, last);
        self.best.swap(row, last);
        self.owner.swap(row, last);
        self.resize(last);
    }

    /// Adds a peer, or changes its weight; gives the clusters that move.
    pub fn join(&mut self, peer: &Peer) -> &[RowMove] {
        self.moved.clear();
        let weight = peer.weight.clamp(1, MAX_WEIGHT);
        let entrant = Entrant {
            digest: Digest::of(peer.id.as_str()),
            id: peer.id.clone(),
            weight,
            inverse: Inverse::of(weight),
        };
        match self.number(&peer.id) {
            None => {
                let number = self.field.free_number();
                self.field.enter(number, entrant);
                self.challenge(number);
            }
            Some(number) => {
                let before = self.field.withdraw(number);
                let before = before.map_or(weight, |entrant| entrant.weight);
                self.field.enter(number, entrant);
                match weight.cmp(&before) {
                    Ordering::Greater => self.challenge(number),
                    Ordering::Less => self.contest(number),
                    Ordering::Equal => {}
                }
            }
        }
        &self.moved
    }

    /// Removes a peer; gives the clusters that move, which were its own.
    pub fn leave(&mut self, peer: &PeerId) -> &[RowMove] {
        self.moved.clear();
        if let Some(number) = self.number(peer) {
            self.field.withdraw(number);
            self.contest(number);
        }
        &self.moved
    }

    /// Places all clusters from scratch; gives those that move, which are none as long as this is correct.
    pub fn reassign(&mut self) -> &[RowMove] {
        self.moved.clear();
        self.buffers.before.clone_from(&self.owner);
        self.place_from(0);
        let owners = self
            .buffers
            .before
            .chunks(LANES)
            .zip(self.owner.chunks(LANES));
        // Whole blocks are compared first: as a rule nothing has changed.
        for (block, (before, after)) in owners.enumerate().filter(|(_, (a, b))| a != b) {
            let pairs = before.iter().zip(after).zip(block * LANES..);
            for ((from, to), row) in pairs.filter(|((from, to), _)| from != to) {
                let (row, from, to) = (row as u32, known(*from), known(*to));
                self.moved.push(RowMove { row, from, to });
            }
        }
        &self.moved
    }

    /// The clusters that the last change of the peers has moved.
    #[must_use]
    pub fn moved(&self) -> &[RowMove] {
        &self.moved
    }

    /// The number of the owner of a cluster; `None` for an unknown cluster or without peers.
    #[must_use]
    pub fn owner(&self, row: u32) -> Option<u32> {
        let owner = self.owner[..self.clusters].get(row as usize)?;
        known(*owner)
    }

    /// The peer of this number.
    #[must_use]
    pub fn peer(&self, number: u32) -> Option<&PeerId> {
        Some(&self.field.entrant(number)?.id)
    }

    /// The number of a peer.
    #[must_use]
    pub fn number(&self, peer: &PeerId) -> Option<u32> {
        self.field.number(peer)
    }

    /// How many peers come before `peer` for a cluster, leaving out `without`; `None` when `peer` is no peer.
    pub(super) fn rank(
        &self,
        cluster: Digest,
        peer: &PeerId,
        without: Option<&PeerId>,
    ) -> Option<u32> {
        let own = self
            .entrants()
            .find(|entrant| entrant.id == *peer)?
            .preference(cluster);
        let others = self
            .entrants()
            .filter(|entrant| Some(&entrant.id) != without);
        let before = others
            .filter(|entrant| entrant.preference(cluster) > own)
            .count();
        u32::try_from(before).ok()
    }

    /// The digest of a cluster's name.
    pub(in crate::sharding) fn digest(&self, row: u32) -> Digest {
        let at = |column: &[u32]| column.get(row as usize).copied().unwrap_or_default();
        Digest {
            low: at(&self.low),
            high: at(&self.high),
        }
    }

    /// The peers' ids by number.
    pub(in crate::sharding) fn ids(&self) -> impl Iterator<Item = Option<&PeerId>> {
        self.field
            .peers
            .iter()
            .map(|entrant| Some(&entrant.as_ref()?.id))
    }

    /// The peers with what their scores are made from.
    pub(in crate::sharding) fn contestants(&self) -> impl Iterator<Item = Contestant<'_>> {
        let numbered = (0..).zip(&self.field.peers);
        numbered.filter_map(|(number, entrant)| {
            let entrant = entrant.as_ref()?;
            Some(Contestant {
                number,
                id: &entrant.id,
                digest: entrant.digest,
                weight: entrant.weight,
                inverse: entrant.inverse,
            })
        })
    }

    fn entrants(&self) -> impl Iterator<Item = &Entrant> {
        self.field.peers.iter().flatten()
    }

    /// Gives all columns room for `clusters`, in whole blocks.
    fn resize(&mut self, clusters: usize) {
        self.clusters = clusters;
        let padded = clusters.next_multiple_of(LANES);
        self.low.resize(padded, 0);
        self.high.resize(padded, 0);
        self.best.resize(padded, i32::MIN);
        self.owner.resize(padded, NOBODY);
        self.release_padding();
    }

    /// What is behind the last cluster is nobody's, whatever the kernels have made of it.
    fn release_padding(&mut self) {
        self.owner[self.clusters..].fill(NOBODY);
    }
}

fn known(number: u32) -> Option<u32> {
    (number != NOBODY).then_some(number)
}
