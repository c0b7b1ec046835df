//! Member clusters whose kubeconfigs are Secrets of a hub.
//!
//! `cargo run --example kubeconfig --features kubeconfig` needs nothing else: the hub and its members are API servers in
//! memory, the members on loopback ports. The program adds members by writing Secrets, rotates the token of one, breaks
//! another, removes a third, prints what becomes of each, and ends; Ctrl-C ends it earlier. In a real fleet,
//! `manifests/kubeconfig-secret.sh` writes such Secrets.

use std::time::Duration;

use futures_util::future;
use k8s_openapi::{
    ByteString,
    api::core::v1::{ConfigMap, Secret},
};
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, Patch, PatchParams},
};
use kube_sandbox::{Sandbox, Server};
use multicluster::{
    Action, BoxError, Context, Controller, Engagement, Manager, OwnedClusters, for_each_cluster,
    providers::KubeconfigProvider, shutdown_signal,
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

/// Where the Secrets are.
const NAMESPACE: &str = "fleet";

const MEMBERS: [&str; 3] = ["north", "south", "west"];

/// The clusters, each with what is wrong with it.
type Known = Vec<(String, Option<String>)>;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().with_env_filter("warn").init();
    let namespace =
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}});
    let hub = Sandbox::new().with_objects([namespace])?.client();
    let mut members = Vec::new();
    for name in MEMBERS {
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": format!("of-{name}")}});
        let member = Sandbox::new().with_objects([map])?;
        members.push((name, member.listen("127.0.0.1:0").await?));
    }

    let provider = KubeconfigProvider::new(hub.clone(), NAMESPACE);
    let manager = Manager::builder(provider)
        .with(Controller::new("config-maps", reconcile))
        .with(for_each_cluster("engaged", engaged))
        .build()?;
    let owned = manager.owned_clusters();
    let stop = CancellationToken::new();
    let show = async {
        let shown = tokio::select! {
            shown = show(&hub, &members, || health(&owned)) => shown,
            () = shutdown_signal() => Ok(()),
        };
        stop.cancel();
        shown
    };
    // As a Pod of its own: .run(shutdown_signal())
    let (ran, shown) = future::join(manager.run(stop.clone().cancelled_owned()), show).await;
    ran?;
    shown
}

async fn reconcile(context: Context<ConfigMap>) -> Result<Action, BoxError> {
    if let Some(map) = context.object() {
        println!("  {}: ConfigMap {}", context.cluster_name(), map.name_any());
    }
    Ok(Action::await_change())
}

/// Runs on each cluster for as long as there is one connection to it.
async fn engaged(cluster: Engagement) -> Result<(), BoxError> {
    println!("  {}: connected", cluster.name());
    cluster.cancelled().await;
    println!("  {}: connection ended", cluster.name());
    Ok(())
}

fn health(owned: &OwnedClusters) -> Known {
    let health = owned.health().into_iter();
    let health = health.map(|(name, health)| (name.to_string(), health.reason));
    health.collect()
}

/// Adds, rotates, breaks and removes members.
async fn show(
    hub: &Client,
    members: &[(&str, Server)],
    health: impl Fn() -> Known,
) -> anyhow::Result<()> {
    let until = async |done: &dyn Fn(&Known) -> bool| {
        while !done(&health()) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        // What is printed meanwhile belongs to this step.
        tokio::time::sleep(Duration::from_millis(500)).await;
    };
    let well = |name: &str, known: &Known| {
        let found = known.iter().find(|(known, _)| known == name);
        found.is_some_and(|(_, reason)| reason.is_none())
    };

    println!("adding {}", MEMBERS.join(", "));
    for (name, member) in members {
        write(hub, name, &kubeconfig(&member.url(), "first")).await?;
    }
    until(&|known| MEMBERS.iter().all(|name| well(name, known))).await;

    println!("rotating the token of north: it is connected to anew, and no other member is");
    write(hub, "north", &kubeconfig(&members[0].1.url(), "second")).await?;
    until(&|known| well("north", known)).await;

    println!("breaking south: its Secret wants to run a program here");
    let mut broken = kubeconfig(&members[1].1.url(), "first");
    broken["users"][0]["user"] = json!({"exec": {"command": "get-token"}});
    write(hub, "south", &broken).await?;
    until(&|known| !well("south", known)).await;
    for (name, reason) in health() {
        println!("  {name}: {}", reason.unwrap_or("well".into()));
    }

    println!("removing west");
    let secrets: Api<Secret> = Api::namespaced(hub.clone(), NAMESPACE);
    secrets.delete("west", &DeleteParams::default()).await?;
    until(&|known| known.iter().all(|(name, _)| name != "west")).await;
    println!("done");
    Ok(())
}

/// A kubeconfig with the least that a member needs.
fn kubeconfig(server: &str, token: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Config",
        "clusters": [{"name": "member", "cluster": {"server": server}}],
        "users": [{"name": "fleet", "user": {"token": token}}],
        "contexts": [{"name": "member", "context": {"cluster": "member", "user": "fleet"}}],
        "current-context": "member",
    })
}

/// Writes the Secret that makes a member of a cluster.
async fn write(hub: &Client, name: &str, kubeconfig: &Value) -> kube::Result<()> {
    let secrets: Api<Secret> = Api::namespaced(hub.clone(), NAMESPACE);
    let label = "sigs.k8s.io/multicluster-runtime-kubeconfig";
    let mut secret = Secret::default();
    secret.metadata.name = Some(name.to_owned());
    secret.metadata.labels = Some([(label.to_owned(), "true".to_owned())].into());
    let text = ByteString(kubeconfig.to_string().into_bytes());
    secret.data = Some([("kubeconfig".to_owned(), text)].into());
    let params = PatchParams::apply("example").force();
    secrets.patch(name, &params, &Patch::Apply(secret)).await?;
    Ok(())
}
