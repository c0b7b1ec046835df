//! The host among the clusters.

use std::sync::Arc;

use futures_util::{FutureExt, StreamExt, future, future::BoxFuture, stream, stream::BoxStream};
use kube::Client;

use crate::{
    cluster::{Cluster, ClusterName},
    engage::{Engagement, Surroundings},
    error::Error,
    guard::Guard,
    health::Health,
    loads::Loads,
    provider::{ClusterEvent, ClusterProvider, ClusterRef},
};

/// What the host is called among the clusters.
const NAME: &str = "host";

/// The clusters of another provider, and the host.
pub(super) struct HostProvider {
    clusters: Arc<dyn ClusterProvider>,
    host: Cluster,
}

/// The host, which is engaged for reading by every peer, as long as its manager lives.
pub(super) fn engagement(client: Client, loads: &Loads) -> Engagement {
    let health = Health::new();
    health.connected();
    let surroundings = Surroundings {
        loads: loads.clone(),
        ..Surroundings::default()
    };
    let (host, guard) = (host(client), Guard::read_only(name()));
    Engagement::new(host, guard, health, &surroundings)
}

fn host(client: Client) -> Cluster {
    Cluster::new(name(), client)
}

#[allow(clippy::expect_used)] // The name is a constant.
fn name() -> ClusterName {
    ClusterName::new(NAME).expect("a cluster may have this name")
}

// === impl HostProvider ===

impl HostProvider {
    pub(super) fn new(clusters: Arc<dyn ClusterProvider>, client: Client) -> Self {
        Self {
            clusters,
            host: host(client),
        }
    }

    pub(super) fn name(&self) -> &ClusterName {
        self.host.name()
    }
}

impl ClusterProvider for HostProvider {
    fn clusters(&self) -> BoxStream<'static, Result<ClusterEvent, Error>> {
        let name = self.name().clone();
        let first = Ok(ClusterEvent::Applied(ClusterRef::new(name.clone())));
        let others = self.clusters.clusters().filter_map(move |event| {
            let clash = match &event {
                Ok(ClusterEvent::Applied(cluster)) => cluster.name == name,
                Ok(ClusterEvent::Removed(removed)) => *removed == name,
                _ => false,
            };
            future::ready(match (clash, &event) {
                (true, Ok(ClusterEvent::Applied(_))) => Some(Err(Error::setting(format!(
                    "the provider shows a cluster {name:?}, which is what the host is called: give it another name"
                )))),
                (true, _) => None,
                (false, _) => Some(event),
            })
        });
        stream::iter([first]).chain(others).boxed()
    }

    fn connect(&self, cluster: &ClusterRef) -> BoxFuture<'static, Result<Cluster, Error>> {
        if cluster.name == *self.name() {
            future::ready(Ok(self.host.clone())).boxed()
        } else {
            self.clusters.connect(cluster)
        }
    }
}
