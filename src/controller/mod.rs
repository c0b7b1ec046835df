//! Controllers: reconcile every object of a kind, in every cluster that this peer owns.

mod action;
mod context;
mod informer;
mod queue;
mod runner;
mod scheduler;
mod settings;

use std::{fmt, sync::Arc};

use futures_util::{FutureExt, future::BoxFuture};
use kube::runtime::reflector::ObjectRef;

pub use action::Action;
pub use context::Context;
pub use informer::Watched;
pub use settings::Settings;

use crate::{
    engage::{ClusterAware, Engagement},
    error::{BoxError, Error},
    problems::Problems,
};
use scheduler::Scheduler;

/// How many reconciles of one controller run at a time, unless set.
const CONCURRENCY: usize = 16;

/// Calls a reconciler for every object of kind `K` that appears, changes or disappears in an owned cluster.
///
/// # Flow
/// 1. When a cluster is engaged, its objects are listed and watched, and each is reconciled once.
/// 2. A change of an object asks for it again; while it is being reconciled, for one more time afterwards.
/// 3. An error or a panic of the reconciler is logged and retried with back-off: 5 ms, doubling up to 1000 s.
/// 4. When the cluster is handed over, what waits is dropped; what runs is waited for.
///
/// # Guarantees
/// One object is reconciled by one future at a time. Clusters take turns: one with many changes delays the others by one
/// reconcile per round.
///
/// # Cancellation
/// A reconcile is dropped at an await when the fence's deadline passes, or when a drain takes too long.
pub struct Controller<K: Watched, S = ()> {
    shared: Arc<Shared<K, S>>,
}

/// What all clusters of a controller share.
struct Shared<K: Watched, S> {
    name: String,
    dyntype: K::DynamicType,
    state: S,
    reconcile: Reconcile<K, S>,
    scheduler: Scheduler<ObjectRef<K>>,
    problems: Problems,
}

type Reconcile<K, S> =
    Box<dyn Fn(Context<K, S>) -> BoxFuture<'static, Result<Action, BoxError>> + Send + Sync>;

// === impl Controller ===

impl<K: Watched> Controller<K> {
    /// A controller without state.
    pub fn new<R, F, E>(name: impl Into<String>, reconcile: R) -> Self
    where
        K::DynamicType: Default,
        R: Fn(Context<K>) -> F + Send + Sync + 'static,
        F: Future<Output = Result<Action, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        Self::with_state(name, (), reconcile)
    }
}

impl<K: Watched, S: Clone + Send + Sync + 'static> Controller<K, S> {
    /// A controller whose reconciler gets a clone of `state` in its context.
    ///
    /// `name` is what logs call it.
    pub fn with_state<R, F, E>(name: impl Into<String>, state: S, reconcile: R) -> Self
    where
        K::DynamicType: Default,
        R: Fn(Context<K, S>) -> F + Send + Sync + 'static,
        F: Future<Output = Result<Action, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        let reconcile: Reconcile<K, S> = Box::new(move |context| {
            reconcile(context)
                .map(|result| result.map_err(Into::into))
                .boxed()
        });
        Self {
            shared: Arc::new(Shared {
                name: name.into(),
                dyntype: K::DynamicType::default(),
                state,
                reconcile,
                scheduler: Scheduler::new(CONCURRENCY),
                problems: Problems::default(),
            }),
        }
    }
}

impl<K: Watched, S: Clone + Send + Sync + 'static> ClusterAware for Controller<K, S> {
    fn name(&self) -> &str {
        &self.shared.name
    }

    fn engage(&self, engagement: Engagement) -> BoxFuture<'static, Result<(), Error>> {
        runner::run(self.shared.clone(), engagement).boxed()
    }
}

impl<K: Watched, S> fmt::Debug for Controller<K, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Controller")
            .field("name", &self.shared.name)
            .finish_non_exhaustive()
    }
}
