//! Finds a watch that has gone silent.
//!
//! A peer renews its own Lease every few seconds, and each renewal must come back through the watch that the fences rely
//! on. A stream that does not deliver it in time is dead, however healthy its connection looks; the server's own timeout
//! would end it only minutes later, and until then this peer would not see that others come and go.
//!
//! # Guarantees
//! A stream that misses a renewal is reported at the first [`check`](Heartbeat::check) past the limit after the *reply*,
//! and once per restart.
//!
//! # Not guaranteed
//! Events of other objects that a server drops while it delivers ours are not noticed: one stream is delivered in order.

use std::{collections::VecDeque, time::Duration};

use crate::clock::Moment;

/// The expectation towards one watch stream.
#[derive(Debug)]
pub(crate) struct Heartbeat {
    limit: Duration,
    /// The newest version of the own Lease that the stream delivered.
    newest: u64,
    /// Renewals that the stream still owes us, oldest first, each with the time of its reply.
    owed: VecDeque<(u64, Moment)>,
    /// A new stream has begun and has not shown its list yet, which may take long.
    listing: bool,
}

// === impl Heartbeat ===

impl Heartbeat {
    /// A stream is silent when a renewal is not delivered within `limit` of its reply.
    pub(crate) fn new(limit: Duration) -> Self {
        Self {
            limit,
            newest: 0,
            owed: VecDeque::new(),
            listing: false,
        }
    }

    /// The API server confirmed `version` of the own Lease at `now`.
    pub(crate) fn renewed(&mut self, version: u64, now: Moment) {
        // The watch can be faster than the reply: what has been delivered is not owed.
        if self.newest < version && !self.listing {
            self.owed.push_back((version, now));
        }
    }

    /// The stream delivered `version` of the own Lease.
    pub(crate) fn delivered(&mut self, version: u64) {
        self.newest = self.newest.max(version);
        self.owed.retain(|(owed, _)| *owed > version);
    }

    /// The stream has shown its list.
    pub(crate) fn listed(&mut self) {
        self.listing = false;
    }

    /// When [`check`](Self::check) can next find the stream silent; `None` while nothing is owed.
    pub(crate) fn due(&self) -> Option<Moment> {
        let (_, replied) = self.owed.front()?;
        Some(*replied + self.limit)
    }

    /// Whether the stream must be restarted; that clears what it owed, since the new one starts with a list.
    pub(crate) fn check(&mut self, now: Moment) -> bool {
        let silent = self.due().is_some_and(|due| now >= due);
        if silent {
            self.owed.clear();
            self.listing = true;
        }
        silent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    enum Step {
        Renewed(u64),
        Delivered(u64),
        Check(bool),
    }
    use Step::{Check, Delivered, Renewed};

    /// Plays `(second, step)` in order against a limit of 3 s.
    fn play(script: &[(u64, Step)]) {
        let mut heartbeat = Heartbeat::new(Duration::from_secs(3));
        for (second, step) in script {
            let now = Moment(Duration::from_secs(*second));
            match step {
                Renewed(version) => heartbeat.renewed(*version, now),
                Delivered(version) => heartbeat.delivered(*version),
                Check(silent) => assert_eq!(heartbeat.check(now), *silent, "at {second} s"),
            }
        }
    }

    #[test]
    fn a_stream_that_delivers_lives() {
        play(&[(0, Renewed(7)), (1, Delivered(7)), (9, Check(false))]);
        play(&[(0, Delivered(7)), (0, Renewed(7)), (9, Check(false))]);
        play(&[(0, Renewed(7)), (1, Delivered(8)), (9, Check(false))]);
    }

    #[test]
    fn a_silent_stream_is_restarted_once() {
        play(&[
            (0, Renewed(7)),
            (2, Check(false)),
            (3, Check(true)),
            (4, Check(false)),
        ]);
    }

    #[test]
    fn each_renewal_is_owed() {
        play(&[
            (0, Renewed(7)),
            (2, Renewed(8)),
            (2, Delivered(7)),
            (4, Check(false)),
            (5, Check(true)),
        ]);
        play(&[(0, Renewed(7)), (2, Renewed(8)), (3, Check(true))]);
        play(&[(0, Renewed(7)), (1, Delivered(6)), (3, Check(true))]);
    }

    #[test]
    fn a_list_that_takes_long_is_not_begun_anew() {
        let mut heartbeat = Heartbeat::new(Duration::from_secs(3));
        let at = |second| Moment(Duration::from_secs(second));
        heartbeat.renewed(7, at(0));
        assert!(heartbeat.check(at(3)));
        heartbeat.renewed(8, at(4));
        assert!(
            !heartbeat.check(at(20)),
            "the new stream has not shown its list yet"
        );
        heartbeat.listed();
        heartbeat.renewed(9, at(21));
        assert!(heartbeat.check(at(24)));
    }
}
