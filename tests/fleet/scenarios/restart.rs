//! A process under the name of another one: the next container of its pod, a new pod, or one too many.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use jiff::Timestamp;
use rustix::process::Signal;

use super::{
    SECOND,
    failover::{TAKEOVER, measure, write},
    probe, stay,
};
use crate::fleet::{
    Fleet,
    assertions::{Spread, between},
    backend::Backend,
    eventually::eventually,
    leases::SHARD,
};

/// How soon the next container of a pod works again, counted from its start.
const AGAIN: Duration = Duration::from_secs(2);

/// How soon everybody has the usual share.
const SHARE: Duration = Duration::from_secs(15);

const POD_UID: &str = "POD_UID";

/// A container that is started again in its pod goes on with its clusters at once, and others notice nothing.
pub(crate) async fn restarted(backend: Backend) {
    let mut fleet = Fleet::start_with(backend, 30, pods()).await;
    fleet.settle().await;
    let writer = write(&fleet).await;
    let begin = Timestamp::now();
    for place in 0..fleet.replicas.len() {
        let peer = fleet.replicas[place].peer.clone();
        let owned = fleet.owned_by(&peer);
        let killed = fleet.restart(place).await;
        let started = fleet.replicas[place].started;
        let alone = BTreeSet::from([peer.clone()]);
        let work = fleet.working_by(&alone, &owned, started).await;
        let down = Spread::of(work.values().map(|work| between(killed, work.reconciled)));
        fleet.measured("container restarted, SIGKILL -> reconciled", &down);
        let worst = measure(&fleet, "container restarted, its start", started, &work);
        assert!(worst <= AGAIN, "start -> reconciled: {worst:?}");
        acquired_by(&fleet, &peer, &owned, killed).await;
    }
    // One Lease duration in which it would show that somebody thought another dead.
    stay(Timestamp::now(), 5 * SECOND).await;
    let acquired = fleet.leases.acquisitions(SHARD, begin).len();
    assert_eq!(acquired, fleet.clusters.len(), "each is acquired once");
    unmoved(&fleet, &fleet.clusters, begin);
    assert!(writer.is_alive(), "a change was refused");
    drop(writer);
    fleet.check(&fleet.runs());
}

/// A new pod of the same name is a stranger to the Leases of the last one: that may still run.
pub(crate) async fn replaced(backend: Backend) {
    let mut fleet = Fleet::start_with(backend, 30, pods()).await;
    fleet.settle().await;
    let writer = write(&fleet).await;
    let (place, owned) = fleet.largest();
    let peer = fleet.replicas[place].peer.clone();
    fleet.replicas[place].set_env(POD_UID, pods()(&peer).remove(0).1);
    let killed = fleet.restart(place).await;
    let ended = fleet.past[0].ended.expect("it has ended");
    let expiry = expiry(&fleet, &owned, ended).await;
    let work = fleet.working(&owned, killed).await;
    let worst = measure(&fleet, "pod replaced, SIGKILL", killed, &work);
    assert!(worst <= TAKEOVER, "SIGKILL -> reconciled: {worst:?}");
    patient(&fleet, "pod replaced", &expiry, killed);
    fleet.owns(&peer, &owned, SHARE).await;
    let back = between(killed, Timestamp::now());
    fleet.measured("pod replaced, SIGKILL -> its share", format!("{back:.3?}"));
    let others = fleet.clusters.difference(&owned).cloned().collect();
    unmoved(&fleet, &others, killed);
    assert!(writer.is_alive(), "a change was refused");
    drop(writer);
    fleet.check(&fleet.runs());
}

/// A second process of the same pod and name, while the first stands still, waits like a stranger.
///
/// The first one has the proof until it ends. When it goes on it finds its name taken, does no work, and ends.
pub(crate) async fn doubled(backend: Backend) {
    let mut fleet = Fleet::start_with(backend, 30, pods()).await;
    fleet.settle().await;
    let (place, owned) = fleet.largest();
    let peer = fleet.replicas[place].peer.clone();
    let stopped = fleet.replicas[place].signal(Signal::STOP);
    fleet.start_twin(place);
    let expiry = expiry(&fleet, &owned, stopped).await;
    let work = fleet.working(&owned, stopped).await;
    let worst = measure(&fleet, "doubled, SIGSTOP", stopped, &work);
    assert!(worst <= TAKEOVER, "SIGSTOP -> reconciled: {worst:?}");
    patient(&fleet, "doubled", &expiry, stopped);
    let runs = fleet.runs();
    let mut refused = runs[place].said("another process of this peer runs in this pod", stopped);
    assert!(refused.next().is_some(), "it has no proof, and says so");
    fleet.owns(&peer, &owned, SHARE).await;
    let back = between(stopped, Timestamp::now());
    fleet.measured("doubled, SIGSTOP -> its share", format!("{back:.3?}"));

    let resumed = fleet.past[0].signal(Signal::CONT);
    let first = &mut fleet.past[0];
    first.last_words = format!(
        "error: another process took the peer id {peer:?}: \
         give each replica an id of its own (POD_NAME or --peer)"
    );
    let status = first.wait(5 * SECOND).await;
    let ended = between(resumed, first.ended.expect("it has ended"));
    assert!(!status.success(), "{status}");
    fleet.measured("doubled, SIGCONT -> ended", format!("{ended:.3?}"));
    probe(
        &fleet,
        &fleet.clusters,
        "changes, one process too many ended",
    )
    .await;
    let others = fleet.clusters.difference(&owned).cloned().collect();
    unmoved(&fleet, &others, stopped);
    unmoved(&fleet, &owned, resumed);
    // What the first began before it was stopped must not go on afterwards.
    let mut runs = fleet.runs();
    let first = runs.pop().expect("the one of the past is the last");
    runs.extend(first.split(stopped, resumed));
    fleet.check(&runs);
}

/// A pod for each peer, which no other test has.
fn pods() -> impl Fn(&str) -> Vec<(&'static str, String)> {
    let test = format!(
        "{}-{}",
        std::process::id(),
        Timestamp::now().as_nanosecond()
    );
    move |peer| vec![(POD_UID, format!("{test}-{peer}"))]
}

/// Each of `clusters` is acquired once after `since`, by `peer`, and nothing else is.
async fn acquired_by(fleet: &Fleet, peer: &str, clusters: &BTreeSet<String>, since: Timestamp) {
    let expected: Vec<_> = clusters
        .iter()
        .map(|name| (format!("{SHARD}{name}"), peer.to_owned()))
        .collect();
    eventually(SECOND, "the watch shows all acquisitions", async || {
        let acquired = fleet.leases.acquisitions(SHARD, since).into_iter();
        let mut acquired: Vec<_> = acquired.map(|one| (one.lease, one.holder)).collect();
        acquired.sort();
        (acquired == expected)
            .then_some(())
            .ok_or_else(|| format!("{acquired:?}"))
    })
    .await;
}

/// When the Lease of each of `clusters` expires, whose holder renewed none after `last`.
async fn expiry(
    fleet: &Fleet,
    clusters: &BTreeSet<String>,
    last: Timestamp,
) -> BTreeMap<String, Timestamp> {
    let leases = fleet.leases_under(SHARD).await.into_iter();
    let of = leases.filter(|(name, _)| clusters.contains(name));
    of.map(|(name, lease)| {
        let renewed = lease.spec.and_then(|spec| spec.renew_time);
        let renewed = renewed.expect("it was renewed").0;
        assert!(renewed <= last, "{name} was renewed at {renewed}");
        (name, renewed + 5 * SECOND)
    })
    .collect()
}

/// Nobody acquires a Lease before it has expired, not under its holder's name either.
fn patient(fleet: &Fleet, what: &str, expiry: &BTreeMap<String, Timestamp>, since: Timestamp) {
    let acquisitions = fleet.leases.acquisitions(SHARD, since);
    let mut first = BTreeMap::new();
    for one in &acquisitions {
        let name = one.lease.strip_prefix(SHARD).unwrap_or_default();
        if let Some(expiry) = expiry.get(name) {
            assert!(one.time >= *expiry, "{one:?}, which expires at {expiry}");
            first.entry(name).or_insert(between(since, one.time));
        }
    }
    assert_eq!(first.len(), expiry.len(), "{acquisitions:?}");
    let earliest = first.values().min().copied().unwrap_or_default();
    fleet.measured(
        &format!("{what} -> first fence acquired"),
        format!("{earliest:.3?}"),
    );
}

fn unmoved(fleet: &Fleet, clusters: &BTreeSet<String>, since: Timestamp) {
    let moved = clusters
        .iter()
        .filter(|cluster| fleet.moved(cluster, since));
    let moved: Vec<_> = moved.collect();
    assert!(moved.is_empty(), "clusters moved: {moved:?}");
}
