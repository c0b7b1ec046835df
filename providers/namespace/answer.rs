//! Answers of the scoped cluster itself, in the words of an API server.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use multicluster::BoxError;
use serde_json::{Value, json};

use super::path::Missing;

pub(super) type ReplyBody = UnsyncBoxBody<Bytes, BoxError>;

pub(super) fn not_found(missing: &Missing) -> Response<ReplyBody> {
    let (message, details) = match missing {
        Missing::Path => (
            "the server could not find the requested resource".to_owned(),
            json!({}),
        ),
        Missing::Object(resource, name) => (
            format!("{resource} {name:?} not found"),
            json!({"name": name, "kind": resource}),
        ),
    };
    json_reply(
        StatusCode::NOT_FOUND,
        status(StatusCode::NOT_FOUND, "NotFound", &message, details),
    )
}

pub(super) fn unsupported_media_type() -> Response<ReplyBody> {
    let code = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    let message = "the body of the request was in an unknown format - accepted media types include: application/json, application/yaml";
    json_reply(
        code,
        status(code, "UnsupportedMediaType", message, json!({})),
    )
}

pub(super) fn not_acceptable() -> Response<ReplyBody> {
    let code = StatusCode::NOT_ACCEPTABLE;
    let message = "only the following media types are accepted: application/json, application/json;stream=watch";
    json_reply(code, status(code, "NotAcceptable", message, json!({})))
}

/// The line that ends a watch from a version whose successors are not all there.
pub(super) fn expired_line(version: u64, oldest: u64) -> Bytes {
    let message = format!("too old resource version: {version} ({oldest})");
    let object = status(StatusCode::GONE, "Expired", &message, json!({}));
    let mut line = json!({"type": "ERROR", "object": object})
        .to_string()
        .into_bytes();
    line.push(b'\n');
    line.into()
}

fn status(code: StatusCode, reason: &str, message: &str, details: Value) -> Value {
    json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message, "reason": reason,
        "details": details, "code": code.as_u16(),
    })
}

fn json_reply(code: StatusCode, value: Value) -> Response<ReplyBody> {
    json_bytes(code, value.to_string().into())
}

/// A reply with JSON that is known already.
pub(super) fn json_bytes(code: StatusCode, text: Bytes) -> Response<ReplyBody> {
    with_body(code, full(text))
}

pub(super) fn with_body(code: StatusCode, body: ReplyBody) -> Response<ReplyBody> {
    let mut response = Response::new(body);
    *response.status_mut() = code;
    let kind = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

pub(super) fn full(bytes: Bytes) -> ReplyBody {
    Full::from(bytes)
        .map_err(|never| match never {})
        .boxed_unsync()
}
