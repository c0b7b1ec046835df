//! How fast a fleet is, in simulated time: `cargo test --features testing --test simulation numbers -- --nocapture`.

use std::{fmt, time::Duration};

use multicluster::testing::simulation::{Health, Operation, Operation::*, Outcome, Scenario};

use crate::must_hold;

const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);

/// Durations, from the shortest to the longest.
struct Spread(Vec<Duration>);

impl Spread {
    fn of(mut times: Vec<Duration>) -> Self {
        assert!(!times.is_empty(), "nothing was measured");
        times.sort_unstable();
        Self(times)
    }

    fn percentile(&self, percent: usize) -> Duration {
        self.0[(self.0.len() - 1) * percent / 100]
    }

    fn max(&self) -> Duration {
        self.percentile(100)
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = |time: Duration| format!("{:.2}", time.as_secs_f64());
        let (p50, p99, max) = (self.percentile(50), self.percentile(99), self.max());
        write!(
            f,
            "{} / {} / {} s ({})",
            show(p50),
            show(p99),
            show(max),
            self.0.len()
        )
    }
}

/// Prints one line of the table.
fn row(measure: &str, aim: &str, measured: impl fmt::Display) {
    println!("MEASURED | {measure} | {aim} | {measured} |");
}

/// Plays seeds of a scenario that depends on the seed.
fn play(seeds: u64, scenario: impl Fn(u64) -> Scenario) -> Vec<Outcome> {
    let run = |seed| must_hold(&scenario(seed), seed);
    (0..seeds).map(run).collect()
}

fn gaps(outcomes: &[Outcome]) -> Spread {
    Spread::of(
        outcomes
            .iter()
            .flat_map(|outcome| outcome.gaps.clone())
            .collect(),
    )
}

/// Three peers and twelve clusters that have worked for a while, which is another one for each seed.
fn fleet(lease: u64, seed: u64) -> Scenario {
    let phase = MILLISECOND * u32::try_from(seed * 137 % 6_000).unwrap_or_default();
    Scenario::new(3, 12)
        .lease(lease_of(lease))
        .script([ExpectOwned(4 * SECOND), Wait(2 * lease_of(lease) + phase)])
}

fn lease_of(lease: u64) -> Duration {
    Duration::from_secs(lease)
}

fn crash(lease: u64, seed: u64, loss: f64) -> Scenario {
    fleet(lease, seed).script([
        LostReplies(loss),
        Refusals(loss),
        Crash(0),
        Wait(3 * lease_of(lease)),
    ])
}

/// The crash of a peer: L2, and how much later at worst when replies get lost.
#[test]
fn numbers_of_crashes() {
    for (lease, p50, p99) in [
        (5, 4.5, 5.6),
        (10, 8.8, 10.5),
        (15, 13.0, 15.5),
        (30, 27.0, 30.5),
    ] {
        let spread = gaps(&play(400, |seed| crash(lease, seed, 0.0)));
        let aim = format!("p50 <= {p50}, p99 <= {p99} s");
        row(
            &format!("crash, L = {lease}: another peer works"),
            &aim,
            &spread,
        );
        assert!(spread.percentile(50).as_secs_f64() <= p50, "{spread}");
        assert!(spread.percentile(99).as_secs_f64() <= p99, "{spread}");
        // L2: two observers' ranks, the rates of two clocks, and a second.
        let bound = lease_of(lease).mul_f64(1.01) + SECOND;
        assert!(spread.max() <= bound, "{spread}");
    }
    // With L = 15 the aim is missed: a lost reply costs T = 3 s.
    for (lease, aim, p99) in [(5, 7.0, 7.0), (15, 16.5, 16.9)] {
        // Only what follows the crash: hand-overs and pauses are gaps as well.
        let spread = gaps(&play(1_000, |seed| crash(lease, seed, 0.01)));
        let aim = format!("p99 <= {aim} s");
        row(
            &format!("the same with 1 % lost replies, 1 % refusals, L = {lease}"),
            &aim,
            &spread,
        );
        assert!(spread.percentile(99).as_secs_f64() <= p99, "{spread}");
    }
}

/// L3: a cluster that is handed over is worked on again as soon as it was drained.
#[test]
fn numbers_of_hand_overs() {
    for (slow, p99) in [(0.0, 0.1), (0.05, 1.1)] {
        let spread = gaps(&play(400, |seed| {
            let scenario = fleet(15, seed).slow_writes(slow);
            scenario.script([
                Weight(0, 3),
                Wait(20 * SECOND),
                Weight(0, 1),
                Wait(20 * SECOND),
            ])
        }));
        let writes = if slow > 0.0 {
            "5 % of writes slow"
        } else {
            "writes answered"
        };
        row(
            &format!("hand-over, {writes}: gap after the drain"),
            &format!("p99 <= {p99} s"),
            &spread,
        );
        assert!(spread.percentile(50).as_secs_f64() <= p99, "{spread}");
        assert!(spread.percentile(99).as_secs_f64() <= p99, "{spread}");
    }
}

#[test]
fn numbers_of_restarts() {
    for peers in [3, 5] {
        let once = |peer| [Leave(peer), Wait(3 * SECOND), Start(peer), Wait(8 * SECOND)];
        let script: Vec<Operation> = (0..peers).flat_map(once).collect();
        let outcomes = play(200, |_| {
            let fleet = Scenario::new(peers, 12)
                .reconcile(SECOND / 3)
                .script([ExpectOwned(4 * SECOND)]);
            fleet.script(script.clone())
        });
        let gaps = gaps(&outcomes);
        let moves = outcomes
            .iter()
            .map(|outcome| outcome.moves)
            .max()
            .unwrap_or_default();
        let measured = format!("{moves} moves; {gaps}");
        row(
            &format!("rolling restart of {peers} peers, 12 clusters"),
            "24 moves; <= 1.1 s",
            measured,
        );
        assert!(moves <= 24, "{moves} moves");
        assert!(gaps.max() <= SECOND + SECOND / 10, "{gaps}");
    }
    let spread = gaps(&play(400, |seed| {
        fleet(15, seed).script([Restart(0), Wait(10 * SECOND)])
    }));
    row(
        "container restarted in its pod",
        "<= delta + 0.3 s",
        &spread,
    );
    assert!(spread.max() <= 1_300 * MILLISECOND, "{spread}");
}

#[test]
fn numbers_of_starts() {
    for peers in [3, 10] {
        let outcomes = play(200, |_| {
            Scenario::new(peers, 30).script([ExpectOwned(4 * SECOND), Wait(30 * SECOND)])
        });
        let moves: u64 = outcomes.iter().map(|outcome| outcome.moves).sum();
        let took = Spread::of(outcomes.iter().map(|outcome| outcome.took[0]).collect());
        let measured = format!("{moves} moves; {took}");
        row(
            &format!("cold start of {peers} peers, 30 clusters"),
            "0 moves; <= 1 s",
            measured,
        );
        assert_eq!(moves, 0);
        assert!(took.max() <= SECOND, "{took}");
    }
}

/// L6: a calm fleet writes what it must, and reads nothing.
#[test]
fn numbers_of_requests() {
    let calm = |seconds: u32| {
        let fleet = Scenario::new(3, 1_000).script([Wait(60 * SECOND), Wait(seconds * SECOND)]);
        must_hold(&fleet.write_every(10 * SECOND), 1)
    };
    let (short, long) = (calm(0), calm(500));
    let writes = (long.hub_writes - short.hub_writes) as f64 / 500.0;
    let reads = long.hub_reads - short.hub_reads;
    let measured = format!("{writes:.1} writes/s, {reads} reads");
    row(
        "1,000 clusters, 3 peers, L = 15, R = 5",
        "<= 201 writes/s, no reads",
        measured,
    );
    assert!(
        writes <= 202.0,
        "N/R + P/R = 200.6, and clocks that are 1 % fast: {writes}"
    );
    assert_eq!(reads, 0);
}

/// L4: thefts for each outage; 0.3 to 10 L, refusing, hanging, without its store.
#[test]
fn numbers_of_outages() {
    let (mut outages, mut thefts, mut moves) = (0, 0, 0);
    for lease in [5, 15] {
        for tenths in [3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 20, 30, 50, 100] {
            for health in [Health::Refusing, Health::Hanging, Health::StoreDown] {
                let outage = lease_of(lease).mul_f64(f64::from(tenths) / 10.0);
                let script = [
                    Hub(health),
                    Wait(outage),
                    HealAll,
                    Wait(20 * SECOND),
                    ExpectOwned(SECOND),
                ];
                for outcome in play(10, |seed| fleet(lease, seed).script(script.clone())) {
                    outages += 1;
                    thefts += outcome.thefts;
                    moves += outcome.moves;
                    // Nobody gave anything up either.
                    assert_eq!(outcome.tenures, 12, "{outage:?} {health:?}");
                }
            }
        }
    }
    row(
        "outages of the API server, 0.3 to 10 L",
        "0 thefts",
        format!("{thefts} thefts, {moves} moves in {outages} outages"),
    );
    assert_eq!((thefts, moves), (0, 0));
}
