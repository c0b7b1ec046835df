//! The clusters of all providers, while providers come and go.

use std::collections::BTreeMap;

use futures_util::{
    StreamExt, future,
    stream::{BoxStream, SelectAll},
};
use multicluster::{ClusterEvent, ClusterProviderExt, ClusterSet, Error};
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{Added, Providers, prefix::Prefix};

type Result<T, E = Error> = std::result::Result<T, E>;

/// Follows the present providers.
pub(super) struct Merge {
    changes: watch::Receiver<Providers>,
    /// By the id with which they were added.
    followed: BTreeMap<u64, Followed>,
    events: SelectAll<BoxStream<'static, (u64, Result<ClusterEvent>)>>,
}

/// A provider whose stream is among the events.
struct Followed {
    prefix: Prefix,
    /// Under their prefixed names.
    clusters: ClusterSet,
    synced: bool,
    /// Ends the stream.
    _stop: DropGuard,
}

// === impl Merge ===

impl Merge {
    pub(super) fn new(mut providers: watch::Receiver<Providers>) -> Self {
        // The present ones are news.
        providers.mark_changed();
        Self {
            changes: providers,
            followed: BTreeMap::new(),
            events: SelectAll::new(),
        }
    }

    /// What happens next; can be nothing.
    pub(super) async fn next(&mut self) -> Vec<Result<ClusterEvent>> {
        tokio::select! {
            biased;
            () = changed(&mut self.changes) => self.update(),
            Some((id, event)) = self.events.next() => self.take(id, event),
        }
    }

    /// Stops following what was removed, and begins with what was added.
    fn update(&mut self) -> Vec<Result<ClusterEvent>> {
        let present: BTreeMap<u64, (Prefix, Added)> = {
            let providers = self.changes.borrow_and_update();
            let present = providers.added.iter();
            present
                .map(|(prefix, added)| (added.id, (prefix.clone(), added.clone())))
                .collect()
        };
        let mut events = Vec::new();
        self.followed.retain(|id, followed| {
            let stays = present.contains_key(id);
            if !stays {
                let gone = followed.clusters.replace([]).into_iter();
                events.extend(gone.filter(|event| *event != ClusterEvent::Synced).map(Ok));
            }
            stays
        });
        for (id, (prefix, added)) in present {
            if !self.followed.contains_key(&id) {
                self.follow(id, prefix, added);
            }
        }
        events.extend(self.synced().map(Ok));
        events
    }

    fn follow(&mut self, id: u64, prefix: Prefix, added: Added) {
        let stop = CancellationToken::new();
        let events = added
            .provider
            .follow()
            .map(move |event| (id, event))
            .take_until(stop.clone().cancelled_owned());
        self.events.push(events.boxed());
        let followed = Followed {
            prefix,
            clusters: ClusterSet::new(),
            synced: false,
            _stop: stop.drop_guard(),
        };
        self.followed.insert(id, followed);
    }

    /// An event of one provider.
    fn take(&mut self, id: u64, event: Result<ClusterEvent>) -> Vec<Result<ClusterEvent>> {
        let Some(followed) = self.followed.get_mut(&id) else {
            return Vec::new();
        };
        let event = match event {
            Ok(ClusterEvent::Synced) => {
                followed.synced = true;
                return Vec::from_iter(self.synced().map(Ok));
            }
            event => followed.take(event),
        };
        Vec::from_iter(event.transpose())
    }

    /// Once every provider is listed: so is the whole.
    fn synced(&self) -> Option<ClusterEvent> {
        let synced = self.followed.values().all(|followed| followed.synced);
        synced.then_some(ClusterEvent::Synced)
    }
}

// === impl Followed ===

impl Followed {
    /// An event with the names that clusters have here.
    fn take(&mut self, event: Result<ClusterEvent>) -> Result<Option<ClusterEvent>> {
        match event.map_err(|error| self.prefix.error(error))? {
            ClusterEvent::Applied(mut cluster) => {
                cluster.name = self.prefix.name(&cluster.name)?;
                Ok(self.clusters.apply(cluster))
            }
            // One whose name was too long was not shown either.
            ClusterEvent::Removed(name) => Ok(self
                .prefix
                .name(&name)
                .ok()
                .and_then(|name| self.clusters.remove(&name))),
            _ => Ok(None),
        }
    }
}

/// Completes when providers were added or removed.
async fn changed(providers: &mut watch::Receiver<Providers>) {
    if providers.changed().await.is_err() {
        // Nobody can change them any more.
        future::pending::<()>().await;
    }
}
