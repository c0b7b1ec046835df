//! A cluster of the fleet and its name.

use std::{borrow::Borrow, collections::BTreeMap, fmt, str::FromStr, sync::Arc};

use bytes::Bytes;
use http::{Request, Response};
use kube::{
    Client, Config,
    client::{Body, ClientBuilder},
};
use tower::Service;

use crate::{
    connect,
    error::{BoxError, Error},
    transport::Transport,
};

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
    transport: Transport,
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
        Self::reached_by(name, Transport::Client(client))
    }

    /// A cluster that is reached as `config` says, like by [`cluster_client`](crate::cluster_client) in every other way.
    ///
    /// It costs less than one that is made of a client: one queue of requests less in memory (10 kB), and one hop less for
    /// each request.
    ///
    /// # Errors
    /// As those of [`Client::try_from`]: credentials or certificates that cannot be used.
    ///
    /// # Blocking
    /// A `config` with an `exec` plugin runs it here, on the present thread; call this in
    /// [`spawn_blocking`](tokio::task::spawn_blocking) then.
    ///
    /// # Panics
    /// Outside of a tokio runtime, which every [`Client`] needs.
    pub fn from_config(name: ClusterName, config: Config) -> Result<Self, kube::Error> {
        let builder = ClientBuilder::try_from(connect::for_cluster(config))?;
        Ok(Self::reached_by(name, Transport::of_builder(builder)))
    }

    /// A cluster whose requests `service` answers, and whose default namespace this is.
    ///
    /// For providers that change requests or answers on their way.
    pub fn from_service<S, B>(
        name: ClusterName,
        service: S,
        default_namespace: impl Into<String>,
    ) -> Self
    where
        S: Service<Request<Body>, Response = Response<B>> + Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
        S::Error: Into<BoxError>,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let transport = Transport::of_service(service, default_namespace.into());
        Self::reached_by(name, transport)
    }

    fn reached_by(name: ClusterName, transport: Transport) -> Self {
        Self {
            name,
            labels: Arc::default(),
            transport,
        }
    }

    /// The same cluster by another name.
    #[must_use]
    pub fn with_name(mut self, name: ClusterName) -> Self {
        self.name = name;
        self
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
        self.transport.client()
    }

    /// Sends a request as it is.
    ///
    /// # Errors
    /// As those of [`Client::send`]: there is no answer. One that refuses is an answer.
    pub async fn send(
        &self,
        request: Request<Body>,
    ) -> Result<
        Response<impl http_body::Body<Data = Bytes, Error = BoxError> + Send + use<>>,
        kube::Error,
    > {
        self.transport.send(request).await.map_err(|error| {
            let known = error.downcast::<kube::Error>().map(|error| *error);
            known.unwrap_or_else(kube::Error::Service)
        })
    }

    pub(crate) fn transport(&self) -> &Transport {
        &self.transport
    }

    /// The same cluster behind another client.
    #[must_use]
    pub fn with_client(mut self, client: Client) -> Self {
        self.transport = Transport::Client(client);
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
