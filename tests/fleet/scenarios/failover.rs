//! One of the replicas dies, or seems to.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use jiff::Timestamp;
use rustix::process::Signal;
use tokio::time::sleep;

use super::{SECOND, probe, stay};
use crate::fleet::{
    Fleet, Work,
    assertions::{Spread, between},
    backend::Backend,
    eventually::eventually,
    replica::Replica,
    writer::Writer,
};

/// How long others may need to work on the clusters of a dead replica.
pub(super) const TAKEOVER: Duration = Duration::from_secs(7);

/// How soon a replica that had lost its clusters for a moment works on them again.
const BACK: Duration = Duration::from_secs(3);

/// How often a ConfigMap in every cluster is changed.
const OFTEN: Duration = Duration::from_millis(200);

/// When a replica dies, others take over after its Leases have expired, and nobody works beside another.
pub(crate) async fn crash(backend: Backend) {
    let mut fleet = Fleet::start(backend, 30).await;
    fleet.settle().await;
    let writer = write(&fleet).await;
    let (place, owned) = fleet.largest();
    let killed = fleet.replicas[place].kill().await;
    let before = writer.rounds();
    let work = fleet.working(&owned, killed).await;
    let rounds = u32::try_from(writer.rounds() - before).unwrap_or(u32::MAX);
    let period = between(killed, Timestamp::now()) / rounds.max(1);
    fleet.measured("crash, one round of changes", format!("{period:.3?}"));
    let worst = measure(&fleet, "crash, SIGKILL", killed, &work);
    assert!(worst <= TAKEOVER, "SIGKILL -> reconciled: {worst:?}");

    // One Lease duration in which a second owner would show: everybody who works has something to reconcile.
    sleep(5 * SECOND).await;
    assert!(writer.is_alive(), "a change was refused");
    let dead = fleet.replicas[place].peer.clone();
    for cluster in &fleet.clusters {
        assert_ne!(fleet.holder(cluster), dead);
    }
    let others = fleet.clusters.difference(&owned);
    let moved: Vec<_> = others
        .filter(|cluster| fleet.moved(cluster, killed))
        .collect();
    assert!(
        moved.is_empty(),
        "clusters of living replicas moved: {moved:?}"
    );
    fleet.check(&fleet.runs());
}

/// A replica that stood still for three Lease durations does no work that has become another's, and gets its own back.
///
/// It is stopped while it has nothing to do: what it would do between its last look at the fence and the deed is out of
/// any fence's reach. Changes wait for it in its sockets when it goes on.
pub(crate) async fn suspended(backend: Backend) {
    let fleet = Fleet::start(backend, 30).await;
    fleet.settle().await;
    let (place, owned) = fleet.largest();
    let replica = &fleet.replicas[place];
    let writer = write(&fleet).await;
    let pause = writer.pause().await;
    idle(replica).await;
    let stopped = replica.signal(Signal::STOP);
    drop(pause);
    let others = fleet.others(place);
    let work = fleet.working_by(&others, &owned, stopped).await;
    let worst = measure(&fleet, "suspended, SIGSTOP", stopped, &work);
    assert!(worst <= TAKEOVER, "SIGSTOP -> reconciled: {worst:?}");

    stay(stopped, 15 * SECOND).await;
    let resumed = replica.signal(Signal::CONT);
    let back = fleet
        .working_by(&BTreeSet::from([replica.peer.clone()]), &owned, resumed)
        .await;
    let worst = measure(&fleet, "suspended, SIGCONT", resumed, &back);
    assert!(worst <= TAKEOVER, "SIGCONT -> reconciled: {worst:?}");
    fleet.owns(&replica.peer, &owned, 5 * SECOND).await;
    let back = between(resumed, Timestamp::now());
    fleet.measured("suspended, SIGCONT -> its share", format!("{back:.3?}"));
    assert!(writer.is_alive(), "a change was refused");
    drop(writer);
    // Its log shows two lives: what was begun in the first must not go on in the second.
    let mut runs = fleet.runs();
    let lives = runs.remove(place).split(stopped, resumed);
    runs.extend(lives);
    fleet.check(&runs);
}

/// A replica that stood still just long enough to lose its clusters has them back at once.
///
/// Others took them before they could judge it dead: what they hold for a winner that let it lie, they keep for a while.
pub(crate) async fn napped(backend: Backend) {
    let fleet = Fleet::start(backend, 30).await;
    fleet.settle().await;
    let (place, owned) = fleet.largest();
    let replica = &fleet.replicas[place];
    let stopped = replica.signal(Signal::STOP);
    fleet.owns(&replica.peer, &BTreeSet::new(), TAKEOVER).await;
    let resumed = replica.signal(Signal::CONT);
    let asleep = between(stopped, resumed);
    fleet.measured("napped, SIGSTOP -> SIGCONT", format!("{asleep:.3?}"));
    let alone = BTreeSet::from([replica.peer.clone()]);
    let back = fleet.working_by(&alone, &owned, resumed).await;
    let worst = measure(&fleet, "napped, SIGCONT", resumed, &back);
    assert!(worst <= BACK, "SIGCONT -> reconciled: {worst:?}");
    let mut runs = fleet.runs();
    let lives = runs.remove(place).split(stopped, resumed);
    runs.extend(lives);
    fleet.check(&runs);
}

/// Namespaces that come during a fail-over get owners, and those that go stop nothing but their own work.
///
/// In multicluster-runtime the watches of clusters that were engaged together ended with the first of them.
pub(crate) async fn namespaces_come_and_go(backend: Backend) {
    let mut fleet = Fleet::start(backend, 20).await;
    fleet.settle().await;
    let (place, mut expected) = fleet.largest();
    let killed = fleet.replicas[place].kill().await;
    let of_others: BTreeSet<_> = fleet.clusters.difference(&expected).cloned().collect();
    let new: BTreeSet<String> = (0..20).map(|i| format!("new-{i:02}")).collect();
    fleet.create_clusters(new.clone()).await;
    probe(
        &fleet,
        &of_others,
        "changes elsewhere, during the fail-over",
    )
    .await;
    expected.extend(new.clone());
    let (of_new, of_dead) = fleet
        .working(&expected, killed)
        .await
        .into_iter()
        .partition(|(cluster, _)| new.contains(cluster));
    for (work, what) in [
        (of_dead, "old clusters"),
        (of_new, "clusters created in the fail-over"),
    ] {
        let worst = measure(&fleet, &format!("{what}, SIGKILL"), killed, &work);
        assert!(
            worst <= TAKEOVER,
            "{what}: SIGKILL -> reconciled: {worst:?}"
        );
    }
    probe(
        &fleet,
        &fleet.clusters,
        "changes everywhere, after the fail-over",
    )
    .await;

    // First one, then all the others: the clusters that stay were engaged together with them.
    let (first, others) = (new.iter().take(1), new.iter().skip(1));
    for (part, what) in [(first.collect::<Vec<_>>(), "one"), (others.collect(), "19")] {
        let deleted = Timestamp::now();
        for cluster in &part {
            fleet.clusters.remove(*cluster);
            fleet.server.delete_namespace(cluster).await;
        }
        probe(
            &fleet,
            &fleet.clusters,
            &format!("changes elsewhere, {what} deleted"),
        )
        .await;
        let gone = eventually(
            20 * SECOND,
            "the Leases of deleted Namespaces go",
            async || fleet.all_held().map(|()| Timestamp::now()),
        )
        .await;
        let gone = between(deleted, gone);
        fleet.measured(
            &format!("{what} deleted -> no Lease"),
            format!("{gone:.3?}"),
        );
        assert!(gone <= 15 * SECOND, "the Leases stayed for {gone:?}");
    }
    probe(
        &fleet,
        &fleet.clusters,
        "changes elsewhere, all Leases gone",
    )
    .await;
    fleet.check(&fleet.runs());
}

/// A writer that has got going.
pub(super) async fn write(fleet: &Fleet) -> Writer {
    let writer = Writer::start(fleet.client(), fleet.clusters.clone(), OFTEN);
    eventually(10 * SECOND, "the writer is at work", async || {
        let rounds = writer.rounds();
        (rounds >= 5)
            .then_some(())
            .ok_or_else(|| format!("{rounds} rounds"))
    })
    .await;
    writer
}

/// Prints how long after `since` clusters were started and reconciled; returns the longest time.
pub(super) fn measure(
    fleet: &Fleet,
    what: &str,
    since: Timestamp,
    work: &BTreeMap<String, Work>,
) -> Duration {
    let started = Spread::of(work.values().map(|work| between(since, work.started)));
    fleet.measured(&format!("{what} -> start"), &started);
    let reconciled = Spread::of(work.values().map(|work| between(since, work.reconciled)));
    fleet.measured(&format!("{what} -> reconciled"), &reconciled);
    reconciled.max()
}

/// Waits until a replica has said nothing for a while: all changes are reconciled.
async fn idle(replica: &Replica) {
    eventually(10 * SECOND, "the replica is idle", async || {
        let last = replica.log.events().last().map(|event| event.time);
        let quiet = between(last.unwrap_or(Timestamp::MIN), Timestamp::now());
        (quiet >= SECOND / 3)
            .then_some(())
            .ok_or_else(|| format!("{quiet:?}"))
    })
    .await;
}
