//! Mixes of faults that nobody thought of.

use std::time::Duration;

use super::{operation::Operation, scenario::Scenario, server::Health};

/// A scenario of random faults, which ends with a heal and the expectation that everything is worked on again.
///
/// Each seed gives another fleet and another script.
pub fn mixed(lease: Duration, seed: u64) -> Scenario {
    let mut random = fastrand::Rng::with_seed(seed ^ 0x5eed);
    let peers = random.usize(2..=5);
    let clusters = random.usize(1..=8);
    let mut operations = Vec::new();
    for _ in 0..random.usize(5..40) {
        operations.push(fault(&mut random, peers, clusters));
        let longest = lease.mul_f64(if random.bool() { 0.3 } else { 1.5 });
        operations.push(Operation::Wait(longest.mul_f64(random.f64())));
    }
    operations.push(Operation::HealAll);
    operations.push(Operation::ExpectOwned(recovery(lease, peers)));
    // For good: what is handed over late, on a slow network, is soon worked on again.
    operations.push(Operation::Wait(lease));
    operations.push(Operation::ExpectOwned(Duration::from_secs(8)));
    let fleet = match random.bool() {
        true => Scenario::new(peers, clusters).bounded_loads(),
        false => Scenario::new(peers, clusters),
    };
    fleet
        .name("mixed")
        .lease(lease)
        .slow(if random.bool() { 0.0 } else { 0.05 })
        .reconcile(Duration::from_millis(random.u64(1..2_000)))
        .write_every(Duration::from_millis(random.u64(50..600)))
        .script(operations)
}

/// L1: the longest recovery after everything has healed.
fn recovery(lease: Duration, peers: usize) -> Duration {
    let ranks = u32::try_from(peers.saturating_sub(1)).unwrap_or(u32::MAX);
    lease * 2 + Duration::from_secs(2) * ranks + Duration::from_secs(10)
}

fn fault(random: &mut fastrand::Rng, peers: usize, clusters: usize) -> Operation {
    let peer = random.usize(..peers);
    let cluster = random.usize(..clusters);
    match random.u32(..35) {
        0 | 1 => Operation::Crash(peer),
        2..=4 => Operation::Start(peer),
        5 => Operation::Leave(peer),
        6 => Operation::Zombie(peer),
        7 | 8 => Operation::Freeze(peer),
        9 | 10 => Operation::Thaw(peer),
        11 | 12 => Operation::Partition(peer),
        13 | 14 => Operation::Heal(peer),
        15 => Operation::StallWatch(peer),
        16 => Operation::BreakWatch(peer),
        17 => Operation::Weight(peer, random.u32(1..5)),
        18 => Operation::Hide(peer, cluster, random.bool()),
        19 => Operation::Hub(
            [Health::Refusing, Health::Hanging, Health::StoreDown][random.usize(..3)],
        ),
        20 | 21 => Operation::Hub(Health::Up),
        22 => match random.bool() {
            true => Operation::Add(cluster),
            false => Operation::Remove(cluster),
        },
        23 => Operation::AnnotateFence(cluster),
        24 => Operation::Loss([0.0, 0.05, 0.3][random.usize(..3)]),
        26 | 27 => Operation::Restart(peer),
        28 => Operation::Twin(peer),
        29 => Operation::Rehome(peer),
        30 => Operation::Suspend(peer),
        31 => Operation::Resume(peer),
        32 => Operation::JumpDate(peer, random.i64(-100_000_000..100_000_000)),
        25 => Operation::Refusals([0.0, 0.05, 0.3][random.usize(..3)]),
        33 => Operation::Load(cluster, random.u64(..100_000)),
        _ => Operation::Stubborn(peer, random.bool()),
    }
}
