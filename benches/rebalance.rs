//! What a change of the fleet costs one peer, from the news to the list of commands; and how many clusters it moves.
//!
//! `cargo bench --bench rebalance --features testing`. In `join/10k of 3` a fourth peer joins three that have 10,000
//! clusters; in `leave` and `crash` one of them goes. The last lines are the shares of clusters that move.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use criterion::{Criterion, SamplingMode};
use multicluster::{
    ClusterName,
    sharding::{BoundedRendezvous, MulticlusterRuntime, Peer, Rendezvous, Ring, Sharder},
    testing::rebalance::{Change, OnePeer},
};

fn main() {
    // Each round needs a new fleet, which takes far longer to make than to change: so one round for each sample.
    let mut criterion = Criterion::default()
        .configure_from_args()
        .without_plots()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(1))
        .measurement_time(Duration::from_millis(1));
    for (what, change) in [
        ("join", Change::Join),
        ("leave", Change::Leave),
        ("crash", Change::Crash),
    ] {
        for clusters in [1_000, 10_000, 100_000] {
            let mut group = criterion.benchmark_group(format!("{what}/{}k", clusters / 1_000));
            group.sampling_mode(SamplingMode::Flat);
            // The largest fleet takes a minute to make.
            let sizes = [3, 10, 50].into_iter();
            for peers in sizes.filter(|peers| clusters * peers <= 1_000_000) {
                group.bench_function(format!("of {peers}"), |bencher| {
                    bencher.iter_custom(|rounds| {
                        (0..rounds).map(|_| round(change, clusters, peers)).sum()
                    });
                });
            }
        }
    }
    criterion.final_summary();
    print_moves();
}

fn round(change: Change, clusters: usize, peers: usize) -> Duration {
    let (sharder, others) = (Box::new(Rendezvous::new()), Box::new(Rendezvous::new()));
    let mut fleet = OnePeer::settled(change, clusters, peers, sharder, others).expect("a fleet");
    let before = fleet.peers();
    let start = Instant::now();
    black_box(fleet.change());
    let elapsed = start.elapsed();
    assert_ne!(fleet.peers(), before, "{change:?} must be noticed");
    elapsed
}

type Empty = fn() -> Box<dyn Sharder>;

/// The share of 10,000 clusters that moves when a peer joins, beside what must move.
fn print_moves() {
    let names: Vec<ClusterName> = (0..10_000)
        .map(|number| format!("ns-{number:05}").parse().expect("a name"))
        .collect();
    println!(
        "\n{:<26}{:>8}{:>8}{:>10}{:>10}",
        "join, clusters that move", "2 + 1", "4 + 1", "10 + 1", "50 + 1"
    );
    let share = |moved: usize| format!("{:.1} %", 100.0 * moved as f64 / names.len() as f64);
    let line = |name: &str, moved: [String; 4]| {
        println!(
            "{name:<26}{:>8}{:>8}{:>10}{:>10}",
            moved[0], moved[1], moved[2], moved[3]
        )
    };
    let sizes = [2, 4, 10, 50];
    line(
        "(what must move)",
        sizes.map(|peers| share(names.len() / (peers + 1))),
    );
    let sharders: [(&str, Empty); 4] = [
        ("Rendezvous", || Box::new(Rendezvous::new())),
        ("BoundedRendezvous", || Box::new(BoundedRendezvous::new())),
        ("Ring", || Box::new(Ring::new())),
        ("MulticlusterRuntime (Go)", || {
            Box::new(MulticlusterRuntime::new())
        }),
    ];
    for (name, empty) in sharders {
        line(
            name,
            sizes.map(|peers| share(moved_by_join(empty(), &names, peers))),
        );
    }
}

fn moved_by_join(mut sharder: Box<dyn Sharder>, names: &[ClusterName], peers: usize) -> usize {
    let peer = |number: usize| Peer {
        id: format!("sharded-namespace-{number}")
            .parse()
            .expect("an id"),
        weight: 1,
    };
    names.iter().for_each(|name| sharder.insert(name));
    for number in 0..peers {
        sharder.join(&peer(number));
    }
    sharder.join(&peer(peers)).len()
}
