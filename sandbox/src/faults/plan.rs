//! What becomes of one request.

use std::{io, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use tokio::{sync::oneshot, time::sleep};
use tokio_util::sync::CancellationToken;
use tower::BoxError;

use super::{call::ApiCall, stream, stream::Line};
use crate::{
    reply,
    sandbox::{Body, Sandbox},
    service,
    status::ApiError,
    watch::Horizon,
};

/// A reply, or a broken connection.
pub(super) type Reply = Result<Response<Body>, BoxError>;

/// The faults of one request, put together.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) before: Duration,
    pub(super) after: Duration,
    /// The rules that keep it in the network.
    pub(super) held: Vec<CancellationToken>,
    pub(super) outcome: Outcome,
    /// What a list shows.
    pub(super) horizon: Option<Horizon>,
    /// The line of a watch, which faults can be added to while it is open.
    pub(super) line: Option<Line>,
}

/// How the server, or the way to it, answers.
#[derive(Debug, Default)]
pub(super) enum Outcome {
    #[default]
    Serve,
    /// Applied, without an answer.
    LoseReply,
    /// Applied, then the connection breaks.
    DisconnectAfter,
    Disconnect,
    Hang,
    Refuse(Refusal),
}

/// Why a request is refused.
#[derive(Clone, Copy, Debug)]
pub(super) enum Refusal {
    Conflict,
    Throttle { seconds: u32, text: bool },
    Status(u16),
}

// === impl Plan ===

impl Plan {
    /// Does with the request what was planned; a request without an answer never completes.
    pub(super) async fn perform(
        self,
        sandbox: Sandbox,
        call: ApiCall,
        request: Request<Bytes>,
    ) -> Reply {
        let at_once = self.before.is_zero() && self.after.is_zero() && self.held.is_empty();
        if at_once {
            return or_never(self.apply(&sandbox, &call, request)).await;
        }
        // A task of its own: the request goes on when its sender has forgotten it.
        let (answer, answered) = oneshot::channel();
        tokio::spawn(async move {
            sleep(self.before).await;
            for rule in &self.held {
                rule.cancelled().await;
            }
            let after = self.after;
            let reply = self.apply(&sandbox, &call, request);
            sleep(after).await;
            // Nobody may be listening any more.
            let _ = answer.send(reply);
        });
        or_never(answered.await.ok().flatten()).await
    }

    /// Applies the request; `None` if it is not answered.
    fn apply(self, sandbox: &Sandbox, call: &ApiCall, request: Request<Bytes>) -> Option<Reply> {
        let (line, horizon) = (self.line, self.horizon);
        let serve = || {
            let Some(line) = line else {
                return service::handle(sandbox, request, horizon);
            };
            let reply = service::handle(sandbox, request, Some(line.horizon.clone()));
            reply.map(|body| stream::follow(body, line))
        };
        match self.outcome {
            Outcome::Serve => Some(Ok(serve())),
            Outcome::LoseReply => {
                serve();
                None
            }
            Outcome::DisconnectAfter => {
                serve();
                Some(Err(broken()))
            }
            Outcome::Disconnect => Some(Err(broken())),
            Outcome::Hang => None,
            Outcome::Refuse(refusal) => Some(Ok(refusal.reply(sandbox, call))),
        }
    }
}

async fn or_never(reply: Option<Reply>) -> Reply {
    match reply {
        Some(reply) => reply,
        None => std::future::pending().await,
    }
}

/// What a client sees of a broken connection.
pub(super) fn broken() -> BoxError {
    let text = "connection reset by an injected fault";
    io::Error::new(io::ErrorKind::ConnectionReset, text).into()
}

// === impl Refusal ===

impl Refusal {
    fn reply(self, sandbox: &Sandbox, call: &ApiCall) -> Response<Body> {
        match self {
            Self::Conflict => reply::refuse(&conflict(sandbox, call)),
            Self::Throttle { seconds, text } => {
                let error = ApiError::throttled(seconds);
                let mut reply = match text {
                    true => text_reply(error.code, &error.message),
                    false => reply::refuse(&error),
                };
                let value = HeaderValue::from(seconds);
                reply.headers_mut().insert(header::RETRY_AFTER, value);
                reply
            }
            Self::Status(code) => {
                let code = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                reply::refuse(&ApiError::with_code(code))
            }
        }
    }
}

fn conflict(sandbox: &Sandbox, call: &ApiCall) -> ApiError {
    let registry = sandbox.registry();
    // A request that is not about objects conflicts too, when a rule says so.
    let kind = registry
        .named(&call.kind)
        .unwrap_or_else(|| registry.namespace());
    match call.verb {
        super::Verb::Create => ApiError::already_exists(&kind, &call.name),
        _ => ApiError::stale(&kind, &call.name),
    }
}

/// What Go's `http.Error` writes.
fn text_reply(code: StatusCode, text: &str) -> Response<Body> {
    let body = Full::from(format!("{text}\n")).map_err(|never| match never {});
    let mut reply = Response::new(body.boxed_unsync());
    *reply.status_mut() = code;
    let media_type = HeaderValue::from_static("text/plain; charset=utf-8");
    reply.headers_mut().insert(header::CONTENT_TYPE, media_type);
    reply
}
