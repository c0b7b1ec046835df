//! What a reconciler is given.

use std::{fmt, sync::Arc};

use kube::{
    Api, Client, Resource,
    core::{ClusterResourceScope, NamespaceResourceScope},
    runtime::reflector::ObjectRef,
};
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::source::Cache;
use crate::{
    cluster::{Cluster, ClusterName},
    engage::Engagement,
    guard::{FencingToken, Guard, NotOwner},
    informer::{Objects, Watched},
};

/// One object of one cluster that is to be reconciled.
///
/// The client refuses to write when this peer is not the cluster's owner. The future of a reconcile is dropped at any
/// await when the fence's deadline passes, so it must be safe to drop: leave nothing half done that the next reconcile
/// would not finish.
pub struct Context<K: Watched, S = ()> {
    pub(super) engagement: Engagement,
    pub(super) key: ObjectRef<K>,
    pub(super) object: Option<Arc<K>>,
    pub(super) last_known: Option<Arc<K>>,
    pub(super) state: S,
    pub(super) caches: Arc<[Cache]>,
}

// === impl Context ===

impl<K: Watched, S> Context<K, S> {
    /// The cluster.
    #[must_use]
    pub fn cluster(&self) -> &Cluster {
        self.engagement.cluster()
    }

    /// The cluster's name.
    #[must_use]
    pub fn cluster_name(&self) -> &ClusterName {
        self.engagement.name()
    }

    /// The name and namespace of the object.
    #[must_use]
    pub fn key(&self) -> &ObjectRef<K> {
        &self.key
    }

    /// The object as the watch last showed it when this reconcile began; `None` when it is deleted.
    #[must_use]
    pub fn object(&self) -> Option<&Arc<K>> {
        self.object.as_ref()
    }

    /// The object, or its last state before it was deleted; `None` when this peer never saw it.
    #[must_use]
    pub fn last_known(&self) -> Option<&Arc<K>> {
        self.object.as_ref().or(self.last_known.as_ref())
    }

    /// The cluster's fenced client.
    #[must_use]
    pub fn client(&self) -> Client {
        self.engagement.client()
    }

    /// The API of a namespaced kind in the object's namespace; in the default one for an object without.
    #[must_use]
    pub fn api<T>(&self) -> Api<T>
    where
        T: Resource<Scope = NamespaceResourceScope>,
        T::DynamicType: Default,
    {
        match &self.key.namespace {
            Some(namespace) => Api::namespaced(self.client(), namespace),
            None => Api::default_namespaced(self.client()),
        }
    }

    /// The API of a kind without namespaces.
    #[must_use]
    pub fn cluster_api<T>(&self) -> Api<T>
    where
        T: Resource<Scope = ClusterResourceScope>,
        T::DynamicType: Default,
    {
        Api::all(self.client())
    }

    /// The objects of a kind that the controller watches in this cluster, its own kind too; `None` of other kinds.
    ///
    /// Of several watches of one kind, those of the first.
    #[must_use]
    pub fn objects<W: Watched>(&self) -> Option<Objects<W>> {
        self.caches.iter().find_map(|cache| cache.get(false))
    }

    /// The objects of a kind that the controller watches in the host; `None` of other kinds.
    #[must_use]
    pub fn host_objects<W: Watched>(&self) -> Option<Objects<W>> {
        self.caches.iter().find_map(|cache| cache.get(true))
    }

    /// The engagement of another cluster, with its own guard and client.
    ///
    /// # Errors
    /// [`NotOwner`] when this peer does not work on it at this moment.
    pub fn other(&self, cluster: &ClusterName) -> Result<Engagement, NotOwner> {
        self.engagement.other(cluster)
    }

    /// The engagement that this reconcile belongs to.
    #[must_use]
    pub fn engagement(&self) -> &Engagement {
        &self.engagement
    }

    /// What the controller was made with.
    #[must_use]
    pub fn state(&self) -> &S {
        &self.state
    }

    /// The fencing token of this tenure; `None` without sharding.
    #[must_use]
    pub fn token(&self) -> Option<FencingToken> {
        self.engagement.token()
    }

    /// The permission to work on the cluster.
    #[must_use]
    pub fn guard(&self) -> &Guard {
        self.engagement.guard()
    }

    /// Completes when the cluster is about to be handed over: finish what is quick, and return.
    pub fn cancelled(&self) -> WaitForCancellationFutureOwned {
        self.engagement.cancelled()
    }
}

impl<K: Watched, S: Clone> Clone for Context<K, S> {
    fn clone(&self) -> Self {
        Self {
            engagement: self.engagement.clone(),
            key: self.key.clone(),
            object: self.object.clone(),
            last_known: self.last_known.clone(),
            state: self.state.clone(),
            caches: self.caches.clone(),
        }
    }
}

impl<K: Watched, S> fmt::Debug for Context<K, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("cluster", self.cluster_name())
            .field("name", &self.key.name)
            .field("namespace", &self.key.namespace)
            .finish_non_exhaustive()
    }
}
