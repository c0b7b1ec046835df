//! What names an object within its cluster.

use std::{fmt, sync::Arc};

use kube::runtime::reflector::{Lookup, ObjectRef};

/// The namespace and the name of an object in one allocation; cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key(Arc<str>);

// === impl Key ===

impl Key {
    pub(crate) fn new(namespace: Option<&str>, name: &str) -> Self {
        // A namespace is a DNS label and holds no slash.
        Self(format!("{}/{name}", namespace.unwrap_or_default()).into())
    }

    /// The key of an object that a server has shown; those have a name.
    pub(crate) fn of<K: Lookup>(object: &K) -> Self {
        let name = object.name().unwrap_or_default();
        Self::new(object.namespace().as_deref(), &name)
    }

    /// The same as a reference of kube's.
    pub(crate) fn to_ref<K: Lookup>(&self, dyntype: K::DynamicType) -> ObjectRef<K> {
        let (namespace, name) = self.0.split_once('/').unwrap_or(("", &self.0));
        let object = ObjectRef::new_with(name, dyntype);
        if namespace.is_empty() {
            object
        } else {
            object.within(namespace)
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.trim_start_matches('/'))
    }
}

impl<K: Lookup> From<&ObjectRef<K>> for Key {
    fn from(object: &ObjectRef<K>) -> Self {
        Self::new(object.namespace.as_deref(), &object.name)
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::{ConfigMap, Node};

    use super::*;

    #[test]
    fn a_key_is_its_object() {
        let map = ObjectRef::<ConfigMap>::new("elephant").within("default");
        assert_eq!(Key::from(&map).to_ref::<ConfigMap>(()), map);
        let node = ObjectRef::<Node>::new("worker");
        assert_eq!(Key::from(&node).to_ref::<Node>(()), node);
    }
}
