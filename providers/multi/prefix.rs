//! What names of clusters begin with.

use std::{borrow::Borrow, fmt};

use multicluster::{ClusterName, ClusterRef, Error};

use super::NAME;

/// Between the prefix and the name that the provider gave.
const SEPARATOR: char = '#';

/// What the names of a provider's clusters begin with: not empty, without the separator.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Prefix(ClusterName);

/// The prefix of a cluster, and the cluster as its provider knows it.
pub(super) fn split(cluster: &ClusterRef) -> Result<(&str, ClusterRef), Error> {
    let name = cluster.name.as_str();
    let (prefix, name) = name.split_once(SEPARATOR).ok_or_else(|| {
        let text = format!("the name {name:?} has no prefix");
        Error::provider(NAME, "connect", text)
    })?;
    let mut inner = cluster.clone();
    inner.name = ClusterName::new(name)?;
    Ok((prefix, inner))
}

// === impl Prefix ===

impl Prefix {
    pub(super) fn new(prefix: &str) -> Result<Self, Error> {
        if prefix.contains(SEPARATOR) {
            let text = format!(
                "the prefix {prefix:?} of a provider holds {SEPARATOR:?}, which ends a prefix: leave it out"
            );
            return Err(Error::setting(text));
        }
        ClusterName::new(prefix).map(Self)
    }

    pub(super) fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// What a cluster of the provider is called.
    pub(super) fn name(&self, name: &ClusterName) -> Result<ClusterName, Error> {
        ClusterName::new(format!("{}{SEPARATOR}{name}", self.0)).map_err(|error| self.error(error))
    }

    /// An error of the provider, or of one of its clusters.
    pub(super) fn error(&self, error: Error) -> Error {
        Error::provider(NAME, format!("provider {:?}", self.0), error)
    }
}

impl Borrow<str> for Prefix {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}
