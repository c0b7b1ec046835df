//! Controllers: reconcile every object of a kind, in every cluster that this peer owns.

mod action;
mod build;
mod context;
mod finalizer;
pub(crate) mod queue;
mod reconcile;
mod requests;
mod runner;
mod scheduler;
mod settings;
mod source;

use std::{fmt, num::NonZeroU32, sync::Arc, time::Duration};

use futures_util::{FutureExt, future::BoxFuture};
use kube::{api::ApiResource, core::DynamicObject};

pub use action::Action;
pub use context::Context;
pub use finalizer::finalizer;
pub use requests::Requests;
pub use settings::Settings;

use crate::{
    cluster::{Cluster, ClusterName},
    engage::{ClusterAware, Engagement},
    error::{BoxError, Error},
    informer::{Key, Watch, Watched},
    selector::ClusterFilter,
};
use queue::Limits;
use scheduler::Scheduler;
use source::Source;

/// Calls a reconciler for every object of kind `K` that appears, changes or disappears in an owned cluster.
///
/// # Flow
/// 1. When a cluster is engaged, its objects are listed and watched, and so is what else the controller
///    [watches](Self::watches). When all of that is there, each object is reconciled once.
/// 2. A change of an object asks for it again; while it is being reconciled, for one more time afterwards.
/// 3. An error, a panic or a timeout of the reconciler is logged and retried with back-off: 5 ms, doubling up to 1000 s.
/// 4. When the cluster is handed over, what waits is dropped; what runs is waited for.
///
/// # Guarantees
/// - One object is reconciled by one future at a time.
/// - Clusters take turns: one with many changes delays the others by one reconcile per round. Changes overtake what the
///   first list of a cluster showed.
/// - Nothing of an engagement that has ended is begun: neither what waited nor what was to be retried or repeated.
/// - While the fence is not renewed, or the cluster does not answer, nothing is begun either; caches and watches live on.
///
/// # Not guaranteed
/// Changes in quick succession can be one reconcile. A kind that cannot be watched in a cluster keeps this controller from
/// working there, and from nowhere else.
///
/// # Cancellation
/// A reconcile is dropped at an await when the fence's deadline passes, when it takes too long
/// ([`reconcile_timeout`](Self::reconcile_timeout)), or when a drain does.
pub struct Controller<K: Watched, S = ()> {
    /// Shared with every engagement.
    spec: Arc<Spec<K, S>>,
}

/// What a controller is made of; cheap to clone.
struct Spec<K: Watched, S> {
    name: Arc<str>,
    watch: Watch<K>,
    indexes: Arc<[(Arc<str>, IndexValues<K>)]>,
    state: S,
    reconcile: Reconcile<K, S>,
    error_policy: Option<ErrorPolicy<K, S>>,
    timeout: Option<Duration>,
    sources: Vec<Arc<dyn Source<K>>>,
    clusters: ClusterFilter,
    weight: Arc<dyn Fn(&Cluster) -> NonZeroU32 + Send + Sync>,
    on_engage: Option<OnEngage<K>>,
    on_disengage: Option<OnDisengage<K>>,
    limits: Limits,
    scheduler: Scheduler<Key>,
}

type Reconcile<K, S> =
    Arc<dyn Fn(Context<K, S>) -> BoxFuture<'static, Result<Action, BoxError>> + Send + Sync>;
type ErrorPolicy<K, S> = Arc<dyn Fn(&Context<K, S>, &BoxError) -> Action + Send + Sync>;
type IndexValues<K> = Arc<dyn Fn(&K) -> Vec<String> + Send + Sync>;
type OnEngage<K> =
    Arc<dyn Fn(Engagement, Requests<K>) -> BoxFuture<'static, Result<(), BoxError>> + Send + Sync>;
type OnDisengage<K> = Arc<dyn Fn(ClusterName, Requests<K>) -> BoxFuture<'static, ()> + Send + Sync>;

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
        Self::of(Watch::new(), name, state, reconcile)
    }

    /// A controller of the objects that `watch` shows.
    pub fn of<R, F, E>(watch: Watch<K>, name: impl Into<String>, state: S, reconcile: R) -> Self
    where
        R: Fn(Context<K, S>) -> F + Send + Sync + 'static,
        F: Future<Output = Result<Action, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        let reconcile: Reconcile<K, S> = Arc::new(move |context| {
            reconcile(context)
                .map(|result| result.map_err(Into::into))
                .boxed()
        });
        let limits = Limits::new(Settings::default().concurrency);
        Self {
            spec: Arc::new(Spec {
                name: name.into().into(),
                watch,
                indexes: Arc::new([]),
                state,
                reconcile,
                error_policy: None,
                timeout: None,
                sources: Vec::new(),
                clusters: ClusterFilter::default(),
                weight: Arc::new(|_| NonZeroU32::MIN),
                on_engage: None,
                on_disengage: None,
                limits,
                scheduler: Scheduler::new(limits),
            }),
        }
    }
}

impl<S: Clone + Send + Sync + 'static> Controller<DynamicObject, S> {
    /// A controller of a kind that is named at run time.
    pub fn dynamic<R, F, E>(
        resource: ApiResource,
        name: impl Into<String>,
        state: S,
        reconcile: R,
    ) -> Self
    where
        R: Fn(Context<DynamicObject, S>) -> F + Send + Sync + 'static,
        F: Future<Output = Result<Action, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        Self::of(Watch::of(resource), name, state, reconcile)
    }
}

impl<K: Watched, S: Clone + Send + Sync + 'static> ClusterAware for Controller<K, S> {
    fn name(&self) -> &str {
        &self.spec.name
    }

    fn engage(&self, engagement: Engagement) -> BoxFuture<'static, Result<(), Error>> {
        runner::run(self.spec.clone(), engagement).boxed()
    }

    fn selects(&self, cluster: &Cluster) -> bool {
        self.spec.clusters.selects(cluster)
    }

    fn needs_host(&self) -> bool {
        self.spec.sources.iter().any(|source| source.needs_host())
    }
}

impl<K: Watched, S> fmt::Debug for Controller<K, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Controller")
            .field("name", &self.spec.name)
            .field("limits", &self.spec.limits)
            .finish_non_exhaustive()
    }
}

// === impl Spec ===

impl<K: Watched, S: Clone> Clone for Spec<K, S> {
    fn clone(&self) -> Self {
        Self {
            name: self.name.clone(),
            watch: self.watch.clone(),
            indexes: self.indexes.clone(),
            state: self.state.clone(),
            reconcile: self.reconcile.clone(),
            error_policy: self.error_policy.clone(),
            timeout: self.timeout,
            sources: self.sources.clone(),
            clusters: self.clusters.clone(),
            weight: self.weight.clone(),
            on_engage: self.on_engage.clone(),
            on_disengage: self.on_disengage.clone(),
            limits: self.limits,
            scheduler: self.scheduler.clone(),
        }
    }
}
