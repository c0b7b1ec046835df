//! Several providers as one.

mod merge;
mod prefix;

use std::{collections::BTreeMap, fmt, sync::Arc};

use futures_util::{FutureExt, StreamExt, future, future::BoxFuture, stream, stream::BoxStream};
use multicluster::{Cluster, ClusterEvent, ClusterProvider, ClusterRef, Error};
use tokio::sync::watch;

use merge::Merge;
use prefix::Prefix;

const NAME: &str = "multi";

/// Several providers as one: the cluster `zoo` of the provider that was added as `eu` is `eu#zoo`.
///
/// Providers can be added and removed while a manager runs; clones are handles of the same providers. Names are those of
/// multicluster-runtime's provider of this name, so that both place the clusters alike.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use multicluster::{kube::Client, providers::{FixedProvider, MultiProvider}};
///
/// let client = Client::try_default().await?;
/// let provider = MultiProvider::new()
///     .provider("eu", FixedProvider::new().cluster("zoo".parse()?, client.clone()))?;
/// let handle = provider.clone();
/// // Later, while a manager runs with `provider`:
/// handle.add("us", FixedProvider::new().cluster("zoo".parse()?, client))?;
/// handle.remove("eu");
/// # Ok(()) }
/// ```
///
/// # Guarantees
/// - A provider that fails, panics or ends stops no other. What it reports is passed on with its prefix, its clusters stay
///   known, and its stream is started again with back-off, as
///   [`ClusterProviderExt::follow`](multicluster::ClusterProviderExt::follow) says.
/// - Clusters are shown at once, whatever the other providers do. Only [`ClusterEvent::Synced`] waits until each provider
///   has been listed completely; it then follows each further complete listing, and each change of the providers. So one
///   that cannot be listed delays nothing but the end of the start, which ends with an error when a
///   [start-up timeout](multicluster::ManagerBuilder::startup_timeout) is set.
/// - Two providers never show one cluster: a prefix holds no `#`, and is taken only once.
///
/// # Errors
/// A cluster whose name becomes too long with the prefix is left out and reported; the provider's others are not affected.
#[derive(Clone, Default)]
pub struct MultiProvider {
    providers: watch::Sender<Providers>,
}

/// The present providers.
#[derive(Default)]
struct Providers {
    added: BTreeMap<Prefix, Added>,
    /// How many were ever added.
    count: u64,
}

#[derive(Clone)]
struct Added {
    provider: Arc<dyn ClusterProvider>,
    /// Tells it from a later one of the same prefix.
    id: u64,
}

// === impl MultiProvider ===

impl MultiProvider {
    /// No provider yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a provider.
    ///
    /// # Errors
    /// As [`add`](Self::add).
    pub fn provider(
        self,
        prefix: impl AsRef<str>,
        provider: impl ClusterProvider,
    ) -> Result<Self, Error> {
        self.add(prefix, provider)?;
        Ok(self)
    }

    /// Adds a provider, whose clusters are called `<prefix>#<name>`.
    ///
    /// # Errors
    /// [`Error::Setting`] when the prefix is taken or holds the separator `#`, [`Error::ClusterName`] when it cannot begin a
    /// cluster's name. Nothing is changed then.
    pub fn add(
        &self,
        prefix: impl AsRef<str>,
        provider: impl ClusterProvider,
    ) -> Result<(), Error> {
        let prefix = Prefix::new(prefix.as_ref())?;
        let mut taken = false;
        self.providers.send_if_modified(|providers| {
            taken = providers.added.contains_key(prefix.as_str());
            if !taken {
                providers.count += 1;
                let added = Added {
                    provider: Arc::new(provider),
                    id: providers.count,
                };
                providers.added.insert(prefix.clone(), added);
            }
            !taken
        });
        if taken {
            let text =
                format!("there is a provider with the prefix {prefix:?}: give this one another");
            return Err(Error::setting(text));
        }
        Ok(())
    }

    /// Removes a provider with its clusters, if it is there.
    pub fn remove(&self, prefix: &str) {
        self.providers
            .send_if_modified(|providers| providers.added.remove(prefix).is_some());
    }

    fn find(
        &self,
        cluster: &ClusterRef,
    ) -> Result<(Prefix, ClusterRef, Arc<dyn ClusterProvider>), Error> {
        let (prefix, inner) = prefix::split(cluster)?;
        let providers = self.providers.borrow();
        let found = providers.added.get_key_value(prefix);
        let (prefix, added) = found.ok_or_else(|| {
            let missing = format!("there is no provider with the prefix {prefix:?}");
            Error::provider(NAME, "connect", missing)
        })?;
        Ok((prefix.clone(), inner, added.provider.clone()))
    }
}

impl ClusterProvider for MultiProvider {
    fn clusters(&self) -> BoxStream<'static, Result<ClusterEvent, Error>> {
        let merge = Merge::new(self.providers.subscribe());
        stream::unfold(merge, |mut merge| async move {
            let events = merge.next().await;
            Some((stream::iter(events), merge))
        })
        .flatten()
        .boxed()
    }

    fn connect(&self, cluster: &ClusterRef) -> BoxFuture<'static, Result<Cluster, Error>> {
        let (prefix, inner, provider) = match self.find(cluster) {
            Ok(found) => found,
            Err(error) => return future::ready(Err(error)).boxed(),
        };
        let name = cluster.name.clone();
        let connecting = provider.connect(&inner);
        async move {
            let connected = connecting.await.map_err(|error| prefix.error(error))?;
            Ok(connected.with_name(name))
        }
        .boxed()
    }
}

impl fmt::Debug for MultiProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let providers = self.providers.borrow();
        f.debug_tuple("MultiProvider")
            .field(&providers.added.keys().collect::<Vec<_>>())
            .finish()
    }
}
