//! Requests that are given up when no answer begins.

use std::time::Duration;

use http::{Request, Response};
use kube::{Client, client::Body};
use tower::service_fn;

use crate::{
    error::BoxError,
    transport::{AnswerBody, Transport},
};

/// How long a server may take to begin its answer; its own limit for a request is 60 s too.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// A client like `base` that gives a request up when no answer begins within 60 s.
///
/// kube has no such limit, and a connection can be dead without a word: a list over it would never end. An answer that
/// has begun may take any time, as that to a watch does. Clients of engagements are bounded already; this is for those
/// with which a provider looks for clusters.
///
/// # Panics
/// Outside of a tokio runtime, which every [`Client`] needs.
#[must_use]
pub fn bounded(base: Client) -> Client {
    let namespace = base.default_namespace().to_owned();
    let base = Transport::Client(base);
    let service = service_fn(move |request| {
        let base = base.clone();
        async move { send(&base, request).await }
    });
    Client::new(service, namespace)
}

/// Sends one request.
pub(crate) async fn send(
    base: &Transport,
    request: Request<Body>,
) -> Result<Response<AnswerBody>, BoxError> {
    let answer = tokio::time::timeout(ANSWER_TIMEOUT, base.send(request)).await;
    answer.map_err(|_| format!("no answer within {ANSWER_TIMEOUT:?}"))?
}
