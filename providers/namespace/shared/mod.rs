//! What the clients of one provider share: one watch for all Namespaces, and lists over all of them.
//!
//! # Flow
//! - A list in one Namespace is sent as it is, unless many arrive at once: then they are answered by lists over all
//!   Namespaces that begin after they arrived ([`coalesce`]).
//! - A watch in one Namespace is served from a watch over all of them, whose lines are told apart without decoding
//!   ([`watch`]) and retained for a while ([`ring`]).
//!
//! # Guarantees
//! A client sees what it would see by requests of its own: lists show everything up to the moment of asking, and a watch
//! shows every later version once and in order, or ends, or says `410 Gone`.
//!
//! # Fallback
//! A server that forbids the requests over all Namespaces is sent plain ones for [`REFUSAL`]; so Roles in the Namespaces
//! are enough.

mod coalesce;
mod failure;
mod follow;
mod list;
mod reader;
mod ring;
mod split;
mod upstream;
mod watch;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use multicluster::kube::Client;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

pub(super) use self::{
    failure::Failure, list::Listed, reader::Reader, upstream::UNCOMPRESSED, watch::Opened,
};
use self::{list::Lists, watch::SharedWatch};
use super::query::Query;

/// How long a kind is left alone after a server did not let us ask for all Namespaces.
const REFUSAL: Duration = Duration::from_secs(5 * 60);

/// How long a kind that nobody asks for is remembered.
const MEMORY: Duration = Duration::from_secs(60);

/// What the connected clusters of a provider share; when all of them are gone, it ends.
pub(super) struct Sharing {
    base: Client,
    kinds: Mutex<HashMap<Key, Arc<Kind>>>,
    ended: CancellationToken,
    _end: DropGuard,
}

/// What requests must have in common.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    /// The path of the collection of all Namespaces.
    pub(super) path: String,
    pub(super) labels: String,
    pub(super) fields: String,
    pub(super) accept: String,
}

/// The shared requests for one kind and selection.
pub(super) struct Kind {
    key: Key,
    watch: SharedWatch,
    lists: Lists,
    known: Mutex<Known>,
}

/// What is known of a kind.
#[derive(Clone, Copy, Debug)]
struct Known {
    /// Whether it has namespaces.
    namespaced: bool,
    refused: Option<Instant>,
    used: Instant,
}

/// Calls what it holds when it is dropped.
struct Lost<F: FnOnce()>(Option<F>);

// === impl Sharing ===

impl Sharing {
    pub(super) fn new(base: Client) -> Arc<Self> {
        let ended = CancellationToken::new();
        Arc::new(Self {
            base,
            kinds: Mutex::default(),
            _end: ended.clone().drop_guard(),
            ended,
        })
    }

    /// The shared requests for `key`; `None` while the server does not permit them.
    pub(super) fn kind(&self, key: Key) -> Option<Arc<Kind>> {
        let now = Instant::now();
        let mut kinds = lock(&self.kinds);
        if !kinds.contains_key(&key) {
            kinds.retain(|_, kind| Arc::strong_count(kind) > 1 || !kind.is_forgotten(now));
        }
        let kind = kinds
            .entry(key.clone())
            .or_insert_with(|| Arc::new(Kind::new(key)));
        kind.known().used = now;
        kind.is_shared().then(|| kind.clone())
    }

    /// Runs a task that ends with the sharing; one that ends with its runtime, or panics, is `lost`.
    fn spawn(
        &self,
        task: impl Future<Output = ()> + Send + 'static,
        lost: impl FnOnce() + Send + 'static,
    ) {
        let ended = self.ended.clone();
        let lost = Lost(Some(lost));
        tokio::spawn(async move {
            tokio::select! {
                () = ended.cancelled() => {}
                () = task => {}
            }
            lost.not_at_all();
        });
    }
}

// === impl Kind ===

impl Kind {
    fn new(key: Key) -> Self {
        Self {
            key,
            watch: SharedWatch::default(),
            lists: Lists::default(),
            known: Mutex::new(Known {
                namespaced: false,
                refused: None,
                used: Instant::now(),
            }),
        }
    }

    /// Whether the server permits requests over all Namespaces, as far as is known.
    pub(super) fn is_shared(&self) -> bool {
        let refused = self.known().refused;
        refused.is_none_or(|at| at.elapsed() >= REFUSAL)
    }

    /// Whether objects of the kind are known to have namespaces.
    pub(super) fn is_namespaced(&self) -> bool {
        self.known().namespaced
    }

    /// A list in one Namespace, of this version, was answered.
    pub(super) fn listed(&self, version: Option<u64>) {
        self.known().namespaced = true;
        if let Some(version) = version {
            self.watch.listed(version);
        }
    }

    /// Leaves the kind alone for a while.
    fn refuse(&self) {
        self.known().refused = Some(Instant::now());
    }

    /// The watch's task is gone: its readers ask anew.
    fn watch_lost(&self) {
        self.leave_alone_after_panic();
        let error = "the task of the watch over all namespaces is gone";
        self.watch.failed(Failure::Unanswered(error.into()));
    }

    /// The task of the lists is gone: those who wait ask anew.
    fn lists_lost(&self) {
        self.leave_alone_after_panic();
        self.lists.lost();
    }

    fn leave_alone_after_panic(&self) {
        if std::thread::panicking() {
            self.refuse();
        }
    }

    fn is_forgotten(&self, now: Instant) -> bool {
        let known = *self.known();
        let refused = known.refused.is_some_and(|at| now - at < REFUSAL);
        !refused && now - known.used >= MEMORY
    }

    fn selectors(&self) -> Query {
        let mut query = Query::default();
        for (name, value) in [
            ("labelSelector", &self.key.labels),
            ("fieldSelector", &self.key.fields),
        ] {
            if !value.is_empty() {
                query.set(name, value);
            }
        }
        query
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        lock(&self.known)
    }
}

// === impl Lost ===

impl<F: FnOnce()> Lost<F> {
    fn not_at_all(mut self) {
        self.0 = None;
    }
}

impl<F: FnOnce()> Drop for Lost<F> {
    fn drop(&mut self) {
        if let Some(lost) = self.0.take() {
            lost();
        }
    }
}

/// A lock for the length of one decision: never held across an await.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
