//! How long a Lease lasts, and what follows from it.

use std::time::Duration;

use crate::error::Error;

/// The longest Lease duration that is believed of another peer.
pub(crate) const LONGEST: Duration = Duration::from_secs(600);

/// How much later each further candidate tries, so that the first one is not disturbed.
pub(crate) const RANK_STEP: Duration = Duration::from_secs(2);

/// How far apart the rates of two machines' clocks may be: 1 %.
const CLOCK_RATE_BOUND: f64 = 0.01;

/// The times of membership and fencing.
///
/// A crash is noticed after about one Lease duration; everything else follows from it, and two relations must hold:
/// a renewal and one retry fit before work has to stop (`R + 2T < H`), and a healthy peer is never taken for dead after
/// an outage of the API server (`R + G + T + 0.3 s < L / 1.01`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timings {
    lease_duration: Duration,
    renew_interval: Duration,
    stop_margin: Duration,
    drain_timeout: Duration,
    throttle: Duration,
}

// === impl Timings ===

impl Default for Timings {
    fn default() -> Self {
        Self::new(Duration::from_secs(15))
    }
}

impl Timings {
    /// Timings for Leases that last `lease_duration` (L): whole seconds, at least 5.
    ///
    /// The default of 15 s lets a fleet ride out hiccups of its API server; 5 s makes the fail-over after a crash three
    /// times faster, for three times the renewals.
    #[must_use]
    pub fn new(lease_duration: Duration) -> Self {
        Self {
            lease_duration,
            renew_interval: lease_duration / 3,
            stop_margin: Duration::from_secs(1),
            drain_timeout: Duration::from_secs(30),
            throttle: Duration::ZERO,
        }
    }

    /// The interval R between two renewals; a third of the Lease duration by default.
    #[must_use]
    pub fn renew_interval(mut self, interval: Duration) -> Self {
        self.renew_interval = interval;
        self
    }

    /// The time after its last chance to write in which a write still may take effect; 1 s by default.
    ///
    /// Work stops this much earlier than others could take over.
    #[must_use]
    pub fn stop_margin(mut self, margin: Duration) -> Self {
        self.stop_margin = margin;
        self
    }

    /// How long running reconciles may take to end when a cluster is handed over; 30 s by default.
    #[must_use]
    pub fn drain_timeout(mut self, timeout: Duration) -> Self {
        self.drain_timeout = timeout;
        self
    }

    /// The least time between two attempts to acquire the Lease of one cluster; none by default, at most a Lease
    /// duration.
    ///
    /// Attempts answer to events, and back-off spaces those that fail. A throttle bounds them further where the API
    /// server must be spared; a cluster that comes back to this peer within it waits for its end.
    #[must_use]
    pub fn throttle(mut self, pause: Duration) -> Self {
        self.throttle = pause;
        self
    }

    /// Checks the relations that safety and liveness need.
    ///
    /// # Errors
    /// [`Error::Setting`] with the numbers, for the first relation that does not hold.
    pub fn validate(&self) -> Result<(), Error> {
        let lease = self.lease_duration;
        if lease < Duration::from_secs(5) || lease.subsec_nanos() != 0 {
            return Err(Error::setting(format!(
                "the lease duration must be whole seconds and at least 5s, not {lease:?}"
            )));
        }
        if lease > LONGEST {
            return Err(Error::setting(format!(
                "the lease duration must be at most {LONGEST:?}, not {lease:?}"
            )));
        }
        if self.renew_interval < Duration::from_millis(100) {
            return Err(Error::setting(format!(
                "the renew interval must be at least 100ms, not {:?}",
                self.renew_interval
            )));
        }
        let (renew, timeout) = (self.renew_interval, self.request_timeout());
        let work = self.work_time();
        if renew + 2 * timeout >= work {
            return Err(Error::setting(format!(
                "a renewal and one retry do not fit into the lease: renew interval {renew:.2?} + 2 * request timeout \
                 {timeout:.2?} must be less than the {work:.2?} that a renewal allows (lease duration {lease:?}, stop \
                 margin {:?}): shorten the renew interval or lengthen the lease duration",
                self.stop_margin
            )));
        }
        let gap = self.contact_gap();
        let bound = lease.div_f64(1.0 + CLOCK_RATE_BOUND);
        let sum = renew + gap + timeout + Duration::from_millis(300);
        if sum >= bound {
            return Err(Error::setting(format!(
                "a short outage of the API server would cost healthy peers their clusters: renew interval {renew:.2?} + \
                 contact gap {gap:.2?} + request timeout {timeout:.2?} + 0.3s must be less than {bound:.2?}: shorten the \
                 renew interval or lengthen the lease duration"
            )));
        }
        self.check_throttle()
    }

    /// A throttle bounds requests; one that leaves clusters alone for longer than a crash does is a mistake.
    pub(crate) fn check_throttle(&self) -> Result<(), Error> {
        if self.throttle > self.lease_duration {
            return Err(Error::setting(format!(
                "the throttle ({:?}) must be at most the lease duration ({:?}): clusters would wait for nothing",
                self.throttle, self.lease_duration
            )));
        }
        Ok(())
    }

    /// L: how long a Lease lasts after its last renewal.
    pub(crate) fn lease(&self) -> Duration {
        self.lease_duration
    }

    /// R: the time between two renewals.
    pub(crate) fn renew(&self) -> Duration {
        self.renew_interval
    }

    /// The time between two renewals of the own peer Lease: shorter than R, so that answers which take a little longer
    /// than the last one are no contact gap.
    pub(crate) fn own_renew(&self) -> Duration {
        self.renew_interval * 4 / 5
    }

    /// The longest pause between two attempts to renew the own peer Lease, on which everything else waits.
    pub(crate) fn own_retry(&self) -> Duration {
        self.renew_interval.min(Duration::from_secs(2))
    }

    /// T: how long the answer to one request is waited for.
    pub(crate) fn request_timeout(&self) -> Duration {
        self.lease_duration / 5
    }

    /// G: a longer time without an answer to the own peer Lease is an outage.
    pub(crate) fn contact_gap(&self) -> Duration {
        self.renew_interval + self.lease_duration / 20
    }

    /// delta: the stop margin.
    pub(crate) fn margin(&self) -> Duration {
        self.stop_margin
    }

    /// H: how long a confirmed renewal allows work, from the time when it was sent.
    pub(crate) fn work_time(&self) -> Duration {
        let shortest = self
            .lease_duration
            .mul_f64((1.0 - CLOCK_RATE_BOUND) / (1.0 + CLOCK_RATE_BOUND));
        shortest.saturating_sub(self.stop_margin)
    }

    /// The least time between two attempts to acquire one fence.
    pub(crate) fn between_attempts(&self) -> Duration {
        self.throttle
    }

    /// How long a drain may take.
    pub(crate) fn drain(&self) -> Duration {
        self.drain_timeout
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn fifteen_seconds_allow_thirteen_point_seven_of_work() {
        let work = Timings::default().work_time();
        assert!(work > 13 * SECOND && work.as_millis() == 13_702, "{work:?}");
    }

    #[test]
    fn what_breaks_a_relation_is_refused_with_the_numbers() {
        let five = Timings::new(5 * SECOND);
        for (timings, part) in [
            (Timings::new(4 * SECOND), "at least 5s"),
            (Timings::new(Duration::from_millis(5_500)), "whole seconds"),
            (Timings::new(601 * SECOND), "at most 600s"),
            (
                five.renew_interval(2 * SECOND),
                "renew interval 2.00s + 2 * request timeout 1.00s",
            ),
            (five.renew_interval(Duration::ZERO), "at least 100ms"),
            (five.stop_margin(2 * SECOND), "stop margin 2s"),
            (five.throttle(6 * SECOND), "throttle (6s)"),
            (
                Timings::default().renew_interval(7 * SECOND),
                "renew interval 7.00s",
            ),
        ] {
            let message = timings.validate().unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
        }
    }

    #[test]
    fn a_short_outage_must_not_look_like_a_crash() {
        // The first relation holds: 6 s + 6 s < 13.7 s; the second does not: 6 + 6.75 + 3 + 0.3 > 14.85.
        let message = Timings::default()
            .renew_interval(6 * SECOND)
            .validate()
            .unwrap_err()
            .to_string();
        assert!(message.contains("outage"), "{message}");
    }

    #[test]
    fn the_defaults_hold_for_every_duration() {
        for seconds in 5..=600 {
            Timings::new(seconds * SECOND).validate().unwrap();
        }
    }
}
