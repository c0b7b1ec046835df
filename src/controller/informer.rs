//! One watch of one kind in one cluster, with what it has seen.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
};

use futures_util::{StreamExt, future, stream::BoxStream};
use kube::{
    Api, Resource, ResourceExt,
    runtime::{
        reflector::{ObjectRef, Store, store::Writer},
        watcher,
    },
};
use serde::de::DeserializeOwned;

use crate::backoff::patient;

/// A kind that can be watched.
pub trait Watched:
    Resource<DynamicType: Clone + Eq + Hash + Unpin + Send + Sync>
    + Clone
    + std::fmt::Debug
    + DeserializeOwned
    + Send
    + Sync
    + 'static
{
}

impl<K> Watched for K where
    K: Resource<DynamicType: Clone + Eq + Hash + Unpin + Send + Sync>
        + Clone
        + std::fmt::Debug
        + DeserializeOwned
        + Send
        + Sync
        + 'static
{
}

/// The objects that a watch has shown; cheap to clone.
pub(super) struct Cache<K: Watched> {
    store: Store<K>,
    /// The last states of objects whose deletion was not reconciled yet.
    deleted: Arc<Mutex<HashMap<ObjectRef<K>, Arc<K>>>>,
}

/// Keeps a cache up to date and says which objects have changed.
pub(super) struct Informer<K: Watched> {
    dyntype: K::DynamicType,
    writer: Writer<K>,
    cache: Cache<K>,
    /// While a listing runs: what was known before and has not been shown yet.
    unseen: HashMap<ObjectRef<K>, Arc<K>>,
}

// === impl Informer ===

impl<K: Watched> Informer<K> {
    pub(super) fn new(dyntype: K::DynamicType) -> Self {
        let writer = Writer::new(dyntype.clone());
        let cache = Cache {
            store: writer.as_reader(),
            deleted: Arc::default(),
        };
        Self {
            dyntype,
            writer,
            cache,
            unseen: HashMap::new(),
        }
    }

    pub(super) fn cache(&self) -> Cache<K> {
        self.cache.clone()
    }

    /// Follows `api`: yields the objects that have changed, after they are in the cache; errors are retried.
    pub(super) fn run(
        mut self,
        api: Api<K>,
    ) -> BoxStream<'static, watcher::Result<Vec<ObjectRef<K>>>> {
        // Watches that were started together must not reconnect together.
        let config = watcher::Config::default().timeout(fastrand::u32(180..230));
        patient(watcher(api, config))
            .map(move |event| event.map(|event| self.take_in(event)))
            .filter(|changed| future::ready(!matches!(changed, Ok(changed) if changed.is_empty())))
            .boxed()
    }

    fn take_in(&mut self, mut event: watcher::Event<K>) -> Vec<ObjectRef<K>> {
        use watcher::Event;
        if let Event::Apply(object) | Event::InitApply(object) = &mut event {
            // Who changed which field is the largest part of many objects, and nobody here reads it.
            object.managed_fields_mut().clear();
        }
        let changed = match &event {
            Event::Init => {
                let known = self.cache.store.state().into_iter();
                self.unseen = known.map(|object| (self.key(&*object), object)).collect();
                Vec::new()
            }
            Event::InitApply(object) => {
                let key = self.key(object);
                self.unseen.remove(&key);
                Vec::new()
            }
            Event::Apply(object) => vec![self.key(object)],
            Event::Delete(object) => {
                let key = self.key(object);
                self.cache.remember(key.clone(), Arc::new(object.clone()));
                vec![key]
            }
            Event::InitDone => Vec::new(),
        };
        let listed = matches!(event, Event::InitDone);
        self.writer.apply_watcher_event(&event);
        if !listed {
            return changed;
        }
        // What the list did not show was deleted while nobody watched.
        let gone = std::mem::take(&mut self.unseen);
        let mut changed: Vec<_> = gone.keys().cloned().collect();
        for (key, object) in gone {
            self.cache.remember(key, object);
        }
        let present = self.cache.store.state().into_iter();
        changed.extend(present.map(|object| self.key(&*object)));
        changed
    }

    fn key(&self, object: &K) -> ObjectRef<K> {
        ObjectRef::from_obj_with(object, self.dyntype.clone())
    }
}

// === impl Cache ===

impl<K: Watched> Cache<K> {
    /// The object as it was last seen; `None` when it is deleted.
    pub(super) fn get(&self, key: &ObjectRef<K>) -> Option<Arc<K>> {
        self.store.get(key)
    }

    /// The last state of a deleted object, until [`forget`](Self::forget).
    pub(super) fn last_known(&self, key: &ObjectRef<K>) -> Option<Arc<K>> {
        self.deleted().get(key).cloned()
    }

    /// The deletion was reconciled.
    pub(super) fn forget(&self, key: &ObjectRef<K>) {
        self.deleted().remove(key);
    }

    fn remember(&self, key: ObjectRef<K>, object: Arc<K>) {
        self.deleted().insert(key, object);
    }

    fn deleted(&self) -> std::sync::MutexGuard<'_, HashMap<ObjectRef<K>, Arc<K>>> {
        self.deleted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Watched> Clone for Cache<K> {
    fn clone(&self) -> Self {
        Self {
            store: self.store.clone(),
            deleted: self.deleted.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;
    use watcher::Event::{Apply, Delete, Init, InitApply, InitDone};

    use super::*;

    fn object(name: &str) -> ConfigMap {
        let mut object = ConfigMap::default();
        object.metadata.name = Some(name.into());
        object.metadata.namespace = Some("default".into());
        object
    }

    fn names(changed: Vec<ObjectRef<ConfigMap>>) -> Vec<String> {
        let mut names: Vec<_> = changed.into_iter().map(|key| key.name).collect();
        names.sort();
        names
    }

    #[test]
    fn a_deletion_that_nobody_watched_is_noticed_by_the_next_list() {
        let mut informer = Informer::new(());
        let cache = informer.cache();
        for event in [Init, InitApply(object("a")), InitApply(object("b"))] {
            assert!(informer.take_in(event).is_empty());
        }
        assert_eq!(names(informer.take_in(InitDone)), ["a", "b"]);
        informer.take_in(Init);
        informer.take_in(InitApply(object("b")));
        assert_eq!(names(informer.take_in(InitDone)), ["a", "b"]);
        let key = ObjectRef::new("a").within("default");
        assert!(cache.get(&key).is_none());
        assert_eq!(cache.last_known(&key).unwrap().name_any(), "a");
        cache.forget(&key);
        assert!(cache.last_known(&key).is_none());
    }

    #[test]
    fn changes_are_in_the_cache_before_they_are_told() {
        let mut informer = Informer::new(());
        let cache = informer.cache();
        for event in [Init, InitDone] {
            informer.take_in(event);
        }
        let key = ObjectRef::new("a").within("default");
        assert_eq!(names(informer.take_in(Apply(object("a")))), ["a"]);
        assert!(cache.get(&key).is_some());
        assert_eq!(names(informer.take_in(Delete(object("a")))), ["a"]);
        assert!(cache.get(&key).is_none());
        assert!(cache.last_known(&key).is_some());
    }
}
