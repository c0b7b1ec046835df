//! Copies ConfigMaps from a hub to every member cluster and removes them again, with two replicas.
//!
//! `cargo run --example hub-sync` needs nothing else: the hub and three members are API servers in memory. The program
//! publishes a ConfigMap on the hub, changes and deletes it, prints what the members show, and ends; Ctrl-C ends it earlier.

use std::{collections::BTreeMap, time::Duration};

use futures_util::future;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, Patch, PatchParams},
    runtime::reflector::ObjectRef,
};
use kube_sandbox::Sandbox;
use multicluster::{
    Action, BoxError, Context, Controller, Engagement, Manager, Sharding, Watch, for_each_cluster,
    providers::FixedProvider, sharding::Timings, shutdown_signal,
};
use serde_json::json;
use tokio_util::sync::CancellationToken;

const MEMBERS: [&str; 3] = ["north", "south", "west"];

/// The label of copies, and that of ConfigMaps on the hub that are to be copied.
const COPY: &str = "synced-from=hub";
const ORIGINAL: &str = "sync=true";

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().with_env_filter("warn").init();
    let hub = Sandbox::new();
    let members = MEMBERS.map(|name| (name, Sandbox::new()));
    let stop = CancellationToken::new();
    let replicas = ["replica-0", "replica-1"].map(|peer| run(&hub, &members, peer, stop.clone()));
    let show = async {
        let shown = tokio::select! {
            shown = show(&hub, &members) => shown,
            () = shutdown_signal() => Ok(()),
        };
        stop.cancel();
        shown
    };
    let (replicas, shown) = future::join(future::try_join_all(replicas), show).await;
    replicas?;
    shown
}

/// One replica; in a real fleet each is a Pod of its own.
async fn run(
    hub: &Sandbox,
    members: &[(&str, Sandbox)],
    peer: &'static str,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut provider = FixedProvider::new();
    for (name, member) in members {
        provider = provider.cluster(name.parse()?, member.client());
    }
    let copies = Watch::<ConfigMap>::new().labels(COPY);
    let originals = Watch::<ConfigMap>::new().labels(ORIGINAL);
    let controller = Controller::of(copies, "hub-sync", peer, sync)
        .watches_host_with(originals, |map, _| vec![ObjectRef::from_obj(map)]);
    let sharding = Sharding::with_client(hub.client(), "hub-sync")
        .peer(peer)
        .lease_namespace("kube-system")
        .timings(Timings::new(Duration::from_secs(5)));
    Manager::builder(provider)
        .host(hub.client())
        .sharding(sharding)
        .with(controller)
        .with_host(for_each_cluster("status", move |hub| status(hub, peer)))
        .build()?
        // As a Pod of its own: .run(shutdown_signal())
        .run(stop.cancelled_owned())
        .await?;
    Ok(())
}

/// Makes one copy in one member what the hub says.
async fn sync(context: Context<ConfigMap, &'static str>) -> Result<Action, BoxError> {
    let originals = context.host_objects::<ConfigMap>().ok_or("no hub")?;
    let (copies, name) = (context.api::<ConfigMap>(), &context.key().name);
    match originals.get(context.key()) {
        Some(original) => {
            let copy = json!({
                "apiVersion": "v1", "kind": "ConfigMap",
                "metadata": {"name": name, "labels": {"synced-from": "hub"}},
                "data": original.data,
            });
            let params = PatchParams::apply("hub-sync").force();
            copies.patch(name, &params, &Patch::Apply(copy)).await?;
            println!(
                "{} has synced {name} in {}",
                context.state(),
                context.cluster_name()
            );
        }
        None if context.object().is_some() && is_gone(&context).await? => {
            copies.delete(name, &DeleteParams::default()).await?;
            println!(
                "{} has removed {name} from {}",
                context.state(),
                context.cluster_name()
            );
        }
        None => {}
    }
    Ok(Action::await_change())
}

/// Whether the hub itself says so: its cache here may be behind another replica that made the copy.
async fn is_gone(context: &Context<ConfigMap, &'static str>) -> Result<bool, BoxError> {
    let (hub, key) = (context.engagement().host().ok_or("no hub")?, context.key());
    let namespace = key.namespace.as_deref().unwrap_or_default();
    let originals: Api<ConfigMap> = Api::namespaced(hub.client(), namespace);
    let original = originals.get_opt(&key.name).await?;
    Ok(original.is_none_or(|map| map.labels().get("sync").is_none_or(|sync| sync != "true")))
}

/// Work on the hub itself, by one replica at a time: says who leads, and how many members there are.
async fn status(hub: Engagement, peer: &'static str) -> Result<(), BoxError> {
    let maps: Api<ConfigMap> = Api::default_namespaced(hub.client());
    let status = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "hub-sync-status"}, "data": {"leader": peer, "members": MEMBERS.len().to_string()},
    });
    let params = PatchParams::apply("hub-sync").force();
    maps.patch("hub-sync-status", &params, &Patch::Apply(status))
        .await?;
    println!("{peer} works on the hub");
    hub.cancelled().await;
    Ok(())
}

/// Publishes, changes and deletes a ConfigMap, and waits for the members each time.
async fn show(hub: &Sandbox, members: &[(&str, Sandbox)]) -> anyhow::Result<()> {
    let originals: Api<ConfigMap> = Api::default_namespaced(hub.client());
    for text in ["hello", "good bye"] {
        let original = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "motd", "labels": {"sync": "true"}}, "data": {"text": text},
        });
        let params = PatchParams::apply("user").force();
        originals
            .patch("motd", &params, &Patch::Apply(original))
            .await?;
        println!("published: {text}");
        everywhere(members, Some(text)).await?;
    }
    originals.delete("motd", &DeleteParams::default()).await?;
    println!("deleted");
    everywhere(members, None).await
}

async fn everywhere(members: &[(&str, Sandbox)], text: Option<&str>) -> anyhow::Result<()> {
    let wanted = text.map(|text| BTreeMap::from([("text".to_owned(), text.to_owned())]));
    for (name, member) in members {
        let maps: Api<ConfigMap> = Api::default_namespaced(member.client());
        loop {
            let copy = maps.get_opt("motd").await?;
            if copy.and_then(|copy| copy.data) == wanted {
                println!("  {name} shows: {}", text.unwrap_or("nothing"));
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    Ok(())
}
