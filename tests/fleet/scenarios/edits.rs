//! Somebody edits the Leases that are in use, in a way that people do.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};

use super::{SECOND, probe};
use crate::fleet::{
    Fleet,
    assertions::{Spread, between},
    backend::Backend,
    eventually::eventually,
    leases::{PEER, SHARD},
};

/// An annotation of somebody else.
const NOTE: &str = "example.com/note";

/// How soon a cluster whose Lease was deleted is worked on again.
const AGAIN: Duration = Duration::from_secs(3);

/// As `kubectl annotate` does: it costs nothing, and the annotation stays.
pub(crate) async fn annotated(fleet: &Fleet) {
    let (fences, peers) = (fleet.held(SHARD).await, fleet.held(PEER).await);
    let since = Timestamp::now();
    let mut written = BTreeMap::new();
    for prefix in [SHARD, PEER] {
        for name in fleet.leases_under(prefix).await.into_keys() {
            let lease = format!("{prefix}{name}");
            let note = json!({"metadata": {"annotations": {NOTE: "by hand"}}});
            let annotated = patch(fleet, &lease, note).await;
            written.insert(lease, renewed(&annotated));
        }
    }
    // By the second renewal its owner has adopted the version for good.
    for _ in 0..2 {
        eventually(5 * SECOND, "all Leases are renewed", async || {
            let leases = fleet.leases_under("").await;
            let same = |(name, time): &(&String, &_)| renewed(&leases[*name]) == **time;
            let still: Vec<_> = written.iter().filter(same).collect();
            match still.is_empty() {
                true => Ok(()),
                false => Err(format!("not renewed: {still:?}")),
            }
        })
        .await;
        let leases = fleet.leases_under("").await;
        for (name, time) in &mut written {
            let lease = &leases[name];
            let annotations = lease.metadata.annotations.as_ref();
            let note = annotations.and_then(|all| all.get(NOTE));
            assert_eq!(note.map(String::as_str), Some("by hand"), "{name}");
            *time = renewed(lease);
        }
    }
    assert_eq!(fleet.held(SHARD).await, fences);
    assert_eq!(fleet.held(PEER).await, peers);
    for run in fleet.runs() {
        assert_eq!(run.turns(since), [], "{}", run.peer);
    }
}

/// As `kubectl annotate` and `kubectl delete` do: the first costs nothing, the second a moment, and nothing moves.
pub(crate) async fn annotated_and_deleted(backend: Backend) {
    let fleet = Fleet::start(backend, 30).await;
    fleet.settle().await;
    annotated(&fleet).await;

    let holders = fleet.leases.holders(SHARD);
    // One of each replica, and then all the others without waiting for anything.
    let firsts = fleet.replicas.iter().map(|replica| {
        let owned = fleet.owned_by(&replica.peer);
        owned.into_iter().next().expect("everybody has a share")
    });
    let firsts: BTreeSet<_> = firsts.collect();
    let mut times = Vec::new();
    for cluster in &firsts {
        times.extend(deleted(&fleet, BTreeSet::from([cluster.clone()])).await);
    }
    let times = Spread::of(times);
    fleet.measured("one Lease deleted -> reconciled", &times);
    let others: BTreeSet<_> = fleet.clusters.difference(&firsts).cloned().collect();
    let of_all = Spread::of(deleted(&fleet, others).await);
    fleet.measured("many Leases deleted -> reconciled", &of_all);
    let worst = times.max().max(of_all.max());
    assert!(worst <= AGAIN, "{times}; {of_all}");
    assert_eq!(fleet.leases.holders(SHARD), holders, "clusters have moved");

    let fences = fleet.held(SHARD).await;
    for replica in &fleet.replicas {
        let since = Timestamp::now();
        let lease = format!("{PEER}{}", replica.peer);
        delete(&fleet, &lease).await;
        let back = eventually(5 * SECOND, "the peer's Lease is back", async || {
            let holder = fleet.leases.holders(PEER).remove(&replica.peer).flatten();
            holder.map(|_| Timestamp::now()).ok_or("no Lease".into())
        })
        .await;
        let back = between(since, back);
        fleet.measured("peer Lease deleted -> back", format!("{back:.3?}"));
    }
    probe(&fleet, &fleet.clusters, "changes, peer Leases deleted").await;
    // A peer that was thought to have left would have lost its clusters by its next renewal.
    annotated(&fleet).await;
    assert_eq!(fleet.held(SHARD).await, fences, "clusters have moved");
    fleet.check(&fleet.runs());
}

/// Deletes the Leases of `clusters` one after another; returns how long each was not worked on.
async fn deleted(fleet: &Fleet, clusters: BTreeSet<String>) -> Vec<Duration> {
    let mut times = BTreeMap::new();
    for cluster in &clusters {
        times.insert(cluster.clone(), Timestamp::now());
        delete(fleet, &format!("{SHARD}{cluster}")).await;
    }
    let first = *times.values().min().expect("there are clusters");
    let work = fleet.working(&clusters, first).await;
    let since = |(cluster, time)| between(time, work[&cluster].reconciled);
    times.into_iter().map(since).collect()
}

/// Changes a Lease as `kubectl annotate` and `kubectl edit` do; returns the new version.
pub(crate) async fn patch(fleet: &Fleet, lease: &str, change: Value) -> Lease {
    fleet
        .lease_api()
        .patch(lease, &PatchParams::default(), &Patch::Merge(change))
        .await
        .expect("change a Lease")
}

async fn delete(fleet: &Fleet, lease: &str) {
    fleet
        .lease_api()
        .delete(lease, &DeleteParams::default())
        .await
        .expect("delete a Lease");
}

fn renewed(lease: &Lease) -> Option<Timestamp> {
    Some(lease.spec.as_ref()?.renew_time.as_ref()?.0)
}
