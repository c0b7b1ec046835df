//! Lists: all objects or a page of them, at the present or at an earlier version.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use serde_json::{Value, json};

use super::{Key, Object, Shelf, Store};
use crate::{
    continuation::Continuation,
    kinds::Kind,
    query::{At, ListOptions},
    selector::Selection,
    status::ApiError,
};

/// The objects of a list, and what its metadata say.
#[derive(Debug)]
pub(crate) struct Page {
    pub objects: Vec<Arc<Object>>,
    /// The version that it shows.
    pub version: u64,
    /// The token for what follows.
    pub next: Option<String>,
    /// How many objects follow, where that is known.
    pub remaining: Option<usize>,
}

/// The version is no longer kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Forgotten {
    /// The first version that can still be asked for.
    pub oldest: u64,
}

// === impl Page ===

impl Page {
    /// The metadata of the list.
    pub(crate) fn metadata(&self) -> Value {
        let mut metadata = json!({"resourceVersion": self.version.to_string()});
        if let Some(token) = &self.next {
            metadata["continue"] = json!(token);
        }
        if let Some(remaining) = self.remaining {
            metadata["remainingItemCount"] = json!(remaining);
        }
        metadata
    }
}

// === impl Store ===

impl Store {
    /// The list that `options` ask for; nothing newer than `latest` is shown.
    pub(crate) fn page(
        &self,
        kind: &Kind,
        options: &ListOptions,
        latest: u64,
    ) -> Result<Page, ApiError> {
        let current = self.version().min(latest);
        let asked = match options.at {
            At::Newest | At::NotOlderThan(0) => current,
            At::NotOlderThan(version) | At::Exactly(version) => version,
        };
        if asked > current {
            return Err(ApiError::too_large_version(asked, current));
        }
        let version = match options.at {
            At::Exactly(version) => version,
            At::Newest | At::NotOlderThan(_) => current,
        };
        let objects = self
            .snapshot(kind, version)
            .map_err(|_| match &options.start {
                Some(start) => ApiError::expired_continuation(start),
                None => ApiError::expired_list(),
            })?;
        Ok(cut(&objects, &options.selection, options, version))
    }

    /// The selected objects in the order of their keys, as they were at `version`.
    pub(crate) fn list_at(
        &self,
        kind: &Kind,
        selection: &Selection,
        version: u64,
    ) -> Result<Vec<Arc<Object>>, Forgotten> {
        let objects = self.snapshot(kind, version)?;
        let within = within(&objects, selection.namespace());
        let selected = within.filter(|(_, object)| selection.matches(object.value()));
        Ok(selected.map(|(_, object)| object.clone()).collect())
    }

    /// All objects of a kind as they were at `version`.
    fn snapshot(
        &self,
        kind: &Kind,
        version: u64,
    ) -> Result<Cow<'_, BTreeMap<Key, Arc<Object>>>, Forgotten> {
        let oldest = self.oldest(kind);
        if version < oldest {
            return Err(Forgotten { oldest });
        }
        Ok(match self.shelves.get(&kind.shelf) {
            Some(shelf) => shelf.snapshot(version),
            None => Cow::Owned(BTreeMap::new()),
        })
    }

    /// The oldest version of a kind that can be listed, or from which it can be watched.
    pub(crate) fn oldest(&self, kind: &Kind) -> u64 {
        let shelf = self.shelves.get(&kind.shelf);
        let forgotten = shelf.map_or(0, |shelf| shelf.forgotten);
        forgotten.max(self.compacted)
    }
}

// === impl Shelf ===

impl Shelf {
    /// The objects at a version from which the log is complete.
    fn snapshot(&self, version: u64) -> Cow<'_, BTreeMap<Key, Arc<Object>>> {
        let newest = self.log.back().map_or(0, |event| event.version);
        if newest <= version {
            return Cow::Borrowed(&self.objects);
        }
        let mut objects = self.objects.clone();
        let later = self.log.iter().rev();
        for event in later.take_while(|event| event.version > version) {
            let key = Key::of(event.object.value());
            match &event.before {
                Some(before) => objects.insert(key, before.clone()),
                None => objects.remove(&key),
            };
        }
        Cow::Owned(objects)
    }
}

fn within<'a>(
    objects: &'a BTreeMap<Key, Arc<Object>>,
    namespace: Option<&'a str>,
) -> impl Iterator<Item = (&'a Key, &'a Arc<Object>)> {
    let first = Key::new(namespace.unwrap_or_default(), "");
    let inside = move |key: &Key| namespace.is_none_or(|namespace| key.namespace == namespace);
    objects
        .range(first..)
        .take_while(move |(key, _)| inside(key))
}

/// Takes a page of the selected objects.
fn cut(
    objects: &BTreeMap<Key, Arc<Object>>,
    selection: &Selection,
    options: &ListOptions,
    version: u64,
) -> Page {
    let namespace = selection.namespace();
    let path = |key: &Key| match namespace {
        Some(_) => key.name.clone(),
        None => key.path(),
    };
    let is_before = |key: &Key| match &options.start {
        Some(start) => path(key) < *start,
        None => false,
    };
    let mut rest = within(objects, namespace).skip_while(|(key, _)| is_before(key));
    let mut page = Page {
        objects: Vec::new(),
        version,
        next: None,
        remaining: None,
    };
    while let Some((key, object)) = rest.next() {
        if selection.matches(object.value()) {
            page.objects.push(object.clone());
        }
        if options
            .limit
            .is_some_and(|limit| page.objects.len() >= limit)
        {
            // What follows need not be selected: a last page may be empty.
            let remaining = rest.count();
            if remaining > 0 && !selection.is_for_one_object() {
                let start = format!("{}\0", path(key));
                let version = Some(version);
                page.next = Some(Continuation { version, start }.encode());
                page.remaining = selection.is_everything().then_some(remaining);
            }
            break;
        }
    }
    page
}
