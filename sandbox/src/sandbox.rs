//! The server itself, without a network.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use serde::Serialize;
use serde_json::json;
use tokio::net::{TcpListener, ToSocketAddrs};
use tower::{BoxError, Service, ServiceExt};

use crate::{
    auth::{Claimed, bootstrap},
    clock::Clock,
    kinds::Registry,
    logs::{ContainerLogs, Logs},
    manifests::{self, ManifestError},
    server::Server,
    service,
    store::Store,
};

/// The body of a reply: one piece, or the lines of a watch.
pub type Body = UnsyncBoxBody<Bytes, BoxError>;

/// The namespaces of a fresh cluster.
const NAMESPACES: [&str; 4] = ["default", "kube-node-lease", "kube-public", "kube-system"];

/// A Kubernetes API server in memory; clones share its state.
///
/// It is a [`tower::Service`] of HTTP requests, which [`client`](Self::client) and [`serve`](Self::serve) build on and
/// which can be wrapped in layers to simulate a bad network.
///
/// # Time
/// Time-outs, bookmarks and the timestamps of objects follow the tokio clock, so a paused test runs them at once.
#[derive(Clone, Debug)]
pub struct Sandbox {
    shared: Arc<Shared>,
}

/// A [`Sandbox`] to be; see [`Sandbox::builder`].
#[derive(Clone, Debug)]
#[must_use]
pub struct SandboxBuilder {
    history: usize,
    controllers: bool,
    logs: Logs,
}

#[derive(Debug)]
struct Shared {
    store: Mutex<Store>,
    logs: Logs,
    clock: Clock,
}

// === impl Sandbox ===

impl Sandbox {
    /// A server with the namespaces of a fresh cluster.
    #[must_use]
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// A server with other settings.
    pub fn builder() -> SandboxBuilder {
        SandboxBuilder {
            history: 10_000,
            controllers: true,
            logs: Logs::default(),
        }
    }

    /// A client that calls this server directly, without a socket; its default namespace is `default`.
    ///
    /// # Panics
    /// Outside of a tokio runtime, which every [`kube::Client`] needs.
    #[must_use]
    pub fn client(&self) -> kube::Client {
        kube::Client::new(self.clone(), "default")
    }

    /// The same for a user with a name.
    ///
    /// `system:serviceaccount:<namespace>:<name>` has the rights of that service account, as the stored roles and
    /// bindings give them; all others are administrators.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube::{Api, api::ListParams};
    ///
    /// let sandbox = kube_sandbox::Sandbox::new();
    /// let keeper = sandbox.client_for("system:serviceaccount:zoo:keeper");
    /// let maps: Api<ConfigMap> = Api::namespaced(keeper, "zoo");
    /// let refused = maps.list(&ListParams::default()).await;
    /// assert!(matches!(refused, Err(kube::Error::Api(status)) if status.is_forbidden()));
    /// # }
    /// ```
    ///
    /// # Panics
    /// Outside of a tokio runtime, which every [`kube::Client`] needs.
    #[must_use]
    pub fn client_for(&self, user: &str) -> kube::Client {
        let user = Claimed(user.to_owned());
        let service = self.clone().map_request(move |mut request: Request<_>| {
            request.extensions_mut().insert(user.clone());
            request
        });
        kube::Client::new(service, "default")
    }

    /// The same server with objects in it; see [`load`](Self::load).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube_sandbox::Sandbox;
    ///
    /// let sandbox = Sandbox::new().with_objects(["
    /// apiVersion: v1
    /// kind: ConfigMap
    /// metadata: {name: elephant}
    /// "])?;
    /// let maps: kube::Api<ConfigMap> = kube::Api::default_namespaced(sandbox.client());
    /// maps.get("elephant").await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Names the first object that the server refuses, with its reason.
    pub fn with_objects<T: Serialize>(
        self,
        objects: impl IntoIterator<Item = T>,
    ) -> Result<Self, ManifestError> {
        self.load(objects)?;
        Ok(self)
    }

    /// Creates objects in order: typed ones, JSON, or texts of manifests in YAML or JSON; a status is kept.
    ///
    /// # Errors
    /// Names the first object that the server refuses, with its reason; those before it are there.
    pub fn load<T: Serialize>(
        &self,
        objects: impl IntoIterator<Item = T>,
    ) -> Result<(), ManifestError> {
        for value in objects {
            for object in manifests::read(&value)? {
                manifests::load(self, &object)?;
            }
        }
        Ok(())
    }

    /// Serves HTTP/1.1 on an address, such as `127.0.0.1:0` for a free port; see [`serve`](Self::serve).
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub async fn listen(&self, address: impl ToSocketAddrs) -> std::io::Result<Server> {
        self.serve(TcpListener::bind(address).await?)
    }

    /// Serves HTTP/1.1 on `listener` until the [`Server`] is dropped or shut down.
    ///
    /// # Errors
    /// When the listener does not know its address.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn serve(&self, listener: TcpListener) -> std::io::Result<Server> {
        Server::start(self.clone(), listener)
    }

    /// Forgets all past events: a list or a watch of an earlier version gets `410 Gone`, as after a compaction of etcd.
    pub fn compact(&self) {
        self.store().compact();
    }

    /// The state, for the length of one decision: never hold it across an await.
    pub(crate) fn store(&self) -> MutexGuard<'_, Store> {
        // A panic cannot leave a write half done: the store is changed in one step at the end of a decision.
        self.shared
            .store
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The kinds that are served at the moment.
    pub(crate) fn registry(&self) -> Arc<Registry> {
        self.store().registry().clone()
    }

    /// Who knows what containers have written.
    pub(crate) fn logs(&self) -> &Logs {
        &self.shared.logs
    }

    /// The clock that objects and tables follow.
    pub(crate) fn clock(&self) -> Clock {
        self.shared.clock
    }

    /// The present, on the tokio clock.
    pub(crate) fn now(&self) -> jiff::Timestamp {
        self.clock().now()
    }

    /// The present, as it goes into objects: in seconds.
    pub(crate) fn timestamp(&self) -> String {
        in_seconds(self.now())
    }
}

impl Default for Sandbox {
    fn default() -> Self {
        Self::new()
    }
}

impl<B> Service<Request<B>> for Sandbox
where
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let sandbox = self.clone();
        Box::pin(async move { Ok(service::answer(sandbox, request).await) })
    }
}

/// A time, as it goes into objects.
pub(crate) fn in_seconds(time: jiff::Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

// === impl SandboxBuilder ===

impl SandboxBuilder {
    /// How many events of each kind are kept for watches that start in the past; 10,000 unless told otherwise.
    ///
    /// A watch from before the kept ones gets `410 Gone`: a small number shows whether a client recovers from that.
    pub fn history(mut self, events: usize) -> Self {
        self.history = events;
        self
    }

    /// Whether dependents are collected with their owners, and namespaces emptied and removed; yes unless told otherwise.
    ///
    /// A kube-apiserver alone does neither: a cluster has controllers for it. Here a client that has the answer to a
    /// write finds done what follows from it.
    pub fn controllers(mut self, run: bool) -> Self {
        self.controllers = run;
        self
    }

    /// Who knows what the containers of Pods have written; without one, no Pod has a log.
    pub fn logs(mut self, logs: impl ContainerLogs) -> Self {
        self.logs = Logs::of(logs);
        self
    }

    /// Makes the server.
    #[must_use]
    pub fn build(self) -> Sandbox {
        let clock = Clock::start();
        let store = Mutex::new(Store::new(self.history, self.controllers));
        let sandbox = Sandbox {
            shared: Arc::new(Shared {
                store,
                logs: self.logs,
                clock,
            }),
        };
        let now = sandbox.timestamp();
        let mut store = sandbox.store();
        let namespace = store.registry().namespace();
        for name in NAMESPACES {
            let mut object = json!({"metadata": {"name": name}});
            (namespace.prepare)(&mut object, None);
            store.seed(&namespace, object, &now);
        }
        for (plural, object) in bootstrap::objects() {
            let kind = store
                .registry()
                .find("rbac.authorization.k8s.io", "v1", plural);
            if let Some(kind) = kind {
                store.seed(&kind, object.clone(), &now);
            }
        }
        drop(store);
        sandbox
    }
}
