//! The state of the server: objects, one version counter, and the events of the recent past.
//!
//! Everything here is synchronous and pure: a call carries the time with it, and the answer is an object or a refusal.
//! The verbs are in the files beside this one; they decide, and end in [`Store::put`] or [`Store::take`].
//!
//! # Guarantees
//! - One counter numbers all writes of all kinds; a list and the events after its version miss nothing between them.
//! - An object that is read stays as it is: writes replace it, so that readers share it without copying.
//! - The events of one shelf are ordered by version; the newest `history` of them are kept.

mod binding;
mod collect;
mod create;
mod definitions;
mod delete;
mod grace;
mod isolation;
mod namespace;
mod object;
mod page;
mod update;

use std::{
    cmp::Ordering,
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
};

use serde_json::Value;
use tokio::sync::watch;

use self::collect::Chores;
pub(crate) use self::{
    delete::{Deleted, Preconditions},
    object::Object,
    page::{Forgotten, Page},
    update::Intent,
};
use crate::{
    auth::{Policy, User},
    kinds::{Kind, Registry, Subresource, Text},
    meta,
    ownership::Owners,
    status::ApiError,
};

/// All objects and their recent history.
#[derive(Debug)]
pub(crate) struct Store {
    /// The version of the newest write.
    version: u64,
    /// How many events each shelf keeps.
    history: usize,
    /// The version of the newest compaction.
    compacted: u64,
    shelves: HashMap<Text, Shelf>,
    /// Whether the store does what the controllers of a cluster do.
    controllers: bool,
    chores: Chores,
    /// The served kinds; readers share it, so a change makes a new one.
    registry: Arc<Registry>,
}

/// The circumstances of a write.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub kind: Arc<Kind>,
    /// The part of the object that is written; `None` for the object itself.
    pub part: Option<Subresource>,
    /// Empty for kinds without namespaces.
    pub namespace: String,
    /// Who writes.
    pub user: User,
    /// The time, as it goes into the object.
    pub now: String,
    /// Whether to check and answer only.
    pub dry_run: bool,
    /// Who writes, for `managedFields`.
    pub manager: String,
    /// Who owns what afterwards, where that is decided already.
    pub decided: Option<Arc<Owners>>,
}

/// What happened to an object.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub version: u64,
    pub change: Change,
    /// The new state, or the last one of a deleted object; it carries the version of the event.
    pub object: Arc<Object>,
    /// The state before a modification or a deletion.
    pub before: Option<Arc<Object>>,
}

/// The kind of an [`Event`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Added,
    Modified,
    Deleted,
}

/// The events of a shelf after a version.
#[derive(Debug)]
pub(crate) enum Since {
    /// They are complete up to `version`.
    Events { events: Vec<Event>, version: u64 },
    /// Some of them are no longer kept; `oldest` is the first version that can still be asked for.
    Forgotten { oldest: u64 },
}

/// The objects of one kind.
#[derive(Debug, Default)]
struct Shelf {
    objects: BTreeMap<Key, Arc<Object>>,
    log: VecDeque<Event>,
    /// The version of the newest event that is no longer in the log.
    forgotten: u64,
    /// Tells watchers the version of the newest event.
    news: watch::Sender<u64>,
}

/// Where an object is on its shelf; the order is that of [`path`](Key::path).
#[derive(Clone, Debug, PartialEq, Eq)]
struct Key {
    namespace: String,
    name: String,
}

// === impl Store ===

impl Store {
    pub(crate) fn new(history: usize, controllers: bool) -> Self {
        Self {
            version: 1,
            history,
            compacted: 0,
            shelves: HashMap::new(),
            controllers,
            chores: Chores::default(),
            registry: Arc::new(Registry::built_in()),
        }
    }

    /// The version of the newest write.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// The served kinds.
    pub(crate) fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    pub(crate) fn get(
        &self,
        kind: &Kind,
        namespace: &str,
        name: &str,
    ) -> Result<Arc<Object>, ApiError> {
        let object = self.find(kind, &Key::new(namespace, name));
        object.ok_or_else(|| ApiError::not_found(kind, name))
    }

    /// At most `limit` events after `version`, up to the version `until`.
    pub(crate) fn since(&self, kind: &Kind, version: u64, until: u64, limit: usize) -> Since {
        let empty = VecDeque::new();
        let shelf = self.shelves.get(&kind.shelf);
        let forgotten = shelf.map_or(0, |shelf| shelf.forgotten);
        if version < forgotten {
            return Since::Forgotten { oldest: forgotten };
        }
        let log = shelf.map_or(&empty, |shelf| &shelf.log);
        let start = log.partition_point(|event| event.version <= version);
        let end = log.partition_point(|event| event.version <= until);
        let events: Vec<_> = log
            .range(start..end.max(start))
            .take(limit)
            .cloned()
            .collect();
        let version = match events.last() {
            Some(last) if start + events.len() < end => last.version,
            _ => version.max(self.version.min(until)),
        };
        Since::Events { events, version }
    }

    /// A signal that changes with every event of `kind`.
    pub(crate) fn news(&mut self, kind: &Kind) -> watch::Receiver<u64> {
        self.shelves
            .entry(kind.shelf.clone())
            .or_default()
            .news
            .subscribe()
    }

    /// Forgets all events, so that no earlier version can be listed or watched from.
    pub(crate) fn compact(&mut self) {
        self.compacted = self.version;
        for shelf in self.shelves.values_mut() {
            shelf.keep(0);
        }
    }

    /// The present objects of a kind in a namespace.
    pub(crate) fn objects(&self, kind: &Kind, namespace: &str) -> Vec<Arc<Object>> {
        let shelf = self.shelves.get(&kind.shelf).into_iter();
        let objects = shelf.flat_map(|shelf| shelf.within(namespace));
        objects.map(|(_, object)| object.clone()).collect()
    }

    fn find(&self, kind: &Kind, key: &Key) -> Option<Arc<Object>> {
        self.shelves.get(&kind.shelf)?.objects.get(key).cloned()
    }

    /// All objects of a kind but the one at this place.
    fn others(&self, kind: &Kind, key: &Key) -> impl Iterator<Item = &Value> {
        let shelf = self.shelves.get(&kind.shelf);
        let objects = shelf.into_iter().flat_map(|shelf| &shelf.objects);
        let others = objects.filter(move |(other, _)| *other != key);
        others.map(|(_, object)| object.value())
    }

    /// Stores a new state under the next version.
    fn put(&mut self, kind: &Kind, key: &Key, mut value: Value) -> Arc<Object> {
        self.version += 1;
        meta::set(&mut value, "resourceVersion", self.version.to_string());
        let object = Arc::new(Object::new(value));
        let shelf = self.shelves.entry(kind.shelf.clone()).or_default();
        let before = shelf.objects.insert(key.clone(), object.clone());
        let earlier = before.as_deref().map(Object::value);
        self.chores.note(kind, key, earlier, Some(object.value()));
        let event = Event {
            version: self.version,
            change: if before.is_some() {
                Change::Modified
            } else {
                Change::Added
            },
            object: object.clone(),
            before,
        };
        shelf.record(event, self.history);
        object
    }

    /// Removes an object; its last state goes into the history with the version of the removal.
    fn take(&mut self, kind: &Kind, key: &Key) {
        let shelf = self.shelves.entry(kind.shelf.clone()).or_default();
        let Some(last) = shelf.objects.remove(key) else {
            return;
        };
        self.chores.note(kind, key, Some(last.value()), None);
        self.version += 1;
        let event = Event {
            version: self.version,
            change: Change::Deleted,
            object: Arc::new(last.at(self.version)),
            before: Some(last),
        };
        shelf.record(event, self.history);
        if let Some(custom) = &kind.custom {
            self.finish_definition(&custom.definition);
        }
    }

    /// The places of all objects in a namespace.
    fn contents(&self, namespace: &str) -> Vec<(Arc<Kind>, Key)> {
        let mut found = Vec::new();
        // A shelf that two groups serve is visited once, through the group that does not rename.
        for kind in self
            .registry
            .kinds()
            .filter(|kind| kind.namespaced && kind.renames.is_empty())
        {
            let shelf = self.shelves.get(&kind.shelf);
            let keys = shelf
                .into_iter()
                .flat_map(|shelf| shelf.within(namespace).map(|(key, _)| key.clone()));
            found.extend(keys.map(|key| (kind.clone(), key)));
        }
        found
    }
}

impl Policy for Store {
    fn role(&self, resource: &str, namespace: &str, name: &str) -> Option<Arc<Object>> {
        let shelf = self.shelves.get(resource)?;
        shelf.objects.get(&Key::new(namespace, name)).cloned()
    }

    fn bindings(&self, resource: &str, namespace: &str) -> Vec<Arc<Object>> {
        let shelf = self.shelves.get(resource).into_iter();
        shelf
            .flat_map(|shelf| shelf.within(namespace))
            .map(|(_, object)| object.clone())
            .collect()
    }
}

// === impl Shelf ===

impl Shelf {
    fn within<'a>(
        &'a self,
        namespace: &'a str,
    ) -> impl Iterator<Item = (&'a Key, &'a Arc<Object>)> {
        let all = self.objects.range(Key::new(namespace, "")..);
        all.take_while(move |(key, _)| key.namespace == namespace)
    }

    fn record(&mut self, event: Event, history: usize) {
        let version = event.version;
        self.log.push_back(event);
        self.keep(history);
        self.news.send_replace(version);
    }

    /// Forgets the oldest events until `history` are left.
    fn keep(&mut self, history: usize) {
        let surplus = self.log.len().saturating_sub(history);
        if let Some(last) = self.log.drain(..surplus).next_back() {
            self.forgotten = last.version;
        }
    }
}

// === impl Key ===

impl Key {
    fn new(namespace: &str, name: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }

    /// The namespace and the name as one text: the key in etcd, whose order is that of lists.
    fn path(&self) -> String {
        match self.namespace.as_str() {
            "" => self.name.clone(),
            namespace => format!("{namespace}/{}", self.name),
        }
    }

    /// The bytes of the [`path`](Self::path).
    fn bytes(&self) -> impl Iterator<Item = u8> + '_ {
        let slash = (!self.namespace.is_empty()).then_some(b'/');
        self.namespace.bytes().chain(slash).chain(self.name.bytes())
    }

    /// The place of an object.
    fn of(object: &Value) -> Self {
        Self::new(meta::text(object, "namespace"), meta::text(object, "name"))
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        if self.namespace == other.namespace {
            return self.name.cmp(&other.name);
        }
        self.bytes().cmp(other.bytes())
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
