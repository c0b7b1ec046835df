//! The owners of clusters, for placements that look at all clusters after a change.

use std::collections::BTreeMap;

use super::{peer::PeerId, placement::Move};
use crate::cluster::ClusterName;

/// Clusters and who owns them.
#[derive(Clone, Debug, Default)]
pub(super) struct Placed {
    owners: BTreeMap<ClusterName, Option<PeerId>>,
}

// === impl Placed ===

impl Placed {
    /// Adds a cluster unless it is there.
    pub(super) fn insert(&mut self, cluster: &ClusterName, owner: Option<&PeerId>) {
        self.owners
            .entry(cluster.clone())
            .or_insert_with(|| owner.cloned());
    }

    pub(super) fn remove(&mut self, cluster: &ClusterName) {
        self.owners.remove(cluster);
    }

    pub(super) fn owner(&self, cluster: &ClusterName) -> Option<&PeerId> {
        self.owners.get(cluster)?.as_ref()
    }

    /// Gives every cluster the owner that `choose` says, and tells which have moved.
    pub(super) fn place<'a>(
        &mut self,
        choose: impl Fn(&ClusterName) -> Option<&'a PeerId>,
    ) -> Vec<Move> {
        let mut moves = Vec::new();
        for (cluster, owner) in &mut self.owners {
            let chosen = choose(cluster);
            if owner.as_ref() != chosen {
                let from = std::mem::replace(owner, chosen.cloned());
                moves.push(Move {
                    cluster: cluster.clone(),
                    from,
                    to: owner.clone(),
                });
            }
        }
        moves
    }
}
