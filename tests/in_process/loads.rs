//! What clusters cost, from the work on them to their Leases.

use kube::ResourceExt;
use multicluster::{
    BoxError, Engagement, Manager, Sharding, clock::TokioClock, for_each_cluster,
    providers::NamespaceProvider, sharding::Timings,
};

use crate::fleet::{Fleet, LEASE, Replica};

/// What the cluster costs, as its Lease says.
async fn announced(fleet: &Fleet, cluster: &str) -> Option<String> {
    let (leases, name) = (fleet.leases(), format!("mcr-shard-{cluster}"));
    let lease = leases.get_opt(&name).await.unwrap()?;
    lease.annotations().get("multicluster.rs/cost").cloned()
}

#[tokio::test(start_paused = true)]
async fn a_reported_load_is_announced_and_outlives_its_owner() {
    let fleet = Fleet::new(&["zoo", "jungle"]).await;
    let report = |engagement: Engagement| async move {
        if engagement.name().as_str() == "zoo" {
            engagement.report_load(1_000);
        }
        engagement.cancelled().await;
        Ok::<_, BoxError>(())
    };
    let sharding = Sharding::with_client(fleet.client(), "mcr")
        .peer("a")
        .lease_namespace("kube-system")
        .timings(Timings::new(LEASE))
        .clock(TokioClock::new());
    let manager = Manager::builder(NamespaceProvider::new(fleet.client()))
        .sharding(sharding)
        .with(for_each_cluster("load", report))
        .build()
        .unwrap();
    let replica = Replica::run(manager);
    fleet
        .until(2 * LEASE, "the load is announced", async || {
            announced(&fleet, "zoo").await.as_deref() == Some("1024")
        })
        .await;
    assert_eq!(announced(&fleet, "jungle").await, None);
    replica.leave().await.unwrap();
    assert_eq!(announced(&fleet, "zoo").await.as_deref(), Some("1024"));
    // The next owner knows it without a report of its own.
    let next = fleet.start("b");
    fleet
        .until(2 * LEASE, "b owns it", async || {
            let holders = fleet.holders().await;
            holders.contains(&("zoo".into(), "b".into()))
        })
        .await;
    assert_eq!(announced(&fleet, "zoo").await.as_deref(), Some("1024"));
    drop(next);
}
