//! Works on the clusters of two providers at once, and on those of one of them after the other is removed.
//!
//! `cargo run --example multi --features "multi namespace"` needs nothing else: all clusters are API servers in memory. The
//! provider `fixed` has two of them, and in the one of the provider `teams` each Namespace is a cluster. The program prints
//! which ConfigMaps its controllers see, adds a cluster and removes a provider, and ends; Ctrl-C ends it earlier.

use std::{collections::BTreeMap, time::Duration};

use futures_util::future;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::{Api, Client, api::PostParams};
use kube_sandbox::Sandbox;
use multicluster::{
    Action, BoxError, Cluster, ClusterName, ClusterProviderExt, Context, Controller, Manager,
    OwnedClusters, parse_selector,
    providers::{FixedProvider, MultiProvider, NamespaceProvider},
    shutdown_signal,
};
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().with_env_filter("warn").init();
    let (north, south, shared) = (Sandbox::new(), Sandbox::new(), Sandbox::new());
    for (cluster, map) in [(&north, "polar-bear"), (&south, "penguin")] {
        create_config_map(cluster.client(), "default", map).await?;
    }
    for (namespace, map) in [("red", "ant"), ("blue", "whale")] {
        create_namespace(shared.client(), namespace).await?;
        create_config_map(shared.client(), namespace, map).await?;
    }

    let fixed = FixedProvider::new()
        .cluster("north".parse()?, north.client())
        .cluster("south".parse()?, south.client());
    // The system's own Namespaces are no clusters, and all others get a label.
    let teams = NamespaceProvider::new(shared.client())
        .filter(|cluster| !cluster.name.as_str().starts_with("kube-"))
        .with_labels([("kind", "team")]);
    let providers = MultiProvider::new()
        .provider("fixed", fixed.clone())?
        .provider("teams", teams)?;

    let manager = Manager::builder(providers.clone())
        .with(controller("all"))
        .with(controller("teams").cluster_labels(parse_selector("kind=team")?))
        .build()?;
    let (owned, stop) = (manager.owned_clusters(), CancellationToken::new());
    // As a program of its own: manager.run(shutdown_signal())
    let running = tokio::spawn(manager.run(stop.clone().cancelled_owned()));
    let shown = tokio::select! {
        shown = show(&owned, &providers, &fixed) => shown,
        () = shutdown_signal() => Ok(()),
    };
    stop.cancel();
    running.await??;
    shown
}

/// A controller that says what it sees.
fn controller(name: &'static str) -> Controller<ConfigMap> {
    Controller::new(name, move |context: Context<ConfigMap>| {
        let (cluster, object) = (context.cluster_name(), &context.key().name);
        println!("  controller {name} sees {object} in {cluster}");
        future::ready(Ok::<_, BoxError>(Action::await_change()))
    })
}

/// Changes the clusters and the providers while the manager runs.
async fn show(
    owned: &OwnedClusters,
    providers: &MultiProvider,
    fixed: &FixedProvider,
) -> anyhow::Result<()> {
    let teams = ["teams#blue", "teams#default", "teams#red"];
    println!("two providers:");
    clusters(
        owned,
        &[&["fixed#north", "fixed#south"], &teams[..]].concat(),
    )
    .await;

    println!("a cluster more:");
    let west = Sandbox::new();
    create_config_map(west.client(), "default", "buffalo").await?;
    fixed.add(Cluster::new("west".parse()?, west.client()));
    let all = ["fixed#north", "fixed#south", "fixed#west"];
    clusters(owned, &[&all, &teams[..]].concat()).await;

    println!("without the provider `fixed`:");
    providers.remove("fixed");
    clusters(owned, &teams).await;
    Ok(())
}

/// Waits until exactly these clusters are worked on, and for their reconciles.
async fn clusters(owned: &OwnedClusters, expected: &[&str]) {
    loop {
        let health: BTreeMap<_, _> = owned.health();
        if health
            .keys()
            .map(ClusterName::as_str)
            .eq(expected.iter().copied())
        {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // For what is printed in between.
    tokio::time::sleep(Duration::from_millis(300)).await;
    println!("  clusters: {}", expected.join(", "));
}

async fn create_config_map(client: Client, namespace: &str, name: &str) -> anyhow::Result<()> {
    let mut map = ConfigMap::default();
    map.metadata.name = Some(name.to_owned());
    let maps: Api<ConfigMap> = Api::namespaced(client, namespace);
    maps.create(&PostParams::default(), &map).await?;
    Ok(())
}

async fn create_namespace(client: Client, name: &str) -> anyhow::Result<()> {
    let mut namespace = Namespace::default();
    namespace.metadata.name = Some(name.to_owned());
    let namespaces: Api<Namespace> = Api::all(client);
    namespaces
        .create(&PostParams::default(), &namespace)
        .await?;
    Ok(())
}
