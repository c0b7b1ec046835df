//! The placement of multicluster-runtime, for fleets that move from Go to Rust.

use std::collections::BTreeMap;

use super::{
    peer::{Peer, PeerId},
    placed::Placed,
    placement::{Move, Sharder},
};
use crate::cluster::ClusterName;

/// The formula of multicluster-runtime (Go), bit for bit: replicas of both kinds agree on every owner.
///
/// Use it only while a fleet is migrated replica by replica, and [`Rendezvous`](super::Rendezvous) afterwards. Its
/// shares are unequal, above all for peers whose names differ in the last character, as those of a StatefulSet do: of
/// three such peers one owns half of the clusters, and of fifty 23 own none. A join moves up to half of the clusters,
/// and weights do not give proportional shares.
///
/// The score of a peer is the FNV-1a hash (64 bits) of `cluster|peer` times its weight, wrapping; the largest wins. Where
/// the Go version has no peers it owns everything; here nobody owns anything then.
#[derive(Debug, Default)]
pub struct MulticlusterRuntime {
    peers: BTreeMap<PeerId, u32>,
    placed: Placed,
}

// === impl MulticlusterRuntime ===

impl MulticlusterRuntime {
    /// A placement without clusters and peers.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn place(&mut self) -> Vec<Move> {
        self.placed.place(|cluster| winner(&self.peers, cluster))
    }
}

impl Sharder for MulticlusterRuntime {
    fn formula(&self) -> &'static str {
        "multicluster-runtime/v1"
    }

    fn insert(&mut self, cluster: &ClusterName) {
        self.placed.insert(cluster, winner(&self.peers, cluster));
    }

    fn remove(&mut self, cluster: &ClusterName) {
        self.placed.remove(cluster);
    }

    fn join(&mut self, peer: &Peer) -> Vec<Move> {
        self.peers.insert(peer.id.clone(), peer.weight.max(1));
        self.place()
    }

    fn leave(&mut self, peer: &PeerId) -> Vec<Move> {
        self.peers.remove(peer);
        self.place()
    }

    fn owner(&self, cluster: &ClusterName) -> Option<&PeerId> {
        self.placed.owner(cluster)
    }

    fn rank(&self, cluster: &ClusterName, peer: &PeerId, without: Option<&PeerId>) -> Option<u32> {
        let own = preference(cluster, self.peers.get_key_value(peer)?);
        let others = self.peers.iter().filter(|(id, _)| Some(*id) != without);
        let before = others.filter(|other| preference(cluster, *other) > own);
        u32::try_from(before.count()).ok()
    }
}

fn winner<'a>(peers: &'a BTreeMap<PeerId, u32>, cluster: &ClusterName) -> Option<&'a PeerId> {
    let best = peers.iter().max_by_key(|peer| preference(cluster, *peer))?;
    Some(best.0)
}

/// How strongly a peer wants a cluster; of equals the last in the order of ids wins, as in a loop with `>=`.
fn preference<'a>(cluster: &ClusterName, (id, weight): (&'a PeerId, &u32)) -> (u64, &'a PeerId) {
    let bytes = [cluster.as_str().as_bytes(), b"|", id.as_str().as_bytes()];
    (fnv1a(&bytes).wrapping_mul(u64::from(*weight)), id)
}

fn fnv1a(parts: &[&[u8]]) -> u64 {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    let bytes = parts.iter().copied().flatten();
    bytes.fold(OFFSET, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(PRIME)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the published test vectors of FNV.
    #[test]
    fn the_hash_is_fnv_1a() {
        for (text, hash) in [
            ("", 0xcbf2_9ce4_8422_2325),
            ("a", 0xaf63_dc4c_8601_ec8c),
            ("foobar", 0x8594_4171_f739_67e8),
        ] {
            assert_eq!(fnv1a(&[text.as_bytes()]), hash, "{text}");
        }
    }

    /// What it is known for: half of everything belongs to the last of three.
    #[test]
    fn shares_are_those_of_the_go_version() {
        let mut placement = MulticlusterRuntime::new();
        let ids: Vec<PeerId> = (0..3).map(|i| format!("mc-{i}").parse().unwrap()).collect();
        for id in &ids {
            placement.join(&Peer {
                id: id.clone(),
                weight: 1,
            });
        }
        let clusters: Vec<ClusterName> = (0..10_000)
            .map(|i| format!("ns-{i:05}").parse().unwrap())
            .collect();
        clusters
            .iter()
            .for_each(|cluster| placement.insert(cluster));
        let shares = ids.iter().map(|id| {
            clusters
                .iter()
                .filter(|name| placement.owner(name) == Some(id))
                .count()
        });
        let shares: Vec<_> = shares.collect();
        assert!(
            shares
                .iter()
                .zip([2_500, 2_500, 5_000])
                .all(|(share, go)| share.abs_diff(go) < 200),
            "{shares:?}"
        );
    }
}
