//! What is known of a cluster's health; pure.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::Instant;

use super::{ClusterHealth, HealthState};

/// So many failures in a row over so long a time make a cluster suspect: a restart of its API server does not.
const FAILURES: u32 = 5;
const DOUBT: Duration = Duration::from_secs(15);

/// How many failures in a row are worth mentioning.
const MENTIONED: u32 = 3;

/// How long a cluster is asked often after it has failed first.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is known of one cluster.
#[derive(Debug)]
pub(super) struct Tracker {
    connection: Connection,
    failing: Option<Failing>,
    doubt: Doubt,
    problems: BTreeMap<String, String>,
    state: HealthState,
    since: Instant,
}

/// Whether a cluster answers at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Doubt {
    /// It does, as far as is known.
    #[default]
    None,
    /// Requests fail; a probe will tell whether it is the cluster.
    Suspect,
    /// A probe has failed too.
    Unreachable,
}

#[derive(Debug)]
enum Connection {
    Sought,
    Failed(String),
    Made,
}

/// Requests that fail, without a success in between.
#[derive(Debug)]
struct Failing {
    first: Instant,
    count: u32,
    reason: String,
}

// === impl Tracker ===

impl Tracker {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            connection: Connection::Sought,
            failing: None,
            doubt: Doubt::None,
            problems: BTreeMap::new(),
            state: HealthState::Connecting,
            since: now,
        }
    }

    pub(super) fn connecting(&mut self, now: Instant) {
        // That it could not be connected to is true until it is.
        if matches!(self.connection, Connection::Made) {
            self.connection = Connection::Sought;
        }
        self.failing = None;
        self.doubt = Doubt::None;
        self.problems.clear();
        self.settle(now);
    }

    pub(super) fn not_connected(&mut self, reason: String, now: Instant) {
        self.connection = Connection::Failed(reason);
        self.settle(now);
    }

    pub(super) fn connected(&mut self, now: Instant) {
        self.connection = Connection::Made;
        self.settle(now);
    }

    /// Whether an answer is news.
    pub(super) fn answered_needed(&self) -> bool {
        self.failing.is_some()
    }

    pub(super) fn answered(&mut self, now: Instant) {
        self.failing = None;
        self.doubt = Doubt::None;
        self.settle(now);
    }

    pub(super) fn failed(&mut self, reason: String, now: Instant) {
        let failing = self.failing.get_or_insert_with(|| Failing {
            first: now,
            count: 0,
            reason: String::new(),
        });
        failing.count = failing.count.saturating_add(1);
        failing.reason = reason;
        let long = failing.count >= FAILURES && now.duration_since(failing.first) >= DOUBT;
        if long && self.doubt == Doubt::None {
            self.doubt = Doubt::Suspect;
        }
        self.settle(now);
    }

    /// A request waits for long, and nothing else was answered meanwhile.
    pub(super) fn silent(&mut self, now: Instant) {
        self.failing.get_or_insert_with(|| Failing {
            first: now,
            count: 0,
            reason: String::new(),
        });
        if self.doubt == Doubt::None {
            self.doubt = Doubt::Suspect;
        }
        self.settle(now);
    }

    /// A probe had no answer, or one that says that the server does not work.
    pub(super) fn probe_failed(&mut self, reason: String, now: Instant) {
        // Something else may have been answered while the probe was on its way.
        if self.doubt != Doubt::None {
            self.doubt = Doubt::Unreachable;
        }
        self.failed(reason, now);
    }

    pub(super) fn problem(&mut self, what: String, reason: String, now: Instant) {
        self.problems.insert(what, reason);
        self.settle(now);
    }

    pub(super) fn has_problem(&self, what: &str) -> bool {
        self.problems.contains_key(what)
    }

    pub(super) fn solved(&mut self, what: &str, now: Instant) {
        self.problems.remove(what);
        self.settle(now);
    }

    pub(super) fn doubt(&self) -> Doubt {
        self.doubt
    }

    /// How long to wait before the next probe; `random` is from 0 to 1.
    pub(super) fn probe_after(&self, now: Instant, random: f64) -> Duration {
        if self.doubt == Doubt::Suspect {
            // Clusters behind one server become suspect together.
            return Duration::from_millis(500).mul_f64(random);
        }
        let first = self.failing.as_ref().map_or(now, |failing| failing.first);
        if now.duration_since(first) < PATIENCE {
            Duration::from_secs(3).mul_f64(1.0 + random / 2.0)
        } else {
            Duration::from_secs(12).mul_f64(1.0 + random * 2.0 / 3.0)
        }
    }

    /// How long the answer to a probe is waited for: the first ones are sent to find a server that has just come back.
    pub(super) fn probe_limit(&self, now: Instant) -> Duration {
        let first = self.failing.as_ref().map_or(now, |failing| failing.first);
        Duration::from_secs(match now.duration_since(first) < PATIENCE {
            true => 3,
            false => 10,
        })
    }

    pub(super) fn health(&self) -> ClusterHealth {
        ClusterHealth {
            state: self.state,
            reason: self.reason(),
            since: self.since,
        }
    }

    fn reason(&self) -> Option<String> {
        if let Connection::Failed(reason) = &self.connection {
            return Some(reason.clone());
        }
        let failing = self.failing.as_ref();
        let failing = failing
            .filter(|failing| failing.count >= MENTIONED || self.doubt == Doubt::Unreachable);
        if let Some(failing) = failing {
            return Some(failing.reason.clone());
        }
        let problems: Vec<_> = self.problems.values().map(String::as_str).collect();
        (!problems.is_empty()).then(|| problems.join("; "))
    }

    fn settle(&mut self, now: Instant) {
        let state = match self.connection {
            Connection::Failed(_) => HealthState::Unreachable,
            Connection::Sought => HealthState::Connecting,
            Connection::Made if self.doubt == Doubt::Unreachable => HealthState::Unreachable,
            Connection::Made if self.reason().is_some() => HealthState::Degraded,
            Connection::Made => HealthState::Healthy,
        };
        if state != self.state {
            self.state = state;
            self.since = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use HealthState::{Connecting, Degraded, Healthy, Unreachable};

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_short_outage_is_not_the_end_and_a_long_one_is() {
        let start = Instant::now();
        let mut tracker = Tracker::new(start);
        assert_eq!(tracker.health().state, Connecting);
        tracker.connected(start);
        for second in 0..15 {
            tracker.failed("refused".into(), start + seconds(second));
            let expected = if second < 2 { Healthy } else { Degraded };
            assert_eq!(tracker.health().state, expected, "{second} s");
        }
        tracker.failed("refused".into(), start + seconds(15));
        assert_eq!(tracker.doubt(), Doubt::Suspect);
        assert_eq!(tracker.probe_after(start + seconds(15), 0.0), seconds(0));
        tracker.probe_failed("refused".into(), start + seconds(15));
        assert_eq!(tracker.doubt(), Doubt::Unreachable);
        let health = tracker.health();
        assert_eq!(
            (health.state, health.since),
            (Unreachable, start + seconds(15))
        );
        assert_eq!(health.reason.as_deref(), Some("refused"));
        tracker.answered(start + seconds(40));
        assert_eq!(tracker.health().state, Healthy);
        assert_eq!(tracker.health().since, start + seconds(40));
    }

    #[test]
    fn few_failures_are_not_enough_and_many_are_none_when_a_probe_is_answered() {
        let start = Instant::now();
        let mut tracker = Tracker::new(start);
        tracker.connected(start);
        for attempt in 0..4 {
            tracker.failed("no answer".into(), start + seconds(60 * attempt));
        }
        assert_eq!(tracker.doubt(), Doubt::None);
        tracker.failed("no answer".into(), start + seconds(300));
        assert_eq!(tracker.doubt(), Doubt::Suspect);
        // A webhook that fails, for one, is not the cluster.
        tracker.answered(start + seconds(300));
        assert_eq!(tracker.health().state, Healthy);
    }

    #[test]
    fn silence_is_asked_about_at_once() {
        let start = Instant::now();
        let mut tracker = Tracker::new(start);
        tracker.connected(start);
        tracker.silent(start);
        assert_eq!(
            (tracker.doubt(), tracker.health().state),
            (Doubt::Suspect, Healthy)
        );
        assert!(tracker.answered_needed());
        tracker.answered(start + seconds(1));
        assert_eq!(tracker.doubt(), Doubt::None);
        tracker.silent(start + seconds(10));
        tracker.probe_failed("no answer within 3s".into(), start + seconds(13));
        assert_eq!(tracker.health().state, Unreachable);
        assert_eq!(
            tracker.health().reason.as_deref(),
            Some("no answer within 3s")
        );
    }

    #[test]
    fn a_probe_that_fails_says_nothing_when_something_else_was_answered_meanwhile() {
        let start = Instant::now();
        let mut tracker = Tracker::new(start);
        tracker.connected(start);
        tracker.silent(start);
        tracker.answered(start + seconds(1));
        tracker.probe_failed("no answer within 3s".into(), start + seconds(3));
        assert_eq!(tracker.doubt(), Doubt::None);
        assert_eq!(tracker.health().state, Healthy);
    }

    #[test]
    fn probes_become_rare() {
        let start = Instant::now();
        let mut tracker = Tracker::new(start);
        tracker.failed("refused".into(), start);
        for random in [0.0, 1.0] {
            assert!(tracker.probe_after(start + seconds(59), random) < seconds(5));
            let late = tracker.probe_after(start + seconds(60), random);
            assert!((seconds(12)..=seconds(20)).contains(&late));
        }
    }

    #[test]
    fn a_kind_that_cannot_be_watched_is_a_problem_until_it_can() {
        let start = Instant::now();
        let mut tracker = Tracker::new(start);
        tracker.connected(start);
        tracker.problem("pods".into(), "watch pods: forbidden".into(), start);
        tracker.answered(start);
        assert_eq!(tracker.health().state, Degraded);
        assert_eq!(
            tracker.health().reason.as_deref(),
            Some("watch pods: forbidden")
        );
        tracker.solved("pods", start);
        assert_eq!(tracker.health().state, Healthy);
        tracker.not_connected("no such Secret".into(), start);
        assert_eq!(tracker.health().state, Unreachable);
        tracker.connecting(start);
        assert_eq!(tracker.health().state, Unreachable, "until it is connected");
        tracker.connected(start);
        assert_eq!(tracker.health().state, Healthy);
    }
}
