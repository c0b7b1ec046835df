//! Time, as this process sees it.
//!
//! Deadlines are points on a local monotonic clock and are never compared with the clock of another machine; the wall
//! clock serves the eyes of people, in `renewTime` and in logs.

use std::{
    fmt::Debug,
    ops::{Add, Sub},
    time::Duration,
};

use jiff::Timestamp;

/// A point on the local monotonic clock, counted from an arbitrary start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(pub Duration);

/// A source of monotonic and of wall time.
pub trait Clock: Debug + Send + Sync + 'static {
    /// The present point on the monotonic clock; never goes back.
    fn now(&self) -> Moment;

    /// The date and time, for people; may jump.
    fn wall(&self) -> Timestamp;
}

/// The clocks of the operating system.
///
/// On Linux the monotonic one is `CLOCK_BOOTTIME`, which goes on while the machine is suspended: a deadline that passed
/// in the sleep has passed. Elsewhere it is [`std::time::Instant`].
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

/// The clock of tokio's timers, which stands still and jumps in tests with paused time.
///
/// Its wall clock starts at the date of its making and moves with the timers.
#[derive(Clone, Copy, Debug)]
pub struct TokioClock {
    start: tokio::time::Instant,
    date: Timestamp,
}

// === impl Moment ===

impl Moment {
    /// The time from `earlier` to this point; zero when `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }
}

impl Sub<Duration> for Moment {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(duration))
    }
}

// === impl SystemClock ===

impl Clock for SystemClock {
    #[cfg(target_os = "linux")]
    fn now(&self) -> Moment {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
        let nanoseconds = u32::try_from(time.tv_nsec).unwrap_or_default();
        Moment(Duration::new(seconds, nanoseconds))
    }

    #[cfg(not(target_os = "linux"))]
    fn now(&self) -> Moment {
        use std::{sync::LazyLock, time::Instant};
        static START: LazyLock<Instant> = LazyLock::new(Instant::now);
        // One second ahead, so that no point is the zero of `Moment::default`.
        Moment(START.elapsed() + Duration::from_secs(1))
    }

    fn wall(&self) -> Timestamp {
        Timestamp::now()
    }
}

// === impl TokioClock ===

impl TokioClock {
    /// A clock that starts now.
    #[must_use]
    pub fn new() -> Self {
        Self {
            start: tokio::time::Instant::now(),
            date: Timestamp::now(),
        }
    }
}

impl Default for TokioClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for TokioClock {
    fn now(&self) -> Moment {
        Moment(self.start.elapsed() + Duration::from_secs(1))
    }

    fn wall(&self) -> Timestamp {
        self.date
            .checked_add(self.start.elapsed())
            .unwrap_or(self.date)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_clock_moves_forward() {
        let first = SystemClock.now();
        assert!(first > Moment::default());
        assert!(SystemClock.now() >= first);
    }

    #[tokio::test(start_paused = true)]
    async fn the_tokio_clock_follows_paused_time() {
        let clock = TokioClock::new();
        let (start, date) = (clock.now(), clock.wall());
        tokio::time::advance(Duration::from_secs(90)).await;
        assert_eq!(clock.now().since(start), Duration::from_secs(90));
        assert_eq!(clock.wall().as_second() - date.as_second(), 90);
    }
}
