//! Requests for reconciles from elsewhere than a watch.

use std::{fmt, time::Duration};

use futures_util::{Stream, StreamExt};
use kube::runtime::reflector::ObjectRef;

use super::{queue::Lane, scheduler::Scheduler};
use crate::{
    cluster::ClusterName,
    guard::{NotOwner, NotOwnerReason},
    informer::{Key, Watched},
};

/// Asks a controller for reconciles: from a webhook, a queue, a timer; cheap to clone.
///
/// An object need not exist to be asked for; one that does is asked for if the controller's predicates let it pass
/// ([`Predicate::generic`](crate::informer::Predicate::generic)). Requests of an engagement end with it.
pub struct Requests<K: Watched> {
    scheduler: Scheduler<Key>,
    kind: std::marker::PhantomData<fn(K)>,
}

// === impl Requests ===

impl<K: Watched> Requests<K> {
    pub(super) fn new(scheduler: Scheduler<Key>) -> Self {
        Self {
            scheduler,
            kind: std::marker::PhantomData,
        }
    }

    /// Asks for an object at once.
    ///
    /// # Errors
    /// [`NotOwner`] when the controller does not work on the cluster at this moment. Its owner reconciles everything when
    /// it begins to, so this is often no mistake.
    pub fn add(&self, cluster: &ClusterName, object: &ObjectRef<K>) -> Result<(), NotOwner> {
        self.add_after(cluster, object, Duration::ZERO)
    }

    /// Asks for an object after `delay`, if it is not asked for earlier.
    ///
    /// # Errors
    /// As for [`add`](Self::add).
    pub fn add_after(
        &self,
        cluster: &ClusterName,
        object: &ObjectRef<K>,
        delay: Duration,
    ) -> Result<(), NotOwner> {
        let attached = self.scheduler.attached(cluster);
        let (requester, judge) = attached.ok_or_else(|| NotOwner {
            cluster: cluster.clone(),
            reason: NotOwnerReason::NotEngaged,
        })?;
        let key = Key::from(object);
        if judge.is_some_and(|judge| !judge.permits(&key)) {
            return Ok(());
        }
        if delay.is_zero() {
            requester.add([key], Lane::Live);
        } else {
            requester.add_after(key, delay);
        }
        Ok(())
    }

    /// Asks for what a stream yields, until it ends; requests for clusters that are not engaged here are left out.
    pub async fn forward(self, stream: impl Stream<Item = (ClusterName, ObjectRef<K>)>) {
        let mut stream = std::pin::pin!(stream);
        while let Some((cluster, object)) = stream.next().await {
            if let Err(refusal) = self.add(&cluster, &object) {
                tracing::debug!(%refusal, "a request is left out");
            }
        }
    }
}

impl<K: Watched> Clone for Requests<K> {
    fn clone(&self) -> Self {
        Self::new(self.scheduler.clone())
    }
}

impl<K: Watched> fmt::Debug for Requests<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Requests").finish_non_exhaustive()
    }
}
