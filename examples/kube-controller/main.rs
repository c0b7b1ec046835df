//! An ordinary kube-rs controller on every cluster of a fleet, in two replicas.
//!
//! `cargo run --example kube-controller --features namespace` needs nothing else: an API server in memory, in which each
//! Namespace is a cluster. The controller keeps a Secret beside every ConfigMap. Ctrl-C ends it.

use std::{collections::BTreeMap, convert::Infallible, sync::Arc, time::Duration};

use clap::Parser;
use futures_util::{StreamExt, future};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{Patch, PatchParams, PostParams},
    runtime::{Controller, controller::Action, watcher},
};
use kube_sandbox::Sandbox;
use multicluster::{
    Engagement, Manager, Sharding, for_each_cluster, providers::NamespaceProvider,
    sharding::Timings, shutdown_signal,
};

/// Runs a kube-rs controller on every cluster of a fleet.
#[derive(Parser)]
#[command(name = "kube-controller")]
struct Cli {
    /// End by itself after so many seconds
    #[arg(long)]
    seconds: Option<u64>,
}

/// What the reconciler knows besides its object, as in any kube-rs program.
struct Data {
    client: Client,
    cluster: String,
    peer: &'static str,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    tracing_subscriber::fmt().with_env_filter("warn").init();
    let sandbox = Sandbox::new();
    fill(&sandbox).await?;
    let replicas = ["replica-0", "replica-1"].map(|peer| run(&sandbox, peer, cli.seconds));
    future::try_join_all(replicas).await?;
    Ok(())
}

/// One replica; in a real fleet each is a Pod of its own.
async fn run(sandbox: &Sandbox, peer: &'static str, seconds: Option<u64>) -> anyhow::Result<()> {
    let sharding = Sharding::with_client(sandbox.client(), "greetings")
        .peer(peer)
        .lease_namespace("kube-system")
        .timings(Timings::new(Duration::from_secs(5)));
    let control = move |engagement| control(engagement, peer);
    Manager::builder(NamespaceProvider::new(sandbox.client()).labels("fleet=yes"))
        .sharding(sharding)
        .with(for_each_cluster("greetings", control))
        .build()?
        .run(ended(seconds))
        .await?;
    Ok(())
}

/// What was `main` before there was a fleet.
async fn control(engagement: Engagement, peer: &'static str) -> Result<(), Infallible> {
    let client = engagement.client();
    let maps = Api::<ConfigMap>::all(client.clone());
    let secrets = Api::<Secret>::all(client.clone());
    let data = Data {
        client,
        cluster: engagement.name().to_string(),
        peer,
    };
    Controller::new(maps, watcher::Config::default())
        .owns(secrets, watcher::Config::default())
        .graceful_shutdown_on(engagement.cancelled())
        .run(reconcile, error_policy, Arc::new(data))
        .for_each(|_| future::ready(()))
        .await;
    Ok(())
}

async fn reconcile(map: Arc<ConfigMap>, data: Arc<Data>) -> kube::Result<Action> {
    let (name, namespace) = (map.name_any(), map.namespace().unwrap_or_default());
    println!("{} reconciles {name} in {}", data.peer, data.cluster);
    let secret = serde_json::json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": name, "ownerReferences": map.controller_owner_ref(&()).into_iter().collect::<Vec<_>>()},
        "stringData": map.data,
    });
    let secrets = Api::<Secret>::namespaced(data.client.clone(), &namespace);
    let params = PatchParams::apply("greetings").force();
    secrets.patch(&name, &params, &Patch::Apply(secret)).await?;
    Ok(Action::requeue(Duration::from_secs(3600)))
}

fn error_policy(_: Arc<ConfigMap>, error: &kube::Error, _: Arc<Data>) -> Action {
    eprintln!("{error}");
    Action::requeue(Duration::from_secs(5))
}

async fn fill(sandbox: &Sandbox) -> kube::Result<()> {
    let (client, params) = (sandbox.client(), PostParams::default());
    for (cluster, animal) in [
        ("zoo", "elephant"),
        ("jungle", "monkey"),
        ("island", "bird"),
    ] {
        let mut namespace = Namespace::default();
        namespace.metadata.name = Some(cluster.to_owned());
        namespace.labels_mut().insert("fleet".into(), "yes".into());
        Api::all(client.clone()).create(&params, &namespace).await?;
        let mut map = ConfigMap::default();
        map.metadata.name = Some(animal.to_owned());
        map.data = Some(BTreeMap::from([(
            "greeting".to_owned(),
            "hello".to_owned(),
        )]));
        Api::namespaced(client.clone(), cluster)
            .create(&params, &map)
            .await?;
    }
    Ok(())
}

/// Completes at Ctrl-C, or after some seconds.
async fn ended(seconds: Option<u64>) {
    let elapsed = async {
        match seconds {
            Some(seconds) => tokio::time::sleep(Duration::from_secs(seconds)).await,
            None => future::pending().await,
        }
    };
    tokio::select! {
        () = shutdown_signal() => {}
        () = elapsed => {}
    }
}
