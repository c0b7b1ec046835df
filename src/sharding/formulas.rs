//! The placements that this peer can compute, and the one that the fleet goes by.
//!
//! A fleet that is upgraded replica by replica must not mix two formulas, or clusters would be handed to and fro. So a
//! peer announces the newest formula that it knows in its peer Lease, and every peer goes by the oldest one that any live
//! peer announces: the fleet changes over when the last peer of the old version leaves.

use super::{
    cost::Cost,
    peer::{Peer, PeerId},
    placement::Sharder,
};
use crate::cluster::ClusterName;

/// More versions than a program can reasonably know; a chain that is longer has a loop.
const MOST: usize = 8;

/// Placements of the same fleet by several formulas.
pub(super) struct Formulas {
    /// The newest one first; there is always one.
    all: Vec<Box<dyn Sharder>>,
    chosen: usize,
}

// === impl Formulas ===

impl Formulas {
    /// `newest` and all that came before it.
    pub(super) fn new(newest: Box<dyn Sharder>) -> Self {
        let mut all = vec![newest];
        while let Some(previous) = all.last().and_then(|last| last.previous()) {
            if all.len() == MOST {
                break;
            }
            all.push(previous);
        }
        Self { all, chosen: 0 }
    }

    /// The names of all formulas, the newest first.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.all.iter().map(|sharder| sharder.formula())
    }

    /// Goes by the oldest of the announced formulas that are known here.
    pub(super) fn choose<'a>(&mut self, announced: impl Iterator<Item = &'a str>) {
        let known = |name: &str| self.names().position(|known| known == name);
        self.chosen = announced.filter_map(known).max().unwrap_or_default();
    }

    /// The placement that the fleet goes by.
    pub(super) fn chosen(&self) -> &dyn Sharder {
        &*self.all[self.chosen]
    }

    pub(super) fn insert(&mut self, cluster: &ClusterName) {
        self.all
            .iter_mut()
            .for_each(|sharder| sharder.insert(cluster));
    }

    pub(super) fn remove(&mut self, cluster: &ClusterName) {
        self.all
            .iter_mut()
            .for_each(|sharder| sharder.remove(cluster));
    }

    /// Says whether the placement that the fleet goes by may have changed.
    pub(super) fn report(&mut self, cluster: &ClusterName, cost: Cost) -> bool {
        let mut moves = false;
        for (index, sharder) in self.all.iter_mut().enumerate() {
            moves |= sharder.report(cluster, cost) && index == self.chosen;
        }
        moves
    }

    pub(super) fn join(&mut self, peer: &Peer) {
        for sharder in &mut self.all {
            sharder.join(peer);
        }
    }

    pub(super) fn leave(&mut self, peer: &PeerId) {
        for sharder in &mut self.all {
            sharder.leave(peer);
        }
    }
}
