//! A placement formula of the future.

use crate::{
    cluster::ClusterName,
    sharding::{Move, Peer, PeerId, Rendezvous, Ring, Sharder},
};

/// What a next version of the program could place clusters by: another order, in which nearly everything moves.
#[derive(Debug, Default)]
pub(super) struct NextFormula(Ring);

// === impl NextFormula ===

impl Sharder for NextFormula {
    fn formula(&self) -> &'static str {
        "hrw/v2"
    }

    fn previous(&self) -> Option<Box<dyn Sharder>> {
        Some(Box::new(Rendezvous::new()))
    }

    fn insert(&mut self, cluster: &ClusterName) {
        self.0.insert(cluster);
    }

    fn remove(&mut self, cluster: &ClusterName) {
        self.0.remove(cluster);
    }

    fn join(&mut self, peer: &Peer) -> Vec<Move> {
        self.0.join(peer)
    }

    fn leave(&mut self, peer: &PeerId) -> Vec<Move> {
        self.0.leave(peer)
    }

    fn owner(&self, cluster: &ClusterName) -> Option<&PeerId> {
        self.0.owner(cluster)
    }

    fn rank(&self, cluster: &ClusterName, peer: &PeerId, without: Option<&PeerId>) -> Option<u32> {
        self.0.rank(cluster, peer, without)
    }
}
