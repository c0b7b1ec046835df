//! The member cluster's client behind the guard.

use std::{
    pin::{Pin, pin},
    task::{Context, Poll, ready},
    time::Duration,
};

use http::{Method, Request, Response, header};
use http_body::{Body as HttpBody, Frame, SizeHint};
use kube::{Client, client::Body, error::Error as KubeError};
use tokio_util::sync::WaitForCancellationFutureOwned;
use tower::service_fn;

use super::{Guard, NotOwnerReason, upgrade};
use crate::{
    bounded,
    error::{BoxError, Report},
    health::Health,
    transport::{AnswerBody, Transport},
};

/// How long a request may wait until it is asked whether the cluster is there.
const LONG: Duration = Duration::from_secs(5);

/// A client like `base` that asks `guard` before every request.
///
/// Requests that write are refused when the guard does not permit work, and given up when it stops permitting; upgraded
/// connections are cut then. Reads and open watches end with the engagement. A refusal arrives as
/// [`KubeError::Service`] around [`NotOwner`](super::NotOwner). Retries inside `base` cannot outlive the permission: they
/// are part of what is given up.
///
/// What becomes of requests is noted in `health`; while the cluster is unreachable they are refused with
/// [`Unreachable`](crate::health::Unreachable).
pub(crate) fn fenced_client(base: impl Into<Transport>, guard: Guard, health: Health) -> Client {
    let base = base.into();
    let namespace = base.default_namespace().to_owned();
    let service = service_fn(move |request| {
        let (base, guard, health) = (base.clone(), guard.clone(), health.clone());
        async move { send(&base, guard, &health, request).await }
    });
    Client::new(service, namespace)
}

/// Sends one request and notes what becomes of it.
async fn noted(
    base: &Transport,
    health: &Health,
    request: Request<Body>,
) -> Result<Response<AnswerBody>, BoxError> {
    health.check()?;
    let mut sending = pin!(bounded::send(base, request));
    let mut answers = health.answers();
    let answer = loop {
        tokio::select! {
            biased;
            answer = &mut sending => break answer,
            // What waits in vain would keep a worker from the other clusters.
            refusal = health.given_up() => return Err(refusal.into()),
            () = tokio::time::sleep(LONG) => {}
        }
        if health.answers() == answers {
            health.silent();
        }
        answers = health.answers();
    };
    match &answer {
        Ok(response) => health.answered(response.status()),
        Err(error) => health.failed(Report(&**error).to_string()),
    }
    answer
}

async fn send(
    base: &Transport,
    guard: Guard,
    health: &Health,
    request: Request<Body>,
) -> Result<Response<CutBody>, BoxError> {
    let response = if is_write(&request) {
        guard.check_write()?;
        let write = guard.begin_write();
        let response = guard.run(noted(base, health, request)).await??;
        let response = upgrade::guarded(response, &guard).await?;
        write.answered();
        response
    } else {
        tokio::select! {
            biased;
            () = guard.scope.ended.cancelled() => return Err(guard.refusal(NotOwnerReason::Ended).into()),
            response = noted(base, health, request) => response?,
        }
    };
    Ok(response.map(|inner| CutBody {
        inner,
        at_end: false,
        ended: Box::pin(guard.scope.ended.clone().cancelled_owned()),
        guard,
    }))
}

/// Every method but the reading ones writes, and so does an upgrade: exec, attach, port-forward and proxy connections.
fn is_write<B>(request: &Request<B>) -> bool {
    let reads = matches!(
        *request.method(),
        Method::GET | Method::HEAD | Method::OPTIONS
    );
    !reads || request.headers().contains_key(header::UPGRADE)
}

/// A response body that fails when the engagement ends.
struct CutBody {
    inner: AnswerBody,
    /// Whether everything was read, and the connection had a moment to return.
    at_end: bool,
    ended: Pin<Box<WaitForCancellationFutureOwned>>,
    guard: Guard,
}

impl HttpBody for CutBody {
    type Data = <Body as HttpBody>::Data;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, BoxError>>> {
        if self.ended.as_mut().poll(context).is_ready() {
            let refusal = self.guard.refusal(NotOwnerReason::Ended);
            return Poll::Ready(Some(Err(KubeError::Service(refusal.into()).into())));
        }
        if self.at_end {
            return Poll::Ready(None);
        }
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(context));
        if frame.is_none() {
            // The connection is at hand for others a moment after the last byte: whoever asks at once opens another.
            self.at_end = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
