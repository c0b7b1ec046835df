//! One process's part in the life of one Lease: take it, renew it, lose it, give it up.
//!
//! Peer Leases and the fences of clusters live by the same rules; [`fence`](super::fence) and
//! [`membership`](super::membership) say what they want as a [`Goal`], and this state machine says what to ask of the
//! API server. It has one request in flight at most, and every write is a compare-and-swap on a version that it has
//! observed, so the versions of a Lease form a chain.
//!
//! # Flow
//! 1. Everything that is learned comes in through [`Claim::observe`], [`deleted`](Claim::deleted),
//!    [`unlisted`](Claim::unlisted) and [`answer`](Claim::answer).
//! 2. [`Claim::advance`] says what follows for a goal: a request to send, or when to ask again.
//!
//! # Guarantees
//! - A tenure begins and is prolonged only by the answer to a write of this process, counted from before it was sent.
//! - A Lease that somebody else holds is replaced only when it stood still for its whole duration on this process's
//!   clock, and only on the version that stood still.
//!
//! The numbers of rules (P1 to P13) in comments are those of the protocol's description in `src/docs/sharding.md`.

mod answer;
mod backoff;
mod decide;

use std::{sync::Arc, time::Duration};

use super::{
    mutant::{Mutant, Mutants},
    record::{Answer, Marks, Pod, Record, Request},
    timings::Timings,
};
use crate::clock::Moment;
use backoff::Backoff;

/// Who this process is.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    /// The `holderIdentity` that it writes.
    pub(crate) peer: Arc<str>,
    /// A nonce of this process: a namesake is somebody else.
    pub(crate) incarnation: Arc<str>,
    pub(crate) place: Option<Place>,
}

/// Where this process runs.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) pod: Pod,
    /// Since when it is proved that no other process of this peer runs there.
    pub(crate) alone_since: Option<Moment>,
}

/// What a decision may depend on besides the Lease itself.
#[derive(Clone, Debug)]
pub(crate) struct Env<'a> {
    pub(crate) now: Moment,
    /// Microseconds since 1970, for people.
    pub(crate) wall: i64,
    /// Observation windows begin no earlier: the end of the last contact gap.
    pub(crate) grace: Moment,
    /// When this process last could not see for a while what others did.
    pub(crate) blind: Moment,
    /// When the API server last answered for the own peer Lease.
    pub(crate) contact: Option<Moment>,
    /// The own peer Lease's last request had no answer: nothing else is tried.
    pub(crate) blocked: bool,
    pub(crate) mutants: Mutants,
    pub(crate) identity: &'a Identity,
    pub(crate) timings: &'a Timings,
}

/// What the owner of a claim wants.
#[derive(Clone, Debug)]
pub(crate) enum Goal {
    /// Not to hold it; a Lease that turns out to be held by this process is cleared.
    Nothing,
    /// To hold it: `rank` others have the first right to it. `session` is what became of the one that holds it, and since
    /// when that is known.
    Hold {
        rank: u32,
        marks: Marks,
        session: Option<(Fate, Moment)>,
    },
    /// To stay the holder while it is one, and not to become it otherwise.
    Keep { marks: Marks },
    /// To give it up, no earlier than this.
    Release { not_before: Moment, marks: Marks },
    /// To have the Lease deleted, once nobody holds it for this long.
    Delete { after: Duration },
    /// To have it cleared of a holder that is dead, this long after others could.
    Clear { after: Duration },
}

/// What peer Leases show of the session that a Lease is held through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It may go on.
    Alive,
    /// A later version of its peer Lease does not name it.
    Over,
    /// Its peer Lease is not there.
    Gone,
}

/// What a claim needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Send(Request),
    /// Ask again at this time.
    At(Moment),
    /// Nothing before the next event.
    Idle,
}

/// What has changed about the tenure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Acquired,
    Renewed,
    /// Somebody else has it, or nobody knows.
    Lost,
    Released,
}

/// The time in which this process holds a Lease.
#[derive(Clone, Debug)]
pub(crate) struct Tenure {
    /// Until when the newest confirmed renewal allows work.
    pub(crate) deadline: Moment,
    /// The version that began it.
    pub(crate) token: u64,
    /// Before this, a holder of whom nothing was seen may still be at work.
    pub(crate) work_from: Moment,
    /// Taken over from an earlier process in the same pod.
    pub(crate) inherited: bool,
    uid: Arc<str>,
    transitions: i32,
    renew_at: Moment,
}

/// What is known of the Lease.
#[derive(Clone, Debug)]
enum Observed {
    Unknown,
    /// It was made by somebody after this version, and no version of it was seen.
    Unseen {
        version: u64,
    },
    Present {
        record: Arc<Record>,
        seen: Moment,
    },
    Absent {
        /// No event up to this version is news.
        version: u64,
        since: Moment,
        /// Nothing can have come and gone unseen since this time.
        sure_since: Moment,
        /// How long its last holder may go on.
        wait: Duration,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum InFlight {
    Get,
    Acquire {
        replaces: u64,
        late_post: bool,
        inherits: bool,
    },
    Renew {
        replaces: u64,
    },
    Clear,
    Delete,
    /// A POST that is meant to fail: its answer is a sign of life of the API server.
    Probe,
}

/// The claim of this process to one Lease.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone))]
pub(crate) struct Claim {
    /// On a fence, the cluster's name, and whether it stands in the Lease's name as it is.
    cluster: Option<(Arc<str>, bool)>,
    observed: Observed,
    tenure: Option<Tenure>,
    in_flight: Option<InFlight>,
    /// A read is due before the next write: the outcome of the last one is not known.
    unsure: bool,
    /// The version that a read has just confirmed to be the newest.
    confirmed: Option<u64>,
    /// The last request had no answer, and no write had one since.
    unanswered: bool,
    /// The last acquisition was one of an own POST that had no answer; it may have had no answer either.
    late_post: bool,
    /// A renewal is due as soon as the request in flight was answered.
    again: bool,
    conflicts: u32,
    backoff: Backoff,
    hold_off: Moment,
    probe_at: Moment,
    problem: Option<String>,
}

// === impl Claim ===

impl Claim {
    /// A claim to the fence of `cluster`.
    pub(crate) fn fence(cluster: &str, plain_name: bool, seed: u64) -> Self {
        Self::new(Some((cluster.into(), plain_name)), seed)
    }

    /// A claim to the own peer Lease.
    pub(crate) fn peer(seed: u64) -> Self {
        Self::new(None, seed)
    }

    fn new(cluster: Option<(Arc<str>, bool)>, seed: u64) -> Self {
        Self {
            cluster,
            observed: Observed::Unknown,
            tenure: None,
            in_flight: None,
            unsure: false,
            confirmed: None,
            unanswered: false,
            late_post: false,
            again: false,
            conflicts: 0,
            backoff: Backoff::new(seed),
            hold_off: Moment::default(),
            probe_at: Moment::default(),
            problem: None,
        }
    }

    /// The tenure, while this process is the holder.
    pub(crate) fn tenure(&self) -> Option<&Tenure> {
        self.tenure.as_ref()
    }

    /// The newest version, when the Lease is known to exist.
    pub(crate) fn record(&self) -> Option<&Arc<Record>> {
        match &self.observed {
            Observed::Present { record, .. } => Some(record),
            _ => None,
        }
    }

    /// Whether there is nothing left to claim: the Lease is gone and nobody works under it, or it is not ours at all.
    pub(crate) fn is_over(&self, now: Moment) -> bool {
        let over = match &self.observed {
            Observed::Unknown | Observed::Unseen { .. } => false,
            Observed::Present { record, .. } => self.is_foreign(record),
            Observed::Absent { since, wait, .. } => now >= *since + *wait,
        };
        over && self.in_flight.is_none()
    }

    /// Whether a write is on its way, or may have happened and was not looked at yet.
    pub(crate) fn is_writing(&self) -> bool {
        (self.unsure && self.tenure.is_none()) || self.has_sent_write()
    }

    /// Whether a request is in flight.
    pub(crate) fn is_asking(&self) -> bool {
        self.in_flight.is_some()
    }

    /// Whether the request in flight is a write.
    pub(crate) fn has_sent_write(&self) -> bool {
        self.in_flight
            .is_some_and(|request| request != InFlight::Get)
    }

    /// Whether the last request had no answer.
    pub(crate) fn is_unanswered(&self) -> bool {
        self.unanswered
    }

    /// What went wrong last, once for each new wording.
    pub(crate) fn take_problem(&mut self) -> Option<String> {
        self.problem.take()
    }

    /// Does not try to become the holder before `time`.
    pub(crate) fn hold_off(&mut self, time: Moment) {
        self.hold_off = self.hold_off.max(time);
    }

    /// Renews at the next chance.
    pub(crate) fn renew_now(&mut self) {
        // What is under way does not say yet what has changed.
        self.again = self.in_flight.is_some();
        if let Some(tenure) = &mut self.tenure {
            tenure.renew_at = Moment::default();
        }
    }

    /// Forgets the back-off: the API server answers again.
    pub(crate) fn wake(&mut self) {
        self.backoff.reset();
    }

    /// Says what to do for `goal`; a request that is returned counts as in flight until its [`answer`](Self::answer).
    pub(crate) fn advance(&mut self, goal: &Goal, env: &Env<'_>) -> Step {
        let step = self.decide(goal, env);
        // A read confirms a version for the decision that follows it and for no later one.
        self.confirmed = None;
        let Step::Send(request) = &step else {
            return step;
        };
        self.in_flight = Some(match (request, goal) {
            (Request::Get, _) => InFlight::Get,
            (Request::Delete { .. }, _) => InFlight::Delete,
            (Request::Create(_), _) if self.record().is_some() => InFlight::Probe,
            (Request::Create(_), _) => InFlight::Acquire {
                replaces: 0,
                late_post: false,
                inherits: false,
            },
            (Request::Replace { content, .. }, _) if content.holder.is_empty() => InFlight::Clear,
            (Request::Replace { version, .. }, _) if self.tenure.is_some() => {
                InFlight::Renew { replaces: *version }
            }
            (Request::Replace { version, .. }, _) => InFlight::Acquire {
                replaces: *version,
                late_post: self.record().is_some_and(|record| {
                    (record.transitions == 0 || self.late_post) && self.is_leftover(record, env)
                }),
                inherits: self
                    .record()
                    .is_some_and(|record| predecessor_dead_at(record, env).is_some()),
            },
        });
        if let Some(InFlight::Acquire { late_post, .. }) = self.in_flight {
            self.late_post = late_post;
            let pause = env.timings.between_attempts();
            if self.cluster.is_some() && !pause.is_zero() {
                self.hold_off(env.now + pause);
            }
        }
        step
    }

    /// A version that this process wrote, of a tenure that it does not have: an acquisition whose answer got lost.
    fn is_leftover(&self, record: &Record, env: &Env<'_>) -> bool {
        self.tenure.is_none()
            && record.holder.as_deref() == Some(&env.identity.peer)
            && is_ours(record, env)
    }

    /// P10: a Lease that belongs to something else, which is left alone.
    fn is_foreign(&self, record: &Record) -> bool {
        self.foreign(record).is_some()
    }

    fn foreign(&self, record: &Record) -> Option<String> {
        let (cluster, plain) = self.cluster.as_ref()?;
        let marked = record.marks.session.is_some() && record.incarnation().is_some();
        if marked && record.session().is_none() {
            return Some("is held through a session whose mark cannot be read".into());
        }
        match &record.marks.cluster {
            Some(other) if other != cluster => {
                let other: String = other.chars().take(64).collect();
                Some(format!(
                    "belongs to the cluster {other:?}: two cluster names share one Lease name; rename one of them"
                ))
            }
            None if !plain => Some(
                "does not name its cluster: it is not ours; delete it if nothing else uses it"
                    .into(),
            ),
            _ => None,
        }
    }
}

/// P12: from when on the holder is known to be dead, because it ran where this process is alone.
fn predecessor_dead_at(record: &Record, env: &Env<'_>) -> Option<Moment> {
    let place = env.identity.place.as_ref()?;
    let proved = match place.alone_since {
        None if env.mutants.has(Mutant::AloneWithoutProof) => Moment::default(),
        since => since?,
    };
    let pod = record.marks.pod.as_ref()?;
    let here = pod.uid == place.pod.uid
        && (pod.network == place.pod.network || env.mutants.has(Mutant::AnyNetwork));
    let earlier = record.holder.as_deref() == Some(&env.identity.peer)
        && record
            .incarnation()
            .is_some_and(|incarnation| *incarnation != *env.identity.incarnation);
    let last_words = match env.mutants.has(Mutant::RestartAtOnce) {
        true => Duration::ZERO,
        // What it sent may still take effect.
        false => env.timings.margin(),
    };
    (here && earlier).then(|| proved + last_words)
}

/// Whether this very process wrote the version.
fn is_ours(record: &Record, env: &Env<'_>) -> bool {
    record.incarnation() == Some(&env.identity.incarnation)
        || env.mutants.has(Mutant::IncarnationIgnored)
}

#[cfg(test)]
mod tests;
