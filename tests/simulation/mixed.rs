//! Random fleets under random faults.

use std::time::Duration;

use multicluster::testing::simulation::mixed;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Plays the seeds of one Lease duration, and prints what was played.
fn play(lease: u64) {
    let lease = Duration::from_secs(lease);
    let seeds = match number("SIMULATION_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SIMULATION_SEEDS").unwrap_or(5_000),
    };
    let start = std::time::Instant::now();
    let (mut events, mut writes, mut time) = (0, 0, Duration::ZERO);
    let mut slowest = (Duration::ZERO, Duration::ZERO);
    for seed in seeds.clone() {
        match mixed(lease, seed).run(seed) {
            Ok(outcome) => {
                events += outcome.events;
                writes += outcome.writes;
                time += outcome.time;
                slowest.0 = slowest.0.max(outcome.reached[0]);
                slowest.1 = slowest.1.max(outcome.took[0]);
            }
            Err(failure) => panic!("{failure}"),
        }
    }
    let elapsed = start.elapsed();
    println!(
        "MEASURED simulation L={}: {} seeds, {events} events, {writes} checked writes, {:.1} M events/s, {:.0} times real \
         time; after the heal every cluster was worked on within {:.2?}, all at once within {:.2?}",
        lease.as_secs(),
        seeds.count(),
        events as f64 / elapsed.as_secs_f64() / 1e6,
        time.as_secs_f64() / elapsed.as_secs_f64(),
        slowest.0,
        slowest.1,
    );
}

#[test]
fn mixed_l5() {
    play(5);
}

#[test]
fn mixed_l15() {
    play(15);
}

#[test]
fn one_seed_is_one_run() {
    for seed in 0..20 {
        let run = || mixed(Duration::from_secs(5), seed).run(seed).unwrap();
        assert_eq!(run(), run());
    }
}
