//! Turns what a watch shows into changes of objects.
//!
//! kube's `Writer` is not used for this: it copies every object that it stores, holds two sets of objects while it lists,
//! and forgets without a word what a new list does not show.

use std::{
    collections::HashSet,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use kube::{core::error_boundary::InvalidObject, runtime::watcher};

use super::{Key, ObjectEvent, Objects, Watched};

/// What is done to an object before it is stored.
pub(super) type Transform<K> = Arc<dyn Fn(&mut K) + Send + Sync>;

/// The objects of a watch, and what a running list has not shown yet.
pub(super) struct Changes<K> {
    objects: Objects<K>,
    transform: Option<Transform<K>>,
    unseen: HashSet<Key>,
    listed: bool,
}

/// Something a watch has shown, decoded as far as possible.
pub(super) type Shown<K> = watcher::Event<Result<K, Invalid>>;

/// An object that could not be decoded, and why.
#[derive(Debug)]
pub(super) struct Invalid {
    pub(super) key: Key,
    pub(super) error: String,
}

/// What came of it.
pub(super) struct Taken<K> {
    /// Another object of the same name, which must have been deleted while nobody watched.
    pub(super) replaced: Option<ObjectEvent<K>>,
    pub(super) event: Option<ObjectEvent<K>>,
    /// An object that could not be decoded; what was known of it before stays known.
    pub(super) invalid: Option<Invalid>,
    /// The list is complete: what follows are changes. These are the objects that it did not show.
    pub(super) gone: Option<Vec<ObjectEvent<K>>>,
}

// === impl Changes ===

impl<K: Watched> Changes<K> {
    pub(super) fn new(transform: Option<Transform<K>>) -> Self {
        Self {
            objects: Objects::new(),
            transform,
            unseen: HashSet::new(),
            listed: false,
        }
    }

    pub(super) fn objects(&self) -> &Objects<K> {
        &self.objects
    }

    /// Whether a list was complete once.
    pub(super) fn is_listed(&self) -> bool {
        self.listed
    }

    pub(super) fn take_in(&mut self, shown: Shown<K>) -> Taken<K> {
        use watcher::Event;
        let mut taken = Taken {
            replaced: None,
            event: None,
            invalid: None,
            gone: None,
        };
        match shown {
            Event::Init => self.unseen = self.objects.keys().into_iter().collect(),
            Event::InitApply(object) | Event::Apply(object) => match object {
                Ok(object) => self.store(object, &mut taken),
                Err(invalid) => {
                    self.unseen.remove(&invalid.key);
                    taken.invalid = Some(invalid);
                }
            },
            Event::Delete(object) => {
                let key = match &object {
                    Ok(object) => Key::of(object),
                    Err(invalid) => invalid.key.clone(),
                };
                let known = self.objects.remove(&key);
                // The event has the newest state; of one that cannot be decoded an older one has to do.
                // And so it has when a transformation panics: the deletion must not get lost.
                let prepare = |object| catch_unwind(AssertUnwindSafe(|| self.prepared(object)));
                let newest = object.ok().and_then(|object| prepare(object).ok());
                let last = newest.or(known);
                taken.event = last.map(|object| ObjectEvent::Deleted { object });
            }
            Event::InitDone => {
                self.listed = true;
                let unseen = std::mem::take(&mut self.unseen);
                let gone = unseen.iter().filter_map(|key| self.objects.remove(key));
                taken.gone = Some(gone.map(|object| ObjectEvent::Deleted { object }).collect());
            }
        }
        taken
    }

    fn store(&mut self, object: K, taken: &mut Taken<K>) {
        let key = Key::of(&object);
        self.unseen.remove(&key);
        let object = self.prepared(object);
        let initial = !self.listed;
        match self.objects.insert(key, object.clone()) {
            Some(old) if is_same(&*old, &*object) => {}
            Some(old) if old.meta().uid == object.meta().uid => {
                taken.event = Some(ObjectEvent::Updated { old, object });
            }
            old => {
                taken.replaced = old.map(|object| ObjectEvent::Deleted { object });
                taken.event = Some(ObjectEvent::Created { object, initial });
            }
        }
    }

    fn prepared(&self, mut object: K) -> Arc<K> {
        // Who changed which field is the largest part of many objects, and hardly anybody reads it.
        object.meta_mut().managed_fields = None;
        if let Some(transform) = &self.transform {
            transform(&mut object);
        }
        Arc::new(object)
    }
}

/// Whether two objects are the same version of one object.
fn is_same<K: Watched>(old: &K, new: &K) -> bool {
    let (old, new) = (old.meta(), new.meta());
    new.resource_version.is_some()
        && old.resource_version == new.resource_version
        && old.uid == new.uid
}

// === impl Invalid ===

impl From<InvalidObject> for Invalid {
    fn from(object: InvalidObject) -> Self {
        let metadata = &object.metadata;
        let name = metadata.name.as_deref().unwrap_or_default();
        Self {
            key: Key::new(metadata.namespace.as_deref(), name),
            error: object.error,
        }
    }
}

#[cfg(test)]
mod tests;
