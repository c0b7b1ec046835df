//! What else there is: two crates, and the formula of multicluster-runtime as Go executes it.

use std::hash::{Hash, Hasher};

use hashring::HashRing;
use hrw_hash::{HrwNode, HrwNodes};

/// A way to find the owner of a cluster, with the fleet of peers built in.
pub(crate) trait Baseline {
    const NAME: &'static str;

    fn new(peers: &[(String, u32)]) -> Self;

    /// The number of the owner.
    fn owner(&self, cluster: &str) -> u32;
}

/// The crate `hrw-hash`.
pub(crate) struct Hrw(HrwNodes<Node>);

#[derive(Debug, PartialEq, Eq)]
struct Node {
    id: String,
    number: u32,
    weight: u32,
}

impl Hash for Node {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id.hash(state);
    }
}

impl HrwNode for Node {
    fn capacity(&self) -> usize {
        self.weight as usize
    }
}

impl Baseline for Hrw {
    const NAME: &'static str = "hrw-hash";

    fn new(peers: &[(String, u32)]) -> Self {
        let nodes = peers.iter().zip(0..).map(|((id, weight), number)| Node {
            id: id.clone(),
            number,
            weight: *weight,
        });
        Self(HrwNodes::new(nodes))
    }

    fn owner(&self, cluster: &str) -> u32 {
        self.0.sorted(&cluster).next().expect("a node").number
    }
}

/// The crate `hashring` with 100 points for each peer, without which its shares are far from equal.
pub(crate) struct Ring(HashRing<Point>);

#[derive(Clone, Debug)]
struct Point {
    id: String,
    copy: u32,
    number: u32,
}

impl Hash for Point {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.id, self.copy).hash(state);
    }
}

impl Baseline for Ring {
    const NAME: &'static str = "hashring";

    fn new(peers: &[(String, u32)]) -> Self {
        let points = peers.iter().zip(0..).flat_map(|((id, _), number)| {
            (0..100).map(move |copy| Point {
                id: id.clone(),
                copy,
                number,
            })
        });
        let mut ring = HashRing::new();
        ring.batch_add(points.collect());
        Self(ring)
    }

    fn owner(&self, cluster: &str) -> u32 {
        self.0.get(&cluster).expect("a point").number
    }
}

/// The formula of multicluster-runtime, which makes one string for each pair.
pub(crate) struct Go(Vec<(String, u32)>);

impl Baseline for Go {
    const NAME: &'static str = "go-formula";

    fn new(peers: &[(String, u32)]) -> Self {
        Self(peers.to_vec())
    }

    fn owner(&self, cluster: &str) -> u32 {
        let (mut best, mut owner) = (0, 0);
        for ((id, weight), number) in self.0.iter().zip(0..) {
            let score = fnv1a(&format!("{cluster}|{id}")).wrapping_mul(u64::from(*weight));
            if score >= best {
                (best, owner) = (score, number);
            }
        }
        owner
    }
}

fn fnv1a(text: &str) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    text.bytes().fold(0xcbf2_9ce4_8422_2325, step)
}
