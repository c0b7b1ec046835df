//! Replies, and what goes into them.

use std::convert::Infallible;

use bytes::Bytes;
use http::{Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use tower::BoxError;

use crate::{kinds::Kind, sandbox::Body, status::ApiError};

/// The reply that refuses a request.
pub(crate) fn refuse(error: &ApiError) -> Response<Body> {
    let mut reply = json_reply(error.code, &error.to_json());
    if let Some(seconds) = error.retry_after() {
        let value = header::HeaderValue::from(seconds);
        reply.headers_mut().insert(header::RETRY_AFTER, value);
    }
    reply
}

/// A reply that has nothing to say.
pub(crate) fn empty(code: StatusCode) -> Response<Body> {
    let mut response = Response::new(Full::new(Bytes::new()).map_err(never).boxed_unsync());
    *response.status_mut() = code;
    response
}

pub(crate) fn object_reply(code: StatusCode, body: Bytes) -> Response<Body> {
    reply(code, "application/json", body)
}

/// What the server says where nothing is, outside of its API.
pub(crate) fn no_page() -> Response<Body> {
    page(StatusCode::NOT_FOUND, "404 page not found\n")
}

pub(crate) fn page(code: StatusCode, text: &'static str) -> Response<Body> {
    let text = Bytes::from_static(text.as_bytes());
    reply(code, "text/plain; charset=utf-8", text)
}

pub(crate) fn json_reply(code: StatusCode, value: &Value) -> Response<Body> {
    reply(code, "application/json", Bytes::from(value.to_string()))
}

pub(crate) fn reply(code: StatusCode, media_type: &'static str, body: Bytes) -> Response<Body> {
    with_type(
        code,
        media_type,
        Full::new(body).map_err(never).boxed_unsync(),
    )
}

pub(crate) fn with_type(code: StatusCode, media_type: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = code;
    let media_type = header::HeaderValue::from_static(media_type);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, media_type);
    response
}

pub(crate) fn never(error: Infallible) -> BoxError {
    match error {}
}

/// What a deletion says of an object that is gone.
pub(crate) fn gone(kind: &Kind, name: &str, object: &Value) -> Value {
    let mut details = json!({"name": name, "kind": kind.plural, "uid": object["metadata"]["uid"]});
    if !kind.group.is_empty() {
        details["group"] = json!(kind.group);
    }
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details})
}

/// What a write says of its outcome.
pub(crate) fn written(created: bool) -> StatusCode {
    if created {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    }
}
