//! How often a job of one cluster may begin: the generic cell rate algorithm (ITU-T I.371), a token bucket in one number.

use std::time::Duration;

use tokio::time::Instant;

use super::keys::later;

/// At most one job per interval in the long run, and `burst` at once after a quiet time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate {
    pub(crate) interval: Duration,
    pub(crate) burst: u32,
}

/// What a cluster has used of its rate.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bucket {
    /// When the bucket will be full again.
    full_at: Option<Instant>,
}

// === impl Bucket ===

impl Bucket {
    /// When the next job may begin; `None` is now.
    pub(super) fn free_at(&self, rate: &Rate, now: Instant) -> Option<Instant> {
        let full_at = self.full_at?;
        let room = rate
            .interval
            .saturating_mul(rate.burst.max(1).saturating_sub(1));
        let at = full_at.checked_sub(room).unwrap_or(now);
        (at > now).then_some(at)
    }

    /// A job begins.
    pub(super) fn take(&mut self, rate: &Rate, now: Instant) {
        let from = self.full_at.map_or(now, |full_at| full_at.max(now));
        self.full_at = Some(later(from, rate.interval));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_and_then_one_per_interval() {
        let rate = Rate {
            interval: Duration::from_secs(2),
            burst: 3,
        };
        let (start, mut bucket) = (Instant::now(), Bucket::default());
        let mut begun = Vec::new();
        for second in 0..10 {
            let now = start + Duration::from_secs(second);
            while bucket.free_at(&rate, now).is_none() {
                bucket.take(&rate, now);
                begun.push(second);
            }
        }
        assert_eq!(begun, [0, 0, 0, 2, 4, 6, 8]);
    }
}
