//! Somebody edits the Leases that are in use, in a way that nobody should.

use std::{collections::BTreeSet, time::Duration};

use jiff::Timestamp;
use kube::api::PostParams;
use serde_json::{Value, json};

use super::{SECOND, edits::patch, probe};
use crate::fleet::{
    ANIMAL, Fleet,
    assertions::{Run, Spread, between},
    backend::Backend,
    leases::{PEER, SHARD},
};

/// How soon a cluster whose Lease stands still and says nothing of its holder is worked on again.
const TAKEOVER: Duration = Duration::from_secs(8);

/// An edit of a fence's Lease while it is held.
struct Edit {
    what: &'static str,
    change: Value,
    /// Whether the owner can know its own tenure no longer, so that the cluster is taken anew.
    costs: bool,
}

/// Leases that say nonsense cost their own clusters some time at most, and all others nothing.
pub(crate) async fn nonsense(backend: Backend) {
    let mut fleet = Fleet::start(backend, 20).await;
    fleet.settle().await;
    let start = Timestamp::now();
    let edits = edits();
    let edited: Vec<_> = fleet
        .clusters
        .iter()
        .filter(|name| name.starts_with("ns-"))
        .take(edits.len())
        .cloned()
        .collect();
    let others: BTreeSet<_> = fleet
        .clusters
        .iter()
        .filter(|name| !edited.contains(name))
        .cloned()
        .collect();

    let mut times = Vec::new();
    for (cluster, edit) in edited.iter().zip(&edits) {
        times.push(Timestamp::now());
        patch(&fleet, &format!("{SHARD}{cluster}"), edit.change.clone()).await;
    }
    probe(&fleet, &others, "changes elsewhere, Leases edited").await;
    ghosts(&fleet, &others).await;
    strangers(&mut fleet, &others).await;

    for ((cluster, edit), since) in edited.iter().zip(&edits).zip(times) {
        if edit.costs {
            let work = fleet
                .working(&BTreeSet::from([cluster.clone()]), since)
                .await;
            let took = between(since, work[cluster].reconciled);
            fleet.measured(
                &format!("{} -> reconciled", edit.what),
                format!("{took:.3?}"),
            );
            assert!(took <= TAKEOVER, "{}: {took:?}", edit.what);
            reported(&fleet, cluster, start);
        } else {
            let runs = fleet.runs();
            let of = |run: &&Run| run.work(since).contains_key(cluster);
            assert_eq!(runs.iter().filter(of).count(), 0, "{}", edit.what);
        }
        let change = fleet.change(cluster).await;
        let took = fleet.reconciled(cluster, ANIMAL, change).await;
        assert!(took <= 2 * SECOND, "{}, then a change: {took:?}", edit.what);
    }
    let runs = fleet.runs();
    let repeated: Vec<_> = runs.iter().flat_map(Run::repeated).collect();
    assert_eq!(repeated, [""; 0], "reported again and again");
    fleet.check(&runs);
}

/// A Lease that never ends, of a program that has nothing to do with the fleet: a replica can still join.
///
/// The year 9999 does not fit into the types of this test either, so its own watch has ended before.
pub(crate) async fn unreadable(backend: Backend) {
    let mut fleet = Fleet::start(backend, 10).await;
    fleet.settle().await;
    let (place, owned) = fleet.largest();
    fleet.leases.stop();
    let spec = json!({"holderIdentity": "x", "renewTime": "9999-12-31T23:59:59.999999Z"});
    let lease = json!({"metadata": {"name": "for-ever"}, "spec": spec}).to_string();
    let path = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases";
    let request = http::Request::post(path)
        .header(http::header::CONTENT_TYPE, "application/json")
        .body(lease.into_bytes());
    let admin = fleet.client();
    let created = admin.request::<Value>(request.expect("a request")).await;
    created.expect("create a Lease");
    let killed = fleet.restart(place).await;
    let peer = BTreeSet::from([fleet.replicas[place].peer.clone()]);
    let work = fleet.working_by(&peer, &owned, killed).await;
    let times = work.into_values();
    let times = Spread::of(times.map(|work| between(killed, work.reconciled)));
    fleet.measured("unreadable Lease, SIGKILL and start -> its share", &times);
    assert!(times.max() <= 2 * TAKEOVER, "{times}");
    fleet.check(&fleet.runs());
}

fn edits() -> Vec<Edit> {
    let spec = |what, spec: Value, costs| Edit {
        what,
        change: json!({"spec": spec}),
        costs,
    };
    let note = json!({"example.com/essay": "x".repeat(200_000)});
    vec![
        spec("holder removed", json!({"holderIdentity": null}), true),
        spec(
            "holder of another program",
            json!({"holderIdentity": "another program"}),
            true,
        ),
        spec("renewed in 2100", json!({"renewTime": FUTURE}), true),
        spec(
            "duration of 68 years",
            json!({"leaseDurationSeconds": i32::MAX}),
            false,
        ),
        spec("duration of 1 s", json!({"leaseDurationSeconds": 1}), false),
        Edit {
            what: "200 kB of annotation",
            change: json!({"metadata": {"annotations": note}}),
            costs: false,
        },
    ]
}

const FUTURE: &str = "2100-01-01T00:00:00.000000Z";

/// A peer's Lease of nobody: no cluster is given to it.
async fn ghosts(fleet: &Fleet, others: &BTreeSet<String>) {
    let lease = format!("{PEER}ghost");
    let since = Timestamp::now();
    create(fleet, &lease, json!({"holderIdentity": ""}), json!({})).await;
    let weight = json!({"mcr.sigs.k8s.io/weight": "x"});
    for holder in ["the ghost of a peer", "ghost"] {
        let spec =
            json!({"holderIdentity": holder, "leaseDurationSeconds": 5, "renewTime": FUTURE});
        let ghost = json!({"metadata": {"annotations": weight}, "spec": spec});
        patch(fleet, &lease, ghost).await;
        probe(fleet, others, "changes elsewhere, a ghost among the peers").await;
    }
    for cluster in others {
        assert!(
            !fleet.moved(cluster, since),
            "{cluster} was given to a ghost"
        );
    }
}

/// Leases under our prefix that were there before their Namespaces.
async fn strangers(fleet: &mut Fleet, others: &BTreeSet<String>) {
    let spec = json!({
        "holderIdentity": "another program", "leaseDurationSeconds": 5, "renewTime": FUTURE,
    });
    let since = Timestamp::now();
    let elsewhere = json!({"multicluster.rs/cluster": "elsewhere"});
    create(fleet, &format!("{SHARD}alien"), spec.clone(), elsewhere).await;
    create(fleet, &format!("{SHARD}orphan"), spec, json!({})).await;
    let alien = fleet.held(SHARD).await.remove("alien");
    let new = ["alien", "orphan"].map(str::to_owned);
    fleet.create_clusters(new).await;
    probe(fleet, others, "changes elsewhere, Leases of strangers").await;

    // One that names no cluster could be that of a Go replica: it is taken over when it has expired.
    let orphan = BTreeSet::from(["orphan".to_owned()]);
    let work = fleet.working(&orphan, since).await;
    let took = between(since, work["orphan"].reconciled);
    let took_text = format!("{took:.3?}");
    fleet.measured(
        "Lease of another program, Namespace created -> reconciled",
        took_text,
    );
    assert!(took <= TAKEOVER, "{took:?}");
    // One that names another cluster is left alone for good.
    assert_eq!(fleet.held(SHARD).await.remove("alien"), alien);
    let runs = fleet.runs();
    assert!(!runs.iter().any(|run| run.work(since).contains_key("alien")));
    reported(fleet, "alien", since);
}

/// A person can read what is wrong with this cluster.
fn reported(fleet: &Fleet, cluster: &str, since: Timestamp) {
    let runs = fleet.runs();
    let said = runs.iter().flat_map(|run| &run.events);
    let warnings = said.filter(|event| event.level == "WARN" && event.time >= since);
    let mut of = warnings.filter(|event| {
        let names = |field| event.fields.get(field).and_then(Value::as_str);
        let others = names("clusters").unwrap_or_default();
        names("cluster") == Some(cluster) || others.split(", ").any(|name| name == cluster)
    });
    assert!(
        of.next().is_some(),
        "nobody says what is wrong with {cluster}"
    );
}

async fn create(fleet: &Fleet, name: &str, spec: Value, annotations: Value) {
    let metadata = json!({"name": name, "annotations": annotations});
    let lease = serde_json::from_value(json!({"metadata": metadata, "spec": spec}));
    fleet
        .lease_api()
        .create(&PostParams::default(), &lease.expect("a Lease"))
        .await
        .expect("create a Lease");
}
