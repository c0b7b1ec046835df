//! A cluster of the fleet and its name.

use std::{borrow::Borrow, collections::BTreeMap, fmt, str::FromStr, sync::Arc};

use kube::Client;

use crate::error::Error;

/// The longest cluster name, in bytes.
const MAX_NAME: usize = 512;

/// The name of a cluster: printable, not empty, at most 512 bytes; cheap to clone.
///
/// ```
/// use multicluster::ClusterName;
///
/// let name: ClusterName = "team-a/staging".parse()?;
/// assert_eq!(name.as_str(), "team-a/staging");
/// assert!("".parse::<ClusterName>().is_err());
/// # Ok::<(), multicluster::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClusterName(Arc<str>);

/// A connected cluster: what a provider hands out for a [`ClusterRef`](crate::ClusterRef).
#[derive(Clone)]
pub struct Cluster {
    name: ClusterName,
    labels: Arc<BTreeMap<String, String>>,
    client: Client,
}

// === impl ClusterName ===

impl ClusterName {
    /// Checks `name`.
    ///
    /// # Errors
    /// [`Error::ClusterName`] when it is empty, too long, or holds a control character.
    pub fn new(name: impl AsRef<str>) -> Result<Self, Error> {
        let name = name.as_ref();
        let reason = if name.is_empty() {
            "is empty"
        } else if name.len() > MAX_NAME {
            "is longer than 512 bytes"
        } else if name.chars().any(char::is_control) {
            "holds a control character"
        } else {
            return Ok(Self(name.into()));
        };
        Err(Error::ClusterName {
            name: name.chars().take(64).collect(),
            reason,
        })
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ClusterName {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        Self::new(name)
    }
}

impl Borrow<str> for ClusterName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClusterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ClusterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

// === impl Cluster ===

impl Cluster {
    /// A cluster that is reached through `client`.
    #[must_use]
    pub fn new(name: ClusterName, client: Client) -> Self {
        Self {
            name,
            labels: Arc::default(),
            client,
        }
    }

    /// Adds labels, which controllers can select by.
    #[must_use]
    pub fn labels(self, labels: BTreeMap<String, String>) -> Self {
        self.shared_labels(Arc::new(labels))
    }

    pub(crate) fn shared_labels(mut self, labels: Arc<BTreeMap<String, String>>) -> Self {
        self.labels = labels;
        self
    }

    /// The cluster's name.
    #[must_use]
    pub fn name(&self) -> &ClusterName {
        &self.name
    }

    /// The cluster's labels.
    #[must_use]
    pub fn get_labels(&self) -> &BTreeMap<String, String> {
        &self.labels
    }

    /// The client of this cluster.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The same cluster behind another client.
    #[must_use]
    pub fn with_client(mut self, client: Client) -> Self {
        self.client = client;
        self
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster")
            .field("name", &self.name)
            .field("labels", &self.labels)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        for (name, reason) in [
            ("", "is empty"),
            ("a\nb", "control"),
            (&"x".repeat(513), "longer"),
        ] {
            let error = ClusterName::new(name).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
            assert!(error.len() < 150, "{error}");
        }
        assert_eq!(ClusterName::new("Größe/1").unwrap().to_string(), "Größe/1");
    }
}
