//! The permission to work on a cluster, and the client that enforces it.
//!
//! # Flow
//! 1. The fence of a cluster creates a tenure and hands out its [`Guard`]; each confirmed renewal moves the deadline.
//! 2. Every reconcile runs inside [`Guard::run`], and every request of the member cluster's client asks the guard first.
//! 3. When the deadline passes, work stops by itself. A later renewal lets it go on, unless the guard was revoked.
//!
//! # Guarantees
//! After the deadline or a revocation no request that writes is begun, and one in flight is given up at its next poll. So
//! is a connection that was upgraded (exec, attach, port-forward).
//!
//! # Not guaranteed
//! A write that left before the deadline can take effect later; fencing assumes that it does so within the stop margin
//! ([`Timings::stop_margin`](crate::sharding::Timings)).

mod client;
mod upgrade;
mod watchdog;
mod workers;

use std::{
    fmt,
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use thiserror::Error;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{
    clock::{Clock, Moment, SystemClock},
    cluster::ClusterName,
};

use workers::Workers;

pub(crate) use client::fenced_client;
pub(crate) use watchdog::Watchdog;

/// A number that grows with every new tenure of a cluster, whoever owns it.
///
/// It is the `resourceVersion` of the write that confirmed the tenure. A resource that remembers the largest token it
/// has seen can refuse a delayed write of an earlier owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FencingToken(pub u64);

/// Work was refused or stopped because this peer may not work on the cluster now.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("not the owner of cluster {cluster}: {reason}")]
pub struct NotOwner {
    /// The cluster.
    pub cluster: ClusterName,
    /// Why this peer is not its owner.
    pub reason: NotOwnerReason,
}

/// Why a peer may not work on a cluster.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotOwnerReason {
    /// No renewal was confirmed in time; work goes on when one is.
    #[error("its fence was not renewed in time")]
    DeadlinePassed,
    /// The tenure is over.
    #[error("its fence was given up or lost")]
    Revoked,
    /// The engagement that this handle belongs to is over.
    #[error("the engagement has ended")]
    Ended,
    /// The cluster is not engaged by this peer.
    #[error("it is not engaged here")]
    NotEngaged,
    /// The client is that of the host, which every peer may read.
    #[error("the host is read-only here: write to it in a part that works on the host")]
    ReadOnly,
}

/// The permission to work on one cluster during one engagement; cheap to clone.
#[derive(Clone)]
pub struct Guard {
    tenure: Arc<Tenure>,
    scope: Arc<Scope>,
}

/// A guard that keeps nothing alive.
struct WeakGuard {
    tenure: Weak<Tenure>,
    scope: Weak<Scope>,
}

/// What all guards of one engagement share.
#[derive(Default)]
struct Scope {
    ended: CancellationToken,
    workers: Workers,
}

/// What all engagements of one tenure share.
struct Tenure {
    cluster: ClusterName,
    clock: Arc<dyn Clock>,
    token: AtomicU64,
    /// Nanoseconds of the clock; `UNFENCED` never passes.
    deadline: AtomicU64,
    revoked: AtomicBool,
    writes: AtomicUsize,
    /// When a write was last given up without an answer, in nanoseconds; 0 is never.
    unanswered: AtomicU64,
    changed: watch::Sender<()>,
    watchdog: OnceLock<Watchdog>,
    read_only: bool,
}

const UNFENCED: u64 = u64::MAX;

/// One write in flight; dropped without [`answered`](Self::answered), it counts as given up.
struct Write {
    tenure: Arc<Tenure>,
    answered: bool,
}

// === impl Guard ===

impl Guard {
    /// A guard that permits nothing yet.
    pub(crate) fn new(cluster: ClusterName, clock: Arc<dyn Clock>) -> Self {
        Self::with_deadline(cluster, clock, 0, false)
    }

    /// A guard without a deadline, for a manager without sharding.
    #[must_use]
    pub fn unfenced(cluster: ClusterName) -> Self {
        Self::with_deadline(cluster, Arc::new(SystemClock), UNFENCED, false)
    }

    /// A guard without a deadline under which nothing may be written.
    pub(crate) fn read_only(cluster: ClusterName) -> Self {
        Self::with_deadline(cluster, Arc::new(SystemClock), UNFENCED, true)
    }

    fn with_deadline(
        cluster: ClusterName,
        clock: Arc<dyn Clock>,
        deadline: u64,
        read_only: bool,
    ) -> Self {
        Self {
            tenure: Arc::new(Tenure {
                cluster,
                clock,
                token: AtomicU64::new(0),
                deadline: AtomicU64::new(deadline),
                revoked: AtomicBool::new(false),
                writes: AtomicUsize::new(0),
                unanswered: AtomicU64::new(0),
                changed: watch::Sender::new(()),
                watchdog: OnceLock::new(),
                read_only,
            }),
            scope: Arc::default(),
        }
    }

    /// The guard of a new engagement within the same tenure.
    pub(crate) fn engagement(&self) -> Self {
        let guard = Self {
            tenure: self.tenure.clone(),
            scope: Arc::default(),
        };
        if let Some(watchdog) = self.tenure.watchdog.get() {
            watchdog.watch(&guard);
        }
        guard
    }

    /// The cluster that is guarded.
    #[must_use]
    pub fn cluster(&self) -> &ClusterName {
        &self.tenure.cluster
    }

    /// The tenure's token; `None` without sharding.
    #[must_use]
    pub fn token(&self) -> Option<FencingToken> {
        match self.tenure.token.load(Ordering::Acquire) {
            0 => None,
            token => Some(FencingToken(token)),
        }
    }

    /// Until when work is permitted as things stand; `None` without a limit.
    #[must_use]
    pub fn deadline(&self) -> Option<Moment> {
        match self.tenure.deadline.load(Ordering::Acquire) {
            UNFENCED => None,
            nanoseconds => Some(Moment(Duration::from_nanos(nanoseconds))),
        }
    }

    /// Whether this peer may work on the cluster at this moment.
    ///
    /// # Errors
    /// [`NotOwner`] says why not.
    pub fn check(&self) -> Result<(), NotOwner> {
        let reason = if self.scope.ended.is_cancelled() {
            NotOwnerReason::Ended
        } else if self.tenure.revoked.load(Ordering::Acquire) {
            NotOwnerReason::Revoked
        } else if self
            .deadline()
            .is_some_and(|deadline| self.tenure.clock.now() >= deadline)
        {
            NotOwnerReason::DeadlinePassed
        } else {
            return Ok(());
        };
        Err(self.refusal(reason))
    }

    /// Whether a request that writes may be sent at this moment.
    fn check_write(&self) -> Result<(), NotOwner> {
        if self.tenure.read_only {
            return Err(self.refusal(NotOwnerReason::ReadOnly));
        }
        self.check()
    }

    /// Runs `work` as long as the guard permits, asking before every poll; drops it when the guard does not.
    ///
    /// # Errors
    /// [`NotOwner`] when `work` was not begun or was dropped.
    pub async fn run<F: Future>(&self, work: F) -> Result<F::Output, NotOwner> {
        let mut work = std::pin::pin!(self.scope.workers.count(work));
        let mut stopped = std::pin::pin!(self.stopped());
        std::future::poll_fn(|context| {
            self.check()?;
            if let std::task::Poll::Ready(output) = work.as_mut().poll(context) {
                return std::task::Poll::Ready(Ok(output));
            }
            // Polled for its timer and its wake-up; the answer is `check`'s.
            stopped.as_mut().poll(context).map(Err)
        })
        .await
    }

    /// Completes when work is not permitted, with the reason.
    pub async fn stopped(&self) -> NotOwner {
        let mut changed = self.tenure.changed.subscribe();
        loop {
            if let Err(refusal) = self.check() {
                return refusal;
            }
            tokio::select! {
                () = self.deadline_reached() => {}
                _ = changed.changed() => {}
                () = self.scope.ended.cancelled() => {}
            }
        }
    }

    /// Completes when work is permitted.
    ///
    /// # Errors
    /// [`NotOwner`] when it never will be again, because the tenure or the engagement is over.
    pub async fn permitted(&self) -> Result<(), NotOwner> {
        let mut changed = self.tenure.changed.subscribe();
        loop {
            match self.check() {
                Err(refusal) if refusal.reason == NotOwnerReason::DeadlinePassed => {}
                other => return other,
            }
            tokio::select! {
                _ = changed.changed() => {}
                () = self.scope.ended.cancelled() => {}
            }
        }
    }

    async fn deadline_reached(&self) {
        match self.deadline() {
            None => std::future::pending().await,
            Some(deadline) => {
                tokio::time::sleep(deadline.since(self.tenure.clock.now())).await;
            }
        }
    }

    fn refusal(&self, reason: NotOwnerReason) -> NotOwner {
        NotOwner {
            cluster: self.tenure.cluster.clone(),
            reason,
        }
    }

    fn begin_write(&self) -> Write {
        self.tenure.writes.fetch_add(1, Ordering::AcqRel);
        Write {
            tenure: self.tenure.clone(),
            answered: false,
        }
    }

    // The fence's side.

    /// Permits work until `deadline`, unless revoked.
    pub(crate) fn permit(&self, deadline: Moment, token: FencingToken) {
        let nanoseconds = u64::try_from(deadline.0.as_nanos()).unwrap_or(UNFENCED - 1);
        self.tenure.token.store(token.0, Ordering::Release);
        self.tenure.deadline.store(nanoseconds, Ordering::Release);
        self.tenure.changed.send_replace(());
    }

    /// Ends the tenure's permission for good.
    pub(crate) fn revoke(&self) {
        self.tenure.revoked.store(true, Ordering::Release);
        self.tenure.changed.send_replace(());
    }

    /// Ends this engagement: every request through its client is refused from now on, reads too.
    pub(crate) fn end(&self) {
        self.scope.ended.cancel();
    }

    /// Puts this guard, and those of its engagements to come, under a watchdog.
    pub(crate) fn watched_by(&self, watchdog: &Watchdog) {
        // A tenure has one for good.
        if self.tenure.watchdog.set(watchdog.clone()).is_ok() {
            watchdog.watch(self);
        }
    }

    /// Why no work is permitted, although some is being done at this moment.
    fn works_without_permission(&self) -> Option<NotOwner> {
        let works = self.scope.workers.any();
        works.then(|| self.check().err()).flatten()
    }

    fn downgrade(&self) -> WeakGuard {
        WeakGuard {
            tenure: Arc::downgrade(&self.tenure),
            scope: Arc::downgrade(&self.scope),
        }
    }

    /// When a write was last given up without an answer; now, while one is in flight.
    pub(crate) fn last_unanswered_write(&self) -> Option<Moment> {
        if self.tenure.writes.load(Ordering::Acquire) > 0 {
            return Some(self.tenure.clock.now());
        }
        match self.tenure.unanswered.load(Ordering::Acquire) {
            0 => None,
            nanoseconds => Some(Moment(Duration::from_nanos(nanoseconds))),
        }
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard")
            .field("cluster", &self.tenure.cluster)
            .field("state", &self.check().map_err(|refusal| refusal.reason))
            .finish_non_exhaustive()
    }
}

// === impl WeakGuard ===

impl WeakGuard {
    fn upgrade(&self) -> Option<Guard> {
        Some(Guard {
            tenure: self.tenure.upgrade()?,
            scope: self.scope.upgrade()?,
        })
    }
}

// === impl Write ===

impl Write {
    fn answered(mut self) {
        self.answered = true;
    }
}

impl Drop for Write {
    fn drop(&mut self) {
        if !self.answered {
            let now = u64::try_from(self.tenure.clock.now().0.as_nanos()).unwrap_or(UNFENCED);
            self.tenure.unanswered.fetch_max(now, Ordering::AcqRel);
        }
        self.tenure.writes.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests;
