//! A client that takes one Namespace for a whole cluster.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt, stream};
use http::{Method, Request, Response, StatusCode, Uri, header};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use multicluster::{
    BoxError,
    kube::{Client, client::Body, core::Status},
};
use tower::service_fn;

use super::{
    body,
    path::{Route, VISIBLE, route},
};

type ReplyBody = UnsyncBoxBody<Bytes, BoxError>;

/// The client of the cluster that is `namespace` of the cluster of `base`.
pub(super) fn scoped(base: Client, namespace: &str) -> Client {
    let namespace: Arc<str> = namespace.into();
    let service = service_fn(move |request| send(base.clone(), namespace.clone(), request));
    Client::new(service, VISIBLE)
}

async fn send(
    base: Client,
    namespace: Arc<str>,
    request: Request<Body>,
) -> Result<Response<ReplyBody>, BoxError> {
    let (mut parts, request_body) = request.into_parts();
    let reads = matches!(parts.method, Method::GET | Method::HEAD);
    match route(reads, parts.uri.path(), &namespace) {
        Route::Unchanged => {
            let request = Request::from_parts(parts, request_body);
            return Ok(base.send(request).await?.map(boxed));
        }
        Route::NotFound => {
            return refuse(
                StatusCode::NOT_FOUND,
                "NotFound",
                "there is no such thing in this cluster",
            );
        }
        Route::To(path) => parts.uri = with_path(&parts.uri, &path)?,
    }
    let sent = request_body.collect_bytes().await?;
    if !body::stays(&sent) {
        return refuse(
            StatusCode::BAD_REQUEST,
            "BadRequest",
            "the namespace of the provided object does not match the namespace sent on the request",
        );
    }
    let sent = match sent.len() {
        0 => sent,
        _ => body::rename_document(&sent, VISIBLE, &namespace).into(),
    };
    parts.headers.remove(header::CONTENT_LENGTH);
    let watches = parts.uri.query().is_some_and(is_watch);
    let reply = base
        .send(Request::from_parts(parts, Body::from(sent)))
        .await?;
    receive(reply, watches, namespace).await
}

/// Renames the namespace in a reply: line by line in a watch, else as a whole.
async fn receive(
    reply: Response<Body>,
    watches: bool,
    namespace: Arc<str>,
) -> Result<Response<ReplyBody>, BoxError> {
    let json = reply
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .is_some_and(|kind| kind.starts_with("application/json"));
    if !json {
        return Ok(reply.map(boxed));
    }
    let (mut parts, inner) = reply.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    let reply = if watches && parts.status.is_success() {
        let lines = lines(inner, move |line| {
            body::rename_line(line, &namespace, VISIBLE)
        });
        StreamBody::new(lines.map(|line| line.map(Frame::data))).boxed_unsync()
    } else {
        let bytes = inner.collect_bytes().await?;
        full(body::rename_document(&bytes, &namespace, VISIBLE))
    };
    Ok(Response::from_parts(parts, reply))
}

/// The lines of a body, each passed through `map`.
fn lines(
    body: Body,
    map: impl Fn(&[u8]) -> Result<Vec<u8>, BoxError> + Send + 'static,
) -> impl Stream<Item = Result<Bytes, BoxError>> + Send {
    let start = (body.into_data_stream(), BytesMut::new(), map);
    stream::try_unfold(start, |(mut chunks, mut rest, map)| async move {
        loop {
            if let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                let line = rest.split_to(end + 1);
                let line = line.trim_ascii();
                if line.is_empty() {
                    continue;
                }
                let mapped = map(line)?;
                return Ok(Some((mapped.into(), (chunks, rest, map))));
            }
            match chunks.next().await {
                Some(chunk) => rest.extend_from_slice(&chunk?),
                None => return Ok(None),
            }
        }
    })
}

fn is_watch(query: &str) -> bool {
    query
        .split('&')
        .any(|pair| matches!(pair, "watch=true" | "watch=1" | "watch"))
}

fn with_path(uri: &Uri, path: &str) -> Result<Uri, BoxError> {
    let path = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(path.parse()?);
    Ok(Uri::from_parts(parts)?)
}

/// An answer of the scoped cluster itself.
fn refuse(code: StatusCode, reason: &str, message: &str) -> Result<Response<ReplyBody>, BoxError> {
    let status = Status::failure(message, reason).with_code(code.as_u16());
    let mut value = serde_json::to_value(&status)?;
    value["kind"] = "Status".into();
    value["apiVersion"] = "v1".into();
    let response = Response::builder()
        .status(code)
        .header(header::CONTENT_TYPE, "application/json")
        .body(full(value.to_string().into_bytes()))?;
    Ok(response)
}

fn full(bytes: Vec<u8>) -> ReplyBody {
    Full::from(bytes)
        .map_err(|never| match never {})
        .boxed_unsync()
}

fn boxed(body: Body) -> ReplyBody {
    body.map_err(Into::into).boxed_unsync()
}
