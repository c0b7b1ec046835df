//! Rendezvous hashing, `hrw/v1`.
//!
//! Every peer draws a number for every cluster, and the largest wins. A peer that joins takes its share from all others
//! equally and nothing else moves; one that leaves gives its share to all others (Thaler and Ravishankar, "Using
//! name-based mappings to increase hit rates", 1998). The expected share of a peer of `n` is `1/n`; with `c` clusters
//! the largest is about `1 + sqrt(2 ln n * n / c)` times that.
//!
//! The numbers are fixed bit for bit, so that peers of all versions and platforms agree: digests are XXH3-64 with seed 0
//! over the raw bytes of a name, all arithmetic wraps, and nothing goes through [`std::hash::Hash`] or floats.

mod kernel;
mod score;
mod table;
mod weight;

use std::collections::HashMap;

use super::{
    peer::{Peer, PeerId},
    placement::{Move, Sharder},
};
use crate::cluster::ClusterName;
pub(super) use score::Digest;
#[cfg(test)]
pub(super) use weight::Inverse;

pub(super) use table::Contestant;
pub use table::{RendezvousTable, RowMove};

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
    table: RendezvousTable,
    /// The clusters by their rows in the table.
    names: Vec<ClusterName>,
    rows: HashMap<ClusterName, u32>,
}

// === impl Rendezvous ===

impl Rendezvous {
    /// A placement without clusters and peers.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    pub(super) fn table(&self) -> &RendezvousTable {
        &self.table
    }

    /// The clusters by row.
    pub(super) fn names(&self) -> &[ClusterName] {
        &self.names
    }

    pub(super) fn row(&self, cluster: &ClusterName) -> Option<u32> {
        self.rows.get(cluster).copied()
    }

    /// What has moved, by names; `gone` is a peer that has left.
    fn moves(&self, gone: Option<&PeerId>) -> Vec<Move> {
        let id = |number: u32| self.table.peer(number).or(gone).cloned();
        let named = |moved: &RowMove| Move {
            cluster: self.names[moved.row as usize].clone(),
            from: moved.from.and_then(id),
            to: moved.to.and_then(id),
        };
        self.table.moved().iter().map(named).collect()
    }
}

impl Sharder for Rendezvous {
    fn formula(&self) -> &'static str {
        "hrw/v1"
    }

    fn insert(&mut self, cluster: &ClusterName) {
        if self.rows.contains_key(cluster) {
            return;
        }
        let row = self.table.len();
        self.table.extend([cluster.as_str()]);
        if let (Ok(number), true) = (u32::try_from(row), self.table.len() > row) {
            self.names.push(cluster.clone());
            self.rows.insert(cluster.clone(), number);
        }
    }

    fn remove(&mut self, cluster: &ClusterName) {
        let Some(row) = self.rows.remove(cluster) else {
            return;
        };
        self.table.remove(row);
        self.names.swap_remove(row as usize);
        if let Some(last) = self.names.get(row as usize) {
            self.rows.insert(last.clone(), row);
        }
    }

    fn join(&mut self, peer: &Peer) -> Vec<Move> {
        self.table.join(peer);
        self.moves(None)
    }

    fn leave(&mut self, peer: &PeerId) -> Vec<Move> {
        self.table.leave(peer);
        self.moves(Some(peer))
    }

    fn owner(&self, cluster: &ClusterName) -> Option<&PeerId> {
        let row = self.rows.get(cluster)?;
        self.table.peer(self.table.owner(*row)?)
    }

    fn rank(&self, cluster: &ClusterName, peer: &PeerId, without: Option<&PeerId>) -> Option<u32> {
        self.table.rank(Digest::of(cluster.as_str()), peer, without)
    }
}

#[cfg(test)]
mod tests;
