//! Follows a provider in a task of its own.

use std::sync::Arc;

use futures_util::StreamExt;
use tokio::sync::mpsc::{Receiver, channel};

use crate::{
    error::Error,
    provider::{ClusterEvent, ClusterProvider},
    provider_ext::ClusterProviderExt,
};

/// The events of `provider`, for as long as the receiver lives.
pub(super) fn follow(provider: Arc<dyn ClusterProvider>) -> Receiver<Result<ClusterEvent, Error>> {
    let (sender, receiver) = channel(256);
    tokio::spawn(async move {
        let mut events = provider.follow();
        loop {
            let event = tokio::select! {
                () = sender.closed() => return,
                Some(event) = events.next() => event,
            };
            if sender.send(event).await.is_err() {
                return;
            }
        }
    });
    receiver
}
