//! Engagements: the time in which this peer works on a cluster.

mod owned;
mod shared;

use std::{any::Any, fmt, sync::Arc};

use futures_util::{FutureExt, future::BoxFuture};
use kube::{Client, core::Selector};
use tokio_util::{
    sync::{CancellationToken, WaitForCancellationFutureOwned},
    task::TaskTracker,
};

use crate::{
    cluster::{Cluster, ClusterName},
    error::{BoxError, Error},
    guard::{FencingToken, Guard, NotOwner, fenced_client},
    health::{ClusterHealth, Health},
    loads::Loads,
    problems::Problems,
    selector::ClusterFilter,
};

pub use owned::OwnedClusters;
use owned::WeakOwned;
use shared::Shared;

/// A part of a program that works on every engaged cluster: a controller, or a closure
/// ([`for_each_cluster`]).
///
/// # Flow
/// The manager calls [`engage`](Self::engage) when this peer has become a cluster's owner and is connected to it, and
/// polls the returned future in a task of its own. The future works until [`Engagement::cancelled`], drains, and
/// resolves. Only then is the cluster given to another peer.
///
/// # Errors
/// A future that resolves earlier, fails or panics is reported and engaged again with back-off; the cluster stays owned
/// and its other parts go on.
///
/// # Cancellation
/// A future that has not resolved within the drain timeout after its cancellation is dropped.
pub trait ClusterAware: Send + Sync + 'static {
    /// What this part is called in logs.
    fn name(&self) -> &str;

    /// Works on one cluster; resolves when everything of that engagement is drained.
    fn engage(&self, engagement: Engagement) -> BoxFuture<'static, Result<(), Error>>;

    /// Whether this part works on `cluster`; on every one by default.
    ///
    /// It is asked before the part is engaged, and again whenever the cluster's labels change: then this part alone is
    /// engaged or drained there, over the same connection, and the others go on.
    fn selects(&self, cluster: &Cluster) -> bool {
        let _ = cluster;
        true
    }

    /// Whether this part cannot work without a host.
    fn needs_host(&self) -> bool {
        false
    }
}

/// One cluster, owned by this peer and connected; cheap to clone.
///
/// Each part has one of its own, which ends with that of the cluster, or earlier when the part no longer
/// [selects](ClusterAware::selects) the cluster.
#[derive(Clone)]
pub struct Engagement(Arc<Inner>);

/// An engagement as one part sees it.
struct Inner {
    /// With the labels that it had when the part was engaged.
    cluster: Cluster,
    cancelled: CancellationToken,
    /// What runs for the part, even after its task was aborted.
    alive: TaskTracker,
    whole: Arc<Whole>,
}

/// What the parts have in common.
struct Whole {
    guard: Guard,
    health: Health,
    cancelled: CancellationToken,
    /// What runs for any part.
    alive: TaskTracker,
    loads: Loads,
    problems: Problems,
    owned: WeakOwned,
    host: Option<Engagement>,
    shared: Shared,
}

/// What the engagements of one manager have in common.
#[derive(Clone, Default)]
pub(crate) struct Surroundings {
    pub(crate) loads: Loads,
    pub(crate) problems: Problems,
    pub(crate) owned: OwnedClusters,
    /// The host, for reading.
    pub(crate) host: Option<Engagement>,
}

/// Runs `work` on every cluster that this peer owns; see [`ClusterAware`] for its life.
///
/// An existing `kube::runtime::Controller` becomes a fleet controller in it, with
/// `.graceful_shutdown_on(engagement.cancelled())`.
pub fn for_each_cluster<W, F, E>(name: impl Into<String>, work: W) -> ForEachCluster<W>
where
    W: Fn(Engagement) -> F + Send + Sync + 'static,
    F: Future<Output = Result<(), E>> + Send + 'static,
    E: Into<BoxError>,
{
    ForEachCluster {
        name: name.into().into(),
        clusters: ClusterFilter::default(),
        work,
    }
}

/// A closure that works on every owned cluster, or on some; see [`for_each_cluster`].
pub struct ForEachCluster<W> {
    name: Arc<str>,
    clusters: ClusterFilter,
    work: W,
}

// === impl Engagement ===

impl Engagement {
    /// Engages `cluster` under `guard`: its client is fenced from here on.
    pub(crate) fn new(
        cluster: Cluster,
        guard: Guard,
        health: Health,
        surroundings: &Surroundings,
    ) -> Self {
        let client = fenced_client(cluster.transport().clone(), guard.clone(), health.clone());
        let whole = Whole {
            guard,
            health,
            cancelled: CancellationToken::new(),
            alive: TaskTracker::new(),
            loads: surroundings.loads.clone(),
            problems: surroundings.problems.clone(),
            // An engagement that kept itself alive would live for ever.
            owned: surroundings.owned.downgrade(),
            host: surroundings.host.clone(),
            shared: Shared::default(),
        };
        Self(Arc::new(Inner {
            cluster: cluster.with_client(client),
            cancelled: whole.cancelled.clone(),
            alive: whole.alive.clone(),
            whole: Arc::new(whole),
        }))
    }

    /// The same engagement for one part, which sees the cluster as `cluster` and can be cancelled on its own.
    pub(crate) fn of_part(&self, cluster: Cluster) -> Self {
        Self(Arc::new(Inner {
            cluster,
            cancelled: self.0.cancelled.child_token(),
            alive: TaskTracker::new(),
            whole: self.0.whole.clone(),
        }))
    }

    /// The same engagement for what the parts share: it ends with the last of them.
    pub(crate) fn of_all(&self) -> Self {
        let whole = self.0.whole.clone();
        Self(Arc::new(Inner {
            cluster: self.0.cluster.clone(),
            cancelled: whole.cancelled.clone(),
            alive: whole.alive.clone(),
            whole,
        }))
    }

    /// The cluster, with the fenced client.
    #[must_use]
    pub fn cluster(&self) -> &Cluster {
        &self.0.cluster
    }

    /// The cluster's name.
    #[must_use]
    pub fn name(&self) -> &ClusterName {
        self.0.cluster.name()
    }

    /// The cluster's client, which refuses to write when this peer is not the owner.
    #[must_use]
    pub fn client(&self) -> Client {
        self.0.cluster.client().clone()
    }

    /// The permission to work on the cluster.
    #[must_use]
    pub fn guard(&self) -> &Guard {
        &self.0.whole.guard
    }

    /// The fencing token of this tenure; `None` without sharding.
    #[must_use]
    pub fn token(&self) -> Option<FencingToken> {
        self.0.whole.guard.token()
    }

    /// Tells the fleet how many objects this cluster has, all parts of the program together.
    ///
    /// A placement that bounds loads ([`BoundedRendezvous`](crate::sharding::BoundedRendezvous)) evens out these numbers;
    /// others ignore them. Call it whenever the number is known anew: the last call counts, and only a change by more
    /// than about a third is announced, with the next renewal of the cluster's Lease.
    pub fn report_load(&self, objects: u64) {
        self.0.whole.loads.report(self.name(), objects);
    }

    /// Completes when the engagement is to end, for this part at least: stop what can be stopped, finish what is quick, and resolve.
    pub fn cancelled(&self) -> WaitForCancellationFutureOwned {
        self.0.cancelled.clone().cancelled_owned()
    }

    /// Whether the engagement is to end.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.cancelled.is_cancelled()
    }

    /// Completes when work is not permitted for now: the fence could not be renewed. Caches and watches live on.
    pub async fn paused(&self) -> NotOwner {
        self.0.whole.guard.stopped().await
    }

    /// How the cluster is doing.
    #[must_use]
    pub fn cluster_health(&self) -> ClusterHealth {
        self.0.whole.health.get()
    }

    /// The engagement of another cluster.
    ///
    /// # Errors
    /// [`NotOwner`] when this peer does not work on it at this moment. Its own guard, not this one, permits work there.
    pub fn other(&self, cluster: &ClusterName) -> Result<Self, NotOwner> {
        self.0.whole.owned.upgrade().get(cluster)
    }

    /// The host, which every peer may read; `None` when the manager [has none](crate::ManagerBuilder::host).
    ///
    /// Its client refuses to write.
    #[must_use]
    pub fn host(&self) -> Option<&Self> {
        self.0.whole.host.as_ref()
    }

    /// The health of the cluster, for those who have something to add.
    pub(crate) fn health(&self) -> &Health {
        &self.0.whole.health
    }

    /// Where problems are reported that many clusters may share.
    pub(crate) fn problems(&self) -> &Problems {
        &self.0.whole.problems
    }

    /// What the parts share in this engagement: one value of each type.
    pub(crate) fn shared<T: Any + Default + Send + Sync>(&self) -> Arc<T> {
        self.0.whole.shared.get()
    }

    /// Asks everything of this engagement to end.
    pub(crate) fn cancel(&self) {
        self.0.cancelled.cancel();
    }

    /// Counts `work` as alive until it has ended and is dropped: an aborted task may still be inside a poll.
    pub(crate) fn track<F: Future>(&self, work: F) -> impl Future<Output = F::Output> + use<F> {
        let work = self.0.alive.track_future(work);
        self.0.whole.alive.track_future(work)
    }

    /// Completes when nothing of this engagement is alive any more, or, when it is that of a part, of the part.
    pub(crate) async fn dead(&self) {
        self.0.alive.close();
        self.0.alive.wait().await;
    }

    /// Refuses every further request, reads too, and drops what still runs under the guard.
    pub(crate) fn end(&self) {
        self.0.whole.guard.end();
    }
}

impl fmt::Debug for Engagement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engagement")
            .field("cluster", self.name())
            .field("guard", self.guard())
            .field("cancelled", &self.is_cancelled())
            .finish_non_exhaustive()
    }
}

// === impl ForEachCluster ===

impl<W> ForEachCluster<W> {
    /// Works only on clusters for which `filter` says so, as [`Controller::clusters`](crate::Controller::clusters) does.
    #[must_use]
    pub fn clusters(mut self, filter: impl Fn(&Cluster) -> bool + Send + Sync + 'static) -> Self {
        self.clusters.add(filter);
        self
    }

    /// Works only on clusters with these labels, as [`Controller::cluster_labels`](crate::Controller::cluster_labels) does.
    #[must_use]
    pub fn cluster_labels(mut self, selector: impl Into<Selector>) -> Self {
        self.clusters.add_labels(selector.into());
        self
    }
}

impl<W> fmt::Debug for ForEachCluster<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ForEachCluster")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl<W, F, E> ClusterAware for ForEachCluster<W>
where
    W: Fn(Engagement) -> F + Send + Sync + 'static,
    F: Future<Output = Result<(), E>> + Send + 'static,
    E: Into<BoxError>,
{
    fn name(&self) -> &str {
        &self.name
    }

    fn engage(&self, engagement: Engagement) -> BoxFuture<'static, Result<(), Error>> {
        let part = self.name.to_string();
        (self.work)(engagement)
            .map(|result| {
                result.map_err(|source| Error::User {
                    part,
                    source: source.into(),
                })
            })
            .boxed()
    }

    fn selects(&self, cluster: &Cluster) -> bool {
        self.clusters.selects(cluster)
    }
}
