//! Replicas of a small program that notes what it does.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use k8s_openapi::api::{
    coordination::v1::Lease,
    core::v1::{ConfigMap, Namespace},
};
use kube::{
    Api, Client, ResourceExt,
    api::{Patch, PostParams},
};
use kube_sandbox::{Faults, Sandbox};
use multicluster::{
    Action, BoxError, Context, Controller, Engagement, FencingToken, Manager, Sharding,
    clock::TokioClock, for_each_cluster, providers::NamespaceProvider, sharding::Timings,
};
use tokio::{sync::oneshot, task::JoinHandle, time::Instant};

/// The Lease duration of these tests.
pub(crate) const LEASE: Duration = Duration::from_secs(5);

/// Something that a replica did, at a time of the paused clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    pub(crate) at: Instant,
    pub(crate) peer: String,
    pub(crate) cluster: String,
    pub(crate) what: What,
    pub(crate) token: Option<FencingToken>,
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
    /// What goes wrong between the replicas and the server; the peer is the user.
    pub(crate) faults: Faults,
}

/// A running replica; dropped, it dies without a word.
pub(crate) struct Replica {
    shutdown: Option<oneshot::Sender<()>>,
    task: JoinHandle<multicluster::Result<()>>,
}

// === impl Fleet ===

impl Fleet {
    /// A server with these namespaces beside its own four, each with a ConfigMap `first`.
    pub(crate) async fn new(namespaces: &[&str]) -> Self {
        Self::seeded(namespaces, 1).await
    }

    /// The same with faults that follow from `seed`.
    pub(crate) async fn seeded(namespaces: &[&str], seed: u64) -> Self {
        let sandbox = Sandbox::new();
        let fleet = Self {
            faults: Faults::new(&sandbox, seed),
            sandbox,
            clock: TokioClock::new(),
            notes: Arc::default(),
        };
        for name in namespaces {
            fleet.create_namespace(name).await;
            fleet.create_config_map(name, "first").await;
        }
        fleet
    }

    /// A client past all faults.
    pub(crate) fn client(&self) -> Client {
        self.sandbox.client()
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

    /// Changes the ConfigMap `first` of a namespace.
    pub(crate) async fn touch(&self, namespace: &str) {
        let now = format!("{:?}", Instant::now());
        let patch = serde_json::json!({"metadata": {"annotations": {"touched": now}}});
        let maps: Api<ConfigMap> = Api::namespaced(self.client(), namespace);
        maps.patch("first", &Default::default(), &Patch::Merge(patch))
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
        let sharding = Sharding::with_client(self.faults.client(peer), "mcr")
            .peer(peer)
            .lease_namespace("kube-system")
            .timings(Timings::new(LEASE))
            .clock(self.clock);
        let (fleet, name) = (self.clone(), peer.to_owned());
        let reconcile = move |context: Context<ConfigMap>| {
            let what = What::Reconciled(context.key().name.clone());
            let cluster = context.cluster_name().as_str();
            fleet.note(&name, cluster, what, context.token());
            work(context)
        };
        let (fleet, name) = (self.clone(), peer.to_owned());
        let engage = move |engagement: Engagement| {
            let (fleet, name) = (fleet.clone(), name.clone());
            async move {
                let note = |what| {
                    let cluster = engagement.name().as_str();
                    fleet.note(&name, cluster, what, engagement.token());
                };
                note(What::Engaged);
                engagement.cancelled().await;
                note(What::Ended);
                Ok::<_, BoxError>(())
            }
        };
        let manager = Manager::builder(NamespaceProvider::new(self.faults.client(peer)))
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

    fn note(&self, peer: &str, cluster: &str, what: What, token: Option<FencingToken>) {
        self.notes.lock().unwrap().push(Note {
            at: Instant::now(),
            peer: peer.to_owned(),
            cluster: cluster.to_owned(),
            what,
            token,
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
