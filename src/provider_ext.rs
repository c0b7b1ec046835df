//! What can be made of any provider.

mod change;
mod follow;

use std::collections::BTreeMap;

use futures_util::stream::BoxStream;
use kube::Client;

use crate::{
    error::Error,
    provider::{ClusterEvent, ClusterProvider, ClusterRef},
};
pub use change::{Filtered, Labelled, MapClient};

/// Providers made of others: fewer clusters, more labels, other clients.
///
/// ```
/// use multicluster::{ClusterProviderExt, providers::FixedProvider};
///
/// let provider = FixedProvider::new()
///     .filter(|cluster| cluster.name.as_str() != "broken")
///     .with_labels([("env", "prod")]);
/// ```
pub trait ClusterProviderExt: ClusterProvider + Sized {
    /// Only the clusters for which `passes` says so.
    ///
    /// It is asked of each form of a cluster, with its labels: one whose change makes it no longer pass is removed, and one
    /// that begins to pass is a new one.
    fn filter(
        self,
        passes: impl Fn(&ClusterRef) -> bool + Send + Sync + 'static,
    ) -> Filtered<Self> {
        Filtered::new(self, passes)
    }

    /// Adds labels to all clusters, in place of their own of the same keys.
    fn with_labels<K, V>(self, labels: impl IntoIterator<Item = (K, V)>) -> Labelled<Self>
    where
        K: Into<String>,
        V: Into<String>,
    {
        let labels = labels.into_iter();
        let labels: BTreeMap<_, _> = labels.map(|(k, v)| (k.into(), v.into())).collect();
        Labelled::new(self, labels)
    }

    /// Connects through the client that `change` makes of the provider's: for limits, timeouts, impersonation.
    ///
    /// `change` is called for each connection, inside a tokio runtime, and must not block. A client can be wrapped in tower
    /// layers, here 50 requests per second, each as a user of its own:
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use http::{HeaderValue, Request};
    /// use kube::{Client, client::Body};
    /// use multicluster::{ClusterProviderExt, providers::FixedProvider};
    /// use tower::{ServiceBuilder, service_fn};
    ///
    /// let provider = FixedProvider::new().map_client(|_, client| {
    ///     let namespace = client.default_namespace().to_owned();
    ///     let service = ServiceBuilder::new()
    ///         .rate_limit(50, Duration::from_secs(1))
    ///         .map_request(|mut request: Request<Body>| {
    ///             let user = HeaderValue::from_static("fleet");
    ///             request.headers_mut().insert("Impersonate-User", user);
    ///             request
    ///         })
    ///         .service(service_fn(move |request| {
    ///             let client = client.clone();
    ///             async move { client.send(request).await }
    ///         }));
    ///     Client::new(service, namespace)
    /// });
    /// ```
    fn map_client(
        self,
        change: impl Fn(&ClusterRef, Client) -> Client + Send + Sync + 'static,
    ) -> MapClient<Self> {
        MapClient::new(self, change)
    }

    /// The provider behind a pointer, so that different ones have one type.
    fn boxed(self) -> Box<dyn ClusterProvider> {
        Box::new(self)
    }

    /// The clusters as a manager follows them: a stream that ends or panics is started again with back-off, and what has
    /// not changed since is no event. For providers that are made of others.
    ///
    /// The stream never ends. The back-off is 0.5 s, doubled up to 30 s, and begins anew with each complete listing. What
    /// a new stream has not shown before its first [`ClusterEvent::Synced`] is removed then.
    ///
    /// # Errors
    /// Those of the provider, and [`Error::Panic`]; they end nothing.
    fn follow(self) -> BoxStream<'static, Result<ClusterEvent, Error>> {
        follow::follow(self)
    }
}

impl<P: ClusterProvider> ClusterProviderExt for P {}
