//! The part of a peer that decides: membership, placement and all fences together.
//!
//! A pure state machine. [`Coordinator::step`] takes one input with the time and gives the commands that follow; a
//! driver performs them, and so does a simulation. It is told of every Lease of the fleet, of every cluster, and of what
//! became of its commands.
//!
//! # Flow
//! 1. Leases under the peer prefix go to [`Membership`], those under the fence prefix to the cluster's [`Fence`].
//! 2. A change of the live peers goes to the [`Sharder`], and then every fence looks at its own place again.
//! 3. A fence is also looked at when a time that it named has come.
//!
//! # Guarantees
//! One request per Lease and at most [`MAX_IN_FLIGHT`] for fences are in flight. While the own peer Lease gets no
//! answers, nothing is asked about fences.

mod garbage;
mod inputs;
mod others;
mod view;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use super::{
    claim::{Identity, Place},
    fence::{self, Fence},
    formulas::Formulas,
    membership::{self, Membership},
    mutant::Mutants,
    names,
    peer::{Peer, PeerId},
    placement::Sharder,
    record::{Answer, LeaseName, Record, Request},
    timings::Timings,
};
use crate::{clock::Moment, cluster::ClusterName};
use others::Others;
use view::FleetView;

/// How many requests about fences are in flight at most.
pub(crate) const MAX_IN_FLIGHT: usize = 32;

/// How long costs are collected before clusters move by them: they often change together, and each change that was acted on
/// alone would move some. Shorter than a new peer takes to settle, which so begins with the right placement.
const COSTS_SETTLE: Duration = Duration::from_millis(400);

/// What a coordinator is told.
#[derive(Clone, Debug)]
pub(crate) enum Input {
    /// Time has passed.
    Tick,
    /// The provider shows these clusters; an [`Input::Applied`] follows for each.
    ///
    /// Some placements look at all clusters after each new one: so they learn of many at once.
    Discovered(Vec<ClusterName>),
    /// The provider shows this cluster.
    Applied(ClusterName),
    /// The provider does not show this cluster any more.
    Removed(ClusterName),
    /// A complete list of the Leases, begun at `asked`.
    Listed {
        asked: Moment,
        leases: Vec<(LeaseName, Arc<Record>)>,
    },
    /// The watch showed a version of a Lease.
    Seen(LeaseName, Arc<Record>),
    /// The watch showed that a Lease was deleted, in this version.
    Deleted(LeaseName, Arc<Record>),
    /// The outcome of a request, which was sent at `sent`.
    Answer {
        lease: LeaseName,
        sent: Moment,
        answer: Answer,
    },
    /// An engagement has ended; a write was last given up without an answer at this time.
    Drained(ClusterName, Option<Moment>),
    /// The work on a cluster reports how many objects the cluster has.
    Load(ClusterName, u64),
    /// This peer wants another share of the clusters.
    #[cfg_attr(
        not(feature = "testing"),
        expect(dead_code, reason = "no setting changes at run time yet")
    )]
    Weight(u32),
    /// Give everything up.
    Leave,
}

/// What a coordinator wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Ask the API server about a Lease; an [`Input::Answer`] must follow.
    Send { lease: LeaseName, request: Request },
    /// Do this about a cluster; never [`fence::Command::Send`] or [`fence::Command::Report`].
    Cluster(ClusterName, fence::Command),
    /// List and watch anew.
    RestartWatch,
    /// Another process has this peer's id.
    Replaced,
    /// Everything is given up.
    Left,
    /// Tell a person; about a cluster, or about this peer's own Lease.
    Report(Option<ClusterName>, String),
}

/// What a coordinator is made of.
pub(crate) struct Settings {
    pub(crate) peer: Peer,
    pub(crate) incarnation: Arc<str>,
    pub(crate) place: Option<Place>,
    pub(crate) peer_prefix: String,
    pub(crate) fence_prefix: String,
    pub(crate) timings: Timings,
    pub(crate) sharder: Box<dyn Sharder>,
    pub(crate) mutants: Mutants,
}

/// The decisions of one peer.
pub(crate) struct Coordinator {
    peer_prefix: String,
    fence_prefix: String,
    timings: Timings,
    seed: u64,
    membership: Membership,
    formulas: Formulas,
    placed: Vec<Peer>,
    fences: BTreeMap<ClusterName, Fence>,
    /// The cluster of each fence's Lease.
    clusters: BTreeMap<LeaseName, ClusterName>,
    /// The Leases of other peers.
    others: Others,
    /// Fence Leases of clusters that are not known.
    strangers: BTreeMap<LeaseName, Stranger>,
    timers: BTreeSet<(Moment, ClusterName)>,
    queue: VecDeque<(LeaseName, Request)>,
    in_flight: usize,
    /// What fences see of the fleet; when it changes, all of them look again.
    outlook: Option<Outlook>,
    /// When the next stranger may be an orphan.
    orphans_due: Option<Moment>,
    /// When the placement learns of costs that have changed.
    costs_due: Option<Moment>,
}

/// The Lease of a cluster that is not known.
#[derive(Debug)]
struct Stranger {
    record: Arc<Record>,
    seen: Moment,
    deleted: bool,
}

/// What every fence's decision depends on, besides its own Lease and the time.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Outlook {
    formula: &'static str,
    placed: Vec<Peer>,
    ready: Vec<bool>,
    competes: bool,
    leaves: bool,
    may_release: bool,
    blocked: bool,
    grace: Moment,
    blind: Moment,
}

// === impl Coordinator ===

impl Coordinator {
    pub(crate) fn new(settings: Settings) -> Self {
        let Settings {
            peer,
            incarnation,
            place,
            peer_prefix,
            fence_prefix,
            timings,
            sharder,
            mutants,
        } = settings;
        let seed = xxhash_rust::xxh3::xxh3_64(incarnation.as_bytes());
        let identity = Identity {
            peer: peer.id.as_str().into(),
            incarnation,
            place,
        };
        let own_lease = names::lease_name(&peer_prefix, peer.id.as_str()).into();
        let formulas = Formulas::new(sharder);
        Self {
            membership: Membership::new(
                own_lease,
                identity,
                peer,
                formulas.names().map(Into::into).collect(),
                mutants,
                &timings,
                seed,
            ),
            peer_prefix,
            fence_prefix,
            timings,
            seed,
            formulas,
            placed: Vec::new(),
            fences: BTreeMap::new(),
            clusters: BTreeMap::new(),
            others: Others::new(seed),
            strangers: BTreeMap::new(),
            timers: BTreeSet::new(),
            queue: VecDeque::new(),
            in_flight: 0,
            outlook: None,
            orphans_due: None,
            costs_due: None,
        }
    }

    /// This peer's id.
    pub(crate) fn peer(&self) -> &PeerId {
        self.membership.own()
    }

    /// The peers that share the clusters.
    #[cfg(feature = "testing")]
    pub(crate) fn placed(&self) -> &[Peer] {
        &self.placed
    }

    /// Whether the API server has answered for the own Lease, and shown all Leases.
    pub(crate) fn has_started(&self) -> bool {
        self.membership.has_started()
    }

    /// Whether this peer holds or works on anything.
    pub(crate) fn is_active(&self) -> bool {
        self.fences.values().any(Fence::is_active)
    }

    /// When the next [`Input::Tick`] is due.
    pub(crate) fn due(&self) -> Option<Moment> {
        let first = self.timers.first().map(|(at, _)| *at);
        let dues = [
            first,
            self.membership.due(),
            self.others.due(),
            self.orphans_due,
            self.costs_due,
        ];
        dues.into_iter().flatten().min()
    }

    /// Takes one input in and says what follows.
    pub(crate) fn step(&mut self, input: Input, now: Moment, wall: i64) -> Vec<Command> {
        let mut turn = Turn {
            now,
            wall,
            out: Vec::new(),
            membership_changed: false,
            wakes: false,
        };
        if self.membership.due().is_some_and(|due| due <= now) {
            self.membership(membership::Event::Tick, &mut turn);
        }
        self.take_in(input, &mut turn);
        if turn.membership_changed {
            self.look_around(&mut turn);
        }
        if std::mem::take(&mut turn.wakes) {
            self.all_fences(&fence::Event::Wake, &mut turn);
        }
        if self.costs_due.is_some_and(|due| due <= now) {
            self.place_by_costs(&mut turn);
        }
        self.run_timers(&mut turn);
        self.clean_up(&mut turn);
        if self.membership.leaves() && !self.membership.is_emptied() && !self.is_active() {
            self.membership(membership::Event::Emptied, &mut turn);
        }
        self.send_queued(&mut turn);
        turn.out
    }

    /// Brings the placement up to date, and has all fences look again when something about the fleet has changed.
    fn look_around(&mut self, turn: &mut Turn) {
        let mut live = self.membership.live(turn.now, &self.timings);
        live.sort_by(|a, b| a.id.cmp(&b.id));
        if live != self.placed {
            let gone = self
                .placed
                .iter()
                .filter(|old| live.iter().all(|peer| peer.id != old.id));
            for peer in gone {
                self.formulas.leave(&peer.id);
            }
            for peer in live.iter().filter(|peer| !self.placed.contains(peer)) {
                self.formulas.join(peer);
            }
            self.placed = live;
        }
        let announced = self.membership.formulas(turn.now, &self.timings);
        self.formulas.choose(announced);
        let env = self.membership.env(turn.now, turn.wall, &self.timings);
        let outlook = Outlook {
            formula: self.formulas.chosen().formula(),
            placed: self.placed.clone(),
            ready: self
                .placed
                .iter()
                .map(|peer| self.membership.is_ready(&peer.id))
                .collect(),
            competes: self.membership.competes(turn.now, &self.timings),
            leaves: self.membership.leaves(),
            may_release: self.membership.may_release(turn.now, &self.timings),
            blocked: env.blocked,
            grace: env.grace,
            blind: env.blind,
        };
        if self.outlook.as_ref() != Some(&outlook) {
            let unsent = match outlook.blocked {
                true => std::mem::take(&mut self.queue),
                false => VecDeque::new(),
            };
            self.outlook = Some(outlook);
            for (lease, _) in unsent {
                // What was decided before an outage may be wrong after it.
                if let Some(name) = self.clusters.get(&lease).cloned() {
                    let answer = fence::Event::Answer(turn.now, Answer::NotSent);
                    self.fence(&name, answer, turn);
                } else {
                    let env = self.membership.env(turn.now, turn.wall, &self.timings);
                    self.others.answer(&lease, turn.now, Answer::NotSent, &env);
                }
            }
            self.all_fences(&fence::Event::Tick, turn);
        }
    }

    /// Tells the placement what clusters cost now.
    fn place_by_costs(&mut self, turn: &mut Turn) {
        self.costs_due = None;
        let mut moves = false;
        for (name, fence) in &self.fences {
            moves |= self.formulas.report(name, fence.cost());
        }
        if moves {
            self.all_fences(&fence::Event::Tick, turn);
        }
    }

    fn run_timers(&mut self, turn: &mut Turn) {
        while let Some((at, name)) = self.timers.first().cloned() {
            if at > turn.now {
                break;
            }
            self.fence(&name, fence::Event::Tick, turn);
            if self.timers.first() == Some(&(at, name)) {
                // It asks for the present again: give time a chance to move.
                break;
            }
        }
    }

    fn all_fences(&mut self, event: &fence::Event<'_>, turn: &mut Turn) {
        self.fences_where(|_| true, event, turn);
    }

    fn fences_where(
        &mut self,
        concerned: impl Fn(&Fence) -> bool,
        event: &fence::Event<'_>,
        turn: &mut Turn,
    ) {
        let fences = self.fences.iter();
        let fences = fences.filter(|(_, fence)| concerned(fence));
        let names: Vec<_> = fences.map(|(name, _)| name.clone()).collect();
        for name in names {
            self.fence(&name, event.clone(), turn);
        }
    }

    fn fence(&mut self, name: &ClusterName, event: fence::Event<'_>, turn: &mut Turn) {
        let Some(fence) = self.fences.get_mut(name) else {
            return;
        };
        if let Some(due) = fence.due() {
            self.timers.remove(&(due, name.clone()));
        }
        let view = FleetView {
            env: self.membership.env(turn.now, turn.wall, &self.timings),
            membership: &self.membership,
            sharder: self.formulas.chosen(),
            others: &self.others,
            peer_prefix: &self.peer_prefix,
        };
        let cost = fence.cost();
        let commands = fence.step(event, &view);
        let done = fence.is_done(turn.now);
        if fence.cost() != cost {
            self.costs_due.get_or_insert(turn.now + COSTS_SETTLE);
        }
        if let Some(due) = fence.due().filter(|_| !done) {
            self.timers.insert((due, name.clone()));
        }
        let lease = fence.lease().clone();
        for command in commands {
            match command {
                fence::Command::Send(request) => self.queue.push_back((lease.clone(), request)),
                fence::Command::Report(text) => {
                    turn.out.push(Command::Report(Some(name.clone()), text));
                }
                command => turn.out.push(Command::Cluster(name.clone(), command)),
            }
        }
        if done {
            self.fences.remove(name);
            self.clusters.remove(&lease);
            self.formulas.remove(name);
        }
    }

    fn membership(&mut self, event: membership::Event<'_>, turn: &mut Turn) {
        turn.membership_changed = true;
        let commands = self
            .membership
            .step(event, turn.now, turn.wall, &self.timings);
        for command in commands {
            match command {
                membership::Command::Send(request) => turn.out.push(Command::Send {
                    lease: self.membership.own_lease().clone(),
                    request,
                }),
                membership::Command::RestartWatch => turn.out.push(Command::RestartWatch),
                // Only once the placement is up to date: this peer may just have come back into it.
                membership::Command::Wake => turn.wakes = true,
                membership::Command::Replaced => turn.out.push(Command::Replaced),
                membership::Command::Left => turn.out.push(Command::Left),
                membership::Command::Report(text) => turn.out.push(Command::Report(None, text)),
            }
        }
    }

    fn send_queued(&mut self, turn: &mut Turn) {
        let blocked = self
            .membership
            .env(turn.now, turn.wall, &self.timings)
            .blocked;
        while !blocked && self.in_flight < MAX_IN_FLIGHT {
            let Some((lease, request)) = self.queue.pop_front() else {
                break;
            };
            self.in_flight += 1;
            turn.out.push(Command::Send { lease, request });
        }
    }
}

/// One step in the making.
struct Turn {
    now: Moment,
    wall: i64,
    out: Vec<Command>,
    /// Whether membership has heard something, so that the fleet may look otherwise.
    membership_changed: bool,
    /// Whether the API server answers again.
    wakes: bool,
}

/// How long a leaving peer waits for its last answers.
pub(crate) fn leave_timeout(timings: &Timings) -> Duration {
    timings.drain() + timings.lease()
}

#[cfg(test)]
mod tests;
