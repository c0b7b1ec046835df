//! Follows a provider, and starts it again when its stream ends.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use futures_util::StreamExt;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::{
    backoff::Backoff,
    cluster::ClusterName,
    error::Error,
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

async fn repeat(provider: &dyn ClusterProvider, sender: &Sender<Result<ClusterEvent, Error>>) {
    let mut backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(30));
    let mut known = BTreeSet::new();
    loop {
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
        tokio::time::sleep(backoff.next()).await;
    }
}
