//! How a member cluster is doing, as far as this peer can tell.
//!
//! # Flow
//! 1. Every answer to a request through the engagement's client, and every request without one, is noted.
//! 2. When all requests have failed for a while (five in a row over 15 s), or one waits for 5 s while nothing else is
//!    answered, a probe asks whether it is the cluster. If that fails too, the cluster is unreachable: its requests are
//!    refused here, those that wait are given up, its queues pause, and the probe alone asks again, every 5 s for the
//!    first minute, after that every 12 to 20 s.
//! 3. The first answer ends that.
//!
//! # Guarantees
//! A cluster that is down gets less than one request in 10 s from a peer after a minute, however many controllers and
//! kinds there are. One that stops to answer keeps a worker that waits for it about 8 s, and no longer than 14 s.
//!
//! # Not guaranteed
//! An answer is any status below 500: a cluster that refuses everything (401, 403) is reachable, and its watches are
//! reported as [`HealthState::Degraded`].

mod tracker;

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use thiserror::Error;
use tokio::{sync::watch, time::Instant};

use tracker::{Doubt, Tracker};

/// How a cluster is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HealthState {
    /// No connection has been made yet.
    Connecting,
    /// It answers.
    Healthy,
    /// It answers, but something does not work: a kind that cannot be watched, requests that fail.
    Degraded,
    /// It cannot be connected to, or answers nothing.
    Unreachable,
}

/// How a cluster is doing, why, and since when.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClusterHealth {
    /// The state.
    pub state: HealthState,
    /// What is wrong, for people; `None` when nothing is known to be.
    pub reason: Option<String>,
    /// Since when the state is this one.
    pub since: Instant,
}

/// A request was not sent, because its cluster does not answer at all.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("the cluster is unreachable: {reason}")]
pub struct Unreachable {
    /// What became of the last request.
    pub reason: String,
}

/// The health of one cluster; cheap to clone, and all clones are one.
#[derive(Clone)]
pub(crate) struct Health(Arc<Inner>);

struct Inner {
    tracker: Mutex<Tracker>,
    /// How many requests were answered.
    answers: AtomicU64,
    doubt: watch::Sender<Doubt>,
    unauthorized: watch::Sender<bool>,
}

// === impl Health ===

impl Health {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Inner {
            tracker: Mutex::new(Tracker::new(Instant::now())),
            answers: AtomicU64::new(0),
            doubt: watch::Sender::new(Doubt::None),
            unauthorized: watch::Sender::new(false),
        }))
    }

    /// The health at this moment.
    pub(crate) fn get(&self) -> ClusterHealth {
        self.tracker().health()
    }

    /// A connection is being made.
    pub(crate) fn connecting(&self) {
        self.0.unauthorized.send_replace(false);
        self.change(Tracker::connecting);
    }

    /// The connection could not be made.
    pub(crate) fn not_connected(&self, reason: String) {
        self.change(|tracker, now| tracker.not_connected(reason, now));
    }

    /// The connection is made; whether it works is not known yet.
    pub(crate) fn connected(&self) {
        self.change(Tracker::connected);
    }

    /// A request was answered.
    pub(crate) fn answered(&self, status: http::StatusCode) {
        self.0.answers.fetch_add(1, Relaxed);
        if status.is_server_error() {
            self.failed(format!("it answers {status}"));
            return;
        }
        if status == http::StatusCode::UNAUTHORIZED {
            self.0.unauthorized.send_replace(true);
        }
        // The common case changes nothing.
        let doubted = self.tracker().answered_needed();
        if doubted {
            self.change(Tracker::answered);
        }
    }

    /// A request got no answer, or one that says that the server does not work.
    pub(crate) fn failed(&self, reason: String) {
        self.change(|tracker, now| tracker.failed(reason, now));
    }

    /// Whether anything was answered since this number was another one.
    pub(crate) fn answers(&self) -> u64 {
        self.0.answers.load(Relaxed)
    }

    /// A request waits for long, and nothing else was answered meanwhile.
    pub(crate) fn silent(&self) {
        self.change(Tracker::silent);
    }

    /// Something of the cluster does not work; `what` is the same until it is [`solved`](Self::solved).
    pub(crate) fn problem(&self, what: String, reason: String) {
        self.change(|tracker, now| tracker.problem(what, reason, now));
    }

    pub(crate) fn solved(&self, what: &str) {
        let known = self.tracker().has_problem(what);
        if known {
            self.change(|tracker, now| tracker.solved(what, now));
        }
    }

    /// Whether a request may be sent.
    ///
    /// # Errors
    /// [`Unreachable`] while nothing but a probe should be.
    pub(crate) fn check(&self) -> Result<(), Unreachable> {
        if *self.0.doubt.borrow() != Doubt::Unreachable {
            return Ok(());
        }
        Err(self.refusal())
    }

    /// Completes when a request that waits should be given up, since the cluster counts as unreachable.
    pub(crate) async fn given_up(&self) -> Unreachable {
        self.unreachable().await;
        self.refusal()
    }

    fn refusal(&self) -> Unreachable {
        let reason = self.get().reason.unwrap_or_default();
        Unreachable { reason }
    }

    /// Completes when the cluster does not count as unreachable.
    pub(crate) async fn reachable(&self) {
        self.until(|doubt| doubt != Doubt::Unreachable).await;
    }

    /// Completes when the cluster counts as unreachable.
    pub(crate) async fn unreachable(&self) {
        self.until(|doubt| doubt == Doubt::Unreachable).await;
    }

    /// Completes when the cluster should be probed.
    pub(crate) async fn doubtful(&self) {
        self.until(|doubt| doubt != Doubt::None).await;
    }

    /// A probe had no answer, or one that says that the server does not work.
    pub(crate) fn probe_failed(&self, reason: String) {
        self.change(|tracker, now| tracker.probe_failed(reason, now));
    }

    /// The credentials are good: it was something else that was refused.
    pub(crate) fn authorized(&self) {
        self.0.unauthorized.send_replace(false);
    }

    /// Completes when a request was refused for its credentials (401).
    pub(crate) async fn unauthorized(&self) {
        let mut refused = self.0.unauthorized.subscribe();
        // The sender lives as long as `self`.
        let _ = refused.wait_for(|refused| *refused).await;
    }

    /// How long to wait before the next probe.
    pub(crate) fn probe_after(&self) -> Duration {
        self.tracker().probe_after(Instant::now(), fastrand::f64())
    }

    /// How long to wait for the answer to a probe.
    pub(crate) fn probe_limit(&self) -> Duration {
        self.tracker().probe_limit(Instant::now())
    }

    async fn until(&self, wanted: impl Fn(Doubt) -> bool) {
        let mut doubts = self.0.doubt.subscribe();
        // The sender lives as long as `self`.
        let _ = doubts.wait_for(|doubt| wanted(*doubt)).await;
    }

    fn change(&self, act: impl FnOnce(&mut Tracker, Instant)) {
        let mut tracker = self.tracker();
        act(&mut tracker, Instant::now());
        let doubt = tracker.doubt();
        // Under the lock, so that the order is that of the changes.
        self.0.doubt.send_if_modified(|known| {
            let changed = *known != doubt;
            *known = doubt;
            changed
        });
    }

    fn tracker(&self) -> MutexGuard<'_, Tracker> {
        self.0
            .tracker
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Health").field(&self.get()).finish()
    }
}
