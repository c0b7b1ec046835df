//! The API server is away: it stands still, or it is killed and comes back.

use std::{collections::BTreeSet, time::Duration};

use jiff::Timestamp;
use rustix::process::Signal;
use tokio::time::sleep;

use super::{SECOND, stay};
use crate::fleet::{
    Fleet,
    assertions::{Run, Spread, between},
    backend::{Backend, LEASES},
    leases::{LeaseWatch, PEER, SHARD},
};

/// How soon after its return every cluster's changes are reconciled.
const RECOVERY: Duration = Duration::from_secs(6);

/// How long a renewal allows work (H), and the stop margin after it.
const PAUSE: Duration = Duration::from_millis(4_900);

/// How many lines a replica may say about an outage, besides those about the work on each cluster.
const LINES: usize = 15;

/// While the API server stands still for two Lease durations nobody works past its deadline, and nothing moves.
pub(crate) async fn server_suspended(backend: Backend) {
    let fleet = Fleet::start(backend, 30).await;
    fleet.settle().await;
    let (fences, peers) = (fleet.held(SHARD).await, fleet.held(PEER).await);
    let before = Timestamp::now();
    fleet.create_everywhere("before").await;
    let stopped = fleet.server.signal(Signal::STOP);
    stay(stopped, 10 * SECOND).await;
    let resumed = fleet.server.signal(Signal::CONT);
    let times = recovery(&fleet, before, resumed).await;
    fleet.measured("API server suspended, SIGCONT -> reconciled", &times);

    let paused = said(&fleet, "synchronization paused", stopped);
    fleet.measured("API server suspended, SIGSTOP -> paused", &paused);
    let back = said(&fleet, "synchronization resumed", resumed);
    fleet.measured("API server suspended, SIGCONT -> resumed", &back);
    assert!(times.max() <= RECOVERY, "SIGCONT -> reconciled: {times}");
    assert!(paused.max() <= PAUSE, "SIGSTOP -> paused: {paused}");
    unmoved(&fleet, stopped).await;
    assert_eq!(fleet.held(SHARD).await, fences);
    assert_eq!(fleet.held(PEER).await, peers);
    fleet.check(&fleet.runs());
}

/// An API server that was dead for a while finds everything where it was, and is found by everybody soon.
///
/// In multicluster-runtime the watches wait for up to 30 s between two attempts.
pub(crate) async fn server_killed(backend: Backend) {
    let mut fleet = Fleet::start(backend, 60).await;
    fleet.settle().await;
    let (fences, peers) = (fleet.held(SHARD).await, fleet.held(PEER).await);
    let before = Timestamp::now();
    fleet.create_everywhere("before").await;
    // This watch is no evidence now: the transitions of the Leases are.
    fleet.leases.stop();
    let killed = fleet.server.kill();
    stay(killed, dead_for(backend)).await;
    let started = Timestamp::now();
    let ready = fleet.server.start_again().await;
    fleet.leases = LeaseWatch::start(fleet.client(), LEASES);
    let times = recovery(&fleet, before, ready).await;
    let took = between(started, ready);
    fleet.measured("API server killed, started -> ready", format!("{took:.3?}"));
    fleet.measured("API server killed, ready -> reconciled", &times);

    let runs = fleet.runs();
    let remarks: Vec<_> = runs.iter().map(|run| run.remarks(killed).count()).collect();
    fleet.measured(
        "API server killed, other lines of each replica than those of its work",
        format!("{remarks:?}"),
    );
    assert!(remarks.iter().all(|lines| *lines <= LINES), "{remarks:?}");
    let repeated: Vec<_> = runs.iter().flat_map(Run::repeated).collect();
    assert_eq!(repeated, [""; 0], "reported again and again");
    assert!(times.max() <= RECOVERY, "ready -> reconciled: {times}");
    unmoved(&fleet, killed).await;
    assert_eq!(fleet.held(SHARD).await, fences);
    assert_eq!(fleet.held(PEER).await, peers);
    fleet.check(&fleet.runs());
}

/// How long the API server is dead: longer than the longest back-off of client-go's watches, which is 30 s, or just long
/// enough for our own to reach its longest.
fn dead_for(backend: Backend) -> Duration {
    match backend {
        Backend::Real => 31 * SECOND,
        Backend::Sandbox => 15 * SECOND,
    }
}

/// How long after `back` each cluster reconciles an object that is made now; what was made `before` is not lost either.
async fn recovery(fleet: &Fleet, before: Timestamp, back: Timestamp) -> Spread {
    fleet.create_everywhere("after").await;
    let times = fleet.reconciled_everywhere("after", back).await;
    fleet.reconciled_everywhere("before", before).await;
    times
}

/// When each cluster's owner said so, counted from `since`: all of them did.
fn said(fleet: &Fleet, words: &str, since: Timestamp) -> Spread {
    let runs = fleet.runs();
    let said: Vec<_> = runs.iter().flat_map(|run| run.said(words, since)).collect();
    let of: BTreeSet<_> = said.iter().filter_map(|(_, cluster)| *cluster).collect();
    let all: BTreeSet<_> = fleet.clusters.iter().map(String::as_str).collect();
    assert_eq!(of, all, "{words}");
    Spread::of(said.iter().map(|(time, _)| between(since, *time)))
}

/// One Lease duration later still nobody has begun or ended any work, as would show if somebody thought others dead.
async fn unmoved(fleet: &Fleet, since: Timestamp) {
    sleep(5 * SECOND).await;
    for run in fleet.runs() {
        assert_eq!(run.turns(since), [], "{}", run.peer);
    }
}
