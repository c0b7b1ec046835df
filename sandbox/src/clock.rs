//! The wall time that follows the tokio clock.

use jiff::Timestamp;
use tokio::time::Instant;

/// The wall time at a point of the tokio clock, from which both go on together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    wall: Timestamp,
    start: Instant,
}

// === impl Clock ===

impl Clock {
    /// A clock that shows the right time now.
    pub(crate) fn start() -> Self {
        Self {
            wall: Timestamp::now(),
            start: Instant::now(),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        let now = self.wall.checked_add(self.start.elapsed());
        now.unwrap_or(self.wall)
    }
}
