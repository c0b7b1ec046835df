//! Objects by what their content says.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fmt,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{Key, ObjectEvent, Watched};

/// The values under which an object is found.
pub(crate) type Values<K> = Arc<dyn Fn(&K) -> Vec<String> + Send + Sync>;

/// The indexes of one controller in one cluster.
pub(crate) struct Indexes<K>(BTreeMap<Arc<str>, Index<K>>);

struct Index<K> {
    values: Values<K>,
    keys: Mutex<HashMap<String, HashSet<Key>>>,
}

// === impl Indexes ===

impl<K: Watched> Indexes<K> {
    pub(crate) fn new(indexes: &[(Arc<str>, Values<K>)]) -> Self {
        let indexes = indexes.iter().map(|(name, values)| {
            let index = Index {
                values: values.clone(),
                keys: Mutex::default(),
            };
            (name.clone(), index)
        });
        Self(indexes.collect())
    }

    /// Follows a change.
    ///
    /// # Panics
    /// When an index does, after the others have followed.
    pub(crate) fn take_in(&self, event: &ObjectEvent<K>) {
        let mut panicked = None;
        for index in self.0.values() {
            let follow = AssertUnwindSafe(|| match event {
                ObjectEvent::Created { object, .. } => index.insert(object),
                ObjectEvent::Deleted { object } => index.remove(object),
                ObjectEvent::Updated { old, object } => {
                    index.remove(old);
                    index.insert(object);
                }
            });
            if let Err(panic) = catch_unwind(follow) {
                panicked = Some(panic);
            }
        }
        if let Some(panic) = panicked {
            resume_unwind(panic);
        }
    }
}

impl<K> Indexes<K> {
    pub(super) fn keys(&self, name: &str, value: &str) -> Vec<Key> {
        let index = self.0.get(name);
        let keys = index.map(|index| index.lock().get(value).cloned().unwrap_or_default());
        keys.into_iter().flatten().collect()
    }
}

impl<K> Default for Indexes<K> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K> fmt::Debug for Indexes<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

// === impl Index ===

impl<K: Watched> Index<K> {
    fn insert(&self, object: &K) {
        let values = (self.values)(object);
        let mut keys = self.lock();
        for value in values {
            keys.entry(value).or_default().insert(Key::of(object));
        }
    }

    fn remove(&self, object: &K) {
        let (values, key) = ((self.values)(object), Key::of(object));
        let mut keys = self.lock();
        for value in values {
            if let Some(of_value) = keys.get_mut(&value) {
                of_value.remove(&key);
                if of_value.is_empty() {
                    keys.remove(&value);
                }
            }
        }
    }
}

impl<K> Index<K> {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, HashSet<Key>>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
