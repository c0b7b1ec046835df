//! Follows a provider, and starts it again when its stream ends.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::{FutureExt, StreamExt};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::{
    backoff::Backoff,
    clusters::ClusterSet,
    error::{Error, panic_message},
    provider::{ClusterEvent, ClusterProvider},
};

/// The events of `provider`, for as long as the receiver lives.
pub(super) fn follow(provider: Arc<dyn ClusterProvider>) -> Receiver<Result<ClusterEvent, Error>> {
    let (sender, receiver) = channel(256);
    tokio::spawn(async move {
        tokio::select! {
            () = sender.closed() => {}
            () = repeat(&*provider, &sender) => {}
        }
    });
    receiver
}

/// Follows the provider's streams, one after the other.
async fn repeat(provider: &dyn ClusterProvider, sender: &Sender<Result<ClusterEvent, Error>>) {
    let mut backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(30));
    let mut known = ClusterSet::new();
    while !sender.is_closed() {
        let once = once(provider, sender, &mut known, &mut backoff);
        if let Err(panic) = AssertUnwindSafe(once).catch_unwind().await {
            let error = Error::Panic {
                part: "the provider".into(),
                message: panic_message(&*panic),
            };
            // The receiver is gone at the end only.
            let _ = sender.send(Err(error)).await;
        }
        tokio::time::sleep(backoff.next()).await;
    }
}

/// Follows one stream to its end.
async fn once(
    provider: &dyn ClusterProvider,
    sender: &Sender<Result<ClusterEvent, Error>>,
    known: &mut ClusterSet,
    backoff: &mut Backoff,
) {
    let mut events = provider.clusters();
    // A new stream reports everything anew; what it does not report before its first sync is gone.
    known.begin_list();
    while let Some(event) = events.next().await {
        let changes = match event {
            Ok(ClusterEvent::Applied(cluster)) => Vec::from_iter(known.apply(cluster)),
            Ok(ClusterEvent::Removed(name)) => Vec::from_iter(known.remove(&name)),
            Ok(ClusterEvent::Synced) => {
                backoff.reset();
                known.end_list()
            }
            Err(error) => {
                if sender.send(Err(error)).await.is_err() {
                    return;
                }
                Vec::new()
            }
        };
        for change in changes {
            if sender.send(Ok(change)).await.is_err() {
                return;
            }
        }
    }
}
