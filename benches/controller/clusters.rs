//! Clusters that come and go at once.

use std::sync::Arc;

use futures_util::{FutureExt, StreamExt, future, future::BoxFuture, stream, stream::BoxStream};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, Client};
use kube_sandbox::Sandbox;
use multicluster::{Cluster, ClusterEvent, ClusterName, ClusterProvider, ClusterRef, Error};
use tokio::sync::watch;

/// Clusters, all there or all gone.
#[derive(Clone)]
pub(crate) struct Switch {
    clusters: Arc<Vec<Cluster>>,
    on: watch::Sender<bool>,
}

// === impl Switch ===

impl Switch {
    /// They are gone at first.
    pub(crate) fn new(clients: impl IntoIterator<Item = Client>) -> Self {
        let clients = clients.into_iter().enumerate();
        Self::of(clients.map(|(place, client)| Cluster::new(name(place), client)))
    }

    /// They are gone at first.
    pub(crate) fn of(clusters: impl IntoIterator<Item = Cluster>) -> Self {
        Self {
            clusters: Arc::new(clusters.into_iter().collect()),
            on: watch::Sender::new(false),
        }
    }

    pub(crate) fn turn(&self, on: bool) {
        self.on.send_replace(on);
    }
}

impl ClusterProvider for Switch {
    fn clusters(&self) -> BoxStream<'static, Result<ClusterEvent, Error>> {
        let clusters = self.clusters.iter();
        let names: Vec<_> = clusters.map(|cluster| cluster.name().clone()).collect();
        let first = self.on.subscribe();
        stream::unfold((first, true), |(mut on, first)| async move {
            if !first && on.changed().await.is_err() {
                return None;
            }
            let now = *on.borrow_and_update();
            Some((now, (on, false)))
        })
        .flat_map(move |on| {
            let events = names.clone().into_iter().map(move |name| match on {
                true => ClusterEvent::Applied(ClusterRef::new(name)),
                false => ClusterEvent::Removed(name),
            });
            stream::iter(events.chain([ClusterEvent::Synced]).map(Ok))
        })
        .boxed()
    }

    fn connect(&self, cluster: &ClusterRef) -> BoxFuture<'static, Result<Cluster, Error>> {
        let mut clusters = self.clusters.iter();
        let connected = clusters
            .find(|known| *known.name() == cluster.name)
            .cloned()
            .ok_or_else(|| Error::provider("switch", "connect", "there is no such cluster"));
        future::ready(connected).boxed()
    }
}

/// The name of one of many clusters.
pub(crate) fn name(place: usize) -> ClusterName {
    format!("cluster-{place}").parse().expect("a name")
}

/// An API server with one ConfigMap.
pub(crate) async fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    let maps: Api<ConfigMap> = Api::default_namespaced(sandbox.client());
    let mut map = ConfigMap::default();
    map.metadata.name = Some("first".to_owned());
    let created = maps.create(&Default::default(), &map).await;
    created.expect("a ConfigMap");
    sandbox
}
