//! Watches over the connection to one engaged cluster.

use std::time::Duration;

use http::Request;
use k8s_openapi::jiff::Timestamp;
use kube::{Client, client::Body};

use crate::{cluster::Cluster, error::Report, health::Health};

/// How long the answer to a probe is waited for.
const ANSWER: Duration = Duration::from_secs(10);

/// How long before its credentials expire a connection is made anew.
const BEFORE_EXPIRY: Duration = Duration::from_secs(60);

/// Asks a cluster that counts as unreachable, until it answers, and again when it does so later; never ends.
///
/// `client` is the cluster's own, since the fenced one refuses meanwhile.
pub(super) async fn probe(client: Client, health: &Health) {
    loop {
        health.unreachable().await;
        tokio::time::sleep(health.probe_after()).await;
        let answer = match Request::get("/version").body(Body::empty()) {
            Ok(request) => tokio::time::timeout(ANSWER, client.send(request)).await,
            Err(_) => return std::future::pending().await,
        };
        match answer {
            Ok(Ok(response)) => health.answered(response.status()),
            Ok(Err(error)) => health.failed(Report(&error).to_string()),
            Err(_) => health.failed(format!("no answer within {ANSWER:?}")),
        }
    }
}

/// Completes when the cluster should be connected to anew, with the reason.
pub(super) async fn worn_out(cluster: &Cluster, health: &Health) -> &'static str {
    tokio::select! {
        () = expiry(cluster.client()) => "its credentials expire",
        () = health.unauthorized() => "it refuses the credentials (401)",
    }
}

/// Completes shortly before the credentials of a client expire.
async fn expiry(client: &Client) {
    let Some(end) = client.valid_until() else {
        return std::future::pending().await;
    };
    let left = end.duration_since(Timestamp::now());
    let left = Duration::try_from(left).unwrap_or_default();
    // Short-lived credentials must not be renewed for ever.
    let early = BEFORE_EXPIRY.min(left / 10);
    tokio::time::sleep(left.saturating_sub(early)).await;
}
