//! What the parts of a program report of the clusters' sizes.

use std::{
    collections::BTreeMap,
    mem,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::Notify;

use crate::cluster::ClusterName;

/// The newest report of each cluster, until it is taken; cheap to clone, and all clones are one.
///
/// The default takes no notice of reports.
#[derive(Clone, Debug, Default)]
pub(crate) struct Loads(Option<Arc<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    reports: Mutex<BTreeMap<ClusterName, u64>>,
    news: Notify,
}

// === impl Loads ===

impl Loads {
    pub(crate) fn new() -> Self {
        Self(Some(Arc::default()))
    }

    /// Reports how many objects a cluster has; an older report that was not taken is forgotten.
    pub(crate) fn report(&self, cluster: &ClusterName, objects: u64) {
        let Some(inner) = &self.0 else { return };
        let mut reports = inner.reports();
        match reports.get_mut(cluster) {
            Some(known) => *known = objects,
            None => drop(reports.insert(cluster.clone(), objects)),
        }
        drop(reports);
        inner.news.notify_one();
    }

    /// What was reported since the last time; pending while there is nothing. Cancel-safe.
    pub(crate) async fn take(&self) -> BTreeMap<ClusterName, u64> {
        let Some(inner) = &self.0 else {
            return std::future::pending().await;
        };
        loop {
            let reports = mem::take(&mut *inner.reports());
            if !reports.is_empty() {
                return reports;
            }
            inner.news.notified().await;
        }
    }
}

// === impl Inner ===

impl Inner {
    fn reports(&self) -> std::sync::MutexGuard<'_, BTreeMap<ClusterName, u64>> {
        // Nothing in between can be left half done.
        self.reports.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn the_newest_report_of_each_cluster_is_taken_once() {
        let (loads, zoo) = (Loads::new(), "zoo".parse().unwrap());
        assert_eq!(loads.take().now_or_never(), None);
        let waiting = tokio::spawn({
            let loads = loads.clone();
            async move { loads.take().await }
        });
        tokio::task::yield_now().await;
        loads.report(&zoo, 1);
        assert_eq!(waiting.await.unwrap(), BTreeMap::from([(zoo.clone(), 1)]));
        loads.report(&zoo, 2);
        loads.report(&zoo, 3);
        assert_eq!(loads.take().await, BTreeMap::from([(zoo, 3)]));
        assert_eq!(loads.take().now_or_never(), None);
    }
}
