//! A provider in memory that keeps the contract, and can be made to break each clause of it.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream, stream::BoxStream};
use kube::Client;
use kube_sandbox::Sandbox;
use multicluster::{
    BoxError, Cluster, ClusterEvent, ClusterProvider, ClusterRef, ClusterSet, Error,
    testing::conformance::Harness,
};
use tokio::{sync::watch, task::yield_now};

use super::mutant::Mutant;

/// What the source is at a moment.
#[derive(Clone, Debug, Default)]
pub(super) struct State {
    pub(super) down: bool,
    pub(super) clusters: BTreeMap<String, Entry>,
    /// How many changes there were.
    pub(super) version: u64,
}

#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) token: String,
    pub(super) born: u64,
    pub(super) note: u64,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) broken: bool,
}

/// The source and its harness.
pub(super) struct Inventory {
    state: watch::Sender<State>,
    sandbox: Sandbox,
    tokens: Mutex<Vec<String>>,
    mutant: Option<Mutant>,
}

pub(super) struct InventoryProvider {
    state: watch::Sender<State>,
    sandbox: Sandbox,
    mutant: Option<Mutant>,
    shared: Arc<Shared>,
}

/// What the streams of a provider should not share.
#[derive(Default)]
pub(super) struct Shared {
    pub(super) set: Mutex<ClusterSet>,
    pub(super) taken: AtomicU64,
    pub(super) streams: AtomicU64,
    pub(super) busy: AtomicBool,
    pub(super) tokens: Mutex<BTreeMap<String, String>>,
}

/// One stream.
pub(super) struct Look {
    pub(super) state: watch::Receiver<State>,
    pub(super) set: ClusterSet,
    pub(super) shared: Arc<Shared>,
    pub(super) number: u64,
    pub(super) listed: bool,
    pub(super) was_down: bool,
    pub(super) known: BTreeMap<String, (u64, ClusterRef)>,
}

// === impl Inventory ===

impl Inventory {
    pub(super) fn new(mutant: Option<Mutant>) -> Self {
        Self {
            state: watch::Sender::default(),
            sandbox: Sandbox::new(),
            tokens: Mutex::default(),
            mutant,
        }
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        self.state.send_modify(|state| {
            state.version += 1;
            change(state);
        });
    }

    fn entry(&self, key: &str, change: impl FnOnce(&mut Entry)) -> Result<(), BoxError> {
        let known = self.state.borrow().clusters.contains_key(key);
        self.change(|state| {
            if let Some(entry) = state.clusters.get_mut(key) {
                change(entry);
            }
        });
        known.then_some(()).ok_or_else(|| "no such cluster".into())
    }

    fn token(&self) -> String {
        let mut tokens = self.tokens.lock().unwrap();
        let token = format!("token-{}", tokens.len() + 1_000);
        tokens.push(token.clone());
        token
    }
}

impl Harness for Inventory {
    type Provider = InventoryProvider;

    async fn provider(&self) -> Result<InventoryProvider, BoxError> {
        Ok(InventoryProvider {
            state: self.state.clone(),
            sandbox: self.sandbox.clone(),
            mutant: self.mutant,
            shared: Arc::default(),
        })
    }

    async fn create(&self, key: &str) -> Result<(), BoxError> {
        let token = self.token();
        self.change(|state| {
            let entry = Entry {
                token,
                born: state.version,
                note: 0,
                labels: BTreeMap::new(),
                broken: false,
            };
            state.clusters.insert(key.into(), entry);
        });
        Ok(())
    }

    async fn delete(&self, key: &str) -> Result<(), BoxError> {
        self.change(|state| drop(state.clusters.remove(key)));
        Ok(())
    }

    async fn rotate(&self, key: &str) -> Result<(), BoxError> {
        let token = self.token();
        self.entry(key, |entry| entry.token = token)
    }

    async fn touch(&self, key: &str) -> Result<(), BoxError> {
        self.entry(key, |entry| entry.note += 1)
    }

    async fn label(&self, key: &str, labels: &BTreeMap<String, String>) -> Result<(), BoxError> {
        self.entry(key, |entry| entry.labels.clone_from(labels))
    }

    async fn break_cluster(&self, key: &str) -> Result<(), BoxError> {
        self.entry(key, |entry| entry.broken = true)
    }

    async fn heal_cluster(&self, key: &str) -> Result<(), BoxError> {
        self.entry(key, |entry| entry.broken = false)
    }

    async fn source_down(&self) -> Result<(), BoxError> {
        self.change(|state| state.down = true);
        Ok(())
    }

    async fn source_up(&self) -> Result<(), BoxError> {
        self.change(|state| state.down = false);
        Ok(())
    }

    fn secrets(&self) -> Vec<String> {
        self.tokens.lock().unwrap().clone()
    }

    async fn reaches(&self, key: &str, client: Client) -> Result<(), BoxError> {
        let state = self.state.borrow();
        let token = state.clusters.get(key).map(|entry| entry.token.as_str());
        let expected = format!("{key}/{}", token.unwrap_or_default());
        match client.default_namespace() {
            found if found == expected => Ok(()),
            found => Err(format!("it is {found}").into()),
        }
    }
}

// === impl InventoryProvider ===

impl ClusterProvider for InventoryProvider {
    fn clusters(&self) -> BoxStream<'static, Result<ClusterEvent, Error>> {
        let mut state = self.state.subscribe();
        state.mark_changed();
        let look = Look {
            state,
            set: ClusterSet::new(),
            shared: self.shared.clone(),
            number: self.shared.streams.fetch_add(1, Ordering::Relaxed),
            listed: false,
            was_down: false,
            known: BTreeMap::new(),
        };
        if let Some(mutant) = self.mutant {
            return mutant.clusters(look);
        }
        looks(look, Look::events)
    }

    fn connect(&self, cluster: &ClusterRef) -> BoxFuture<'static, Result<Cluster, Error>> {
        let (state, sandbox) = (self.state.clone(), self.sandbox.clone());
        let (cluster, mutant, shared) = (cluster.clone(), self.mutant, self.shared.clone());
        async move {
            if let Some(mutant) = mutant
                && let Some(connected) = mutant.connect(&state, &sandbox, &cluster, &shared).await
            {
                return connected;
            }
            for _ in 0..3 {
                yield_now().await;
            }
            let state = state.borrow();
            let entry = state.clusters.get(cluster.name.as_str());
            match entry {
                _ if state.down => Err(error("the source is down")),
                None => Err(error("there is no such cluster")),
                Some(entry) if entry.broken => Err(error("its entry is broken")),
                Some(entry) => Ok(connected(&sandbox, &cluster, &entry.token)),
            }
        }
        .boxed()
    }
}

// === impl Look ===

impl Look {
    /// What is news in the source.
    fn events(&mut self) -> Vec<Result<ClusterEvent, Error>> {
        let state = self.state.borrow_and_update().clone();
        if state.down {
            return vec![Err(error("the source is down"))];
        }
        let refs = state.clusters.iter().map(|(key, entry)| to_ref(key, entry));
        self.set.replace(refs).into_iter().map(Ok).collect()
    }
}

/// The events of a stream that looks at every change.
pub(super) fn looks(
    look: Look,
    events: impl FnMut(&mut Look) -> Vec<Result<ClusterEvent, Error>> + Send + 'static,
) -> BoxStream<'static, Result<ClusterEvent, Error>> {
    let looks = stream::unfold((look, events), |(mut look, mut events)| async move {
        look.state.changed().await.ok()?;
        let news = events(&mut look);
        Some((stream::iter(news), (look, events)))
    });
    looks.flatten().boxed()
}

pub(super) fn to_ref(key: &str, entry: &Entry) -> ClusterRef {
    ClusterRef::new(key.parse().unwrap())
        .labels(entry.labels.clone())
        .fingerprint_of(&entry.token)
}

pub(super) fn connected(sandbox: &Sandbox, cluster: &ClusterRef, token: &str) -> Cluster {
    let who = format!("{}/{token}", cluster.name);
    Cluster::new(cluster.name.clone(), Client::new(sandbox.clone(), who))
}

pub(super) fn error(why: &str) -> Error {
    Error::provider("inventory", "read the inventory", why)
}
