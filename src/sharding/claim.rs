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

use std::time::Duration;

use super::{
    mutant::{Mutant, Mutants},
    record::{Answer, Content, Marks, Record, Request},
    timings::{RANK_STEP, Timings},
};
use crate::clock::Moment;
use backoff::Backoff;

/// Who this process is.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    /// The `holderIdentity` that it writes.
    pub(crate) peer: String,
    /// A nonce of this process: a namesake is somebody else.
    pub(crate) incarnation: String,
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
    /// To hold it: `rank` others have the first right to it.
    Hold { rank: u32, marks: Marks },
    /// To stay the holder while it is one, and not to become it otherwise.
    Keep { marks: Marks },
    /// To give it up, no earlier than this.
    Release { not_before: Moment, marks: Marks },
    /// To have the Lease deleted, once nobody holds it for this long.
    Delete { after: Duration },
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
    uid: String,
    transitions: i32,
    version: u64,
    renew_at: Moment,
}

/// What is known of the Lease.
#[derive(Clone, Debug)]
enum Observed {
    Unknown,
    Present {
        record: Box<Record>,
        seen: Moment,
    },
    Absent {
        /// No event up to this version is news.
        version: u64,
        since: Moment,
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
    },
    Renew {
        replaces: u64,
    },
    Clear,
    Delete,
    /// A POST that is meant to fail: its answer is a sign of life of the API server.
    Probe,
}

/// Whether another holder's Lease may be replaced.
enum Expiry {
    Pending(Step),
    /// It stood still, but may be newer than what was seen: read it.
    Unconfirmed,
    Confirmed,
}

/// The claim of this process to one Lease.
#[derive(Debug)]
pub(crate) struct Claim {
    /// On a fence, the cluster's name, and whether it stands in the Lease's name as it is.
    cluster: Option<(String, bool)>,
    observed: Observed,
    tenure: Option<Tenure>,
    in_flight: Option<InFlight>,
    /// A read is due before the next write: the outcome of the last one is not known.
    unsure: bool,
    /// The version that a read has just confirmed to be the newest.
    confirmed: Option<u64>,
    /// The last request had no answer, and no write had one since.
    unanswered: bool,
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
        Self::new(Some((cluster.to_owned(), plain_name)), seed)
    }

    /// A claim to the own peer Lease.
    pub(crate) fn peer(seed: u64) -> Self {
        Self::new(None, seed)
    }

    fn new(cluster: Option<(String, bool)>, seed: u64) -> Self {
        Self {
            cluster,
            observed: Observed::Unknown,
            tenure: None,
            in_flight: None,
            unsure: false,
            confirmed: None,
            unanswered: false,
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
    pub(crate) fn record(&self) -> Option<&Record> {
        match &self.observed {
            Observed::Present { record, .. } => Some(record),
            _ => None,
        }
    }

    /// Whether there is nothing left to claim: the Lease is gone and nobody works under it, or it is not ours at all.
    pub(crate) fn is_over(&self, now: Moment) -> bool {
        let over = match &self.observed {
            Observed::Unknown => false,
            Observed::Present { record, .. } => self.is_foreign(record),
            Observed::Absent { since, wait, .. } => now >= *since + *wait,
        };
        over && self.in_flight.is_none()
    }

    /// Whether a request is on its way.
    pub(crate) fn is_busy(&self) -> bool {
        self.in_flight.is_some()
    }

    /// Whether a write is on its way, or may have happened and was not looked at yet.
    pub(crate) fn is_writing(&self) -> bool {
        (self.unsure && self.tenure.is_none()) || self.has_sent_write()
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
            },
            (Request::Replace { content, .. }, _) if content.holder.is_empty() => InFlight::Clear,
            (Request::Replace { version, .. }, _) if self.tenure.is_some() => {
                InFlight::Renew { replaces: *version }
            }
            (Request::Replace { version, .. }, _) => InFlight::Acquire {
                replaces: *version,
                late_post: self
                    .record()
                    .is_some_and(|record| record.transitions == 0 && self.is_leftover(record, env)),
            },
        });
        step
    }

    fn decide(&self, goal: &Goal, env: &Env<'_>) -> Step {
        if self.in_flight.is_some() || env.blocked {
            return Step::Idle;
        }
        if let Some(until) = self.backoff.until(env.now) {
            return Step::At(until);
        }
        if self.unsure {
            return Step::Send(Request::Get);
        }
        match (&self.tenure, goal) {
            (Some(tenure), Goal::Hold { marks, .. } | Goal::Keep { marks }) => {
                self.when(tenure.renew_at, env, || {
                    self.write(tenure.transitions, marks, env)
                })
            }
            (Some(_), Goal::Release { not_before, marks }) => {
                self.when(*not_before, env, || self.clear(marks, env))
            }
            (Some(_), Goal::Nothing | Goal::Delete { .. }) => self.clear(&Marks::default(), env),
            (None, Goal::Hold { rank, marks }) => self.acquire(*rank, marks, env),
            (None, Goal::Delete { after }) => self.delete(*after, env),
            (None, Goal::Nothing | Goal::Release { .. }) => {
                if self
                    .record()
                    .is_some_and(|record| self.is_leftover(record, env))
                {
                    self.clear(&Marks::default(), env)
                } else {
                    Step::Idle
                }
            }
            (None, Goal::Keep { .. }) => Step::Idle,
        }
    }

    /// P3, P4: how to become the holder.
    fn acquire(&self, rank: u32, marks: &Marks, env: &Env<'_>) -> Step {
        let turn = RANK_STEP * rank;
        match &self.observed {
            Observed::Unknown => Step::Idle,
            Observed::Absent { since, wait, .. } => {
                let free_at = if !wait.is_zero() {
                    (*since).max(env.grace) + *wait
                } else if *since < env.blind {
                    // Somebody may have made it, and somebody else deleted it, while nothing was seen.
                    env.blind + env.timings.lease()
                } else {
                    *since
                };
                let at = (free_at + turn).max(self.hold_off);
                self.when(at, env, || {
                    Step::Send(Request::Create(content(0, marks, env)))
                })
            }
            Observed::Present { record, .. } if self.is_foreign(record) => Step::Idle,
            Observed::Present { record, seen } => {
                let next = record.transitions.saturating_add(1).max(0);
                if self.is_leftover(record, env) {
                    self.when(self.hold_off, env, || self.write(next, marks, env))
                } else if record.holder.is_none() {
                    let at = (*seen + turn).max(self.hold_off);
                    self.when(at, env, || self.write(next, marks, env))
                } else {
                    match self.expiry(record, *seen, turn, env) {
                        Expiry::Confirmed => {
                            self.when(self.hold_off, env, || self.write(next, marks, env))
                        }
                        Expiry::Unconfirmed => Step::Send(Request::Get),
                        Expiry::Pending(step) => self.or_probe(step, marks, env),
                    }
                }
            }
        }
    }

    /// P11: how to have the Lease of a removed cluster deleted.
    fn delete(&self, after: Duration, env: &Env<'_>) -> Step {
        let (record, seen) = match &self.observed {
            Observed::Present { record, seen } => (record, seen),
            // Its last holder may still be at work; after that nothing is left to remember.
            Observed::Absent { since, wait, .. } if env.now < *since + *wait => {
                return Step::At(*since + *wait);
            }
            _ => return Step::Idle,
        };
        if self.is_foreign(record) {
            return Step::Idle;
        }
        let delete = || {
            let uid = match env.mutants.has(Mutant::DeleteWithoutPreconditions) {
                true => String::new(),
                false => record.uid.clone(),
            };
            Step::Send(Request::Delete {
                uid,
                version: record.version,
            })
        };
        if self.is_leftover(record, env) {
            delete()
        } else if record.holder.is_none() {
            self.when(*seen + after, env, delete)
        } else {
            match self.expiry(record, *seen, after, env) {
                Expiry::Confirmed => delete(),
                Expiry::Unconfirmed => Step::Send(Request::Get),
                Expiry::Pending(step) => step,
            }
        }
    }

    /// P2, P3: whether a holder's version stood still for its whole duration, and a read has just shown it again.
    fn expiry(&self, record: &Record, seen: Moment, turn: Duration, env: &Env<'_>) -> Expiry {
        let lasts = record.lasts(env.timings.lease());
        let at = seen.max(env.grace) + lasts + turn;
        let stands = if env.mutants.has(Mutant::WallClock) {
            let age = env
                .wall
                .saturating_sub(record.renew_time.unwrap_or_default());
            u128::try_from(age).unwrap_or_default() > (lasts + turn).as_micros()
        } else {
            env.now > at
        };
        if env.mutants.has(Mutant::ReplaceJustRead) && self.confirmed.is_some() {
            return Expiry::Confirmed;
        }
        if !stands {
            return Expiry::Pending(Step::At(at + Duration::from_nanos(1)));
        }
        let gap = match env.mutants.has(Mutant::LongGap) {
            true => 2 * env.timings.renew() + Duration::from_secs(1),
            false => env.timings.contact_gap(),
        };
        let fresh = |contact| env.now.since(contact) <= gap;
        if !env.contact.is_some_and(fresh) {
            // The next contact will ask again.
            return Expiry::Pending(Step::Idle);
        }
        if self.confirmed == Some(record.version) || env.mutants.has(Mutant::TakeOverUnread) {
            Expiry::Confirmed
        } else {
            Expiry::Unconfirmed
        }
    }

    /// While another process has this peer's name, a POST that fails shows that the API server is there (P9).
    fn or_probe(&self, step: Step, marks: &Marks, env: &Env<'_>) -> Step {
        if self.cluster.is_some() {
            return step;
        }
        if env.now >= self.probe_at {
            return Step::Send(Request::Create(content(0, marks, env)));
        }
        match step {
            Step::At(at) => Step::At(at.min(self.probe_at)),
            _ => Step::At(self.probe_at),
        }
    }

    fn when(&self, at: Moment, env: &Env<'_>, then: impl FnOnce() -> Step) -> Step {
        if env.now < at { Step::At(at) } else { then() }
    }

    /// A PUT that makes or keeps this process the holder.
    fn write(&self, transitions: i32, marks: &Marks, env: &Env<'_>) -> Step {
        self.replace(content(transitions, marks, env), env)
    }

    /// A PUT that leaves the Lease without a holder.
    fn clear(&self, marks: &Marks, env: &Env<'_>) -> Step {
        let transitions = self.record().map_or(0, |record| record.transitions);
        let content = Content {
            holder: String::new(),
            ..content(transitions, marks, env)
        };
        self.replace(content, env)
    }

    fn replace(&self, mut content: Content, env: &Env<'_>) -> Step {
        let Some(record) = self.record() else {
            return Step::Idle;
        };
        // P5: a PUT that changes nothing succeeds with the same version, and nobody sees it.
        if let Some(before) = record.renew_time
            && !env.mutants.has(Mutant::CountNoop)
        {
            content.renew_time = content.renew_time.max(before.saturating_add(1));
        }
        content.marks.renew_time = Some(content.renew_time);
        let uid = match env.mutants.has(Mutant::PutWithoutUid) {
            true => String::new(),
            false => record.uid.clone(),
        };
        Step::Send(Request::Replace {
            uid,
            version: record.version,
            content,
            foreign: record.foreign.clone(),
        })
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
        if record.marks.session {
            return Some("is claimed by a session, which this version does not take over".into());
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

/// Whether this very process wrote the version.
fn is_ours(record: &Record, env: &Env<'_>) -> bool {
    record.incarnation() == Some(&env.identity.incarnation)
        || env.mutants.has(Mutant::IncarnationIgnored)
}

/// What this process writes as the holder.
fn content(transitions: i32, marks: &Marks, env: &Env<'_>) -> Content {
    let renew_time = match env.mutants.has(Mutant::CountNoop) {
        true => env.wall - env.wall % 30_000_000,
        false => env.wall,
    };
    Content {
        holder: env.identity.peer.clone(),
        transitions,
        duration: env.timings.lease(),
        renew_time,
        marks: Marks {
            incarnation: Some(env.identity.incarnation.clone()),
            renew_time: Some(renew_time),
            ..marks.clone()
        },
    }
}

#[cfg(test)]
mod tests;
