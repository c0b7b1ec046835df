//! Turns listings and watches of a source into changes of the set of clusters.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{Stream, StreamExt, stream};
use kube::runtime::watcher;

use crate::{
    backoff::{is_gone, patient},
    cluster::ClusterName,
    error::Error,
    provider::{ClusterEvent, ClusterRef},
};

/// The clusters that a source has reported; yields an event only for what has changed.
///
/// Providers keep one of these instead of a map of their own.
///
/// ```
/// use multicluster::{ClusterEvent, ClusterRef, ClusterSet};
///
/// let mut clusters = ClusterSet::new();
/// let zoo = ClusterRef::new("zoo".parse()?);
/// assert_eq!(clusters.apply(zoo.clone()), Some(ClusterEvent::Applied(zoo.clone())));
/// assert_eq!(clusters.apply(zoo.clone()), None);
/// assert_eq!(clusters.replace([]), [ClusterEvent::Removed(zoo.name), ClusterEvent::Synced]);
/// # Ok::<(), multicluster::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct ClusterSet {
    known: BTreeMap<ClusterName, ClusterRef>,
    /// While a listing runs: what it has not shown yet.
    unseen: BTreeSet<ClusterName>,
}

// === impl ClusterSet ===

impl ClusterSet {
    /// A set without clusters.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The source shows `cluster`.
    pub fn apply(&mut self, cluster: ClusterRef) -> Option<ClusterEvent> {
        self.unseen.remove(&cluster.name);
        if self.known.get(&cluster.name) == Some(&cluster) {
            return None;
        }
        self.known.insert(cluster.name.clone(), cluster.clone());
        Some(ClusterEvent::Applied(cluster))
    }

    /// The source no longer shows the cluster `name`.
    pub fn remove(&mut self, name: &ClusterName) -> Option<ClusterEvent> {
        self.unseen.remove(name);
        let known = self.known.remove(name)?;
        Some(ClusterEvent::Removed(known.name))
    }

    /// A listing of the source begins.
    pub fn begin_list(&mut self) {
        self.unseen = self.known.keys().cloned().collect();
    }

    /// The listing is complete: what it did not show is gone.
    pub fn end_list(&mut self) -> Vec<ClusterEvent> {
        let gone = std::mem::take(&mut self.unseen);
        let mut events: Vec<_> = gone.iter().filter_map(|name| self.remove(name)).collect();
        events.push(ClusterEvent::Synced);
        events
    }

    /// The source consists of `clusters` and nothing else.
    pub fn replace(&mut self, clusters: impl IntoIterator<Item = ClusterRef>) -> Vec<ClusterEvent> {
        self.begin_list();
        let mut events: Vec<_> = clusters
            .into_iter()
            .filter_map(|cluster| self.apply(cluster))
            .collect();
        events.extend(self.end_list());
        events
    }

    /// Follows a watch of objects that stand for clusters, in which `to_cluster` sees an object as
    /// a cluster with its name (`Ok(Some)`), as none (`Ok(None)`), or as a broken one (`Err`).
    ///
    /// The name that `name_of` gives must be the cluster's; it is used for objects that are no cluster any more.
    /// An error of the watch is passed on, and the next attempt waits for up to 5 s; do not add a back-off of your own.
    pub fn follow<K, W>(
        watch: W,
        provider: &'static str,
        name_of: impl Fn(&K) -> Result<ClusterName, Error> + Send + 'static,
        to_cluster: impl Fn(&K, ClusterName) -> Result<Option<ClusterRef>, Error> + Send + 'static,
    ) -> impl Stream<Item = Result<ClusterEvent, Error>> + Send + 'static
    where
        K: Send + 'static,
        W: Stream<Item = watcher::Result<watcher::Event<K>>> + Send + 'static,
    {
        let mut clusters = Self::new();
        patient(watch).flat_map(move |event| {
            let mut show = |object: &K| {
                let name = match name_of(object) {
                    Ok(name) => name,
                    Err(error) => return Some(Err(error)),
                };
                match to_cluster(object, name.clone()) {
                    Ok(Some(cluster)) => clusters.apply(cluster).map(Ok),
                    Ok(None) => clusters.remove(&name).map(Ok),
                    Err(error) => {
                        // Keep what is known of a cluster whose source broke.
                        clusters.unseen.remove(&name);
                        Some(Err(error))
                    }
                }
            };
            let events = match event {
                Ok(watcher::Event::Init) => {
                    clusters.begin_list();
                    Vec::new()
                }
                Ok(watcher::Event::InitApply(object) | watcher::Event::Apply(object)) => {
                    Vec::from_iter(show(&object))
                }
                Ok(watcher::Event::Delete(object)) => match name_of(&object) {
                    Ok(name) => Vec::from_iter(clusters.remove(&name).map(Ok)),
                    Err(_) => Vec::new(),
                },
                Ok(watcher::Event::InitDone) => clusters.end_list().into_iter().map(Ok).collect(),
                // The server asks for a new list, as after its own restart: that follows.
                Err(error) if is_gone(&error) => Vec::new(),
                Err(error) => vec![Err(Error::provider(provider, "watch the source", error))],
            };
            stream::iter(events)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ClusterEvent::{Applied, Removed, Synced};

    fn cluster(name: &str) -> ClusterRef {
        ClusterRef::new(name.parse().unwrap())
    }

    #[test]
    fn only_changes_are_events() {
        let mut set = ClusterSet::new();
        assert_eq!(set.apply(cluster("a")), Some(Applied(cluster("a"))));
        assert_eq!(set.apply(cluster("a")), None);
        let rotated = cluster("a").fingerprint_of("new credentials");
        assert_eq!(set.apply(rotated.clone()), Some(Applied(rotated)));
        assert_eq!(set.remove(&cluster("b").name), None);
    }

    #[test]
    fn a_listing_removes_what_it_does_not_show() {
        let mut set = ClusterSet::new();
        set.replace([cluster("a"), cluster("b")]);
        let events = set.replace([cluster("b"), cluster("c")]);
        assert_eq!(
            events,
            [Applied(cluster("c")), Removed(cluster("a").name), Synced]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_watch_that_fails_keeps_what_is_known() {
        use watcher::Event::{Apply, Init, InitApply, InitDone};
        let watch = stream::iter([
            Ok(Init),
            Ok(InitApply("a")),
            Ok(InitApply("")),
            Ok(InitDone),
            Err(watcher::Error::NoResourceVersion),
            Ok(Apply("a")),
            Ok(Apply("b")),
        ]);
        let events: Vec<_> = ClusterSet::follow(
            watch,
            "test",
            |object: &&str| ClusterName::new(object),
            |_, name| Ok(Some(ClusterRef::new(name))),
        )
        .map(|event| event.map_err(|error| error.to_string()))
        .collect()
        .await;
        assert_eq!(
            events,
            [
                Ok(Applied(cluster("a"))),
                Err("cluster name \"\" is empty".into()),
                Ok(Synced),
                Err("provider test: watch the source".into()),
                Ok(Applied(cluster("b"))),
            ]
        );
    }
}
