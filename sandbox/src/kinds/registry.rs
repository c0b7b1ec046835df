//! Which kinds are served at the moment.

use std::{cmp::Reverse, sync::Arc};

use super::{
    Kind, apiextensions, apps, coordination, core, events, policy, rbac, reviews,
    version::precedence,
};

/// The served kinds, in the order of discovery.
#[derive(Clone, Debug)]
pub(crate) struct Registry {
    kinds: Vec<Arc<Kind>>,
    /// The kind that decides where others may live; it is always served.
    namespace: Arc<Kind>,
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
        let mut registry = Self { kinds, namespace };
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

    /// The resources of a group follow the alphabet; the sort is stable, so groups stay where they are declared.
    fn sort(&mut self) {
        let groups: Vec<_> = self.kinds.iter().map(|kind| kind.group.clone()).collect();
        let place = |kind: &Kind| groups.iter().position(|group| *group == kind.group);
        self.kinds
            .sort_by_key(|kind| (place(kind), kind.plural.clone()));
    }
}
