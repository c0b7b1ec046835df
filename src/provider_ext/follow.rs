//! Follows a provider's streams, one after the other.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use futures_util::{FutureExt, StreamExt, stream, stream::BoxStream};

use crate::{
    backoff::Backoff,
    clusters::ClusterSet,
    error::{Error, panic_message},
    provider::{ClusterEvent, ClusterProvider},
};

type Events = BoxStream<'static, Result<ClusterEvent, Error>>;

struct Follower<P> {
    provider: P,
    known: ClusterSet,
    backoff: Backoff,
    /// `None` before the first stream, and after one that has ended.
    events: Option<Events>,
    pause: Option<Duration>,
}

/// The changes of all streams of `provider`.
pub(super) fn follow(provider: impl ClusterProvider) -> Events {
    let follower = Follower {
        provider,
        known: ClusterSet::new(),
        backoff: Backoff::new(Duration::from_millis(500), Duration::from_secs(30)),
        events: None,
        pause: None,
    };
    stream::unfold(follower, |mut follower| async move {
        let changes = follower.next().await;
        Some((stream::iter(changes), follower))
    })
    .flatten()
    .boxed()
}

// === impl Follower ===

impl<P: ClusterProvider> Follower<P> {
    /// What the next event changes; can be nothing.
    async fn next(&mut self) -> Vec<Result<ClusterEvent, Error>> {
        if let Some(pause) = self.pause.take() {
            tokio::time::sleep(pause).await;
        }
        let events = match &mut self.events {
            Some(events) => events,
            None => match catch_unwind(AssertUnwindSafe(|| self.provider.clusters())) {
                Ok(events) => {
                    // It reports everything anew; what it does not report before its first sync is gone.
                    self.known.begin_list();
                    self.events.insert(events)
                }
                Err(panic) => return self.failed(&*panic),
            },
        };
        match AssertUnwindSafe(events.next()).catch_unwind().await {
            Ok(Some(Ok(event))) => self.take(event).into_iter().map(Ok).collect(),
            Ok(Some(Err(error))) => vec![Err(error)],
            Ok(None) => {
                self.restart();
                Vec::new()
            }
            Err(panic) => self.failed(&*panic),
        }
    }

    fn take(&mut self, event: ClusterEvent) -> Vec<ClusterEvent> {
        match event {
            ClusterEvent::Applied(cluster) => Vec::from_iter(self.known.apply(cluster)),
            ClusterEvent::Removed(name) => Vec::from_iter(self.known.remove(&name)),
            ClusterEvent::Synced => {
                self.backoff.reset();
                self.known.end_list()
            }
        }
    }

    fn failed(&mut self, panic: &(dyn Any + Send)) -> Vec<Result<ClusterEvent, Error>> {
        self.restart();
        vec![Err(Error::Panic {
            part: "the provider".into(),
            message: panic_message(panic),
        })]
    }

    fn restart(&mut self) {
        self.events = None;
        self.pause = Some(self.backoff.next());
    }
}
