//! Peers and clusters on paper.

use std::collections::BTreeMap;

use multicluster::{
    ClusterName, Error,
    sharding::{
        BoundedRendezvous, Cost, MulticlusterRuntime, Peer, PeerId, Rendezvous, Ring, Sharder,
    },
};

/// The peers and the clusters with their objects.
#[derive(Debug, Default)]
pub(crate) struct Fleet {
    pub(crate) peers: Vec<Peer>,
    pub(crate) clusters: BTreeMap<ClusterName, u64>,
}

/// What one placement makes of a fleet.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) name: &'static str,
    /// The share of the clusters of each peer, in the order of the fleet.
    pub(crate) shares: Vec<f64>,
    /// The largest load of a peer beside what its weight entitles it to.
    pub(crate) excess: f64,
    /// The share of the clusters that moves when one more peer joins, and when the last one leaves.
    pub(crate) joins: f64,
    pub(crate) leaves: f64,
}

type Empty = fn() -> Box<dyn Sharder>;

/// All placements, the default first.
pub(crate) fn placements() -> [(&'static str, Empty); 4] {
    [
        ("Rendezvous", || Box::new(Rendezvous::new())),
        ("BoundedRendezvous", || Box::new(BoundedRendezvous::new())),
        ("Ring", || Box::new(Ring::new())),
        ("MulticlusterRuntime", || {
            Box::new(MulticlusterRuntime::new())
        }),
    ]
}

// === impl Fleet ===

impl Fleet {
    /// Adds a peer from `NAME` or `NAME=WEIGHT`.
    pub(crate) fn peer(&mut self, text: &str) -> Result<(), Error> {
        let (id, weight) = text.split_once('=').unwrap_or((text, "1"));
        let wrong = |_| {
            Error::setting(format!(
                "the weight in {text:?} must be a whole number from 1 to 33554432"
            ))
        };
        let (id, weight) = (id.parse::<PeerId>()?, weight.parse().map_err(wrong)?);
        if self.peers.iter().any(|peer| peer.id == id) {
            return Err(Error::setting(format!("the peer {id} is given twice")));
        }
        self.peers.push(Peer { id, weight });
        Ok(())
    }

    /// Adds a cluster from `NAME` or `NAME OBJECTS`.
    pub(crate) fn cluster(&mut self, line: &str) -> Result<(), Error> {
        let (name, objects) = line
            .trim()
            .split_once(char::is_whitespace)
            .unwrap_or((line.trim(), "0"));
        let wrong = |_| Error::setting(format!("the objects in {line:?} must be a whole number"));
        self.clusters
            .insert(name.parse()?, objects.trim().parse().map_err(wrong)?);
        Ok(())
    }

    /// Places the clusters, and tries two changes.
    pub(crate) fn play(&self, name: &'static str, empty: Empty) -> Outcome {
        let mut sharder = empty();
        for (cluster, objects) in &self.clusters {
            sharder.insert(cluster);
            sharder.report(cluster, Cost::of(*objects));
        }
        for peer in &self.peers {
            sharder.join(peer);
        }
        let all = self.clusters.len().max(1) as f64;
        let owned = |peer: &Peer| {
            self.clusters
                .iter()
                .filter(|(name, _)| sharder.owner(name) == Some(&peer.id))
                .collect::<Vec<_>>()
        };
        let owned: Vec<_> = self.peers.iter().map(owned).collect();
        let weights: f64 = self
            .peers
            .iter()
            .map(|peer| f64::from(peer.weight.max(1)))
            .sum();
        // Objects count here, and clusters in the shares.
        let cost = |objects: &u64| Cost::of(*objects).get() as f64;
        let total: f64 = self.clusters.values().map(cost).sum();
        let excess = self.peers.iter().zip(&owned).map(|(peer, owned)| {
            let load: f64 = owned.iter().map(|(_, objects)| cost(objects)).sum();
            load / total.max(1.0) * weights / f64::from(peer.weight.max(1))
        });
        let (excess, shares) = (
            excess.fold(0.0, f64::max),
            owned.iter().map(|owned| owned.len() as f64 / all).collect(),
        );
        let newcomer = Peer {
            id: self.newcomer(),
            weight: 1,
        };
        let joins = sharder.join(&newcomer).len() as f64 / all;
        sharder.leave(&newcomer.id);
        let leaves = self
            .peers
            .last()
            .map_or(0, |last| sharder.leave(&last.id).len()) as f64
            / all;
        Outcome {
            name,
            shares,
            excess,
            joins,
            leaves,
        }
    }

    /// The next peer of the StatefulSet, or of whatever the last one is.
    fn newcomer(&self) -> PeerId {
        let number = self.peers.len();
        let last = self.peers.last().map_or("peer", |peer| peer.id.as_str());
        let base = last.trim_end_matches(|c: char| c.is_ascii_digit() || c == '-');
        let id = format!("{base}-{number}").parse();
        id.unwrap_or_else(|_| self.peers[0].id.clone())
    }
}
