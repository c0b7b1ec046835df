//! What a fleet must do, on any API server. The limits are acceptance criteria.

mod edits;
mod failover;
mod nonsense;
mod outage;
mod restart;
mod rules;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use jiff::Timestamp;
use rustix::process::Signal;
use tokio::{process::Command, time::sleep};

use super::{
    ANIMAL, Fleet,
    assertions::{Spread, between, reconcilers},
    backend::Backend,
    control_plane::kubectl,
    eventually::eventually,
    leases::{PEER, SHARD},
    log::{Event, What},
};

pub(crate) use edits::annotated_and_deleted;
pub(crate) use failover::{crash, namespaces_come_and_go, napped, suspended};
pub(crate) use nonsense::{nonsense, unreadable};
pub(crate) use outage::{server_killed, server_suspended};
pub(crate) use restart::{doubled, replaced, restarted};
pub(crate) use rules::every_rule_is_needed;

const SECOND: Duration = Duration::from_secs(1);

/// Three replicas that start together share all clusters at once, and then leave them where they are.
pub(crate) async fn cold_start(backend: Backend) {
    let fleet = Fleet::start(backend, 60).await;
    eventually(20 * SECOND, "every cluster has a holder", async || {
        fleet.all_held()
    })
    .await;
    let first = |cluster| fleet.leases.first_held(&format!("{SHARD}{cluster}"));
    let held = fleet.clusters.iter().filter_map(first);
    let all_held = Spread::of(held.map(|time| between(fleet.spawned, time)));
    fleet.measured("cold start, processes started -> Lease held", &all_held);

    // Nothing may happen for a while: the watch of the Leases has seen it if something did.
    fleet.settle().await;
    let settled = fleet.youngest_peer().expect("all peers have Leases") + 2 * SECOND;
    sleep((10 * SECOND).saturating_sub(between(settled, Timestamp::now()))).await;
    let changes = fleet.leases.changes(SHARD);
    let (late, early): (Vec<_>, Vec<_>) = changes
        .into_iter()
        .partition(|change| change.time >= settled);
    let moves = early
        .iter()
        .filter(|change| change.before.is_some())
        .count();
    fleet.measured("cold start, holders that changed in the first 2 s", moves);
    let shares = fleet
        .replicas
        .iter()
        .map(|replica| fleet.owned_by(&replica.peer).len());
    let shares: Vec<_> = shares.collect();
    fleet.measured(
        "cold start, clusters of each replica",
        format!("{shares:?}"),
    );

    assert!(
        all_held.max() <= 3 * SECOND,
        "the last cluster got its holder after {:?}",
        all_held.max()
    );
    assert_eq!(late, [], "holders changed after the fleet had settled");
    assert!(shares.iter().all(|share| *share > 0), "{shares:?}");
    let runs = fleet.runs();
    for cluster in &fleet.clusters {
        let holder = BTreeSet::from([fleet.holder(cluster)]);
        let early = reconcilers(&runs, cluster, ANIMAL, fleet.spawned);
        assert!(
            early.is_superset(&holder),
            "{cluster} is reconciled by {early:?} only"
        );
        // A cluster that moved while the replicas found each other was the first holder's for a moment.
        let late = reconcilers(&runs, cluster, ANIMAL, settled);
        assert!(
            late.is_subset(&holder),
            "{cluster} is reconciled by {late:?} too"
        );
    }
    if moves == 0 {
        for cluster in &fleet.clusters {
            let all = reconcilers(&runs, cluster, ANIMAL, fleet.spawned);
            assert_eq!(all, BTreeSet::from([fleet.holder(cluster)]), "{cluster}");
        }
    }
    show_lease(&fleet, backend).await;
    fleet.check(&fleet.runs());
}

/// People see the holder and the time of a Lease with kubectl.
async fn show_lease(fleet: &Fleet, backend: Backend) {
    let Some(kubectl) = kubectl() else {
        assert_eq!(
            backend,
            Backend::Sandbox,
            "the control plane has come without kubectl"
        );
        return;
    };
    let columns = "custom-columns=HOLDER:.spec.holderIdentity,RENEW:.spec.renewTime";
    let shown = Command::new(kubectl)
        .arg("--kubeconfig")
        .arg(fleet.server.admin_kubeconfig())
        .args([
            "-n",
            "kube-system",
            "get",
            "lease",
            "mcr-shard-zoo",
            "-o",
            columns,
        ])
        .env("HOME", fleet.server.folder.path())
        .output()
        .await
        .expect("kubectl starts");
    let text = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(
        shown.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&shown.stderr)
    );
    let lines: Vec<Vec<_>> = text
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    let [header, row] = lines.as_slice() else {
        panic!("two lines expected: {text}")
    };
    assert_eq!(header, &["HOLDER", "RENEW"]);
    assert_eq!(row[0], fleet.holder("zoo"));
    let renewed: Timestamp = row[1].parse().expect("renewTime is a time");
    assert!(between(renewed, Timestamp::now()) < 5 * SECOND, "{text}");
}

/// A replica that is asked to end hands over everything, and others go on at once.
pub(crate) async fn graceful_leave(backend: Backend) {
    let mut fleet = Fleet::start(backend, 60).await;
    fleet.settle().await;
    let (place, owned) = fleet.largest();
    let signalled = fleet.replicas[place].signal(Signal::TERM);
    let status = fleet.replicas[place].wait(20 * SECOND).await;
    let ended = between(
        signalled,
        fleet.replicas[place].ended.expect("it has ended"),
    );
    let work = fleet.working(&owned, signalled).await;

    let leaver = &fleet.replicas[place];
    let events = leaver.log.events();
    let stopped = |cluster: &str| {
        let late = |event: &&Arc<Event>| event.time >= signalled;
        events
            .iter()
            .filter(late)
            .find_map(|event| match &event.what {
                What::Stop { cluster: stopped } if stopped == cluster => Some(event.time),
                _ => None,
            })
    };
    let gaps = Spread::of(work.iter().map(|(cluster, work)| {
        let stopped = stopped(cluster).unwrap_or_else(|| panic!("{cluster} was not stopped"));
        between(stopped, work.started)
    }));
    fleet.measured("graceful leave, stop -> start", &gaps);
    let started = Spread::of(work.values().map(|work| between(signalled, work.started)));
    fleet.measured("graceful leave, SIGTERM -> start", &started);
    let reconciled = Spread::of(
        work.values()
            .map(|work| between(signalled, work.reconciled)),
    );
    fleet.measured("graceful leave, SIGTERM -> reconciled", &reconciled);
    fleet.measured(
        "graceful leave, SIGTERM -> process ended",
        format!("{ended:.3?}"),
    );

    assert_eq!(status.code(), Some(0), "{status}");
    assert!(
        reconciled.max() <= 2 * SECOND,
        "SIGTERM -> reconciled: {reconciled}"
    );
    eventually(SECOND, "the leaver's Lease is free or gone", async || {
        let holder = fleet.leases.holders(PEER).remove(&leaver.peer).flatten();
        holder.map_or(Ok(()), Err)
    })
    .await;
    fleet.check(&fleet.runs());
}

/// A change reaches the holder's reconciler, and nobody else's.
pub(crate) async fn changes(backend: Backend) {
    let fleet = Fleet::start(backend, 60).await;
    fleet.settle().await;
    let start = Timestamp::now();
    let (mut changed, mut created) = (Vec::new(), Vec::new());
    for cluster in &fleet.clusters {
        let since = fleet.change(cluster).await;
        changed.push(fleet.reconciled(cluster, ANIMAL, since).await);
        let since = fleet.create_animal(cluster, "lion").await;
        created.push(fleet.reconciled(cluster, "lion", since).await);
    }
    let (changed, created) = (Spread::of(changed), Spread::of(created));
    fleet.measured("changed ConfigMap -> reconciled", &changed);
    fleet.measured("new ConfigMap -> reconciled", &created);
    assert!(
        changed.max() <= SECOND && created.max() <= SECOND,
        "{changed}; {created}"
    );

    // Somebody else would have had the limit to reconcile it too.
    sleep(SECOND).await;
    let runs = fleet.runs();
    for cluster in &fleet.clusters {
        let holder = BTreeSet::from([fleet.holder(cluster)]);
        for name in [ANIMAL, "lion"] {
            let all = reconcilers(&runs, cluster, name, start);
            assert_eq!(
                all, holder,
                "{cluster}/{name} is not reconciled by its holder alone"
            );
        }
    }
    fleet.check(&fleet.runs());
}

/// A change in each cluster is reconciled within 2 s.
async fn probe(fleet: &Fleet, clusters: &BTreeSet<String>, what: &str) {
    let mut times = Vec::new();
    for cluster in clusters {
        let since = fleet.change(cluster).await;
        times.push(fleet.reconciled(cluster, ANIMAL, since).await);
    }
    let times = Spread::of(times);
    fleet.measured(what, &times);
    assert!(times.max() <= 2 * SECOND, "{what}: {times}");
}

/// Waits until a fault that began at `since` has lasted for `time`.
async fn stay(since: Timestamp, time: Duration) {
    sleep(time.saturating_sub(between(since, Timestamp::now()))).await;
}
