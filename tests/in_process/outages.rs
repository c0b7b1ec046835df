//! What replicas do when the API server, or the way to it, is away for a while.

use std::{collections::BTreeMap, time::Duration};

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, api::Patch};
use kube_sandbox::{Fault, Outage, Rule, StoreDown};
use multicluster::{Action, Context};
use tokio::time::Instant;

use crate::fleet::{Fleet, LEASE, Note, Replica, What};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn rights_that_are_taken_away_pause_the_work_until_they_are_given_back() {
    let fleet = Fleet::new(&["zoo"]).await;
    let replica = fleet.start("a");
    let first = What::Reconciled("first".into());
    fleet
        .until(3 * SECOND, "start", async || {
            fleet.noted("zoo", &first) == ["a"]
        })
        .await;
    let forbidden = fleet.faults.add(Rule::new(Fault::Status(403)));
    tokio::time::sleep(LEASE).await;
    // The watch still shows changes; the fence was not renewed, so nobody works on them.
    fleet.create_config_map("zoo", "second").await;
    tokio::time::sleep(600 * SECOND).await;
    let second = What::Reconciled("second".into());
    assert!(fleet.noted("zoo", &second).is_empty());
    assert!(!replica.has_ended(), "refusals are retried for ever");

    fleet.faults.remove(forbidden);
    fleet
        .until(20 * SECOND, "work goes on", async || {
            !fleet.noted("zoo", &second).is_empty()
        })
        .await;
    assert_eq!(
        fleet.noted("zoo", &What::Ended),
        Vec::<String>::new(),
        "the engagement lived on"
    );
    replica.leave().await.unwrap();
}

const CLUSTERS: [&str; 6] = ["zoo", "jungle", "island", "reef", "desert", "steppe"];

/// H: so long after its last renewal nobody works any more; rounded up.
const WORK: Duration = Duration::from_millis(3_950);

/// After so long everybody works again: the last request is given up after T, then come R of back-off, the stop margin,
/// and the back-off of a reconcile or of a watch that failed.
const RESUMES: Duration = Duration::from_secs(8);

/// Three replicas that own everything together; each reconcile writes, and comes again after a moment.
async fn three() -> (Fleet, [Replica; 3]) {
    let fleet = Fleet::new(&CLUSTERS).await;
    let write = |context: Context<ConfigMap>| async move {
        let maps: Api<ConfigMap> = Api::default_namespaced(context.client().clone());
        let now = format!("{:?}", Instant::now());
        let patch = serde_json::json!({"data": {"reconciled": now}});
        maps.patch(
            &context.key().name,
            &Default::default(),
            &Patch::Merge(patch),
        )
        .await?;
        Ok(Action::requeue(SECOND / 2))
    };
    let replicas = ["a", "b", "c"].map(|peer| fleet.start_with(peer, |sharding| sharding, write));
    let first = What::Reconciled("first".into());
    fleet
        .until(5 * SECOND, "start", async || {
            let reconciled = |cluster: &&str| !fleet.noted(cluster, &first).is_empty();
            CLUSTERS.iter().all(reconciled)
        })
        .await;
    tokio::time::sleep(LEASE).await;
    (fleet, replicas)
}

async fn holders(fleet: &Fleet) -> BTreeMap<String, String> {
    fleet.holders().await.into_iter().collect()
}

/// When the replicas asked for writes to ConfigMaps.
fn writes(fleet: &Fleet) -> Vec<Instant> {
    let calls = fleet.faults.calls().into_iter();
    calls
        .filter(|call| call.kind == "ConfigMap" && call.verb.is_write())
        .map(|call| call.at)
        .collect()
}

/// Waits until changes that are made now are reconciled in every cluster.
pub(crate) async fn changes_are_reconciled(fleet: &Fleet, limit: Duration) -> Duration {
    for cluster in CLUSTERS {
        fleet.create_config_map(cluster, "second").await;
    }
    let second = What::Reconciled("second".into());
    fleet
        .until(limit, "changes are reconciled", async || {
            let reconciled = |cluster: &&str| !fleet.noted(cluster, &second).is_empty();
            CLUSTERS.iter().all(reconciled)
        })
        .await
}

/// A fleet after a fault.
pub(crate) struct Endured {
    pub(crate) fleet: Fleet,
    #[expect(dead_code, reason = "they run for as long as this lives")]
    replicas: [Replica; 3],
    healed: Instant,
}

/// Lets `fault` last for `duration`: nothing moves, and nobody works after the last deadline.
pub(crate) async fn endure(fault: Fault, duration: Duration) -> Endured {
    let (fleet, replicas) = three().await;
    let before = holders(&fleet).await;
    assert_eq!(before.len(), CLUSTERS.len() + 4);
    fleet.forget_notes();
    fleet.faults.forget_calls();
    let (began, rule) = (Instant::now(), fleet.faults.add(Rule::new(fault)));
    tokio::time::sleep(duration).await;
    let healed = Instant::now();
    fleet.faults.remove(rule);
    let late = |at: &&Instant| **at > began + WORK && **at < healed;
    assert_eq!(writes(&fleet).iter().find(late), None, "a write in a pause");
    let late = |note: &&Note| note.at > began + WORK && note.at < healed;
    assert_eq!(fleet.notes().iter().find(late), None, "work in a pause");

    // A thief would come now, when some have contact again and others do not.
    for _ in 0..30 {
        tokio::time::sleep(SECOND / 3).await;
        assert_eq!(holders(&fleet).await, before, "clusters moved");
    }
    for note in fleet.notes() {
        assert_eq!(before[&note.cluster], note.peer, "{note:?}");
    }
    Endured {
        fleet,
        replicas,
        healed,
    }
}

impl Endured {
    /// How long after the heal the last cluster was worked on again.
    pub(crate) async fn idle(&self, limit: Duration) -> Duration {
        let resumed = |cluster: &&str| {
            let works = |note: &Note| note.cluster == **cluster && note.at > self.healed;
            self.fleet.notes().into_iter().find(works)
        };
        self.fleet
            .until(limit, "work goes on", async || {
                CLUSTERS.iter().all(|cluster| resumed(cluster).is_some())
            })
            .await;
        let resumed = CLUSTERS.iter().filter_map(resumed);
        resumed.map(|note| note.at).max().unwrap() - self.healed
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_down_pauses_the_work_and_moves_nothing() {
    for mode in [StoreDown::Fail, StoreDown::Hang] {
        let endured = endure(Fault::StoreDown(mode), 2 * LEASE).await;
        let idle = endured.idle(SECOND).await;
        assert!(idle <= RESUMES, "{idle:?}");
        changes_are_reconciled(&endured.fleet, SECOND).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_any_length_moves_nothing() {
    for duration in [LEASE / 2, LEASE, 3 * LEASE] {
        for outage in [Outage::Refuse, Outage::Freeze] {
            let endured = endure(Fault::Outage(outage), duration).await;
            let idle = endured.idle(SECOND).await;
            assert!(idle <= RESUMES, "{outage:?} {duration:?}: {idle:?}");
            changes_are_reconciled(&endured.fleet, SECOND).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn engagements_survive_an_outage() {
    for duration in [LEASE / 2, LEASE, 3 * LEASE] {
        for fault in [
            Fault::Outage(Outage::Refuse),
            Fault::Outage(Outage::Freeze),
            Fault::StoreDown(StoreDown::Fail),
        ] {
            let endured = endure(fault.clone(), duration).await;
            for cluster in CLUSTERS {
                let ended = endured.fleet.noted(cluster, &What::Ended);
                let engaged = endured.fleet.noted(cluster, &What::Engaged);
                let nobody = Vec::<String>::new();
                assert_eq!((ended, engaged), (nobody.clone(), nobody), "{fault:?}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_is_cut_off_is_replaced_and_fits_in_again_afterwards() {
    for outage in [Outage::Refuse, Outage::Drop, Outage::Freeze] {
        let (fleet, replicas) = three().await;
        fleet.forget_notes();
        let cut = Rule::new(Fault::Outage(outage)).user("a");
        let (began, cut) = (Instant::now(), fleet.faults.add(cut));
        let took = fleet
            .until(2 * LEASE, "a is replaced", async || {
                let holders = fleet.holders().await;
                holders.iter().all(|(_, holder)| holder != "a")
            })
            .await;
        assert!(took > WORK && took <= LEASE + SECOND, "{took:?}");
        tokio::time::sleep(2 * LEASE).await;
        let late = |note: &&Note| {
            let works = matches!(note.what, What::Reconciled(_));
            works && note.peer == "a" && note.at > began + WORK
        };
        assert_eq!(fleet.notes().iter().find(late), None);
        let healed = Instant::now();
        fleet.faults.remove(cut);
        fleet
            .until(60 * SECOND, "a has its share again", async || {
                let holders = fleet.holders().await;
                holders.iter().any(|(_, holder)| holder == "a")
            })
            .await;
        fleet
            .until(300 * SECOND, "a works again", async || {
                let works = |note: &Note| {
                    let works = matches!(note.what, What::Reconciled(_));
                    works && note.peer == "a" && note.at > healed
                };
                fleet.notes().iter().any(works)
            })
            .await;
        drop(replicas);
    }
}
