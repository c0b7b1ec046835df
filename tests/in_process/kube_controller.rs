//! An existing kube-rs controller, run by the fleet.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::{StreamExt, future};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, ResourceExt,
    runtime::{Controller as KubeController, controller::Action as KubeAction, watcher},
};
use multicluster::{
    Engagement, Manager, Sharding, clock::TokioClock, for_each_cluster,
    providers::NamespaceProvider, sharding::Timings,
};

use crate::{
    fleet::{Fleet, LEASE, Replica},
    local::{SECOND, until},
};

/// What each replica's controllers have done, in order.
type Notes = Arc<Mutex<Vec<String>>>;

struct Data {
    peer: String,
    cluster: String,
    notes: Notes,
}

async fn reconcile(map: Arc<ConfigMap>, data: Arc<Data>) -> Result<KubeAction, kube::Error> {
    let (peer, cluster) = (&data.peer, &data.cluster);
    let line = format!("{peer} {cluster}/{}", map.name_any());
    data.notes.lock().unwrap().push(line);
    Ok(KubeAction::requeue(SECOND))
}

/// As in any kube-rs program, but for its end.
async fn control(engagement: Engagement, peer: String, notes: Notes) -> Result<(), kube::Error> {
    let maps = Api::<ConfigMap>::all(engagement.client());
    let cluster = engagement.name().to_string();
    let data = Arc::new(Data {
        peer,
        cluster,
        notes,
    });
    KubeController::new(maps, watcher::Config::default())
        .graceful_shutdown_on(engagement.cancelled())
        .run(reconcile, |_, _, _| KubeAction::requeue(SECOND), data)
        .for_each(|_| future::ready(()))
        .await;
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

/// The replicas that reconciled a cluster's objects in the last notes.
fn owners(notes: &Notes, cluster: &str) -> Vec<String> {
    let notes = std::mem::take(&mut *notes.lock().unwrap());
    let notes = notes.into_iter().filter(|line| line.contains(cluster));
    let mut owners: Vec<_> = notes.map(|line| line[..1].to_owned()).collect();
    owners.dedup();
    owners
}

/// It moves with its clusters, is never in two replicas at once, and works in all clusters.
#[tokio::test(start_paused = true)]
async fn a_kube_controller_is_sharded_as_it_is() {
    let names = ["zoo", "reef", "jungle", "island", "desert", "steppe"];
    let fleet = Fleet::new(&names).await;
    let (clock, notes) = (TokioClock::new(), Notes::default());
    let a = start(&fleet, "a", clock, &notes);
    until(10 * SECOND, "all are reconciled", || {
        let notes = notes.lock().unwrap();
        names
            .iter()
            .all(|name| notes.iter().any(|line| line.contains(name)))
    })
    .await;
    let b = start(&fleet, "b", clock, &notes);
    tokio::time::sleep(20 * SECOND).await;
    // Each cluster has stayed, or has moved once.
    let mut moved = 0;
    let all = notes.lock().unwrap().clone();
    for name in names {
        let alone = Arc::new(Mutex::new(all.clone()));
        let owners = owners(&alone, name);
        assert!(
            owners == ["a"] || owners == ["a", "b"],
            "{name}: {owners:?}"
        );
        moved += owners.len() - 1;
    }
    assert!((1..names.len()).contains(&moved), "{moved} of 6 have moved");
    a.leave().await.unwrap();
    notes.lock().unwrap().clear();
    tokio::time::sleep(5 * SECOND).await;
    let all = notes.lock().unwrap().clone();
    for name in names {
        assert_eq!(owners(&Arc::new(Mutex::new(all.clone())), name), ["b"]);
    }
    let start = tokio::time::Instant::now();
    b.leave().await.unwrap();
    assert!(
        start.elapsed() < Duration::from_secs(2),
        "it ends when it is told to"
    );
}
