//! Clusters that are given in code.

use std::collections::BTreeMap;

use futures_util::{FutureExt, StreamExt, future, future::BoxFuture, stream, stream::BoxStream};
use multicluster::{
    Cluster, ClusterEvent, ClusterName, ClusterProvider, ClusterRef, ClusterSet, Error,
    kube::Client,
};
use tokio::sync::watch;

/// Clusters that are given in code, before the start or while the manager runs: for programs with a few known clusters, and
/// for tests.
///
/// Clones are handles of the same clusters: what one changes, all of them and every manager that runs with one see. Two
/// clients cannot be compared, so a cluster that is given once more counts as changed, and its owner connects to it anew;
/// [`set_labels`](Self::set_labels) changes labels without that.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use multicluster::{kube::Client, providers::FixedProvider};
///
/// let provider = FixedProvider::new().cluster("local".parse()?, Client::try_default().await?);
/// let handle = provider.clone();
/// // Later, while a manager runs with `provider`:
/// handle.set_labels(&"local".parse()?, [("stage", "test")]);
/// handle.remove(&"local".parse()?);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default)]
pub struct FixedProvider {
    clusters: watch::Sender<Clusters>,
}

#[derive(Debug, Default)]
struct Clusters {
    known: BTreeMap<ClusterName, Known>,
    /// How many clients were given: a new one is a new fingerprint.
    clients: u64,
}

#[derive(Debug)]
struct Known {
    cluster: Cluster,
    version: u64,
}

// === impl FixedProvider ===

impl FixedProvider {
    /// A provider without clusters.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a cluster; one of the same name is replaced.
    #[must_use]
    pub fn cluster(self, name: ClusterName, client: Client) -> Self {
        self.add(Cluster::new(name, client));
        self
    }

    /// Adds a cluster with its labels, or replaces the one of the same name; its owner connects to it anew.
    pub fn add(&self, cluster: Cluster) {
        self.clusters.send_modify(|clusters| clusters.add(cluster));
    }

    /// Removes a cluster; false when it is not there.
    #[expect(
        clippy::must_use_candidate,
        reason = "it is called for what it changes"
    )]
    pub fn remove(&self, name: &ClusterName) -> bool {
        self.clusters
            .send_if_modified(|clusters| clusters.known.remove(name).is_some())
    }

    /// From now on there are these clusters and no others, in one step; the owner of each connects to it anew. Of two with
    /// the same name, the later one stays.
    pub fn replace(&self, present: impl IntoIterator<Item = Cluster>) {
        // Outside of the lock: the iterator is somebody else's code.
        let present: Vec<_> = present.into_iter().collect();
        self.clusters.send_modify(|clusters| {
            clusters.known.clear();
            present
                .into_iter()
                .for_each(|cluster| clusters.add(cluster));
        });
    }

    /// Replaces a cluster's labels, which leaves its connection alone; false when it is not there.
    pub fn set_labels<L: Into<String>, V: Into<String>>(
        &self,
        name: &ClusterName,
        labels: impl IntoIterator<Item = (L, V)>,
    ) -> bool {
        let labels = labels.into_iter();
        let labels = labels
            .map(|(label, value)| (label.into(), value.into()))
            .collect();
        let mut there = false;
        self.clusters.send_if_modified(|clusters| {
            let Some(known) = clusters.known.get_mut(name) else {
                return false;
            };
            there = true;
            let changed = *known.cluster.get_labels() != labels;
            known.cluster = known.cluster.clone().labels(labels);
            changed
        });
        there
    }
}

impl ClusterProvider for FixedProvider {
    fn clusters(&self) -> BoxStream<'static, Result<ClusterEvent, Error>> {
        // A receiver that sees the present clusters as news.
        let mut changes = self.clusters.subscribe();
        changes.mark_changed();
        let changes = stream::unfold(changes, |mut changes| async move {
            if changes.changed().await.is_err() {
                // Nobody can change them any more.
                return future::pending().await;
            }
            let refs: Vec<_> = {
                let clusters = changes.borrow_and_update();
                clusters.known.values().map(Known::to_ref).collect()
            };
            Some((refs, changes))
        });
        let mut set = ClusterSet::new();
        changes
            .flat_map(move |refs| stream::iter(set.replace(refs).into_iter().map(Ok)))
            .boxed()
    }

    fn connect(&self, cluster: &ClusterRef) -> BoxFuture<'static, Result<Cluster, Error>> {
        let clusters = self.clusters.borrow();
        let known = clusters.known.get(&cluster.name);
        let result = known.map(|known| known.cluster.clone()).ok_or_else(|| {
            let missing = format!("there is no cluster {}", cluster.name);
            Error::provider("fixed", "connect", missing)
        });
        future::ready(result).boxed()
    }
}

// === impl Clusters ===

impl Clusters {
    fn add(&mut self, cluster: Cluster) {
        self.clients += 1;
        let known = Known {
            cluster,
            version: self.clients,
        };
        self.known.insert(known.cluster.name().clone(), known);
    }
}

// === impl Known ===

impl Known {
    fn to_ref(&self) -> ClusterRef {
        ClusterRef::new(self.cluster.name().clone())
            .labels(self.cluster.get_labels().clone())
            .fingerprint_of(self.version.to_le_bytes())
    }
}
