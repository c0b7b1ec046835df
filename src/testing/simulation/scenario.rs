//! Scripts, and what comes of playing them.

use std::{collections::BTreeMap, fmt, time::Duration};

use super::{
    operation::{ClusterNumber, Operation, PeerNumber},
    world::World,
};
use crate::sharding::{Mutant, Timings, internals::Mutants};

/// A fleet and what happens to it.
#[derive(Clone, Debug)]
#[must_use]
pub struct Scenario {
    pub(super) name: String,
    pub(super) peers: usize,
    pub(super) clusters: usize,
    pub(super) timings: Timings,
    pub(super) slow: f64,
    pub(super) reconcile: Duration,
    pub(super) write_every: Duration,
    pub(super) operations: Vec<Operation>,
    pub(super) mutants: Mutants,
    pub(super) unguarded: bool,
    pub(super) awkward: bool,
    pub(super) slowest: Duration,
    pub(super) slow_writes: f64,
    pub(super) bounded: bool,
}

/// What came of one run in which everything held.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Outcome {
    /// Events that were played.
    pub events: u64,
    /// The simulated time.
    pub time: Duration,
    /// A digest of all events: two runs of one seed have the same.
    pub digest: u64,
    /// Writes to member clusters that were checked.
    pub writes: u64,
    /// Fences that were taken from a process which was alive and connected.
    pub thefts: u64,
    /// How often work on a cluster began.
    pub tenures: u64,
    /// How often it began in another process than before.
    pub moves: u64,
    /// The peer that works on each cluster at the end, or did last.
    pub owners: BTreeMap<ClusterNumber, PeerNumber>,
    /// How long nobody worked on a cluster, each time that work on it began again.
    pub gaps: Vec<Duration>,
    /// How long it took in each [`Operation::ExpectOwned`] until every cluster had been worked on by somebody.
    pub reached: Vec<Duration>,
    /// How long each [`Operation::ExpectOwned`] took until all were worked on at the same time.
    pub took: Vec<Duration>,
    /// Reads of Leases that the API server was asked for.
    pub hub_reads: u64,
    /// Writes of Leases that the API server was asked for.
    pub hub_writes: u64,
    /// The Leases that are there at the end.
    pub leases: usize,
}

/// A run in which something did not hold.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Failure {
    /// The scenario's name.
    pub scenario: String,
    /// The seed, with which the run can be played again.
    pub seed: u64,
    /// What did not hold.
    pub violations: Vec<String>,
    /// The last part of the run, line by line.
    pub trace: Vec<String>,
}

/// How many lines of a trace are shown.
const SHOWN: usize = 400;

// === impl Scenario ===

impl Scenario {
    /// A fleet of this many peers and clusters with nothing happening to it; L = 15 s.
    pub fn new(peers: usize, clusters: usize) -> Self {
        Self {
            name: "scenario".into(),
            peers,
            clusters,
            timings: Timings::default(),
            slow: 0.0,
            reconcile: Duration::from_millis(300),
            write_every: Duration::from_millis(400),
            operations: Vec::new(),
            mutants: Mutants::default(),
            unguarded: false,
            awkward: false,
            slowest: Duration::from_millis(1_500),
            slow_writes: 0.05,
            bounded: false,
        }
    }

    /// What failures call it.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// The Lease duration.
    pub fn lease(mut self, duration: Duration) -> Self {
        self.timings = Timings::new(duration);
        self
    }

    /// Clusters get names that differ only in what the name of a Lease cannot hold.
    pub fn awkward_names(mut self) -> Self {
        self.awkward = true;
        self
    }

    /// How long slow messages take at most; 1.5 s unless told otherwise.
    pub fn slowest(mut self, limit: Duration) -> Self {
        self.slowest = limit;
        self
    }

    /// The share of messages that are slow.
    pub fn slow(mut self, share: f64) -> Self {
        self.slow = share;
        self
    }

    /// The longest time that a reconcile takes to end.
    pub fn reconcile(mut self, longest: Duration) -> Self {
        self.reconcile = longest;
        self
    }

    /// The longest time between two writes to a cluster.
    pub fn write_every(mut self, longest: Duration) -> Self {
        self.write_every = longest.max(Duration::from_millis(21));
        self
    }

    /// The share of writes to clusters that take up to 4 s, longer than some of their writers wait; 5 % by default.
    pub fn slow_writes(mut self, share: f64) -> Self {
        self.slow_writes = share;
        self
    }

    /// Peers place clusters with bounded loads.
    pub fn bounded_loads(mut self) -> Self {
        self.bounded = true;
        self
    }

    /// Breaks a rule of the protocol in every process.
    pub fn without(mut self, mutant: Mutant) -> Self {
        self.mutants = self.mutants.with(mutant);
        self
    }

    /// P6: nobody asks the guard before a write; only an ended engagement stops work.
    pub fn unguarded(mut self) -> Self {
        self.unguarded = true;
        self
    }

    /// Adds operations to the script.
    pub fn script(mut self, operations: impl IntoIterator<Item = Operation>) -> Self {
        self.operations.extend(operations);
        self
    }

    /// Plays the script with the chances of `seed`.
    ///
    /// # Errors
    /// [`Failure`] with a trace when an invariant or an expectation did not hold.
    pub fn run(&self, seed: u64) -> Result<Outcome, Box<Failure>> {
        let mut world = World::new(self, seed, false);
        world.play();
        if world.observer.violations.is_empty() {
            return Ok(outcome(world));
        }
        // Once more, with every line written down.
        let mut world = World::new(self, seed, true);
        world.play();
        let mut trace = world.trace.take().unwrap_or_default();
        let skipped = trace.len().saturating_sub(SHOWN);
        trace.drain(..skipped);
        Err(Box::new(Failure {
            scenario: self.name.clone(),
            seed,
            violations: world.observer.violations,
            trace,
        }))
    }
}

fn outcome(world: World<'_>) -> Outcome {
    let (hub_reads, hub_writes) = world.server_counts();
    let leases = world.leases();
    Outcome {
        events: world.events,
        time: world.time(),
        digest: world.digest,
        writes: world.observer.writes,
        thefts: world.observer.thefts,
        tenures: world.observer.tenures,
        moves: world.observer.moves,
        owners: world.owners(),
        reached: world.reached,
        took: world.took,
        gaps: world.observer.gaps,
        hub_reads,
        hub_writes,
        leases,
    }
}

// === impl Failure ===

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.trace {
            writeln!(f, "{line}")?;
        }
        writeln!(f, "scenario {:?}, seed {}:", self.scenario, self.seed)?;
        for violation in &self.violations {
            writeln!(f, "  {violation}")?;
        }
        write!(
            f,
            "replay: SIMULATION_SEED={} cargo test --features testing --test simulation {}",
            self.seed, self.scenario
        )
    }
}

impl std::error::Error for Failure {}
