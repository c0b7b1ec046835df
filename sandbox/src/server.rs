//! The server on a socket.

use std::{io, net::SocketAddr, time::Duration};

use futures_util::StreamExt;
use http::{Request, Response};
use http_body::Body as _;
use http_body_util::{BodyExt, BodyStream, StreamBody};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use kube::config::Kubeconfig;
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::{BoxError, Service, ServiceExt};

use crate::sandbox::Body;

/// How long [`Server::shutdown`] waits for connections before it lets go of them.
const GRACE: Duration = Duration::from_secs(1);

/// A [`Sandbox`](crate::Sandbox) on a socket; dropping it closes all connections.
#[derive(Debug)]
#[must_use = "the server ends when this is dropped"]
pub struct Server {
    addr: SocketAddr,
    /// Asks connections to finish and ends watches.
    stop: CancellationToken,
    /// Cuts connections.
    cut: CancellationToken,
    connections: TaskTracker,
    acceptor: JoinHandle<()>,
}

// === impl Server ===

impl Server {
    /// Serves `service`; where it fails, the connection breaks without a reply.
    pub(crate) fn start(service: impl Answers, listener: TcpListener) -> io::Result<Self> {
        let addr = listener.local_addr()?;
        let (stop, cut, connections) = (
            CancellationToken::new(),
            CancellationToken::new(),
            TaskTracker::new(),
        );
        let acceptor = accept(
            service,
            listener,
            stop.clone(),
            cut.clone(),
            connections.clone(),
        );
        Ok(Self {
            addr,
            stop,
            cut,
            connections,
            acceptor: tokio::spawn(acceptor),
        })
    }

    /// The address that the server listens on.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The URL of the server.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// How to reach the server, for [`kube::Client::try_from`]; written as JSON it is a file that `kubectl` reads too.
    #[must_use]
    pub fn kubeconfig(&self) -> Kubeconfig {
        self.kubeconfig_with(&json!({}))
    }

    /// The same for a user with a name, which is sent as the bearer token: [`Faults`](crate::Faults) can be meant for it.
    #[must_use]
    pub fn kubeconfig_for(&self, user: &str) -> Kubeconfig {
        self.kubeconfig_with(&json!({"token": user}))
    }

    fn kubeconfig_with(&self, user: &Value) -> Kubeconfig {
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "sandbox", "cluster": {"server": self.url()}}],
            "users": [{"name": "sandbox", "user": user}],
            "contexts": [{"name": "sandbox", "context": {"cluster": "sandbox", "user": "sandbox"}}],
            "current-context": "sandbox",
        });
        // The text above has the shape of the type, which a test reads back.
        serde_json::from_value(config).unwrap_or_default()
    }

    /// Ends all watches cleanly, lets other requests finish, and closes the socket.
    pub async fn shutdown(mut self) {
        self.stop.cancel();
        // Only a panic or an abort makes this fail, and then it has ended as well.
        let _ = (&mut self.acceptor).await;
        self.connections.close();
        let _ = tokio::time::timeout(GRACE, self.connections.wait()).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
        self.cut.cancel();
        self.acceptor.abort();
    }
}

/// What can be put on a socket.
pub(crate) trait Answers:
    Service<Request<Incoming>, Response = Response<Body>, Error: Into<BoxError>, Future: Send>
    + Clone
    + Send
    + 'static
{
}

impl<S> Answers for S where
    S: Service<Request<Incoming>, Response = Response<Body>, Error: Into<BoxError>, Future: Send>
        + Clone
        + Send
        + 'static
{
}

async fn accept(
    service: impl Answers,
    listener: TcpListener,
    stop: CancellationToken,
    cut: CancellationToken,
    connections: TaskTracker,
) {
    while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
        match accepted {
            Ok((stream, _)) => {
                let connection = converse(service.clone(), stream, stop.clone());
                connections.spawn(cut.clone().run_until_cancelled_owned(connection));
            }
            Err(error) => {
                // Out of file descriptors, most likely: others may close theirs meanwhile.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// Answers the requests of one connection.
async fn converse<S: Answers>(service: S, stream: TcpStream, stop: CancellationToken) {
    // Small replies are not to wait for each other; a socket that refuses this works as well.
    let _ = stream.set_nodelay(true);
    let until = stop.clone();
    let answer = service_fn(move |request: Request<Incoming>| {
        let (reply, stop) = (service.clone().oneshot(request), stop.clone());
        async move { Ok::<_, S::Error>(reply.await?.map(|body| end_with(body, stop))) }
    });
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), answer);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = until.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "connection ended");
    }
}

/// Ends a stream of unknown length when `stop` is cancelled; a reply with a known length is sent to its end.
fn end_with(body: Body, stop: CancellationToken) -> Body {
    if body.size_hint().exact().is_some() {
        return body;
    }
    let frames = BodyStream::new(body).take_until(stop.cancelled_owned());
    StreamBody::new(frames).boxed_unsync()
}
