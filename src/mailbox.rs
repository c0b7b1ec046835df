//! Messages to one task.
//!
//! A channel of tokio's takes memory for 32 messages with its first one, which is a lot for the many that see a message an
//! hour: there are several in each engagement.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

/// So many places stay when a mailbox is empty.
const KEPT: usize = 64;

/// Puts messages in; cheap to clone.
pub(crate) struct Sender<T>(Arc<Inner<T>>);

/// Takes messages out; dropping it refuses those to come.
pub(crate) struct Mailbox<T>(Arc<Inner<T>>);

struct Inner<T> {
    /// `None` when nobody will take them.
    messages: Mutex<Option<VecDeque<T>>>,
    news: Notify,
}

/// A mailbox without a limit.
pub(crate) fn mailbox<T>() -> (Sender<T>, Mailbox<T>) {
    let inner = Arc::new(Inner {
        messages: Mutex::new(Some(VecDeque::new())),
        news: Notify::new(),
    });
    (Sender(inner.clone()), Mailbox(inner))
}

// === impl Sender ===

impl<T> Sender<T> {
    /// Puts a message in.
    ///
    /// # Errors
    /// The message, when nobody will take it.
    pub(crate) fn send(&self, message: T) -> Result<(), T> {
        match self.0.lock().as_mut() {
            Some(messages) => messages.push_back(message),
            None => return Err(message),
        }
        self.0.news.notify_one();
        Ok(())
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}

// === impl Mailbox ===

impl<T> Mailbox<T> {
    /// The next message; pending while there is none. Cancel-safe.
    pub(crate) async fn next(&mut self) -> T {
        loop {
            if let Some(message) = self.take() {
                return message;
            }
            self.0.news.notified().await;
        }
    }

    fn take(&self) -> Option<T> {
        let mut held = self.0.lock();
        let messages = held.as_mut()?;
        let message = messages.pop_front();
        if messages.is_empty() && messages.capacity() > KEPT {
            messages.shrink_to(KEPT);
        }
        message
    }
}

impl<T> Drop for Mailbox<T> {
    fn drop(&mut self) {
        let left = self.0.lock().take();
        // Outside of the lock: a message may send one when it is dropped.
        drop(left);
    }
}

impl<T> fmt::Debug for Mailbox<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailbox").finish_non_exhaustive()
    }
}

// === impl Inner ===

impl<T> Inner<T> {
    fn lock(&self) -> MutexGuard<'_, Option<VecDeque<T>>> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn messages_come_in_order_and_wake_who_waits() {
        let (sender, mut mailbox) = mailbox();
        assert_eq!(mailbox.next().now_or_never(), None);
        let waits = tokio::spawn(async move { [mailbox.next().await, mailbox.next().await] });
        tokio::task::yield_now().await;
        sender.send(1).unwrap();
        sender.send(2).unwrap();
        assert_eq!(waits.await.unwrap(), [1, 2]);
        assert_eq!(sender.send(3), Err(3));
    }
}
