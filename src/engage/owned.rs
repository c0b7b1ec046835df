//! The clusters that this peer works on.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak},
};

use super::Engagement;
use crate::{
    cluster::ClusterName,
    guard::{NotOwner, NotOwnerReason},
    health::{ClusterHealth, Health},
};

/// The clusters that this peer works on, and how they are doing; cheap to clone, and all clones are one.
#[derive(Clone, Default)]
pub struct OwnedClusters(Arc<RwLock<Known>>);

/// The same without keeping anything alive.
#[derive(Clone, Default)]
pub(super) struct WeakOwned(Weak<RwLock<Known>>);

type Known = HashMap<ClusterName, Entry>;

struct Entry {
    health: Health,
    engagement: Option<Engagement>,
}

// === impl OwnedClusters ===

impl OwnedClusters {
    /// The engagement of a cluster.
    ///
    /// # Errors
    /// [`NotOwner`] when the cluster is not engaged by this peer at this moment.
    pub fn get(&self, name: &ClusterName) -> Result<Engagement, NotOwner> {
        let engagement = self
            .read()
            .get(name)
            .and_then(|entry| entry.engagement.clone());
        engagement.ok_or_else(|| NotOwner {
            cluster: name.clone(),
            reason: NotOwnerReason::NotEngaged,
        })
    }

    /// The names of all clusters that are engaged or being connected to.
    #[must_use]
    pub fn names(&self) -> Vec<ClusterName> {
        self.read().keys().cloned().collect()
    }

    /// How each of them is doing.
    #[must_use]
    pub fn health(&self) -> BTreeMap<ClusterName, ClusterHealth> {
        let known = self.read();
        let health = known
            .iter()
            .map(|(name, entry)| (name.clone(), entry.health.get()));
        health.collect()
    }

    /// This peer has become the owner of a cluster.
    pub(crate) fn assigned(&self, name: &ClusterName) -> Health {
        let health = Health::new();
        let entry = Entry {
            health: health.clone(),
            engagement: None,
        };
        self.write().insert(name.clone(), entry);
        health
    }

    pub(crate) fn engaged(&self, engagement: &Engagement) {
        if let Some(entry) = self.write().get_mut(engagement.name()) {
            entry.engagement = Some(engagement.clone());
        }
    }

    pub(crate) fn disengaged(&self, name: &ClusterName) {
        let engagement = self
            .write()
            .get_mut(name)
            .and_then(|entry| entry.engagement.take());
        // What it shares may look at this map when it is dropped.
        drop(engagement);
    }

    /// The cluster is not this peer's any more.
    pub(crate) fn released(&self, name: &ClusterName) {
        let entry = self.write().remove(name);
        drop(entry);
    }

    pub(super) fn downgrade(&self) -> WeakOwned {
        WeakOwned(Arc::downgrade(&self.0))
    }

    fn read(&self) -> RwLockReadGuard<'_, Known> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Known> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for OwnedClusters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.health()).finish()
    }
}

// === impl WeakOwned ===

impl WeakOwned {
    /// The clusters, or none when the manager is gone.
    pub(super) fn upgrade(&self) -> OwnedClusters {
        self.0.upgrade().map(OwnedClusters).unwrap_or_default()
    }
}
