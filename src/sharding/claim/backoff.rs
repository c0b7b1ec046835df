//! When a failed request is tried again.

use std::time::Duration;

use crate::clock::Moment;

const FIRST: Duration = Duration::from_millis(200);

/// Waits of 0.1 to 0.3 s that double up to a limit.
#[derive(Debug)]
pub(super) struct Backoff {
    until: Moment,
    failures: u32,
    random: fastrand::Rng,
}

// === impl Backoff ===

impl Backoff {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            until: Moment::default(),
            failures: 0,
            random: fastrand::Rng::with_seed(seed),
        }
    }

    /// When the next attempt is due; `None` for at once.
    pub(super) fn until(&self, now: Moment) -> Option<Moment> {
        (now < self.until).then_some(self.until)
    }

    /// One more failure; the wait is at most `limit`.
    pub(super) fn fail(&mut self, now: Moment, limit: Duration) {
        let doubled = FIRST * 2_u32.saturating_pow(self.failures.min(10));
        let jitter = 0.5 + self.random.f64();
        self.failures = self.failures.saturating_add(1);
        self.until = now + doubled.mul_f64(jitter).min(limit);
    }

    /// Waits for exactly `wait`, which the API server has asked for.
    pub(super) fn wait(&mut self, now: Moment, wait: Duration) {
        self.until = now + wait;
    }

    /// The next attempt is due at once; if it fails, the wait goes on growing.
    pub(super) fn skip(&mut self) {
        self.until = Moment::default();
    }

    pub(super) fn reset(&mut self) {
        self.failures = 0;
        self.until = Moment::default();
    }

    #[cfg(test)]
    pub(super) fn failures(&self) -> u32 {
        self.failures
    }
}

/// A copy waits as long as its original would, whatever either has drawn before: equal states stay equal.
#[cfg(test)]
impl Clone for Backoff {
    fn clone(&self) -> Self {
        Self {
            random: fastrand::Rng::with_seed(0),
            ..*self
        }
    }
}
