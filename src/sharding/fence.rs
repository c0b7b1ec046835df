//! The fence of one cluster: when this peer takes it, works under it, pauses, drains and gives it up.
//!
//! A pure state machine: [`Fence::step`] takes an event and a [`View`] of the fleet and says what to do. The claim to
//! the Lease itself is a [`Claim`].
//!
//! # Flow
//! 1. The placement gives the cluster to this peer: the Lease is acquired, and [`Command::Engage`] starts the work.
//! 2. Each confirmed renewal moves the guard's deadline ([`Command::Permit`]). When it passes, work stops by itself; the
//!    next renewal lets it go on after the stop margin.
//! 3. The placement gives the cluster to another peer that is ready for it: [`Command::Drain`]. When the engagement has
//!    ended the guard is revoked for good, and then the Lease is released.

mod work;

use std::{sync::Arc, time::Duration};

use super::{
    claim::{Change, Claim, Env, Fate, Goal, Step},
    cost::Cost,
    mutant::Mutant,
    peer::PeerId,
    record::{Answer, LeaseName, Marks, Record, Request},
    timings::{LONGEST, RANK_STEP},
};
use crate::{clock::Moment, cluster::ClusterName};

/// What a fence is told.
#[derive(Clone, Debug)]
pub(crate) enum Event<'a> {
    /// Nothing new but the time, or the view.
    Tick,
    /// A version of the Lease was seen at this time.
    Seen(&'a Arc<Record>, Moment),
    /// The Lease was deleted in this version.
    Deleted(&'a Record),
    /// A complete list that was begun at this time does not show it.
    Unlisted(Moment),
    /// The outcome of the last request, and when it was sent.
    Answer(Moment, Answer),
    /// The provider shows the cluster, or does not any more.
    Exists(bool),
    /// The engagement has ended, and a write was last given up without an answer at this time.
    Drained(Option<Moment>),
    /// The cluster has so many objects, as this peer's work on it reports.
    Load(u64),
    /// The API server answers again.
    Wake,
}

/// What is to be done about one cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Ask the API server about the fence's Lease.
    Send(Request),
    /// Start to work on the cluster, until this deadline, with this fencing token.
    Engage { deadline: Moment, token: u64 },
    /// Work is permitted until this deadline.
    Permit { deadline: Moment, token: u64 },
    /// Work is over for good in this tenure.
    Revoke,
    /// End the engagement, and say when it has ended.
    Drain,
    /// The deadline has passed; the engagement lives on.
    Paused,
    /// A renewal was confirmed after a pause.
    Resumed,
    /// Tell a person.
    Report(String),
}

/// The fleet as a fence sees it.
pub(crate) trait View {
    /// What claims decide by.
    fn env(&self) -> &Env<'_>;
    /// Whether this peer may take clusters: alive, settled, not leaving.
    fn competes(&self) -> bool;
    /// Whether this peer gives everything up.
    fn leaves(&self) -> bool;
    /// Whether a drained cluster may be released: a leaving peer announces that first.
    fn may_release(&self) -> bool;
    /// How many live peers have the first right to `cluster`, leaving out the peer `without`.
    fn rank(&self, cluster: &ClusterName, without: Option<&str>) -> Option<u32>;
    /// The peer that should own `cluster`, unless it is this one, and whether it is ready to take it.
    fn other_winner(&self, cluster: &ClusterName) -> Option<(&PeerId, bool)>;
    /// The newest version that was seen of a peer's own Lease.
    fn last_sign_of(&self, peer: &PeerId) -> Option<u64>;
    /// What the peer Leases show of the session that a fence is held through.
    fn session(&self, fence: &Record) -> Fate;
}

/// The fence of one cluster.
#[derive(Debug)]
pub(crate) struct Fence {
    name: ClusterName,
    lease: LeaseName,
    marks: Marks,
    claim: Claim,
    exists: bool,
    work: Work,
    /// While paused: when work may go on, once a renewal was confirmed.
    pause: Option<Pause>,
    /// After the work has ended: when the Lease may be released.
    release_at: Option<Moment>,
    /// P13: not offered to this winner before this.
    kept: Option<Kept>,
    /// Who held it last besides this peer; `None` when it was free since.
    last_other: Option<Arc<str>>,
    offer: Option<Offer>,
    /// What became of the session that holds the Lease, and since when that is known.
    session: Option<(Fate, Moment)>,
    /// Since when the present holder has it, as far as seen.
    holder_since: Moment,
    due: Option<Moment>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    None,
    Engaged,
    Draining { revoke_at: Moment, revoked: bool },
}

#[derive(Clone, Copy, Debug)]
struct Pause {
    resume_at: Option<Moment>,
}

/// A cluster that was taken although another peer should have it.
#[derive(Clone, Debug)]
struct Kept {
    winner: PeerId,
    until: Moment,
    /// It was taken from that very peer, which so knows the cluster: its next sign of life ends this.
    was_its_own: bool,
}

/// How often this peer offered the cluster to a winner.
#[derive(Clone, Debug)]
struct Offer {
    winner: PeerId,
    times: u32,
}

// === impl Fence ===

impl Fence {
    /// The fence of a cluster that exists.
    pub(crate) fn new(name: ClusterName, lease: LeaseName, plain_name: bool, seed: u64) -> Self {
        let claim = Claim::fence(name.as_str(), plain_name, seed);
        let marks = Marks {
            cluster: Some(name.as_str().into()),
            ..Marks::default()
        };
        Self {
            name,
            lease,
            marks,
            claim,
            exists: true,
            work: Work::None,
            pause: None,
            release_at: None,
            kept: None,
            last_other: None,
            offer: None,
            session: None,
            holder_since: Moment::default(),
            due: None,
        }
    }

    /// The name of its Lease.
    pub(crate) fn lease(&self) -> &LeaseName {
        &self.lease
    }

    /// When the next [`Event::Tick`] is due.
    pub(crate) fn due(&self) -> Option<Moment> {
        self.due
    }

    /// Whether nothing of this fence is left to do: the cluster is gone, and so is its Lease.
    pub(crate) fn is_done(&self, now: Moment) -> bool {
        !self.exists && !self.is_active() && self.claim.is_over(now)
    }

    /// Whether this peer holds the Lease or works on the cluster.
    pub(crate) fn is_active(&self) -> bool {
        self.claim.tenure().is_some() || self.claim.is_writing() || self.work != Work::None
    }

    /// Takes one event in and says what follows.
    pub(crate) fn step(&mut self, event: Event<'_>, view: &dyn View) -> Vec<Command> {
        let mut out = Vec::new();
        let before = self.claim.tenure().map(|tenure| tenure.deadline);
        let change = self.learn(event, view, &mut out);
        match change {
            Some(Change::Acquired) => self.acquired(view),
            Some(Change::Renewed) => self.renewed(before, view, &mut out),
            Some(Change::Lost) => self.lost(view.env(), &mut out),
            Some(Change::Released) => self.released(),
            None => {}
        }
        self.due = None;
        self.advance(view, &mut out);
        if let Some(problem) = self.claim.take_problem() {
            out.push(Command::Report(problem));
        }
        out
    }

    fn learn(
        &mut self,
        event: Event<'_>,
        view: &dyn View,
        out: &mut Vec<Command>,
    ) -> Option<Change> {
        let env = view.env();
        match event {
            Event::Tick => None,
            Event::Seen(record, seen) => {
                self.note_holder(record, env);
                self.claim.observe_at(record, seen, env)
            }
            Event::Deleted(last) => self.claim.deleted(last, env),
            Event::Unlisted(asked) => {
                self.claim.unlisted(asked, env);
                None
            }
            Event::Answer(sent, answer) => {
                if let Answer::Record(record) = &answer {
                    self.note_holder(record, env);
                }
                self.claim.answer(sent, answer, env)
            }
            Event::Exists(exists) => {
                self.exists = exists;
                None
            }
            Event::Drained(unanswered) => {
                self.drained(unanswered, env, out);
                None
            }
            Event::Load(objects) => {
                self.report(Cost::of(objects));
                None
            }
            Event::Wake => {
                self.claim.wake();
                None
            }
        }
    }

    /// P13: an offer is forgotten when the winner has held the cluster for a whole Lease duration.
    fn note_holder(&mut self, record: &Record, env: &Env<'_>) {
        if record.holder.as_ref() != Some(&env.identity.peer) {
            self.last_other.clone_from(&record.holder);
        }
        let before = self.claim.record();
        let same = before.is_some_and(|known| {
            known.holder == record.holder && known.transitions == record.transitions
        });
        let renewed = before.is_some_and(|known| known.version < record.version);
        if !same {
            self.holder_since = env.now;
        } else if let Some(offer) = &self.offer
            && renewed
            && record.holder.as_deref() == Some(offer.winner.as_str())
            && env.now.since(self.holder_since) >= env.timings.lease()
        {
            self.offer = None;
        }
    }

    fn acquired(&mut self, view: &dyn View) {
        let env = view.env();
        self.pause = None;
        self.release_at = None;
        self.kept = None;
        if let Some((winner, _)) = view.other_winner(&self.name) {
            let times = match &self.offer {
                Some(offer) if offer.winner == *winner => offer.times,
                _ => 0,
            };
            let keep = env.timings.lease() * 2_u32.saturating_pow(times.min(10));
            if !env.mutants.has(Mutant::PingPong) {
                self.kept = Some(Kept {
                    winner: winner.clone(),
                    until: env.now + keep.min(LONGEST),
                    was_its_own: self.last_other.as_deref() == Some(winner.as_str()),
                });
            }
        }
    }

    fn released(&mut self) {
        self.release_at = None;
        self.marks.cost = None;
    }

    fn lost(&mut self, env: &Env<'_>, out: &mut Vec<Command>) {
        self.pause = None;
        self.released();
        match self.work {
            Work::None => {}
            Work::Engaged => {
                out.extend([Command::Revoke, Command::Drain]);
                out.push(Command::Report(
                    "the fence was lost: its Lease has another holder, or is gone".into(),
                ));
            }
            Work::Draining { .. } => out.push(Command::Revoke),
        }
        if self.work != Work::None {
            self.work = Work::Draining {
                revoke_at: env.now,
                revoked: true,
            };
        }
    }

    fn drained(&mut self, unanswered: Option<Moment>, env: &Env<'_>, out: &mut Vec<Command>) {
        self.work = Work::None;
        self.pause = None;
        let unanswered = unanswered.filter(|_| !env.mutants.has(Mutant::ForgetUnanswered));
        let quiet = unanswered.map_or(env.now, |at| (at + env.timings.margin()).max(env.now));
        if self.claim.tenure().is_some() {
            // P7: for good, before the release is sent.
            out.push(Command::Revoke);
            self.release_at = Some(quiet);
        }
        // Whoever works again needs a new tenure, and that begins after everything of this one.
        self.claim.hold_off(quiet);
    }

    fn advance(&mut self, view: &dyn View, out: &mut Vec<Command>) {
        self.watch_session(view);
        self.watch_deadline(view.env(), out);
        self.hand_over(view, out);
        self.engage(view, out);
        let goal = self.goal(view);
        match self.claim.advance(&goal, view.env()) {
            Step::Send(request) => out.push(Command::Send(request)),
            Step::At(at) => self.wake_at(at),
            Step::Idle => {}
        }
    }

    fn goal(&self, view: &dyn View) -> Goal {
        let marks = Marks {
            // An owner that does not know it yet passes on what the one before it said.
            cost: self.marks.cost.or(self.announced()),
            ..self.marks.clone()
        };
        if self.claim.tenure().is_some() {
            let draining = matches!(self.work, Work::Draining { .. });
            if draining && view.env().mutants.has(Mutant::DrainWithoutRenewal) {
                return Goal::Release {
                    not_before: view.env().now + LONGEST,
                    marks,
                };
            }
            return match self.release_at {
                Some(not_before) if view.may_release() => Goal::Release { not_before, marks },
                _ => Goal::Keep { marks },
            };
        }
        if self.work != Work::None {
            return Goal::Keep { marks };
        }
        let holder = self
            .claim
            .record()
            .and_then(|record| record.holder.as_deref());
        let rank = view.rank(&self.name, holder);
        if !self.exists {
            return match rank {
                // The last owner deletes what it released; others come in when it cannot.
                _ if self.was_released_here(view) => Goal::Delete {
                    after: Duration::ZERO,
                },
                Some(rank) if !view.leaves() => Goal::Delete {
                    after: RANK_STEP * (rank + 1),
                },
                _ => Goal::Nothing,
            };
        }
        match rank {
            Some(rank) if view.competes() => Goal::Hold {
                rank,
                marks,
                session: self.session,
            },
            _ => Goal::Nothing,
        }
    }

    /// Notes what the peer Leases show of the session that holds the Lease.
    fn watch_session(&mut self, view: &dyn View) {
        let held = self.claim.record();
        let held = held.filter(|record| record.holder.is_some() && record.session().is_some());
        let fate = held.map(|record| view.session(record));
        if fate != self.session.map(|(fate, _)| fate) {
            self.session = fate.map(|fate| (fate, view.env().now));
        }
    }

    /// The cluster is not known: nothing but its Lease is left of it.
    pub(crate) fn forget_cluster(&mut self) {
        self.exists = false;
    }

    /// What the cluster costs, as its Lease says; one that is gone costs nobody anything.
    pub(crate) fn cost(&self) -> Cost {
        let announced = self.announced().filter(|_| self.exists);
        announced.unwrap_or_default()
    }

    fn announced(&self) -> Option<Cost> {
        self.claim.record()?.marks.cost
    }

    /// The next renewal announces it, if it is far from what peers know.
    fn report(&mut self, cost: Cost) {
        // Work that outlives its tenure has nothing to say any more.
        let known = self.marks.cost.unwrap_or(self.cost());
        if self.claim.tenure().is_some() && cost.is_far_from(known) {
            self.marks.cost = Some(cost);
        }
    }

    /// Whether the cluster is kept from `peer`, which has had it before.
    pub(crate) fn is_kept_from(&self, peer: &str) -> bool {
        let kept = self.kept.as_ref();
        kept.is_some_and(|kept| kept.was_its_own && kept.winner.as_str() == peer)
    }

    /// Whether the Lease is held through a session.
    pub(crate) fn is_held_through_session(&self) -> bool {
        self.session.is_some()
    }

    /// The uid of the session that the Lease is held through, while it may go on.
    pub(crate) fn waits_for(&self) -> Option<&str> {
        let (uid, _) = self.claim.record()?.session()?;
        matches!(self.session, Some((Fate::Alive, _))).then_some(uid)
    }

    fn was_released_here(&self, view: &dyn View) -> bool {
        self.claim.record().is_some_and(|record| {
            record.holder.is_none()
                && record.incarnation() == Some(&view.env().identity.incarnation)
        })
    }

    fn wake_at(&mut self, at: Moment) {
        self.due = Some(self.due.map_or(at, |due| due.min(at)));
    }
}

#[cfg(test)]
mod tests;
