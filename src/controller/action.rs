//! What a reconciler wants to happen next.

use std::time::Duration;

/// When the object shall be reconciled again, if it does not change before.
///
/// Like kube's `Action`, whose content cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Action {
    requeue_after: Option<Duration>,
}

// === impl Action ===

impl Action {
    /// Wait for the object to change.
    #[must_use]
    pub const fn await_change() -> Self {
        Self {
            requeue_after: None,
        }
    }

    /// Reconcile again after `duration`, even without a change.
    ///
    /// That holds for a deleted object too, which stays at hand until then: say [`await_change`](Self::await_change) when
    /// its deletion is dealt with, or it is reconciled for ever.
    #[must_use]
    pub const fn requeue(duration: Duration) -> Self {
        Self {
            requeue_after: Some(duration),
        }
    }

    /// After how long the object is reconciled again; `None` to wait for a change.
    #[must_use]
    pub const fn requeue_after(&self) -> Option<Duration> {
        self.requeue_after
    }
}
