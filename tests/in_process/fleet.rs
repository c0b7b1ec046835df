//! Replicas of a small program that notes what it does.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use http_body_util::{BodyExt, Full};

use k8s_openapi::api::{
    coordination::v1::Lease,
    core::v1::{ConfigMap, Namespace},
};
use kube::{Api, Client, ResourceExt, api::PostParams, client::Body};
use kube_sandbox::Sandbox;
use multicluster::{
    Action, BoxError, Context, Controller, Engagement, Manager, Sharding, clock::TokioClock,
    for_each_cluster, providers::NamespaceProvider, sharding::Timings,
};
use tokio::{sync::oneshot, task::JoinHandle, time::Instant};
use tower::{Service, service_fn};

/// The Lease duration of these tests.
pub(crate) const LEASE: Duration = Duration::from_secs(5);

/// Something that a replica did, at a time of the paused clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    pub(crate) at: Instant,
    pub(crate) peer: String,
    pub(crate) cluster: String,
    pub(crate) what: What,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Engaged,
    Ended,
    Reconciled(String),
}

/// The API server, and what all replicas have noted.
#[derive(Clone)]
pub(crate) struct Fleet {
    pub(crate) sandbox: Sandbox,
    clock: TokioClock,
    notes: Arc<Mutex<Vec<Note>>>,
    /// While set, every request of a replica is refused with 403.
    pub(crate) forbids: Arc<AtomicBool>,
}

/// A running replica; dropped, it dies without a word.
pub(crate) struct Replica {
    shutdown: Option<oneshot::Sender<()>>,
    task: JoinHandle<multicluster::Result<()>>,
}

/// What an API server answers to somebody without the right.
fn forbidden() -> http::Response<kube_sandbox::Body> {
    let status = serde_json::json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Forbidden", "code": 403,
        "message": "leases.coordination.k8s.io is forbidden: User \"replica\" cannot update resource",
    });
    let body = Full::from(status.to_string()).map_err(|never| match never {});
    let mut response = http::Response::new(body.boxed_unsync());
    *response.status_mut() = http::StatusCode::FORBIDDEN;
    response
}

// === impl Fleet ===

impl Fleet {
    /// A server with these namespaces beside its own four, each with a ConfigMap `first`.
    pub(crate) async fn new(namespaces: &[&str]) -> Self {
        let fleet = Self {
            sandbox: Sandbox::new(),
            clock: TokioClock::new(),
            notes: Arc::default(),
            forbids: Arc::default(),
        };
        for name in namespaces {
            fleet.create_namespace(name).await;
            fleet.create_config_map(name, "first").await;
        }
        fleet
    }

    pub(crate) fn client(&self) -> Client {
        self.sandbox.client()
    }

    fn client_of_replica(&self) -> Client {
        let (sandbox, forbids) = (self.sandbox.clone(), self.forbids.clone());
        let send = move |request: http::Request<Body>| {
            let (mut sandbox, forbids) = (sandbox.clone(), forbids.clone());
            async move {
                if forbids.load(Ordering::SeqCst) {
                    return Ok(forbidden());
                }
                sandbox.call(request).await
            }
        };
        Client::new(service_fn(send), "default")
    }

    pub(crate) async fn create_namespace(&self, name: &str) {
        let mut object = Namespace::default();
        object.metadata.name = Some(name.to_owned());
        Api::all(self.client())
            .create(&PostParams::default(), &object)
            .await
            .unwrap();
    }

    pub(crate) async fn create_config_map(&self, namespace: &str, name: &str) {
        let mut object = ConfigMap::default();
        object.metadata.name = Some(name.to_owned());
        Api::namespaced(self.client(), namespace)
            .create(&PostParams::default(), &object)
            .await
            .unwrap();
    }

    /// The Leases of peers and clusters.
    pub(crate) fn leases(&self) -> Api<Lease> {
        Api::namespaced(self.client(), "kube-system")
    }

    /// The present holders of all fences, by namespace; only those that have one.
    pub(crate) async fn holders(&self) -> Vec<(String, String)> {
        let list = self.leases().list(&Default::default()).await.unwrap();
        let holder = |lease: Lease| {
            let cluster = lease.name_any().strip_prefix("mcr-shard-")?.to_owned();
            let holder = lease
                .spec?
                .holder_identity
                .filter(|holder| !holder.is_empty())?;
            Some((cluster, holder))
        };
        list.items.into_iter().filter_map(holder).collect()
    }

    /// Waits until `condition` holds, and says how long that took.
    pub(crate) async fn until(
        &self,
        limit: Duration,
        what: &str,
        mut condition: impl AsyncFnMut() -> bool,
    ) -> Duration {
        let start = Instant::now();
        while !condition().await {
            assert!(
                start.elapsed() <= limit,
                "not within {limit:?}: {what}\n{:#?}",
                self.notes()
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        start.elapsed()
    }

    /// A replica with a controller of ConfigMaps.
    pub(crate) fn start(&self, peer: &str) -> Replica {
        self.start_with(
            peer,
            |sharding| sharding,
            |_| async { Ok(Action::await_change()) },
        )
    }

    /// A replica with other settings, and with work that each reconcile does after it was noted.
    pub(crate) fn start_with<F>(
        &self,
        peer: &str,
        settings: impl FnOnce(Sharding) -> Sharding,
        work: impl Fn(Context<ConfigMap>) -> F + Send + Sync + 'static,
    ) -> Replica
    where
        F: Future<Output = Result<Action, BoxError>> + Send + 'static,
    {
        let sharding = Sharding::with_client(self.client_of_replica(), "mcr")
            .peer(peer)
            .lease_namespace("kube-system")
            .timings(Timings::new(LEASE))
            .clock(self.clock);
        let (fleet, name) = (self.clone(), peer.to_owned());
        let reconcile = move |context: Context<ConfigMap>| {
            let what = What::Reconciled(context.key().name.clone());
            fleet.note(&name, context.cluster_name().as_str(), what);
            work(context)
        };
        let (fleet, name) = (self.clone(), peer.to_owned());
        let engage = move |engagement: Engagement| {
            let (fleet, name) = (fleet.clone(), name.clone());
            async move {
                fleet.note(&name, engagement.name().as_str(), What::Engaged);
                engagement.cancelled().await;
                fleet.note(&name, engagement.name().as_str(), What::Ended);
                Ok::<_, BoxError>(())
            }
        };
        let manager = Manager::builder(NamespaceProvider::new(self.client_of_replica()))
            .sharding(settings(sharding))
            .with(for_each_cluster("notes", engage))
            .with(Controller::new("config-maps", reconcile))
            .build()
            .unwrap();
        Replica::run(manager)
    }

    pub(crate) fn notes(&self) -> Vec<Note> {
        self.notes.lock().unwrap().clone()
    }

    /// What was noted of a cluster, by whom.
    pub(crate) fn noted(&self, cluster: &str, what: &What) -> Vec<String> {
        let notes = self.notes().into_iter();
        notes
            .filter(|note| note.cluster == cluster && note.what == *what)
            .map(|note| note.peer)
            .collect()
    }

    pub(crate) fn forget_notes(&self) {
        self.notes.lock().unwrap().clear();
    }

    fn note(&self, peer: &str, cluster: &str, what: What) {
        self.notes.lock().unwrap().push(Note {
            at: Instant::now(),
            peer: peer.to_owned(),
            cluster: cluster.to_owned(),
            what,
        });
    }
}

// === impl Replica ===

impl Replica {
    /// Runs a manager.
    pub(crate) fn run(manager: Manager) -> Self {
        let (shutdown, stops) = oneshot::channel();
        let task = tokio::spawn(manager.run(async move {
            let _ = stops.await;
        }));
        Self {
            shutdown: Some(shutdown),
            task,
        }
    }

    /// Leaves gracefully.
    pub(crate) async fn leave(mut self) -> multicluster::Result<()> {
        drop(self.shutdown.take());
        (&mut self.task).await.unwrap()
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.task.is_finished()
    }

    /// How it ended by itself.
    pub(crate) async fn ended(mut self) -> multicluster::Result<()> {
        (&mut self.task).await.unwrap()
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.task.abort();
    }
}
