//! Which peers are alive, and this peer's own place among them.
//!
//! A pure state machine around the own peer Lease (a [`Claim`]) and the versions of the other peers' Leases.
//!
//! # Flow
//! 1. The own Lease is created, or taken over when an earlier process of this name has left one.
//! 2. When the watch has synced and no peer has come or gone for a moment, this peer *competes* for clusters.
//! 3. Each answer to the own renewals is a *contact*: after a gap without any, all observation windows begin anew,
//!    because nothing can be said about others from a time in which nobody could renew.
//! 4. A peer that leaves first says so (*draining*), then releases its clusters, then its own Lease.
//!
//! # Not guaranteed
//! Peers see each other come and go at different times. Fences, not membership, keep two peers off one cluster.

mod learn;
mod peers;

use std::{sync::Arc, time::Duration};

use super::{
    claim::{Claim, Env, Goal, Identity, Step},
    heartbeat::Heartbeat,
    mutant::{Mutant, Mutants},
    peer::{Peer, PeerId},
    record::{Answer, LeaseName, Marks, Record, Request},
    timings::Timings,
};
use crate::clock::Moment;
use peers::Peers;

/// How long nobody may have come or gone before a new peer competes.
const SETTLE: Duration = Duration::from_millis(500);

/// What a membership is told.
#[derive(Clone, Debug)]
pub(crate) enum Event<'a> {
    Tick,
    /// A version of a peer Lease was seen, the own one included.
    Seen(&'a LeaseName, &'a Arc<Record>),
    Deleted(&'a str, &'a Record),
    /// A complete list, begun at this time, shows these peer Leases.
    Listed(Moment, &'a [&'a str]),
    /// The outcome of the last request for the own Lease, and when it was sent.
    Answer(Moment, Answer),
    /// This peer wants another share of the clusters.
    Weight(u32),
    /// This peer is to give everything up.
    Leave,
    /// All clusters are given up.
    Emptied,
}

/// What is to be done about membership.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Ask the API server about the own peer Lease.
    Send(Request),
    /// The watch is silent: list and watch again.
    RestartWatch,
    /// The API server answers again after requests without an answer.
    Wake,
    /// Another process has taken this peer's id.
    Replaced,
    /// The own Lease is given up; nothing is left to do.
    Left,
    /// Tell a person.
    Report(String),
}

/// The peers of a fleet, and this one among them.
#[derive(Debug)]
pub(crate) struct Membership {
    own_lease: LeaseName,
    identity: Identity,
    own: Peer,
    /// The placement formulas that this peer knows, the newest first.
    formulas: Vec<Arc<str>>,
    mutants: Mutants,
    claim: Claim,
    peers: Peers,
    contact: Option<Moment>,
    grace: Moment,
    /// The end of the last contact gap but the first, or the last restart of the watch.
    blind: Moment,
    /// When the first complete list was seen.
    synced: Option<Moment>,
    /// When the own Lease was first acquired.
    joined: Option<Moment>,
    settled: bool,
    /// The other peers that were alive at the last step, and when that last changed.
    alive: Vec<PeerId>,
    last_change: Moment,
    /// The last answered renewal.
    alive_at: Option<Moment>,
    leaving: Option<Leaving>,
    heartbeat: Heartbeat,
    /// What is wrong with other peers.
    problem: Option<String>,
    due: Option<Moment>,
}

#[derive(Clone, Copy, Debug)]
struct Leaving {
    since: Moment,
    announced: bool,
    emptied: bool,
    left: bool,
}

// === impl Membership ===

impl Membership {
    pub(crate) fn new(
        own_lease: LeaseName,
        identity: Identity,
        own: Peer,
        formulas: Vec<Arc<str>>,
        mutants: Mutants,
        timings: &Timings,
        seed: u64,
    ) -> Self {
        Self {
            own_lease,
            identity,
            own,
            formulas,
            mutants,
            claim: Claim::peer(seed),
            peers: Peers::default(),
            contact: None,
            grace: Moment::default(),
            blind: Moment::default(),
            synced: None,
            joined: None,
            settled: false,
            alive: Vec::new(),
            last_change: Moment::default(),
            alive_at: None,
            leaving: None,
            heartbeat: Heartbeat::new(timings.request_timeout()),
            problem: None,
            due: Some(Moment::default()),
        }
    }

    /// What claims decide by at this time.
    pub(crate) fn env<'a>(&'a self, now: Moment, wall: i64, timings: &'a Timings) -> Env<'a> {
        Env {
            now,
            wall,
            grace: self.grace,
            blind: self.blind,
            contact: self.contact,
            blocked: self.is_blocked(),
            mutants: self.mutants,
            identity: &self.identity,
            timings,
        }
    }

    pub(crate) fn own(&self) -> &PeerId {
        &self.own.id
    }

    pub(crate) fn own_lease(&self) -> &LeaseName {
        &self.own_lease
    }

    /// Whether the own peer Lease gets no answers, and so nothing else is tried.
    fn is_blocked(&self) -> bool {
        // One that has left, or was replaced, writes it no more: no answer will ever come.
        let gone = self.leaving.is_some() && self.claim.tenure().is_none();
        self.claim.is_unanswered() && !gone && !self.mutants.has(Mutant::AskThroughOutage)
    }

    pub(crate) fn mutants(&self) -> Mutants {
        self.mutants
    }

    /// The newest version of the own Lease.
    pub(crate) fn own_record(&self) -> Option<&Arc<Record>> {
        self.claim.record()
    }

    /// Whether the first complete list has been seen.
    pub(crate) fn is_synced(&self) -> bool {
        self.synced.is_some()
    }

    /// Whether the API server has answered, and shown all Leases.
    pub(crate) fn has_started(&self) -> bool {
        self.is_synced() && self.contact.is_some()
    }

    /// Whether this peer may take clusters.
    pub(crate) fn competes(&self, now: Moment, timings: &Timings) -> bool {
        self.settled && self.is_candidate(now, timings)
    }

    /// Whether it was told that all clusters are given up.
    pub(crate) fn is_emptied(&self) -> bool {
        self.leaving.is_some_and(|leaving| leaving.emptied)
    }

    pub(crate) fn leaves(&self) -> bool {
        self.leaving.is_some()
    }

    /// Whether a leaving peer has told the others, or tried to for long enough.
    pub(crate) fn may_release(&self, now: Moment, timings: &Timings) -> bool {
        self.leaving.is_none_or(|leaving| {
            leaving.announced || now.since(leaving.since) >= timings.request_timeout()
        })
    }

    /// The peers that clusters are placed on, this one included while it is alive.
    pub(crate) fn live(&self, now: Moment, timings: &Timings) -> Vec<Peer> {
        let mut live: Vec<_> = self.peers.live(now, self.grace, timings).cloned().collect();
        if self.is_candidate(now, timings) {
            live.push(self.own.clone());
        }
        live
    }

    /// What the live peers announce to place clusters by, this peer's own newest formula included.
    pub(crate) fn formulas<'a>(
        &'a self,
        now: Moment,
        timings: &'a Timings,
    ) -> impl Iterator<Item = &'a str> {
        let others = self.peers.formulas(now, self.grace, timings);
        others.chain(self.formulas.first().map(|newest| &**newest))
    }

    /// Whether `peer` competes already, so that clusters can be handed over to it.
    pub(crate) fn is_ready(&self, peer: &PeerId) -> bool {
        self.peers.is_ready(peer)
    }

    /// When the next [`Event::Tick`] is due.
    pub(crate) fn due(&self) -> Option<Moment> {
        self.due
    }

    /// Takes one event in and says what follows.
    pub(crate) fn step(
        &mut self,
        event: Event<'_>,
        now: Moment,
        wall: i64,
        timings: &Timings,
    ) -> Vec<Command> {
        let mut out = Vec::new();
        let blocked = self.is_blocked();
        let change = self.learn(event, now, wall, timings);
        self.note(change, now, wall, timings, &mut out);
        if blocked && !self.is_blocked() {
            out.push(Command::Wake);
        }
        self.due = None;
        let fresh = |contact| now.since(contact) <= timings.contact_gap();
        if self.contact.is_some_and(fresh) {
            self.peers.bury(now, self.grace, timings);
        }
        let alive = || self.peers.alive(now, self.grace, timings);
        if !alive().eq(self.alive.iter()) {
            self.alive = alive().cloned().collect();
            self.last_change = now;
        }
        self.settle(now, timings);
        self.advance(now, wall, timings, &mut out);
        self.wake_at(self.peers.due(now, self.grace, timings));
        let problems = [self.claim.take_problem(), self.problem.take()];
        out.extend(problems.into_iter().flatten().map(Command::Report));
        out
    }

    /// Competes once nobody has come or gone for a moment, so that a fleet that starts together splits the clusters at once.
    fn settle(&mut self, now: Moment, timings: &Timings) {
        if self.settled {
            return;
        }
        let (Some(synced), Some(joined)) = (self.synced, self.joined) else {
            return;
        };
        // Its clusters are where they were a moment ago.
        if self.claim.tenure().is_some_and(|tenure| tenure.inherited) {
            self.settled = true;
            return;
        }
        let start = synced.max(joined);
        let at = (self.last_change.max(start) + SETTLE).min(start + timings.renew());
        if now >= at || self.mutants.has(Mutant::NoSettling) {
            self.settled = true;
            // Others hand over to a peer that has renewed.
            self.claim.renew_now();
        } else {
            self.wake_at(Some(at));
        }
    }

    fn advance(&mut self, now: Moment, wall: i64, timings: &Timings, out: &mut Vec<Command>) {
        if self.heartbeat.check(now) && !self.mutants.has(Mutant::NoHeartbeat) {
            self.blind = now;
            out.push(Command::RestartWatch);
        }
        self.wake_at(self.heartbeat.due());
        let goal = self.goal(now);
        let step = self.with_claim(now, wall, timings, |claim, env| claim.advance(&goal, env));
        match step {
            Step::Send(request) => out.push(Command::Send(request)),
            Step::At(at) => self.wake_at(Some(at)),
            Step::Idle => {}
        }
        if let Some(leaving) = &mut self.leaving {
            let gone = leaving.emptied && self.claim.tenure().is_none() && !self.claim.is_writing();
            if gone && !leaving.left {
                leaving.left = true;
                out.push(Command::Left);
            } else if !leaving.announced {
                let at = leaving.since + timings.request_timeout();
                if now < at {
                    self.wake_at(Some(at));
                }
            }
        }
        if let Some(alive_at) = self.alive_at {
            let end = alive_at + timings.lease();
            if now <= end {
                self.wake_at(Some(end + Duration::from_nanos(1)));
            }
        }
    }

    fn goal(&self, now: Moment) -> Goal {
        let marked = |record: &Arc<Record>| record.marks.draining;
        let keeps_mark =
            self.mutants.has(Mutant::KeepDraining) && self.claim.record().is_some_and(marked);
        let marks = Marks {
            draining: self.leaving.is_some() || keeps_mark,
            placement: self.formulas.first().cloned(),
            weight: Some(self.own.weight),
            ..Marks::default()
        };
        match self.leaving {
            None => Goal::Hold {
                rank: 0,
                marks,
                session: None,
            },
            Some(leaving) if leaving.emptied => Goal::Release {
                not_before: now,
                marks,
            },
            Some(_) => Goal::Keep { marks },
        }
    }

    /// Whether this peer is alive in its own eyes: its renewals are answered, and it does not leave.
    fn is_candidate(&self, now: Moment, timings: &Timings) -> bool {
        self.leaving.is_none()
            && self.claim.tenure().is_some()
            && self
                .alive_at
                .is_some_and(|at| now.since(at) <= timings.lease())
    }

    fn with_claim<T>(
        &mut self,
        now: Moment,
        wall: i64,
        timings: &Timings,
        act: impl FnOnce(&mut Claim, &Env<'_>) -> T,
    ) -> T {
        let env = Env {
            now,
            wall,
            grace: self.grace,
            blind: self.blind,
            contact: self.contact,
            // The own Lease is what is tried while everything else is blocked.
            blocked: false,
            mutants: self.mutants,
            identity: &self.identity,
            timings,
        };
        act(&mut self.claim, &env)
    }

    fn wake_at(&mut self, at: Option<Moment>) {
        self.due = match (self.due, at) {
            (Some(due), Some(at)) => Some(due.min(at)),
            (due, at) => due.or(at),
        };
    }
}

#[cfg(test)]
mod tests;
