//! How many futures of an engagement are at work at this moment.

use std::{
    pin::pin,
    sync::atomic::{AtomicUsize, Ordering},
};

/// The number of futures that are being polled or dropped.
///
/// A future that waits is not counted: it does nothing, and its next poll is refused when the guard does not permit it.
#[derive(Debug, Default)]
pub(super) struct Workers(AtomicUsize);

/// Takes one away when dropped.
struct Inside<'a>(&'a Workers);

/// Adds one when dropped.
struct Enters<'a>(&'a Workers);

// === impl Workers ===

impl Workers {
    /// Whether any future is at work.
    pub(super) fn any(&self) -> bool {
        self.0.load(Ordering::Acquire) > 0
    }

    /// Runs `work`, and counts it while it is at work.
    pub(super) async fn count<F: Future>(&self, work: F) -> F::Output {
        // Locals are dropped from the last to the first, so the drop of `work` is counted too.
        let _leaves = Inside(self);
        let mut work = pin!(work);
        let _enters = Enters(self);
        std::future::poll_fn(|context| {
            let _inside = self.enter();
            work.as_mut().poll(context)
        })
        .await
    }

    fn enter(&self) -> Inside<'_> {
        self.0.fetch_add(1, Ordering::AcqRel);
        Inside(self)
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Drop for Enters<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_add(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, future::pending};

    use futures_util::FutureExt;

    use super::*;

    /// Notes whether it is counted while it is dropped.
    struct Noting<'a>(&'a Workers, &'a RefCell<Vec<bool>>);

    impl Drop for Noting<'_> {
        fn drop(&mut self) {
            self.1.borrow_mut().push(self.0.any());
        }
    }

    #[test]
    fn work_counts_while_it_is_polled_and_dropped_but_not_while_it_waits() {
        let (workers, seen) = (Workers::default(), RefCell::default());
        let work = async {
            let _noting = Noting(&workers, &seen);
            assert!(workers.any(), "polled");
            pending::<()>().await;
        };
        let mut running = Box::pin(workers.count(work));
        assert!(running.as_mut().now_or_never().is_none());
        assert!(!workers.any(), "it waits");
        drop(running);
        assert_eq!(*seen.borrow(), [true]);
        assert!(!workers.any(), "it is gone");
    }

    #[test]
    fn work_that_ends_or_panics_is_not_counted_any_more() {
        let workers = Workers::default();
        assert_eq!(workers.count(async { 7 }).now_or_never(), Some(7));
        assert!(!workers.any());
        let panics = std::panic::AssertUnwindSafe(workers.count(async { panic!("on purpose") }));
        assert!(panics.catch_unwind().now_or_never().unwrap().is_err());
        assert!(!workers.any());
        drop(workers.count(async {}));
        assert!(!workers.any(), "never polled");
    }
}
