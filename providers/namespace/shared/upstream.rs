//! Requests over all Namespaces.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header};
use multicluster::{
    BoxError,
    kube::{Client, client::Body},
};
use tokio::time::timeout;

use super::{Failure, Kind};

use super::super::query::Query;

/// How long a server may take to begin an answer, or to complete the page of a list.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// How watches are to be encoded: some servers compress each event on its own, of which kube decodes the first alone.
pub(in super::super) const UNCOMPRESSED: HeaderValue = HeaderValue::from_static("identity");

/// A connection keeps the buffers that it needed for a large answer for as long as it lives; a new one costs two round trips
/// for each page.
const CLOSE: HeaderValue = HeaderValue::from_static("close");

/// Asks for a kind in all Namespaces; gives the body of a success.
pub(super) async fn get(base: &Client, kind: &Kind, query: &Query) -> Result<Body, Failure> {
    let asked = async {
        let uri = format!("{}?{}", kind.key.path, query.encode());
        let mut request = Request::get(uri).header(header::ACCEPT, &kind.key.accept);
        request = match query.flag("watch") {
            true => request.header(header::ACCEPT_ENCODING, UNCOMPRESSED),
            false => request.header(header::CONNECTION, CLOSE),
        };
        let request = request.body(Body::empty())?;
        let reply = base.send(request).await?;
        Ok::<_, BoxError>(reply)
    };
    let reply = in_time(asked).await?;
    if reply.status().is_success() {
        return Ok(reply.into_body());
    }
    let (parts, body) = Response::into_parts(reply);
    let text = bytes(body).await?;
    Err(Failure::Refused(parts.status, parts.headers, text))
}

/// The whole body of an answer.
pub(super) async fn bytes(body: Body) -> Result<Bytes, Failure> {
    in_time(async { Ok(body.collect_bytes().await?) }).await
}

async fn in_time<T>(answer: impl Future<Output = Result<T, BoxError>>) -> Result<T, Failure> {
    let answer = timeout(ANSWER_TIMEOUT, answer).await;
    let late = || Err(format!("no answer within {ANSWER_TIMEOUT:?}").into());
    answer
        .unwrap_or_else(|_| late())
        .map_err(|error| Failure::unanswered(&error))
}
