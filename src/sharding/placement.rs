//! Which peer should own which cluster.

use crate::cluster::ClusterName;

use super::{
    cost::Cost,
    peer::{Peer, PeerId},
};

/// A cluster whose owner changed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Move {
    /// The cluster.
    pub cluster: ClusterName,
    /// Its owner before; `None` without peers.
    pub from: Option<PeerId>,
    /// Its owner now; `None` without peers.
    pub to: Option<PeerId>,
}

/// A placement: a pure function from the sets of clusters and peers to owners, kept up to date change by change.
///
/// # Contract
/// The owner of a cluster depends on the present clusters and peers alone, not on the order in which they came, so that
/// peers which see the same fleet agree without talking to each other.
pub trait Sharder: Send + 'static {
    /// The formula's name, which peers announce to each other, as in `hrw/v1`.
    fn formula(&self) -> &'static str;

    /// An empty placement by the formula of the version before, which peers may still speak while a fleet is upgraded.
    ///
    /// Every peer goes by the oldest formula that any live peer announces, as far as it knows it.
    fn previous(&self) -> Option<Box<dyn Sharder>> {
        None
    }

    /// Adds a cluster; nothing happens when it is there.
    fn insert(&mut self, cluster: &ClusterName);

    /// Removes a cluster.
    fn remove(&mut self, cluster: &ClusterName);

    /// Adds a peer, or changes its weight; gives the clusters that move.
    fn join(&mut self, peer: &Peer) -> Vec<Move>;

    /// Removes a peer; gives the clusters that move.
    fn leave(&mut self, peer: &PeerId) -> Vec<Move>;

    /// Learns what a cluster costs its owner; says whether this cluster and others may have moved by it.
    ///
    /// Placements that do not look at costs do nothing.
    fn report(&mut self, _cluster: &ClusterName, _cost: Cost) -> bool {
        false
    }

    /// The owner of a cluster; `None` for an unknown cluster or without peers.
    fn owner(&self, cluster: &ClusterName) -> Option<&PeerId>;

    /// How many peers come before `peer` for a cluster, leaving out `without`; `None` when `peer` is no peer.
    ///
    /// The owner comes first.
    fn rank(&self, cluster: &ClusterName, peer: &PeerId, without: Option<&PeerId>) -> Option<u32>;
}

#[cfg(test)]
mod tests;
