//! Where clusters come from.

use std::{collections::BTreeMap, sync::Arc};

use futures_util::{future::BoxFuture, stream::BoxStream};

use crate::{
    cluster::{Cluster, ClusterName},
    error::Error,
};

/// A cluster that a provider knows of, without a connection to it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClusterRef {
    /// The cluster's name, unique within the fleet.
    pub name: ClusterName,
    /// Labels, which controllers can [select by](crate::Controller::cluster_labels). A change of labels alone does not
    /// connect anew: it begins and ends what selects by them, and the rest sees the new ones when it is engaged next.
    pub labels: Arc<BTreeMap<String, String>>,
    /// A digest of what [`ClusterProvider::connect`] would use; a change makes the owner connect anew.
    pub fingerprint: u64,
}

/// A change of the set of clusters.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClusterEvent {
    /// The cluster exists, in this form.
    Applied(ClusterRef),
    /// The cluster is gone, or on its way out.
    Removed(ClusterName),
    /// The source was listed completely: clusters that were not reported before do not exist at this point.
    Synced,
}

/// A source of clusters.
///
/// Every peer of a fleet runs the same provider; only the owner of a cluster connects to it.
///
/// # Flow
/// 1. The manager polls [`clusters`](Self::clusters) for as long as it runs.
/// 2. When this peer becomes a cluster's owner, the manager calls [`connect`](Self::connect) with the newest
///    [`ClusterRef`], and again whenever the [fingerprint](ClusterRef::fingerprint) changes.
///
/// # Contract
/// - The stream reports every change of a cluster after the one before; [`ClusterSet`](crate::ClusterSet) turns a list
///   or a watch of the source into such a stream.
/// - An event is a change: an unchanged cluster is not applied again, and one that was not reported is not removed.
/// - [`ClusterEvent::Synced`] follows each complete listing, also an empty one. No cluster of the source is missing before it.
/// - An `Err` is reported and changes nothing: what is known stays known.
/// - A stream that ends is started again after a pause, and reports everything anew. So the stream itself should retry
///   only what it can do better than that. Streams are independent of each other, and one that is dropped leaves nothing
///   behind.
/// - [`connect`](Self::connect) reads the source again and keeps nothing: credentials exist for owned clusters only. It
///   fails soon when the cluster is not there any more, or cannot be used; the latter removes nothing from the stream. It
///   can be dropped at any await, is given a timeout by the manager, and is retried with back-off when it fails.
/// - What it returns should not retry on its own and should have timeouts, as what
///   [`Cluster::from_config`](crate::Cluster::from_config) and [`cluster_client`](crate::cluster_client) make: a fenced write
///   must not hide in a retry loop.
///
/// The suite `testing::conformance` (feature `testing`) judges a provider by it, and `_documentation::writing_a_provider`
/// leads through it.
///
/// # Errors
/// Both report [`Error::Provider`]; errors must not contain credentials.
pub trait ClusterProvider: Send + Sync + 'static {
    /// The changes of the set of clusters, from the beginning.
    fn clusters(&self) -> BoxStream<'static, Result<ClusterEvent, Error>>;

    /// Connects to `cluster`.
    fn connect(&self, cluster: &ClusterRef) -> BoxFuture<'static, Result<Cluster, Error>>;
}

impl<P: ClusterProvider + ?Sized> ClusterProvider for Arc<P> {
    fn clusters(&self) -> BoxStream<'static, Result<ClusterEvent, Error>> {
        (**self).clusters()
    }

    fn connect(&self, cluster: &ClusterRef) -> BoxFuture<'static, Result<Cluster, Error>> {
        (**self).connect(cluster)
    }
}

impl<P: ClusterProvider + ?Sized> ClusterProvider for Box<P> {
    fn clusters(&self) -> BoxStream<'static, Result<ClusterEvent, Error>> {
        (**self).clusters()
    }

    fn connect(&self, cluster: &ClusterRef) -> BoxFuture<'static, Result<Cluster, Error>> {
        (**self).connect(cluster)
    }
}

// === impl ClusterRef ===

impl ClusterRef {
    /// A cluster without labels and with fingerprint 0.
    #[must_use]
    pub fn new(name: ClusterName) -> Self {
        Self {
            name,
            labels: Arc::default(),
            fingerprint: 0,
        }
    }

    /// Replaces the labels.
    #[must_use]
    pub fn labels(mut self, labels: BTreeMap<String, String>) -> Self {
        self.labels = Arc::new(labels);
        self
    }

    /// Sets the fingerprint to a digest of `bytes`, which is the same in every process.
    #[must_use]
    pub fn fingerprint_of(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.fingerprint = xxhash_rust::xxh3::xxh3_64(bytes.as_ref());
        self
    }
}
