//! How evenly loads are spread, and how much moves: clusters whose sizes differ by orders of magnitude.

use xxhash_rust::xxh3::xxh3_64;

use super::*;

const CLUSTERS: usize = 1_000;

/// The deviation of the logarithms.
const SIGMA: f64 = 1.0;

fn uniform(seed: u64, number: usize, part: u8) -> f64 {
    let bits = xxh3_64(format!("{seed}/{number}/{part}").as_bytes()) >> 11;
    (bits as f64 + 0.5) / (1_u64 << 53) as f64
}

/// A log-normal number of objects: 150 in the middle, 0.1 % above 3,300.
fn objects(seed: u64, number: usize) -> u64 {
    // Box and Muller.
    let radius = (-2.0 * uniform(seed, number, 0).ln()).sqrt();
    let normal = radius * (std::f64::consts::TAU * uniform(seed, number, 1)).cos();
    (150.0 * (SIGMA * normal).exp()) as u64
}

fn cluster(number: usize) -> ClusterName {
    format!("ns-{number:05}").parse().unwrap()
}

fn peer(number: usize) -> Peer {
    Peer {
        id: format!("sharded-namespace-{number}").parse().unwrap(),
        weight: 1,
    }
}

fn fleet(seed: u64, peers: usize) -> BoundedRendezvous {
    let mut placement = BoundedRendezvous::new();
    (0..CLUSTERS).for_each(|number| add(&mut placement, seed, number));
    (0..peers).for_each(|number| drop(placement.join(&peer(number))));
    placement
}

fn add(placement: &mut BoundedRendezvous, seed: u64, number: usize) {
    placement.insert(&cluster(number));
    placement.report(&cluster(number), Cost::of(objects(seed, number)));
}

fn cost(seed: u64, number: usize) -> f64 {
    Cost::of(objects(seed, number)).get() as f64
}

fn owners(placement: &BoundedRendezvous) -> Vec<PeerId> {
    let owner = |number| placement.owner(&cluster(number)).unwrap().clone();
    (0..CLUSTERS).map(owner).collect()
}

#[test]
fn nobody_has_a_third_more_than_the_mean_unless_one_cluster_is_that_large() {
    for seed in 0..5 {
        let costs: Vec<_> = (0..CLUSTERS).map(|number| cost(seed, number)).collect();
        let (total, largest) = (
            costs.iter().sum::<f64>(),
            costs.iter().copied().fold(0.0, f64::max),
        );
        for peers in [2, 3, 5, 10, 20, 50] {
            let mut loads: HashMap<PeerId, f64> = HashMap::new();
            for (owner, cost) in owners(&fleet(seed, peers)).into_iter().zip(&costs) {
                *loads.entry(owner).or_default() += cost;
            }
            let mean = total / peers as f64;
            let most = loads.values().copied().fold(0.0, f64::max);
            let bound = (1.33 * mean).max(largest);
            assert!(
                most <= bound,
                "seed {seed}, {peers} peers: {:.2} times the mean",
                most / mean
            );
        }
    }
}

#[test]
fn a_join_moves_hardly_more_than_it_must() {
    for peers in [2, 3, 5, 10] {
        let moved = |seed| fleet(seed, peers).join(&peer(peers)).len() as f64;
        let mean = (0..10).map(moved).sum::<f64>() / 10.0;
        let ideal = CLUSTERS as f64 / (peers as f64 + 1.0);
        println!("MEASURED {peers} peers: {:.2} of ideal", mean / ideal);
        assert!(mean <= 1.15 * ideal, "{peers} peers: {mean} of {ideal}");
    }
}

#[test]
fn a_new_cluster_moves_at_most_one_other_on_average() {
    const NEW: usize = 60;
    for peers in [3, 10, 50] {
        let mut moved = 0;
        for seed in 0..3 {
            let mut placement = fleet(seed, peers);
            for number in CLUSTERS..CLUSTERS + NEW {
                let before = owners(&placement);
                add(&mut placement, seed, number);
                let after = owners(&placement);
                moved += before.iter().zip(&after).filter(|(a, b)| a != b).count();
            }
        }
        let mean = moved as f64 / (3 * NEW) as f64;
        println!("MEASURED {peers} peers: {mean:.2} moves for each new cluster");
        assert!(mean <= 1.0, "{peers} peers: {mean} moves for each cluster");
    }
}
