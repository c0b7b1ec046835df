//! Connections that die without a word: what was sent is lost, what was open stays silent.

use std::time::Duration;

use kube_sandbox::{Fault, Outage};

use crate::{
    fleet::LEASE,
    outages::{changes_are_reconciled, endure},
};

const SECOND: Duration = Duration::from_secs(1);

/// Watches of member clusters have no heartbeat: they last for 180 to 230 s, and are missed 5 s later.
const EXPIRED: Duration = Duration::from_secs(240);

#[tokio::test(start_paused = true)]
async fn work_goes_on_when_requests_were_lost_in_a_short_outage() {
    for duration in [LEASE / 2, LEASE, 3 * LEASE] {
        let endured = endure(Fault::Outage(Outage::Drop), duration).await;
        endured.idle(70 * SECOND).await;
    }
}

#[tokio::test(start_paused = true)]
async fn watches_that_died_in_an_outage_are_replaced_when_they_expire() {
    let endured = endure(Fault::Outage(Outage::Drop), LEASE).await;
    changes_are_reconciled(&endured.fleet, EXPIRED).await;
}

#[tokio::test(start_paused = true)]
async fn watches_that_were_asked_for_in_a_long_outage_are_asked_for_again() {
    let endured = endure(Fault::Outage(Outage::Drop), 320 * SECOND).await;
    changes_are_reconciled(&endured.fleet, EXPIRED).await;
}

#[tokio::test(start_paused = true)]
async fn new_clusters_are_found_after_a_long_outage() {
    let endured = endure(Fault::Outage(Outage::Drop), 320 * SECOND).await;
    let fleet = &endured.fleet;
    fleet.create_namespace("meadow").await;
    // The provider's watch lasts for 290 s.
    fleet
        .until(300 * SECOND, "the new cluster has an owner", async || {
            let holders = fleet.holders().await;
            holders.iter().any(|(cluster, _)| cluster == "meadow")
        })
        .await;
}
