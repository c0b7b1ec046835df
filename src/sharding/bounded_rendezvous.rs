//! Rendezvous hashing with bounded loads.
//!
//! No peer gets more than its share of the load times `1 + eps`: clusters that a full peer cannot take go to the next peer
//! in their own order of preference (after Mirrokni, Thorup and Zadimoghaddam, "Consistent hashing with bounded loads",
//! 2016, and, for walking on by hash rather than along a ring, Chen, Coleman and Shrivastava, "Revisiting consistent
//! hashing with bounded loads", 2019). Who takes whom is the stable matching of clusters and peers, in which both sides
//! prefer by the same keys; it depends on the present fleet alone and not on its history, so all peers compute the same.
//!
//! # Guarantees
//! - Where plain rendezvous hashing respects the bounds, the owners are those of [`Rendezvous`](super::Rendezvous).
//! - With clusters of equal cost no peer is above `max((1 + eps) * its share, the cost of one cluster)`, up to rounding.
//!
//! # Not guaranteed
//! - An owner depends on all clusters and their costs here. Peers that see different fleets for a moment disagree about
//!   more clusters than with plain rendezvous hashing; the fences keep them apart.

mod matching;

use std::{cell::OnceCell, collections::HashMap};

use self::matching::{Bounds, Cluster};
use super::{
    cost::Cost,
    peer::{Peer, PeerId},
    placement::{Move, Sharder},
    rendezvous::Rendezvous,
};
use crate::cluster::ClusterName;

/// How far above its share a peer may be, in 1024ths, unless told otherwise: a quarter.
const SLACK: u32 = 256;

/// Rendezvous hashing with a bound on the load of each peer.
///
/// What counts is the [`Cost`] of each cluster. Owners announce it on the clusters' fences, as
/// [`Engagement::report_load`](crate::Engagement::report_load) tells them; where nobody reports, all clusters cost the same.
#[derive(Debug)]
pub struct BoundedRendezvous {
    plain: Rendezvous,
    costs: HashMap<ClusterName, Cost>,
    slack: u32,
    /// The numbers of the owners by row, until something changes.
    owners: OnceCell<Vec<Option<u32>>>,
}

// === impl BoundedRendezvous ===

impl BoundedRendezvous {
    /// A placement without clusters and peers, in which a peer may have a quarter more than its share.
    #[must_use]
    pub fn new() -> Self {
        Self::with_slack(f64::from(SLACK) / 1024.0)
    }

    /// The same with another bound: `0.25` lets a peer have a quarter more than its share.
    ///
    /// All peers of a fleet must use the same; it counts in steps of 1/1024, from 1/1024 to 64.
    #[must_use]
    pub fn with_slack(slack: f64) -> Self {
        let steps = (slack * 1024.0).round() as u32;
        Self {
            plain: Rendezvous::new(),
            costs: HashMap::new(),
            slack: steps.clamp(1, 65_536),
            owners: OnceCell::new(),
        }
    }

    fn owners(&self) -> &[Option<u32>] {
        self.owners.get_or_init(|| self.decide())
    }

    fn decide(&self) -> Vec<Option<u32>> {
        let table = self.plain.table();
        let contestants: Vec<_> = table.contestants().collect();
        let named = self.plain.names().iter().zip(0..);
        let clusters: Vec<_> = named
            .map(|(name, row)| Cluster {
                digest: table.digest(row),
                name: name.as_str(),
                cost: self.cost(name),
                first: table.owner(row),
            })
            .collect();
        let bounds = Bounds { slack: self.slack };
        bounds.place(&clusters, &contestants)
    }

    fn cost(&self, cluster: &ClusterName) -> Cost {
        self.costs.get(cluster).copied().unwrap_or_default()
    }

    /// Makes a change of peers, and tells what moves by it.
    fn change<T>(&mut self, change: impl FnOnce(&mut Rendezvous) -> T) -> Vec<Move> {
        let before: Vec<_> = self.owners().to_vec();
        let ids: Vec<_> = self
            .plain
            .table()
            .ids()
            .map(Option::<&PeerId>::cloned)
            .collect();
        change(&mut self.plain);
        self.owners.take();
        let table = self.plain.table();
        let changed = before.iter().zip(self.owners()).zip(self.plain.names());
        let changed = changed.map(|((from, to), name)| Move {
            cluster: name.clone(),
            from: from.and_then(|number| ids.get(number as usize).cloned().flatten()),
            to: to.and_then(|number| table.peer(number).cloned()),
        });
        changed.filter(|moved| moved.from != moved.to).collect()
    }
}

impl Default for BoundedRendezvous {
    fn default() -> Self {
        Self::new()
    }
}

impl Sharder for BoundedRendezvous {
    fn formula(&self) -> &'static str {
        "bounded-hrw/v1"
    }

    /// Peers that do not bound loads yet go by plain rendezvous hashing.
    fn previous(&self) -> Option<Box<dyn Sharder>> {
        Some(Box::new(Rendezvous::new()))
    }

    fn insert(&mut self, cluster: &ClusterName) {
        self.plain.insert(cluster);
        self.owners.take();
    }

    fn remove(&mut self, cluster: &ClusterName) {
        self.plain.remove(cluster);
        self.costs.remove(cluster);
        self.owners.take();
    }

    fn join(&mut self, peer: &Peer) -> Vec<Move> {
        self.change(|plain| plain.join(peer))
    }

    fn leave(&mut self, peer: &PeerId) -> Vec<Move> {
        self.change(|plain| plain.leave(peer))
    }

    fn report(&mut self, cluster: &ClusterName, cost: Cost) -> bool {
        let is_new = self.plain.row(cluster).is_some() && self.cost(cluster) != cost;
        if is_new {
            self.costs.insert(cluster.clone(), cost);
            self.owners.take();
        }
        is_new
    }

    fn owner(&self, cluster: &ClusterName) -> Option<&PeerId> {
        let row = self.plain.row(cluster)?;
        let number = *self.owners().get(row as usize)?;
        self.plain.table().peer(number?)
    }

    /// Behind the owner, the order is that of plain rendezvous hashing, in which clusters look for a peer that has room.
    fn rank(&self, cluster: &ClusterName, peer: &PeerId, without: Option<&PeerId>) -> Option<u32> {
        let preference = |peer: &PeerId| self.plain.rank(cluster, peer, without);
        let own = preference(peer)?;
        Some(match self.owner(cluster) {
            Some(owner) if owner == peer => 0,
            // Who comes behind the owner anyway stays there; the others make room.
            Some(owner) if Some(owner) != without => {
                own + u32::from(preference(owner) >= Some(own))
            }
            _ => own,
        })
    }
}

#[cfg(test)]
mod tests;
