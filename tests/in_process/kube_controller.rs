//! An existing kube-rs controller, run by the fleet.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::{StreamExt, future};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, Client, ResourceExt,
    api::{Patch, PatchParams},
    runtime::{Controller as KubeController, controller::Action as KubeAction, watcher},
};
use multicluster::{
    Engagement, Manager, Sharding, clock::TokioClock, for_each_cluster,
    providers::NamespaceProvider, sharding::Timings,
};

use tokio::time::Instant;

use crate::{
    fleet::{Fleet, LEASE, Replica},
    local::{SECOND, until},
};

/// How long a reconcile takes; one is always under way when a cluster moves.
const WORK: Duration = Duration::from_millis(700);

/// What all controllers have done, in order.
type Notes = Arc<Mutex<Vec<Note>>>;

#[derive(Clone, Debug)]
struct Note {
    peer: String,
    cluster: String,
    what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Begun,
    Done,
    /// The whole controller has ended.
    Ended,
}

struct Data {
    peer: String,
    cluster: String,
    client: Client,
    notes: Notes,
}

// === impl Data ===

impl Data {
    fn note(&self, what: What) {
        self.notes.lock().unwrap().push(Note {
            peer: self.peer.clone(),
            cluster: self.cluster.clone(),
            what,
        });
    }
}

async fn reconcile(map: Arc<ConfigMap>, data: Arc<Data>) -> kube::Result<KubeAction> {
    data.note(What::Begun);
    tokio::time::sleep(WORK).await;
    let by = serde_json::json!({"data": {"by": data.peer}});
    let maps: Api<ConfigMap> = Api::default_namespaced(data.client.clone());
    let params = PatchParams::default();
    maps.patch(&map.name_any(), &params, &Patch::Merge(by))
        .await?;
    data.note(What::Done);
    Ok(KubeAction::requeue(SECOND / 10))
}

/// As in any kube-rs program, but for its end.
async fn control(engagement: Engagement, peer: String, notes: Notes) -> kube::Result<()> {
    let data = Arc::new(Data {
        peer,
        cluster: engagement.name().to_string(),
        client: engagement.client(),
        notes,
    });
    let maps = Api::<ConfigMap>::all(engagement.client());
    KubeController::new(maps, watcher::Config::default())
        .graceful_shutdown_on(engagement.cancelled())
        .run(
            reconcile,
            |_, error, _| panic!("a write of the owner has failed: {error}"),
            data.clone(),
        )
        .for_each(|_| future::ready(()))
        .await;
    data.note(What::Ended);
    Ok(())
}

fn start(fleet: &Fleet, peer: &str, clock: TokioClock, notes: &Notes) -> Replica {
    let sharding = Sharding::with_client(fleet.client(), "mcr")
        .peer(peer)
        .lease_namespace("kube-system")
        .timings(Timings::new(LEASE))
        .clock(clock);
    let (name, notes) = (peer.to_owned(), notes.clone());
    let part = for_each_cluster("kube", move |engagement| {
        control(engagement, name.clone(), notes.clone())
    });
    let provider = NamespaceProvider::new(fleet.client());
    let manager = Manager::builder(provider).sharding(sharding).with(part);
    Replica::run(manager.build().unwrap())
}

/// The replicas that worked on a cluster, in order.
///
/// # Panics
/// When one worked before another was done: with something unfinished, or without having ended.
fn owners(notes: &[Note], cluster: &str) -> Vec<String> {
    let mut owners: Vec<String> = Vec::new();
    let mut last = What::Ended;
    for note in notes.iter().filter(|note| note.cluster == cluster) {
        if owners.last() != Some(&note.peer) {
            assert_eq!(last, What::Ended, "both work on {cluster}: {notes:#?}");
            owners.push(note.peer.clone());
        }
        if note.what == What::Ended {
            assert_eq!(last, What::Done, "unfinished in {cluster}: {notes:#?}");
        }
        last = note.what;
    }
    owners
}

/// It moves with its clusters, is never in two replicas at once, and works in all clusters.
#[tokio::test(start_paused = true)]
async fn a_kube_controller_is_sharded_as_it_is() {
    let names = ["zoo", "reef", "jungle", "island", "desert", "steppe"];
    let fleet = Fleet::new(&names).await;
    let (clock, notes) = (TokioClock::new(), Notes::default());
    let all = || notes.lock().unwrap().clone();
    let a = start(&fleet, "a", clock, &notes);
    until(10 * SECOND, "a works on all", || {
        names.iter().all(|name| owners(&all(), name) == ["a"])
    })
    .await;

    let b = start(&fleet, "b", clock, &notes);
    let moved = || {
        let moved = names.map(|name| owners(&all(), name) == ["a", "b"]);
        moved.into_iter().filter(|moved| *moved).count()
    };
    until(20 * SECOND, "b works on some", || moved() > 0).await;
    tokio::time::sleep(20 * SECOND).await;
    assert!(
        (1..names.len()).contains(&moved()),
        "{} of 6 have moved",
        moved()
    );
    let stayed = || {
        let stayed = names.map(|name| owners(&all(), name) == ["a"]);
        stayed.into_iter().filter(|stayed| *stayed).count()
    };
    assert_eq!(moved() + stayed(), names.len(), "{:#?}", all());

    a.leave().await.unwrap();
    until(5 * SECOND, "b works on all", || moved() == names.len()).await;
    let start = Instant::now();
    b.leave().await.unwrap();
    assert!(start.elapsed() < 2 * SECOND, "it ends when it is told to");
    for name in names {
        let maps: Api<ConfigMap> = Api::namespaced(fleet.client(), name);
        let map = maps.get("first").await.unwrap();
        assert_eq!(map.data.unwrap()["by"], "b", "{name}");
        let ends = all();
        let last = ends.iter().rfind(|note| note.cluster == name).unwrap();
        assert_eq!(last.what, What::Ended, "{name}");
    }
}

/// Without `graceful_shutdown_on` nothing ends it but the drain timeout, which is 30 s.
#[tokio::test(start_paused = true)]
async fn a_kube_controller_that_does_not_listen_is_dropped_with_the_drain_timeout() {
    let fleet = Fleet::new(&["zoo"]).await;
    let begun = Arc::new(AtomicUsize::new(0));
    let counter = begun.clone();
    let part = for_each_cluster("deaf", move |engagement: Engagement| {
        let counter = counter.clone();
        async move {
            let maps = Api::<ConfigMap>::all(engagement.client());
            let reconcile = move |_: Arc<ConfigMap>, _: Arc<()>| {
                counter.fetch_add(1, Ordering::SeqCst);
                future::ready(Ok::<_, kube::Error>(KubeAction::requeue(SECOND)))
            };
            KubeController::new(maps, watcher::Config::default())
                .run(
                    reconcile,
                    |_, _, _| KubeAction::requeue(SECOND),
                    Arc::new(()),
                )
                .for_each(|_| future::ready(()))
                .await;
            Ok::<_, kube::Error>(())
        }
    });
    let provider = NamespaceProvider::new(fleet.client());
    let replica = Replica::run(Manager::builder(provider).with(part).build().unwrap());
    let count = || begun.load(Ordering::SeqCst);
    until(10 * SECOND, "it works", || count() > 0).await;
    let (before, start) = (count(), Instant::now());
    replica.leave().await.unwrap();
    let took = start.elapsed();
    assert!((30 * SECOND..31 * SECOND).contains(&took), "{took:?}");
    assert!(count() > before + 20, "it went on until then: {}", count());
    let after = count();
    tokio::time::sleep(10 * SECOND).await;
    assert_eq!(count(), after);
}
