//! Watches over the connection to one engaged cluster.

use std::time::Duration;

use http::{Request, StatusCode};
use k8s_openapi::jiff::Timestamp;
use kube::client::Body;

use crate::{error::Report, health::Health, transport::Transport};

/// How long before its credentials expire a connection is made anew.
const BEFORE_EXPIRY: Duration = Duration::from_secs(60);

/// Asks a cluster whose requests fail, until it answers, and again when they do so later; never ends.
///
/// `transport` is the cluster's own, since the fenced one may refuse meanwhile.
pub(super) async fn probe(transport: &Transport, health: &Health) {
    loop {
        health.doubtful().await;
        tokio::time::sleep(health.probe_after()).await;
        match ask(transport, health.probe_limit()).await {
            Ok(status) if status.is_server_error() => {
                health.probe_failed(format!("it answers {status}"));
            }
            Ok(status) => health.answered(status),
            Err(reason) => health.probe_failed(reason),
        }
    }
}

/// Completes when the cluster should be connected to anew, with the reason.
pub(super) async fn worn_out(transport: &Transport, health: &Health) -> &'static str {
    tokio::select! {
        () = expiry(transport) => "its credentials expire",
        () = revoked(transport, health) => "it refuses the credentials (401)",
    }
}

/// Completes when the cluster refuses the credentials, and not just something behind it that was asked through it.
async fn revoked(transport: &Transport, health: &Health) {
    loop {
        health.unauthorized().await;
        if ask(transport, health.probe_limit()).await == Ok(StatusCode::UNAUTHORIZED) {
            return;
        }
        health.authorized();
    }
}

/// One cheap request that everybody may send.
async fn ask(transport: &Transport, limit: Duration) -> Result<StatusCode, String> {
    let request = Request::get("/version").body(Body::empty());
    let request = request.map_err(|error| error.to_string())?;
    // In a box, since it is large and rare.
    let answer = Box::pin(tokio::time::timeout(limit, transport.send(request))).await;
    let answer = answer.map_err(|_| format!("no answer within {limit:?}"))?;
    let response = answer.map_err(|error| Report(&*error).to_string())?;
    Ok(response.status())
}

/// Completes shortly before the credentials of a client expire.
async fn expiry(transport: &Transport) {
    let Some(end) = transport.valid_until() else {
        return std::future::pending().await;
    };
    let left = end.duration_since(Timestamp::now());
    let left = Duration::try_from(left).unwrap_or_default();
    // Short-lived credentials must not be renewed for ever.
    let early = BEFORE_EXPIRY.min(left / 10);
    tokio::time::sleep(left.saturating_sub(early)).await;
}
