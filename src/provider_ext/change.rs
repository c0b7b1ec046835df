//! Providers with fewer clusters, more labels, other clients.

use std::{collections::BTreeMap, fmt, sync::Arc};

use futures_util::{
    FutureExt, StreamExt, TryFutureExt, future, future::BoxFuture, stream::BoxStream,
};
use kube::Client;

use crate::{
    cluster::Cluster,
    clusters::ClusterSet,
    error::Error,
    provider::{ClusterEvent, ClusterProvider, ClusterRef},
};

/// Some of the clusters of another provider; see [`ClusterProviderExt::filter`](crate::ClusterProviderExt::filter).
#[derive(Clone)]
pub struct Filtered<P> {
    inner: P,
    passes: Arc<Passes>,
}

/// The clusters of another provider with more labels; see
/// [`ClusterProviderExt::with_labels`](crate::ClusterProviderExt::with_labels).
#[derive(Clone, Debug)]
pub struct Labelled<P> {
    inner: P,
    labels: Arc<BTreeMap<String, String>>,
}

/// The clusters of another provider behind other clients; see
/// [`ClusterProviderExt::map_client`](crate::ClusterProviderExt::map_client).
#[derive(Clone)]
pub struct MapClient<P> {
    inner: P,
    change: Arc<Change>,
}

type Passes = dyn Fn(&ClusterRef) -> bool + Send + Sync;
type Change = dyn Fn(&ClusterRef, Client) -> Client + Send + Sync;

// === impl Filtered ===

impl<P> Filtered<P> {
    pub(super) fn new(
        inner: P,
        passes: impl Fn(&ClusterRef) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self {
            inner,
            passes: Arc::new(passes),
        }
    }
}

impl<P: ClusterProvider> ClusterProvider for Filtered<P> {
    fn clusters(&self) -> BoxStream<'static, Result<ClusterEvent, Error>> {
        let passes = self.passes.clone();
        let mut passing = ClusterSet::new();
        let events = self.inner.clusters();
        events
            .filter_map(move |event| {
                future::ready(match event {
                    Ok(ClusterEvent::Applied(cluster)) if passes(&cluster) => {
                        passing.apply(cluster).map(Ok)
                    }
                    Ok(ClusterEvent::Applied(ClusterRef { name, .. })) => {
                        passing.remove(&name).map(Ok)
                    }
                    Ok(ClusterEvent::Removed(name)) => passing.remove(&name).map(Ok),
                    other => Some(other),
                })
            })
            .boxed()
    }

    fn connect(&self, cluster: &ClusterRef) -> BoxFuture<'static, Result<Cluster, Error>> {
        self.inner.connect(cluster)
    }
}

impl<P: fmt::Debug> fmt::Debug for Filtered<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Filtered").field(&self.inner).finish()
    }
}

// === impl Labelled ===

impl<P> Labelled<P> {
    pub(super) fn new(inner: P, labels: BTreeMap<String, String>) -> Self {
        Self {
            inner,
            labels: Arc::new(labels),
        }
    }
}

impl<P: ClusterProvider> ClusterProvider for Labelled<P> {
    fn clusters(&self) -> BoxStream<'static, Result<ClusterEvent, Error>> {
        let labels = self.labels.clone();
        let events = self.inner.clusters();
        events
            .map(move |mut event| {
                if let Ok(ClusterEvent::Applied(cluster)) = &mut event {
                    let added = labels.iter().map(|(k, v)| (k.clone(), v.clone()));
                    Arc::make_mut(&mut cluster.labels).extend(added);
                }
                event
            })
            .boxed()
    }

    fn connect(&self, cluster: &ClusterRef) -> BoxFuture<'static, Result<Cluster, Error>> {
        self.inner.connect(cluster)
    }
}

// === impl MapClient ===

impl<P> MapClient<P> {
    pub(super) fn new(
        inner: P,
        change: impl Fn(&ClusterRef, Client) -> Client + Send + Sync + 'static,
    ) -> Self {
        Self {
            inner,
            change: Arc::new(change),
        }
    }
}

impl<P: ClusterProvider> ClusterProvider for MapClient<P> {
    fn clusters(&self) -> BoxStream<'static, Result<ClusterEvent, Error>> {
        self.inner.clusters()
    }

    fn connect(&self, cluster: &ClusterRef) -> BoxFuture<'static, Result<Cluster, Error>> {
        let (change, shown) = (self.change.clone(), cluster.clone());
        let connected = self.inner.connect(cluster);
        connected
            .map_ok(move |connected| {
                let client = change(&shown, connected.client().clone());
                connected.with_client(client)
            })
            .boxed()
    }
}

impl<P: fmt::Debug> fmt::Debug for MapClient<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MapClient").field(&self.inner).finish()
    }
}
