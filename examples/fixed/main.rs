//! Adds, replaces and removes clusters while a manager runs.
//!
//! `cargo run --example fixed` needs nothing else: the clusters are API servers in memory. The program changes the set of
//! clusters through a handle, prints what the manager makes of it, and ends; Ctrl-C ends it earlier.

use std::{collections::BTreeSet, time::Duration};

use kube_sandbox::Sandbox;
use multicluster::{
    BoxError, Cluster, ClusterAware, ClusterName, Manager, for_each_cluster,
    providers::FixedProvider, shutdown_signal,
};
use tokio::{sync::watch, time::timeout};
use tokio_util::sync::CancellationToken;

/// The engaged clusters: their names, and how many connections there were before.
type Engaged = watch::Sender<BTreeSet<(String, usize)>>;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().with_env_filter("warn").init();
    let (provider, engaged) = (FixedProvider::new(), Engaged::default());
    let manager = Manager::builder(provider.clone())
        .with(part(engaged.clone()))
        .build()?;
    let stop = CancellationToken::new();
    let show = async {
        let shown = tokio::select! {
            shown = show(&provider, &engaged) => shown,
            () = shutdown_signal() => Ok(()),
        };
        stop.cancel();
        shown
    };
    let (ran, shown) = tokio::join!(manager.run(stop.clone().cancelled_owned()), show);
    ran?;
    shown
}

/// Says which clusters are engaged.
fn part(engaged: Engaged) -> impl ClusterAware {
    let connections = watch::Sender::new(Vec::<String>::new());
    for_each_cluster("show", move |engagement| {
        let (engaged, connections) = (engaged.clone(), connections.clone());
        async move {
            let name = engagement.name().to_string();
            let before = connections
                .borrow()
                .iter()
                .filter(|other| **other == name)
                .count();
            connections.send_modify(|connections| connections.push(name.clone()));
            println!("  + {name}, connection {}", before + 1);
            engaged.send_if_modified(|engaged| engaged.insert((name.clone(), before)));
            engagement.cancelled().await;
            println!("  - {name}");
            engaged.send_if_modified(|engaged| engaged.remove(&(name, before)));
            Ok::<_, BoxError>(())
        }
    })
}

/// Changes the set of clusters, and waits for the manager each time.
async fn show(clusters: &FixedProvider, engaged: &Engaged) -> anyhow::Result<()> {
    println!("add north and south");
    clusters.add(cluster("north")?);
    clusters.add(cluster("south")?);
    until(engaged, &[("north", 0), ("south", 0)]).await?;

    println!("north gets labels, which interrupt nothing, and south another client");
    clusters.set_labels(&"north".parse::<ClusterName>()?, [("stage", "test")]);
    clusters.add(cluster("south")?);
    until(engaged, &[("north", 0), ("south", 1)]).await?;

    println!("in one step, south and west take the place of all");
    clusters.replace([cluster("south")?, cluster("west")?]);
    until(engaged, &[("south", 2), ("west", 0)]).await?;

    println!("remove south");
    clusters.remove(&"south".parse()?);
    until(engaged, &[("west", 0)]).await
}

fn cluster(name: &str) -> Result<Cluster, multicluster::Error> {
    Ok(Cluster::new(name.parse()?, Sandbox::new().client()))
}

async fn until(engaged: &Engaged, expected: &[(&str, usize)]) -> anyhow::Result<()> {
    let expected = expected.iter();
    let expected: BTreeSet<_> = expected
        .map(|(name, before)| ((*name).to_owned(), *before))
        .collect();
    let mut engaged = engaged.subscribe();
    timeout(
        Duration::from_secs(60),
        engaged.wait_for(|engaged| *engaged == expected),
    )
    .await??;
    Ok(())
}
