//! Every Namespace of one cluster is a cluster of its own.

mod answer;
mod client;
mod lines;
mod media;
mod path;
mod query;
mod rename;
mod scan;
mod select;
mod shared;

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream::BoxStream};
use multicluster::{
    Cluster, ClusterEvent, ClusterName, ClusterProvider, ClusterRef, ClusterSet, Error, bounded,
    cluster_client,
    k8s_openapi::api::core::v1::Namespace,
    kube::{Api, Client, Config, Resource, ResourceExt, runtime::watcher},
};
use tokio::sync::Semaphore;

use shared::Sharing;

const NAME: &str = "namespace";

/// How many Namespaces are asked for at a time.
const ASKING: usize = 8;

/// Every Namespace of one cluster is a cluster, whose only namespace is `default`.
///
/// For demos and tests of fleets, and for tenants that share a cluster. A reconciler sees an object of the Namespace
/// `zoo` as one of the cluster `zoo` in the namespace `default`; requests that would leave the Namespace, and those for
/// kinds without namespaces, are answered with 404. A Namespace that is being deleted leaves the fleet.
///
/// # Names
/// In requests and answers `default` and the Namespace's real name are exchanged where an object says its namespace, the
/// subjects of Events and field selectors included. Other places are left alone, such as messages, annotations that hold
/// JSON, and the subjects of RoleBindings. Owner references name no namespace at all: an owner is looked for where the
/// object is, so they cannot point outside. Everything is JSON on the way: YAML is converted, Protobuf refused.
///
/// # Cost
/// Clients of one provider and its clones share their work: one watch of all namespaces serves those of each kind and
/// selection, and lists that are asked for at the same time are answered by a few lists of all namespaces. That takes the
/// right to list and watch the kind everywhere (a ClusterRole); where the server refuses it, each Namespace is asked for by
/// itself, and Roles in the Namespaces are enough. A client that does not read its watch for long finds it ended.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use multicluster::{kube::Config, providers::NamespaceProvider};
///
/// let provider = NamespaceProvider::try_from(Config::incluster()?)?
///     .labels("team in (a, b)")
///     .ignore(["kube-system"]);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct NamespaceProvider {
    client: Client,
    labels: Option<String>,
    ignored: Arc<BTreeSet<String>>,
    /// Requests for single Namespaces that may be under way: each needs a connection, which stays when it is idle.
    asking: Arc<Semaphore>,
    /// What connected clusters share, while there are some.
    sharing: Arc<Mutex<Weak<Sharing>>>,
}

// === impl NamespaceProvider ===

impl NamespaceProvider {
    /// The Namespaces that `client` sees; it should not retry on its own, see [`ClusterProvider`].
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self {
            client,
            labels: None,
            ignored: Arc::default(),
            asking: Arc::new(Semaphore::new(ASKING)),
            sharing: Arc::default(),
        }
    }

    /// Only Namespaces that match this label selector.
    #[must_use]
    pub fn labels(mut self, selector: impl Into<String>) -> Self {
        self.labels = Some(selector.into());
        self
    }

    /// Not the Namespaces of these names.
    #[must_use]
    pub fn ignore(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Arc::make_mut(&mut self.ignored).extend(names.into_iter().map(Into::into));
        self
    }

    fn sharing(&self) -> Arc<Sharing> {
        let mut sharing = self.sharing.lock().unwrap_or_else(PoisonError::into_inner);
        sharing.upgrade().unwrap_or_else(|| {
            let fresh = Sharing::new(self.client.clone());
            *sharing = Arc::downgrade(&fresh);
            fresh
        })
    }
}

/// A provider for the cluster of a [`Config`], with timeouts and without retries.
impl TryFrom<Config> for NamespaceProvider {
    type Error = Error;

    fn try_from(config: Config) -> Result<Self, Error> {
        let client = cluster_client(config)
            .map_err(|error| Error::provider(NAME, "use the kubeconfig", error))?;
        Ok(Self::new(client))
    }
}

impl ClusterProvider for NamespaceProvider {
    fn clusters(&self) -> BoxStream<'static, Result<ClusterEvent, Error>> {
        let mut config = watcher::Config::default();
        config.label_selector.clone_from(&self.labels);
        let client = bounded(self.client.clone());
        let watch = watcher(Api::<Namespace>::all(client), config);
        let ignored = self.ignored.clone();
        let name_of = |namespace: &Namespace| ClusterName::new(namespace.name_any());
        ClusterSet::follow(watch, NAME, name_of, move |namespace, name| {
            let leaves = namespace.meta().deletion_timestamp.is_some();
            let hidden = leaves || ignored.contains(name.as_str());
            Ok((!hidden).then(|| to_cluster(namespace, name)))
        })
        .boxed()
    }

    fn connect(&self, cluster: &ClusterRef) -> BoxFuture<'static, Result<Cluster, Error>> {
        let (provider, name) = (self.clone(), cluster.name.clone());
        async move {
            let client = provider.client.clone();
            let namespaces = Api::<Namespace>::all(client.clone());
            // The semaphore is never closed.
            let place = provider.asking.acquire().await;
            let namespace = namespaces.get(name.as_str()).await.map_err(|error| {
                Error::provider(NAME, format!("get the Namespace {name}"), error)
            })?;
            drop(place);
            let namespace = namespace.name_any();
            Ok(client::scoped(name, client, &namespace, provider.sharing()))
        }
        .boxed()
    }
}

/// A Namespace that is deleted and made again is another cluster: its uid is the fingerprint.
fn to_cluster(namespace: &Namespace, name: ClusterName) -> ClusterRef {
    ClusterRef::new(name)
        .labels(namespace.labels().clone())
        .fingerprint_of(namespace.uid().unwrap_or_default())
}
