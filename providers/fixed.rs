//! Clusters that are given in code.

use std::{collections::BTreeMap, sync::Arc};

use futures_util::{FutureExt, StreamExt, future, future::BoxFuture, stream, stream::BoxStream};
use multicluster::{
    Cluster, ClusterEvent, ClusterName, ClusterProvider, ClusterRef, Error, kube::Client,
};

/// Clusters that are given in code and never change: for programs with a few known clusters, and for tests.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use multicluster::{kube::Client, providers::FixedProvider};
///
/// let provider = FixedProvider::new().cluster("local".parse()?, Client::try_default().await?);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default)]
pub struct FixedProvider {
    clusters: Arc<BTreeMap<ClusterName, Cluster>>,
}

// === impl FixedProvider ===

impl FixedProvider {
    /// A provider without clusters.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a cluster; one of the same name is replaced.
    #[must_use]
    pub fn cluster(mut self, name: ClusterName, client: Client) -> Self {
        let cluster = Cluster::new(name.clone(), client);
        Arc::make_mut(&mut self.clusters).insert(name, cluster);
        self
    }
}

impl ClusterProvider for FixedProvider {
    fn clusters(&self) -> BoxStream<'static, Result<ClusterEvent, Error>> {
        let names: Vec<_> = self.clusters.keys().cloned().collect();
        let applied = names
            .into_iter()
            .map(|name| ClusterEvent::Applied(ClusterRef::new(name)));
        stream::iter(applied.chain([ClusterEvent::Synced]).map(Ok))
            .chain(stream::pending())
            .boxed()
    }

    fn connect(&self, cluster: &ClusterRef) -> BoxFuture<'static, Result<Cluster, Error>> {
        let known = self.clusters.get(&cluster.name).cloned();
        let result = known.ok_or_else(|| {
            let missing = format!("there is no cluster {}", cluster.name);
            Error::provider("fixed", "connect", missing)
        });
        future::ready(result).boxed()
    }
}
