//! The garbage collector and the namespace controller, which a cluster runs beside its API server.
//!
//! # Flow
//! 1. Writes name what they may have an effect on: [`Chores`].
//! 2. [`Store::tidy`] follows each decision, and does what is to be done until nothing is left.
//!
//! # Guarantees
//! A client that has the answer to a write finds what follows from it done.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    sync::Arc,
};

use serde_json::{Value, json};

use super::{
    Key, Object, Store,
    grace::{self, FOREGROUND, ORPHAN},
    namespace,
};
use crate::{
    deletion::{DeleteOptions, Propagation},
    kinds::{Kind, Text},
    meta,
};

/// Where an object is: its shelf, and its place there.
type Place = (Text, Key);

/// What the controllers know, and what they have to do.
#[derive(Debug, Default)]
pub(super) struct Chores {
    /// The objects that name an owner, by its uid.
    owned: HashMap<String, BTreeSet<Place>>,
    /// The objects that wait for their dependents to go.
    waiting: BTreeSet<Place>,
    /// Objects to look at.
    objects: VecDeque<Place>,
    /// Namespaces to look at.
    namespaces: BTreeSet<String>,
}

/// What has become of an owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    Present,
    /// It waits for its dependents to go, and this one holds it.
    Waiting,
    Absent,
}

// === impl Chores ===

impl Chores {
    /// An object has come, changed or gone.
    pub(super) fn note(
        &mut self,
        kind: &Kind,
        key: &Key,
        before: Option<&Value>,
        after: Option<&Value>,
    ) {
        let place = || (kind.shelf.clone(), key.clone());
        for uid in before.into_iter().flat_map(owner_uids) {
            if let Some(places) = self.owned.get_mut(uid) {
                places.remove(&place());
                if places.is_empty() {
                    self.owned.remove(uid);
                }
            }
        }
        if before.is_some_and(|before| owner_uids(before).next().is_some()) {
            self.objects.extend(self.waiting.iter().cloned());
        }
        let waits = |object: &Value| {
            meta::is_deleting(object) && meta::finalizers(object).contains(&FOREGROUND)
        };
        if after.is_some_and(waits) {
            self.waiting.insert(place());
        } else {
            self.waiting.remove(&place());
        }
        let mut owners = after.into_iter().flat_map(owner_uids).peekable();
        let is_owned = owners.peek().is_some();
        for uid in owners {
            self.owned
                .entry(uid.to_owned())
                .or_default()
                .insert(place());
        }
        let is_deleting = after.is_some_and(meta::is_deleting);
        if is_owned || is_deleting {
            self.objects.push_back(place());
        }
        if let (Some(before), None) = (before, after) {
            let uid = meta::text(before, "uid");
            self.objects.extend(self.dependents(uid));
        }
        if is_deleting || after.is_none() {
            let namespace = match kind.is_namespace() {
                true => &key.name,
                false => &key.namespace,
            };
            self.namespaces.insert(namespace.clone());
        }
    }

    fn dependents(&self, uid: &str) -> Vec<Place> {
        let places = self.owned.get(uid).into_iter().flatten();
        places.cloned().collect()
    }
}

// === impl Store ===

impl Store {
    /// Does what the controllers of a cluster would do now.
    pub(super) fn tidy(&mut self, now: &str) {
        if !self.controllers {
            self.chores.objects.clear();
            self.chores.namespaces.clear();
            return;
        }
        loop {
            if let Some((shelf, key)) = self.chores.objects.pop_front() {
                self.look_at(&shelf, &key, now);
            } else if let Some(name) = self.chores.namespaces.pop_first() {
                self.drain(&name, now);
            } else {
                return;
            }
        }
    }

    fn look_at(&mut self, shelf: &Text, key: &Key, now: &str) {
        let Some(kind) = self.kind_of(shelf) else {
            return;
        };
        let Some(object) = self.find(&kind, key) else {
            return;
        };
        let finalizers = meta::finalizers(object.value());
        if meta::is_deleting(object.value()) {
            if finalizers.contains(&ORPHAN) {
                self.orphan(&kind, key, &object);
            } else if finalizers.contains(&FOREGROUND) {
                self.wait_for_dependents(&kind, key, &object);
                self.judge(&kind, key, &object, now);
            }
            return;
        }
        self.judge(&kind, key, &object, now);
    }

    /// Takes an object that is being deleted from the owners of its dependents.
    fn orphan(&mut self, kind: &Arc<Kind>, key: &Key, object: &Arc<Object>) {
        let uid = meta::text(object.value(), "uid");
        for (shelf, place) in self.chores.dependents(uid) {
            if let Some(kind) = self.kind_of(&shelf) {
                self.disown(&kind, &place, &[uid.to_owned()]);
            }
        }
        self.release(kind, key, object, ORPHAN);
    }

    /// Lets go of an object when no dependent holds it any more; otherwise all of them are looked at.
    fn wait_for_dependents(&mut self, kind: &Arc<Kind>, key: &Key, object: &Arc<Object>) {
        let uid = meta::text(object.value(), "uid");
        let dependents = self.chores.dependents(uid);
        let holds = |(shelf, place): &Place| {
            let dependent = self.shelves.get(shelf)?.objects.get(place)?;
            let mut references = owners(dependent.value());
            references.find(|owner| owner["uid"] == uid && owner["blockOwnerDeletion"] == true)?;
            Some(())
        };
        if dependents
            .iter()
            .any(|dependent| holds(dependent).is_some())
        {
            let untouched = |(shelf, place): &Place| {
                let shelf = self.shelves.get(shelf);
                let dependent = shelf.and_then(|shelf| shelf.objects.get(place));
                dependent.is_some_and(|dependent| !meta::is_deleting(dependent.value()))
            };
            let todo: Vec<_> = dependents.into_iter().filter(untouched).collect();
            self.chores.objects.extend(todo);
        } else {
            self.release(kind, key, object, FOREGROUND);
        }
    }

    /// Deletes an object whose owners are gone, and takes those that are gone from the others.
    fn judge(&mut self, kind: &Arc<Kind>, key: &Key, object: &Arc<Object>, now: &str) {
        let mut fates: Vec<(Owner, String)> = Vec::new();
        for reference in owners(object.value()) {
            let uid = reference["uid"].as_str().unwrap_or_default();
            match self.fate(reference, kind, key) {
                Some(owner) => fates.push((owner, uid.to_owned())),
                // What is no owner of such an object is left alone.
                None => return,
            }
        }
        let is = |wanted: Owner| fates.iter().any(|(owner, _)| *owner == wanted);
        if fates.is_empty() || !(is(Owner::Absent) || is(Owner::Waiting)) {
            return;
        }
        if is(Owner::Present) {
            let gone = fates.iter().filter(|(owner, _)| *owner != Owner::Present);
            let gone: Vec<_> = gone.map(|(_, uid)| uid.clone()).collect();
            self.disown(kind, key, &gone);
            return;
        }
        if meta::is_deleting(object.value()) {
            return;
        }
        let uid = meta::text(object.value(), "uid");
        let has_dependents = self.chores.owned.contains_key(uid);
        let propagation = (is(Owner::Waiting) && has_dependents).then_some(Propagation::Foreground);
        let options = DeleteOptions {
            propagation,
            ..DeleteOptions::default()
        };
        self.discard(kind, key, object.clone(), &options, now);
    }

    /// What has become of an owner; `None` when it cannot be one.
    fn fate(&self, reference: &Value, kind: &Kind, key: &Key) -> Option<Owner> {
        let text = |field: &str| reference[field].as_str().unwrap_or_default();
        let version = text("apiVersion");
        let (group, version) = version.split_once('/').unwrap_or(("", version));
        let mut kinds = self.registry.kinds();
        let owner = kinds.find(|kind| {
            kind.group == group && kind.version == version && kind.kind == text("kind")
        })?;
        if owner.namespaced && !kind.namespaced {
            return None;
        }
        let namespace = match owner.namespaced {
            true => key.namespace.as_str(),
            false => "",
        };
        let found = self.find(owner, &Key::new(namespace, text("name")));
        let found = found.filter(|found| meta::text(found.value(), "uid") == text("uid"));
        Some(match found {
            None => Owner::Absent,
            Some(found) => {
                let waits = meta::is_deleting(found.value())
                    && meta::finalizers(found.value()).contains(&FOREGROUND);
                match waits {
                    true => Owner::Waiting,
                    false => Owner::Present,
                }
            }
        })
    }

    /// Removes owners from an object.
    fn disown(&mut self, kind: &Arc<Kind>, key: &Key, uids: &[String]) {
        let Some(object) = self.find(kind, key) else {
            return;
        };
        let mut new = object.value().clone();
        let is_gone = |owner: &&Value| {
            let uid = owner["uid"].as_str().unwrap_or_default();
            uids.iter().any(|gone| gone == uid)
        };
        let rest: Vec<_> = owners(object.value())
            .filter(|owner| !is_gone(owner))
            .collect();
        match rest.is_empty() {
            true => meta::remove(&mut new, "ownerReferences"),
            false => meta::set(&mut new, "ownerReferences", json!(rest)),
        }
        self.put(kind, key, new);
    }

    /// Takes a finalizer from an object that is being deleted.
    fn release(&mut self, kind: &Arc<Kind>, key: &Key, object: &Arc<Object>, finalizer: &str) {
        let mut new = object.value().clone();
        let rest: Vec<_> = meta::finalizers(object.value())
            .into_iter()
            .filter(|other| *other != finalizer)
            .map(str::to_owned)
            .collect();
        grace::set_finalizers(&mut new, &rest);
        if rest.is_empty() && grace::is_over(&new) {
            self.take(kind, key);
        } else {
            self.put(kind, key, new);
        }
    }

    /// Empties a namespace that is being deleted, and removes it once nothing is left in it.
    fn drain(&mut self, name: &str, now: &str) {
        let (kind, key) = (self.registry.namespace(), Key::new("", name));
        let Some(object) = self.find(&kind, &key) else {
            return;
        };
        if !meta::is_deleting(object.value()) {
            return;
        }
        let options = DeleteOptions {
            propagation: Some(Propagation::Background),
            ..DeleteOptions::default()
        };
        for (kind, key) in self.contents(name) {
            let found = self.find(&kind, &key);
            if let Some(object) = found.filter(|found| !meta::is_deleting(found.value())) {
                self.discard(&kind, &key, object, &options, now);
            }
        }
        let left = self.contents(name);
        if left.is_empty() {
            let mut new = object.value().clone();
            namespace::finalize(&mut new);
            if namespace::is_held(&new) {
                if new != *object.value() {
                    self.put(&kind, &key, new);
                }
            } else {
                self.take(&kind, &key);
            }
            return;
        }
        let left: Vec<_> = left
            .into_iter()
            .filter_map(|(kind, key)| Some((kind.clone(), self.find(&kind, &key)?)))
            .collect();
        let mut new = object.value().clone();
        namespace::report(&mut new, &left, now);
        if new != *object.value() {
            self.put(&kind, &key, new);
        }
    }

    /// The kind that serves the objects of a shelf as they are kept.
    fn kind_of(&self, shelf: &Text) -> Option<Arc<Kind>> {
        let mut kinds = self.registry.kinds();
        kinds
            .find(|kind| kind.shelf == *shelf && kind.renames.is_empty())
            .cloned()
    }
}

fn owners(object: &Value) -> impl Iterator<Item = &Value> {
    let references = object["metadata"]["ownerReferences"].as_array();
    references.into_iter().flatten()
}

fn owner_uids(object: &Value) -> impl Iterator<Item = &str> {
    owners(object).filter_map(|owner| owner["uid"].as_str())
}
