//! How fast clusters are placed, beside what else there is; the last lines are a table of the ratios.
//!
//! `cargo bench --bench placement` runs everything in a few minutes. A name is `what/clusters x peers`: `assign` places all
//! clusters from digests that are kept, `assign-names` hashes their names as well, and `join` and `leave` are one change of
//! the fleet up to the list of clusters that move. The others keep nothing between two changes, so for them a change is
//! building the new fleet, finding every owner, and comparing it with the one before.

mod baselines;
mod report;

use std::time::{Duration, Instant};

use baselines::{Baseline, Go, Hrw, Ring};
use criterion::{
    Bencher, BenchmarkGroup, BenchmarkId, Criterion, Throughput, measurement::WallTime,
};
use multicluster::sharding::{Peer, PeerId, RendezvousTable};
use report::Report;

/// One group: so many clusters, so many peers.
struct Size {
    clusters: usize,
    peers: usize,
    name: String,
}

/// The functions of one group.
struct Group<'a> {
    criterion: BenchmarkGroup<'a, WallTime>,
    report: &'a mut Report,
    name: String,
}

fn main() {
    let mut criterion = Criterion::default()
        .configure_from_args()
        .without_plots()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(1_500));
    let mut report = Report::default();
    for (clusters, peers) in [(1_000, 3), (10_000, 10), (10_000, 50)] {
        assign(
            &mut criterion,
            &mut report,
            &Size::new("assign", clusters, peers),
        );
    }
    assign_names(
        &mut criterion,
        &mut report,
        &Size::new("assign-names", 10_000, 10),
    );
    weighted(
        &mut criterion,
        &mut report,
        &Size::new("weighted", 10_000, 50),
    );
    for peers in [10, 50] {
        join(
            &mut criterion,
            &mut report,
            &Size::new("join", 10_000, peers),
        );
        leave(
            &mut criterion,
            &mut report,
            &Size::new("leave", 10_000, peers),
        );
    }
    for clusters in [10_000, 1_000_000] {
        scale(
            &mut criterion,
            &mut report,
            &Size::new("assign", clusters, 100),
        );
    }
    criterion.final_summary();
    report.print();
}

fn assign(criterion: &mut Criterion, report: &mut Report, size: &Size) {
    let (names, peers) = (size.names(), size.equal_peers());
    let mut group = Group::open(criterion, report, size, size.pairs());
    group.tables(&names, &peers, |table| {
        table.reassign();
    });
    group.owners::<Hrw>(&names, &peers);
    group.owners::<Ring>(&names, &peers);
    group.owners::<Go>(&names, &peers);
}

fn assign_names(criterion: &mut Criterion, report: &mut Report, size: &Size) {
    let (names, peers) = (size.names(), size.equal_peers());
    let texts: Vec<_> = names.iter().map(String::as_str).collect();
    let mut group = Group::open(criterion, report, size, size.pairs());
    group.tables(&names, &peers, |table| {
        table.clear();
        table.extend(texts.iter().copied());
    });
    group.owners::<Hrw>(&names, &peers);
    group.owners::<Ring>(&names, &peers);
    group.owners::<Go>(&names, &peers);
}

fn weighted(criterion: &mut Criterion, report: &mut Report, size: &Size) {
    let (names, mut peers) = (size.names(), size.equal_peers());
    for (peer, weight) in peers.iter_mut().zip([1, 2, 4].into_iter().cycle()) {
        peer.1 = weight;
    }
    let mut group = Group::open(criterion, report, size, size.pairs());
    group.tables(&names, &peers, |table| {
        table.reassign();
    });
    group.owners::<Hrw>(&names, &peers);
}

/// A fleet of which all but the last take part, and the last joins.
fn join(criterion: &mut Criterion, report: &mut Report, size: &Size) {
    let names = size.names();
    let peers = stateful_set(size.peers + 1);
    let (newcomer, present) = peers.split_last().expect("peers");
    let newcomer = peer(newcomer);
    let mut group = Group::open(criterion, report, size, size.clusters);
    group.changes(
        &names,
        present,
        |table| table.join(&newcomer).len(),
        |table| table.leave(&newcomer.id).len(),
    );
    group.rebuilds::<Hrw>(&names, present, &peers);
    group.rebuilds::<Ring>(&names, present, &peers);
    group.rebuilds::<Go>(&names, present, &peers);
}

fn leave(criterion: &mut Criterion, report: &mut Report, size: &Size) {
    let (names, peers) = (size.names(), size.equal_peers());
    let (last, rest) = peers.split_last().expect("peers");
    let last = peer(last);
    let mut group = Group::open(criterion, report, size, size.clusters);
    group.changes(
        &names,
        &peers,
        |table| table.leave(&last.id).len(),
        |table| table.join(&last).len(),
    );
    group.rebuilds::<Hrw>(&names, &peers, rest);
    group.rebuilds::<Ring>(&names, &peers, rest);
    group.rebuilds::<Go>(&names, &peers, rest);
}

/// What becomes of the time for one pair when the fleet grows.
fn scale(criterion: &mut Criterion, report: &mut Report, size: &Size) {
    let (names, peers) = (size.names(), size.equal_peers());
    let mut group = Group::open(criterion, report, size, size.pairs());
    group.tables(&names, &peers, |table| {
        table.reassign();
    });
}

// === impl Size ===

impl Size {
    fn new(what: &str, clusters: usize, peers: usize) -> Self {
        let short = match clusters {
            1_000_000.. => format!("{}M", clusters / 1_000_000),
            _ => format!("{}k", clusters / 1_000),
        };
        let name = format!("{what}/{short} x {peers}");
        Self {
            clusters,
            peers,
            name,
        }
    }

    fn pairs(&self) -> usize {
        self.clusters * self.peers
    }

    fn names(&self) -> Vec<String> {
        (0..self.clusters)
            .map(|number| format!("ns-{number:05}"))
            .collect()
    }

    fn equal_peers(&self) -> Vec<(String, u32)> {
        stateful_set(self.peers)
    }
}

// === impl Group ===

impl<'a> Group<'a> {
    /// A group whose times are given for one of `units`: pairs, or clusters.
    fn open(
        criterion: &'a mut Criterion,
        report: &'a mut Report,
        size: &Size,
        units: usize,
    ) -> Self {
        let mut group = criterion.benchmark_group(&size.name);
        group.throughput(Throughput::Elements(units as u64));
        report.open(&size.name, units);
        Self {
            criterion: group,
            report,
            name: size.name.clone(),
        }
    }

    /// Measures what `run` says took so many rounds.
    fn measure(&mut self, function: &str, mut run: impl FnMut(u64) -> Duration) {
        let mut samples = Vec::new();
        self.criterion.bench_function(
            BenchmarkId::from_parameter(function),
            |bencher: &mut Bencher| {
                bencher.iter_custom(|rounds| {
                    let time = run(rounds);
                    samples.push(time.as_secs_f64() / rounds as f64);
                    time
                });
            },
        );
        self.report.add(&self.name, function, samples);
    }

    /// Ours, with and without vector instructions.
    fn tables(
        &mut self,
        names: &[String],
        peers: &[(String, u32)],
        mut act: impl FnMut(&mut RendezvousTable),
    ) {
        for (function, empty) in tables() {
            let mut table = filled(empty, names, peers);
            self.measure(function, |rounds| {
                let start = Instant::now();
                for _ in 0..rounds {
                    act(std::hint::black_box(&mut table));
                }
                start.elapsed()
            });
        }
    }

    /// Ours, for a change of the fleet that is undone without being measured.
    fn changes(
        &mut self,
        names: &[String],
        peers: &[(String, u32)],
        change: impl Fn(&mut RendezvousTable) -> usize,
        undo: impl Fn(&mut RendezvousTable) -> usize,
    ) {
        for (function, empty) in tables() {
            let mut table = filled(empty, names, peers);
            self.measure(function, |rounds| {
                let mut time = Duration::ZERO;
                for _ in 0..rounds {
                    let start = Instant::now();
                    let moved = change(std::hint::black_box(&mut table));
                    time += start.elapsed();
                    assert_eq!(moved, undo(&mut table), "what came goes again");
                }
                time
            });
        }
    }

    fn owners<B: Baseline>(&mut self, names: &[String], peers: &[(String, u32)]) {
        let baseline = B::new(peers);
        self.measure(B::NAME, |rounds| {
            let start = Instant::now();
            for _ in 0..rounds {
                for name in names {
                    std::hint::black_box(baseline.owner(name));
                }
            }
            start.elapsed()
        });
    }

    /// Others, for a change of the fleet.
    fn rebuilds<B: Baseline>(
        &mut self,
        names: &[String],
        before: &[(String, u32)],
        after: &[(String, u32)],
    ) {
        let fleet = B::new(before);
        let owners: Vec<_> = names.iter().map(|name| fleet.owner(name)).collect();
        self.measure(B::NAME, |rounds| {
            let start = Instant::now();
            for _ in 0..rounds {
                let fleet = B::new(after);
                let moved =
                    names
                        .iter()
                        .zip(&owners)
                        .zip(0_u32..)
                        .filter_map(|((name, from), row)| {
                            let to = fleet.owner(name);
                            (to != *from).then_some((row, *from, to))
                        });
                std::hint::black_box(moved.collect::<Vec<_>>());
            }
            start.elapsed()
        });
    }
}

fn tables() -> [(&'static str, RendezvousTable); 2] {
    [
        ("multicluster", RendezvousTable::new()),
        ("multicluster-scalar", RendezvousTable::portable()),
    ]
}

fn filled(
    mut table: RendezvousTable,
    names: &[String],
    peers: &[(String, u32)],
) -> RendezvousTable {
    table.extend(names.iter().map(String::as_str));
    for named in peers {
        table.join(&peer(named));
    }
    table
}

fn stateful_set(peers: usize) -> Vec<(String, u32)> {
    (0..peers)
        .map(|number| (format!("sharded-namespace-{number}"), 1))
        .collect()
}

fn peer((id, weight): &(String, u32)) -> Peer {
    Peer {
        id: PeerId::new(id).expect("an id"),
        weight: *weight,
    }
}
