//! What is made of another provider.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, Client, api::ListParams, client::Body};
use kube_sandbox::Sandbox;
use multicluster::{
    ClusterProvider, ClusterProviderExt, Error, Manager, for_each_cluster,
    providers::FixedProvider,
    testing::{Running, eventually},
};
use tokio::time::Instant;
use tower::{ServiceBuilder, service_fn};

use crate::scripted::{
    SYNCED, Scripted,
    Step::{Fails, Panics, Stays, Waits},
    applied, cluster, next, removed, silent, some,
};

const SECOND: Duration = Duration::from_secs(1);

fn scripted(streams: impl IntoIterator<Item = Vec<crate::scripted::Step>>) -> Scripted {
    Scripted::new(Sandbox::new().client(), streams)
}

#[tokio::test(start_paused = true)]
async fn a_filter_follows_what_changes_make_of_clusters() {
    let provider = scripted([vec![
        applied("a", "env=prod"),
        applied("b", "env=test"),
        SYNCED,
        applied("a", "env=prod tier=1"),
        applied("a", "env=test"),
        applied("b", "env=prod"),
        Fails,
        // Of clusters that were not shown nothing is said.
        removed("a"),
        removed("b"),
        SYNCED,
        Stays,
    ]]);
    let filtered = provider.filter(|cluster| cluster.labels["env"] == "prod");
    let mut events = filtered.clusters();
    assert_eq!(
        some(&mut events, 8).await,
        [
            "+a env=prod",
            "synced",
            "+a env=prod tier=1",
            "-a",
            "+b env=prod",
            "! provider scripted: watch the source: connection refused",
            "-b",
            "synced",
        ]
    );
    silent(&mut events).await;
    // Each stream has its own beginning, and who connects is not filtered.
    assert!(filtered.connect(&cluster("a", "")).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn labels_are_added_to_every_cluster() {
    let provider = scripted([vec![
        applied("a", ""),
        applied("b", "env=test region=eu"),
        removed("a"),
        SYNCED,
        Stays,
    ]]);
    let mut events = provider
        .with_labels([("env", "prod"), ("tier", "1")])
        .clusters();
    assert_eq!(
        some(&mut events, 4).await,
        [
            "+a env=prod tier=1",
            "+b env=prod region=eu tier=1",
            "-a",
            "synced"
        ]
    );
}

/// As the documentation shows it: a limit in front of each cluster, which knows the cluster.
#[tokio::test(start_paused = true)]
async fn requests_go_through_the_changed_client_of_their_cluster() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let notes = seen.clone();
    let limited = move |cluster: &multicluster::ClusterRef, client: Client| {
        let (notes, name) = (notes.clone(), cluster.name.to_string());
        let namespace = client.default_namespace().to_owned();
        let service = ServiceBuilder::new()
            .rate_limit(1, SECOND)
            .service(service_fn(move |request: http::Request<Body>| {
                notes.lock().unwrap().push((name.clone(), Instant::now()));
                let client = client.clone();
                async move { client.send(request).await }
            }));
        Client::new(service, namespace)
    };
    let client = Sandbox::new().client();
    let provider = FixedProvider::new()
        .cluster("a".parse().unwrap(), client.clone())
        .cluster("b".parse().unwrap(), client)
        .map_client(limited);
    let start = Instant::now();
    for name in ["a", "b"] {
        let connected = provider.connect(&cluster(name, "")).await.unwrap();
        let maps: Api<ConfigMap> = Api::all(connected.client().clone());
        for _ in 0..3 {
            maps.list(&ListParams::default()).await.unwrap();
        }
    }
    let seen = seen.lock().unwrap();
    let of = |name: &str| -> Vec<_> {
        let seen = seen.iter().filter(|(cluster, _)| cluster == name);
        seen.map(|(_, at)| at.duration_since(start).as_secs())
            .collect()
    };
    assert_eq!((of("a"), of("b")), (vec![0, 1, 2], vec![2, 3, 4]));
}

#[tokio::test(start_paused = true)]
async fn providers_of_different_types_are_one_type_in_a_box_and_in_an_arc() {
    let client = Sandbox::new().client();
    let fixed = FixedProvider::new().cluster("zoo".parse().unwrap(), client);
    let boxed = fixed.clone().boxed();
    let filtered = fixed.filter(|_| false).boxed();
    for (provider, expected) in [(boxed, 1), (filtered, 0)] {
        let provider: Arc<dyn ClusterProvider> = Arc::new(provider);
        let part = for_each_cluster("waits", |engagement| async move {
            engagement.cancelled().await;
            Ok::<_, Error>(())
        });
        let running = Running::start(Manager::builder(provider).with(part)).unwrap();
        eventually(SECOND, "engaged", async || {
            running.owned_clusters().names().len() == expected
        })
        .await;
        running.stop().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_ends_or_panics_is_started_again_and_forgets_nothing() {
    let provider = scripted([
        vec![applied("a", ""), applied("b", ""), SYNCED, Waits(SECOND)],
        vec![Panics],
        vec![applied("a", "x=y"), Fails],
        vec![
            applied("c", ""),
            applied("a", "x=y"),
            Waits(SECOND),
            SYNCED,
            Stays,
        ],
    ]);
    let mut events = provider.clone().follow();
    let start = Instant::now();
    assert_eq!(
        some(&mut events, 6).await,
        [
            "+a",
            "+b",
            "synced",
            "! the provider panicked: at the disco",
            "+a x=y",
            "! provider scripted: watch the source: connection refused",
        ]
    );
    assert_eq!(next(&mut events).await, "+c");
    // It was asked less and less often: after 0.25 to 0.5 s, 0.5 to 1 s, 1 to 2 s.
    let waited = start.elapsed() - SECOND;
    assert!(waited >= Duration::from_millis(1_750), "{waited:?}");
    assert!(waited <= Duration::from_millis(3_600), "{waited:?}");
    // Only a complete listing says what is gone.
    let listed = Instant::now();
    assert_eq!(some(&mut events, 2).await, ["-b", "synced"]);
    assert!(listed.elapsed() >= SECOND);
    silent(&mut events).await;
    assert_eq!(provider.left(), 0);
}
