//! Follows a provider, and starts it again when its stream ends.

use std::{collections::BTreeSet, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::{FutureExt, StreamExt};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::{
    backoff::Backoff,
    cluster::ClusterName,
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
    let mut known = BTreeSet::new();
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
    known: &mut BTreeSet<ClusterName>,
    backoff: &mut Backoff,
) {
    let mut events = provider.clusters();
    // A new stream reports everything anew; what it does not report before its first sync is gone.
    let mut unseen: BTreeSet<ClusterName> = known.clone();
    while let Some(event) = events.next().await {
        match &event {
            Ok(ClusterEvent::Applied(cluster)) => {
                unseen.remove(&cluster.name);
                known.insert(cluster.name.clone());
            }
            Ok(ClusterEvent::Removed(name)) => {
                unseen.remove(name);
                known.remove(name);
            }
            Ok(ClusterEvent::Synced) => {
                backoff.reset();
                for name in std::mem::take(&mut unseen) {
                    known.remove(&name);
                    if sender.send(Ok(ClusterEvent::Removed(name))).await.is_err() {
                        return;
                    }
                }
            }
            Err(_) => {}
        }
        if sender.send(event).await.is_err() {
            return;
        }
    }
}
