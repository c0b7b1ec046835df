//! The objects that a watch has shown.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use kube::runtime::reflector::ObjectRef;

use super::{Indexes, Key, Watched};

/// The objects of one kind in one cluster, as the watch last showed them; cheap to clone.
///
/// A read copies nothing. It is never older than the event that asked for a reconcile, but it can be older than the
/// cluster: what a reconciler has just written is here when the watch has shown it.
pub struct Objects<K> {
    known: Arc<RwLock<HashMap<Key, Arc<K>>>>,
    indexes: Arc<Indexes<K>>,
}

// === impl Objects ===

impl<K: Watched> Objects<K> {
    /// The object of this namespace and name.
    #[must_use]
    pub fn get(&self, object: &ObjectRef<K>) -> Option<Arc<K>> {
        self.by_key(&Key::from(object))
    }

    /// The first object for which `is_wanted` says so, in no order.
    #[must_use]
    pub fn find(&self, is_wanted: impl Fn(&K) -> bool) -> Option<Arc<K>> {
        // Of a copy: `is_wanted` may look at these objects itself.
        self.list().into_iter().find(|object| is_wanted(object))
    }
}

impl<K> Objects<K> {
    pub(super) fn new() -> Self {
        Self {
            known: Arc::default(),
            indexes: Arc::default(),
        }
    }

    /// All objects, in no order.
    #[must_use]
    pub fn list(&self) -> Vec<Arc<K>> {
        self.read().values().cloned().collect()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.read().len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The objects that have `value` in the index `name`; none when there is no such index.
    #[must_use]
    pub fn by_index(&self, name: &str, value: &str) -> Vec<Arc<K>> {
        let keys = self.indexes.keys(name, value);
        let known = self.read();
        keys.iter()
            .filter_map(|key| known.get(key).cloned())
            .collect()
    }

    /// The same objects with indexes.
    pub(crate) fn with_indexes(mut self, indexes: Arc<Indexes<K>>) -> Self {
        self.indexes = indexes;
        self
    }

    pub(crate) fn by_key(&self, key: &Key) -> Option<Arc<K>> {
        self.read().get(key).cloned()
    }

    pub(super) fn insert(&self, key: Key, object: Arc<K>) -> Option<Arc<K>> {
        self.write().insert(key, object)
    }

    pub(super) fn remove(&self, key: &Key) -> Option<Arc<K>> {
        self.write().remove(key)
    }

    pub(super) fn keys(&self) -> Vec<Key> {
        self.read().keys().cloned().collect()
    }

    fn read(&self) -> RwLockReadGuard<'_, HashMap<Key, Arc<K>>> {
        // A map is whole between calls, whatever panics.
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<Key, Arc<K>>> {
        self.known.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K> Clone for Objects<K> {
    fn clone(&self) -> Self {
        Self {
            known: self.known.clone(),
            indexes: self.indexes.clone(),
        }
    }
}

impl<K> fmt::Debug for Objects<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Objects").field("len", &self.len()).finish()
    }
}
