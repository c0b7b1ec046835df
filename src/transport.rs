//! How requests reach a cluster.

use std::{
    convert::Infallible,
    future::poll_fn,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    task::{Poll, ready},
};

use bytes::Bytes;
use futures_util::{FutureExt, TryFutureExt, future::BoxFuture};
use http::{Request, Response};
use http_body_util::{BodyExt, Either, combinators::UnsyncBoxBody};
use k8s_openapi::jiff::Timestamp;
use kube::{
    Client,
    client::{Body, ClientBuilder},
};
use tower::{Layer, Service, ServiceExt, service_fn};

use crate::error::BoxError;

/// The body of an answer.
pub(crate) type AnswerBody = Either<Body, BoxedBody>;

type BoxedBody = UnsyncBoxBody<Bytes, BoxError>;

type SendRequest = dyn Fn(Request<Body>) -> Answering + Send + Sync;

type Answering = BoxFuture<'static, Result<Response<BoxedBody>, BoxError>>;

/// How requests reach a cluster: through a client, or through what a client would be made of.
///
/// The latter saves a queue in memory (10 kB) and a task switch for each request, since there is a client around the fence
/// anyway.
#[derive(Clone)]
pub(crate) enum Transport {
    Client(Client),
    Service(Arc<ClusterService>),
}

/// A service, and the client that is made of it for those who need one.
pub(crate) struct ClusterService {
    send: Arc<SendRequest>,
    namespace: String,
    valid_until: Option<Timestamp>,
    client: OnceLock<Client>,
}

/// Takes the service out of a [`ClientBuilder`].
struct Take<S>(Mutex<Option<S>>);

// === impl Transport ===

impl Transport {
    /// Sends to clones of `service`.
    pub(crate) fn of_service<S, B>(service: S, namespace: String) -> Self
    where
        S: Service<Request<Body>, Response = Response<B>> + Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
        S::Error: Into<BoxError>,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let send = move |request| {
            let sent = service.clone().oneshot(request);
            sent.map_ok(boxed).map_err(Into::into).boxed()
        };
        Self::new(Arc::new(send), namespace, None)
    }

    /// Sends to what `builder` holds, which is always ready, as kube's own is.
    pub(crate) fn of_builder<S, B>(builder: ClientBuilder<S>) -> Self
    where
        S: Service<Request<Body>, Response = Response<B>> + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Into<BoxError>,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let take = Take(Mutex::new(None));
        // What else it knows, only a client tells.
        let client = builder.with_layer(&take).build();
        let taken = take.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        let service = taken.expect("a builder shows a layer its service");
        let service = Arc::new(Mutex::new(service));
        let send = move |request| exclusive(service.clone(), request).boxed();
        let namespace = client.default_namespace().to_owned();
        Self::new(Arc::new(send), namespace, *client.valid_until())
    }

    fn new(send: Arc<SendRequest>, namespace: String, valid_until: Option<Timestamp>) -> Self {
        Self::Service(Arc::new(ClusterService {
            send,
            namespace,
            valid_until,
            client: OnceLock::new(),
        }))
    }

    pub(crate) async fn send(
        &self,
        request: Request<Body>,
    ) -> Result<Response<AnswerBody>, BoxError> {
        match self {
            Self::Client(client) => Ok(client.send(request).await?.map(Either::Left)),
            Self::Service(service) => Ok((service.send)(request).await?.map(Either::Right)),
        }
    }

    pub(crate) fn client(&self) -> &Client {
        match self {
            Self::Client(client) => client,
            Self::Service(service) => service.client.get_or_init(|| {
                let send = service.send.clone();
                let client =
                    Client::new(service_fn(move |request| send(request)), &service.namespace);
                client.with_valid_until(service.valid_until)
            }),
        }
    }

    pub(crate) fn default_namespace(&self) -> &str {
        match self {
            Self::Client(client) => client.default_namespace(),
            Self::Service(service) => &service.namespace,
        }
    }

    pub(crate) fn valid_until(&self) -> Option<Timestamp> {
        match self {
            Self::Client(client) => *client.valid_until(),
            Self::Service(service) => service.valid_until,
        }
    }
}

impl From<Client> for Transport {
    fn from(client: Client) -> Self {
        Self::Client(client)
    }
}

// === impl Take ===

impl<S> Layer<S> for Take<S> {
    type Service = tower::util::ServiceFn<
        fn(Request<Body>) -> std::future::Ready<Result<Response<Body>, Infallible>>,
    >;

    fn layer(&self, service: S) -> Self::Service {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(service);
        service_fn(|_| std::future::ready(Ok(Response::new(Body::empty()))))
    }
}

/// Hands a request to a service that many use; the lock is held for that only.
async fn exclusive<S, B>(
    service: Arc<Mutex<S>>,
    request: Request<Body>,
) -> Result<Response<BoxedBody>, BoxError>
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Error: Into<BoxError>,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let mut request = Some(request);
    let sent = poll_fn(|context| {
        let mut service = service.lock().unwrap_or_else(PoisonError::into_inner);
        let ready = ready!(service.poll_ready(context));
        let request = request.take();
        Poll::Ready(ready.map(|()| request.map(|request| service.call(request))))
    });
    match sent.await.map_err(Into::into)? {
        Some(answer) => Ok(boxed(answer.await.map_err(Into::into)?)),
        None => Err("a request was sent twice".into()),
    }
}

fn boxed<B>(answer: Response<B>) -> Response<BoxedBody>
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    answer.map(|body| body.map_err(Into::into).boxed_unsync())
}

#[cfg(test)]
mod tests;
