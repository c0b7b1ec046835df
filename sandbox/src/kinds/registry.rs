//! Which kinds are served at the moment.

use std::{cmp::Reverse, collections::HashMap, sync::Arc};

use serde_json::{Value, json};

use super::{
    Kind, apiextensions, apps, coordination, core, events, policy, rbac, reviews,
    version::precedence,
};
use crate::custom;

/// The served kinds, in the order of discovery.
#[derive(Clone, Debug)]
pub(crate) struct Registry {
    kinds: Vec<Arc<Kind>>,
    /// The kind that decides where others may live; it is always served.
    namespace: Arc<Kind>,
    /// What the kinds of each definition were made from.
    definitions: HashMap<String, Value>,
}

// === impl Registry ===

impl Registry {
    /// The kinds of Kubernetes itself.
    pub(crate) fn built_in() -> Self {
        let namespace = Arc::new(core::namespace());
        let groups = [
            core::kinds(),
            apps::kinds(),
            events::kinds(),
            reviews::kinds(),
            policy::kinds(),
            rbac::kinds(),
            apiextensions::kinds(),
            coordination::kinds(),
        ];
        let mut kinds: Vec<_> = groups.into_iter().flatten().map(Arc::new).collect();
        kinds.push(namespace.clone());
        let mut registry = Self {
            kinds,
            namespace,
            definitions: HashMap::new(),
        };
        registry.sort();
        registry
    }

    pub(crate) fn kinds(&self) -> impl Iterator<Item = &Arc<Kind>> {
        self.kinds.iter()
    }

    /// The kind at a path.
    pub(crate) fn find(&self, group: &str, version: &str, plural: &str) -> Option<Arc<Kind>> {
        let wanted = (group, version, plural);
        let found = self
            .kinds
            .iter()
            .find(|kind| (&*kind.group, &*kind.version, &*kind.plural) == wanted);
        found.cloned()
    }

    /// The kind of the objects that a definition declares, in one of its versions.
    pub(crate) fn defined_by(&self, definition: &str) -> Option<Arc<Kind>> {
        let mut kinds = self.kinds.iter();
        kinds.find(|kind| is_of(kind, definition)).cloned()
    }

    /// Whether this very kind is served, and not another one in its place.
    pub(crate) fn serves_still(&self, kind: &Arc<Kind>) -> bool {
        !kind.is_custom() || self.kinds.iter().any(|other| Arc::ptr_eq(kind, other))
    }

    /// Serves what a definition declares in its present state; says whether that is something new.
    pub(crate) fn define(&mut self, definition: &str, state: &Value) -> bool {
        let source = json!([state["spec"], state["status"]["acceptedNames"]]);
        if self.definitions.get(definition) == Some(&source) {
            return false;
        }
        self.remove(definition);
        self.definitions.insert(definition.to_owned(), source);
        self.kinds
            .extend(custom::kinds(state).into_iter().map(Arc::new));
        self.sort();
        true
    }

    /// Serves what a definition declares no longer; says whether it was served.
    pub(crate) fn remove(&mut self, definition: &str) -> bool {
        let before = self.kinds.len();
        self.kinds.retain(|kind| !is_of(kind, definition));
        self.definitions.remove(definition).is_some() || self.kinds.len() < before
    }

    /// The first kind of this name.
    pub(crate) fn named(&self, name: &str) -> Option<Arc<Kind>> {
        self.kinds.iter().find(|kind| kind.kind == name).cloned()
    }

    /// The kind of namespaces.
    pub(crate) fn namespace(&self) -> Arc<Kind> {
        self.namespace.clone()
    }

    /// Whether a group has this version.
    pub(crate) fn serves(&self, group: &str, version: &str) -> bool {
        self.kinds
            .iter()
            .any(|kind| kind.group == group && kind.version == version)
    }

    /// The kinds of one version of a group.
    pub(crate) fn within(&self, group: &str, version: &str) -> Vec<&Kind> {
        let wanted = |kind: &&Kind| kind.group == group && kind.version == version;
        self.kinds
            .iter()
            .map(AsRef::as_ref)
            .filter(wanted)
            .collect()
    }

    /// The versions of a group, the preferred one first.
    pub(crate) fn versions(&self, group: &str) -> Vec<&str> {
        let kinds = self.kinds.iter().filter(|kind| kind.group == group);
        let mut versions: Vec<&str> = kinds.map(|kind| &*kind.version).collect();
        versions.sort_by_key(|version| Reverse(precedence(version)));
        versions.dedup();
        versions
    }

    /// The groups with a name, in the order of discovery.
    pub(crate) fn groups(&self) -> Vec<&str> {
        let mut groups: Vec<&str> = self.kinds.iter().map(|kind| &*kind.group).collect();
        groups.dedup();
        groups.retain(|group| !group.is_empty());
        groups
    }

    /// The resources of a group follow the alphabet, and so do the groups of definitions behind the others.
    fn sort(&mut self) {
        let built_in = self.kinds.iter().filter(|kind| !kind.is_custom());
        let groups: Vec<_> = built_in.map(|kind| kind.group.clone()).collect();
        let place = |kind: &Kind| {
            let place = groups.iter().position(|group| *group == kind.group);
            place.unwrap_or(groups.len())
        };
        self.kinds
            .sort_by_key(|kind| (place(kind), kind.group.clone(), kind.plural.clone()));
    }
}

fn is_of(kind: &Kind, definition: &str) -> bool {
    let custom = kind.custom.as_ref();
    custom.is_some_and(|custom| custom.definition == definition)
}
