//! How long to wait before the next attempt.

use std::time::Duration;

use futures_util::{Stream, StreamExt, stream};
use kube::runtime::watcher;

/// Waits that double from a first to a longest one, each 50 to 100 % of its full length.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
    first: Duration,
    longest: Duration,
    failures: u32,
}

/// The waits of a watch; see [`patient`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct WatchBackoff {
    failing: Backoff,
    refused: Backoff,
}

// === impl Backoff ===

impl Backoff {
    pub(crate) const fn new(first: Duration, longest: Duration) -> Self {
        Self {
            first,
            longest,
            failures: 0,
        }
    }

    /// The wait after one more failure.
    pub(crate) fn next(&mut self) -> Duration {
        let full = exponential(self.first, self.longest, self.failures);
        self.failures = self.failures.saturating_add(1);
        full.mul_f64(0.5 + fastrand::f64() / 2.0)
    }

    /// The wait after an attempt that went on for `lasted`; one of at least `settled` was well, whatever became of it.
    pub(crate) fn next_after(&mut self, lasted: Duration, settled: Duration) -> Duration {
        if lasted >= settled {
            self.reset();
        }
        self.next()
    }

    /// An attempt succeeded.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }
}

// === impl WatchBackoff ===

impl WatchBackoff {
    pub(crate) const fn new() -> Self {
        let first = Duration::from_millis(200);
        Self {
            failing: Backoff::new(first, Duration::from_millis(4_500)),
            refused: Backoff::new(first, Duration::from_secs(15)),
        }
    }

    /// How long to wait after an event of a watch before it is asked for the next one.
    pub(crate) fn after<K>(
        &mut self,
        event: &watcher::Result<watcher::Event<K>>,
    ) -> Option<Duration> {
        match event {
            // It answers: what it refuses now, it may permit in a moment, as when it has just been started.
            Err(error) if is_refused(error) => {
                self.failing.reset();
                Some(self.refused.next())
            }
            Err(error) => {
                if is_gone(error) {
                    self.failing.reset();
                }
                self.refused.reset();
                Some(self.failing.next())
            }
            Ok(watcher::Event::Init | watcher::Event::InitApply(_)) => None,
            Ok(_) => {
                *self = Self::new();
                None
            }
        }
    }
}

/// `first`, doubled `failures` times, at most `longest`.
pub(crate) fn exponential(first: Duration, longest: Duration, failures: u32) -> Duration {
    first
        .saturating_mul(2_u32.saturating_pow(failures.min(31)))
        .min(longest)
}

/// Slows a watch down that fails.
///
/// kube's own back-off begins anew with every attempt, since an attempt to list begins with a successful event. This one
/// ends with a listing, with a change that came through, or when the server asks for a new list, as one does that was
/// started again. It stays below 5 s: a server that refuses connections for a moment should be found soon after. One that
/// answers and refuses, since a right or a kind is missing, is asked every 15 s in the end.
pub(crate) fn patient<K, W>(
    watch: W,
) -> impl Stream<Item = watcher::Result<watcher::Event<K>>> + Send
where
    K: Send,
    W: Stream<Item = watcher::Result<watcher::Event<K>>> + Send,
{
    let start = (Box::pin(watch), WatchBackoff::new(), None);
    stream::unfold(start, |(mut watch, mut backoff, pause)| async move {
        if let Some(pause) = pause {
            tokio::time::sleep(pause).await;
        }
        let event = watch.next().await?;
        let pause = backoff.after(&event);
        Some((event, (watch, backoff, pause)))
    })
}

/// Whether the API server asks for a new list (410): it answers, as it does not during an outage.
pub(crate) fn is_gone(error: &watcher::Error) -> bool {
    match error {
        watcher::Error::WatchError(status) => status.code == 410,
        watcher::Error::WatchStartFailed(kube::Error::Api(status)) => status.code == 410,
        _ => false,
    }
}

/// Whether the API server refuses the request itself (401, 403, 404 and the like).
fn is_refused(error: &watcher::Error) -> bool {
    use watcher::Error::{InitialListFailed, WatchFailed, WatchStartFailed};
    match error {
        InitialListFailed(kube::Error::Api(status))
        | WatchStartFailed(kube::Error::Api(status))
        | WatchFailed(kube::Error::Api(status)) => {
            (400..500).contains(&status.code) && !matches!(status.code, 410 | 429)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use watcher::Event::{Init, InitDone};

    #[tokio::test(start_paused = true)]
    async fn a_watch_that_cannot_list_is_asked_less_and_less() {
        let failing = stream::iter(0..40).map(|i| {
            if i % 2 == 0 {
                Ok(Init::<()>)
            } else {
                Err(watcher::Error::NoResourceVersion)
            }
        });
        let start = tokio::time::Instant::now();
        patient(failing).count().await;
        // 20 attempts: up to 4.5 s apart after the first five, and never in a tight loop.
        let elapsed = start.elapsed().as_secs();
        assert!((30..=75).contains(&elapsed), "{elapsed} s");
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_is_back_is_listed_soon() {
        let gone = || {
            let status = kube::core::Status::failure("too old", "Expired").with_code(410);
            Err(watcher::Error::WatchError(status.boxed()))
        };
        let failure = |_| Err(watcher::Error::NoResourceVersion);
        let mut events: Vec<_> = (0..10).map(failure).collect();
        events.extend([gone(), Ok(Init::<()>)]);
        let mut watch = std::pin::pin!(patient(stream::iter(events)));
        for _ in 0..11 {
            watch.next().await;
        }
        let start = tokio::time::Instant::now();
        watch.next().await;
        assert!(start.elapsed() <= Duration::from_millis(200));
    }

    /// An API server that starts refuses a moment longer, before it knows its own rules.
    #[tokio::test(start_paused = true)]
    async fn a_server_that_refuses_after_an_outage_is_asked_again_soon() {
        let refusal = || {
            let status = kube::core::Status::failure("not yet", "Forbidden").with_code(403);
            let cause = kube::Error::Api(status.boxed());
            Err::<watcher::Event<()>, _>(watcher::Error::InitialListFailed(cause))
        };
        let failure = |_| Err(watcher::Error::NoResourceVersion);
        let mut events: Vec<_> = (0..10).map(failure).collect();
        events.extend([refusal(), refusal(), Ok(Init)]);
        let mut watch = std::pin::pin!(patient(stream::iter(events)));
        for _ in 0..11 {
            watch.next().await;
        }
        let start = tokio::time::Instant::now();
        watch.next().await;
        watch.next().await;
        assert!(start.elapsed() <= Duration::from_millis(600));
    }

    #[tokio::test(start_paused = true)]
    async fn a_success_ends_the_slowness() {
        let failure = |_| Err(watcher::Error::NoResourceVersion);
        let mut events: Vec<_> = (0..10).map(failure).collect();
        events.push(Ok(InitDone::<()>));
        events.push(Err(watcher::Error::NoResourceVersion));
        events.push(Ok(Init));
        let mut watch = std::pin::pin!(patient(stream::iter(events)));
        for _ in 0..12 {
            watch.next().await;
        }
        let start = tokio::time::Instant::now();
        watch.next().await;
        assert!(start.elapsed() <= Duration::from_millis(200));
    }
}
