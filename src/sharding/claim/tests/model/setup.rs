//! What can happen, and how often.

use super::*;

/// Any number.
pub(super) const MANY: u8 = u8::MAX;

/// How fast the clocks of the two peers run, in percent.
const RATES: [u32; 2] = [99, 101];

/// The limits of what is explored.
#[derive(Clone, Debug)]
pub(super) struct Setup {
    pub(super) timings: Timings,
    pub(super) mutants: Mutants,
    /// The ticks of a Lease duration.
    pub(super) lease_ticks: u8,
    /// The real time between two ticks.
    pub(super) tick: Duration,
    /// The same on each peer's clock.
    pub(super) local_ticks: [Duration; 2],
    /// How many requests and answers may be late or lost; [`MANY`] for any number.
    pub(super) faults: u8,
    /// How many requests live on at a time that nobody waits for.
    pub(super) late: usize,
    /// Whether what a watch sends can arrive in any later tick.
    pub(super) slow_watch: bool,
    pub(super) releases: bool,
    pub(super) crashes: u8,
    /// How often somebody deletes the Lease.
    pub(super) deletes: u8,
    /// Also before all processes can know its holder.
    pub(super) deletes_early: bool,
    /// Whether a take-over of what did not stand still is a fault in itself.
    pub(super) judges_take_over: bool,
    pub(super) identities: [[Identity; 3]; 2],
}

// === impl Setup ===

impl Setup {
    /// Any number of requests and answers is late or lost, and nothing else goes wrong.
    pub(super) fn new(lease_ticks: u8) -> Self {
        let identity = |peer: &str, incarnation: u8| Identity {
            peer: peer.into(),
            incarnation: incarnation.to_string().into(),
            place: None,
        };
        let identities = |peer: &str| [1, 2, 3].map(|incarnation| identity(peer, incarnation));
        // On the slow clock, too, a renewal falls into each third of the Lease duration.
        let timings = Timings::new(5 * SECOND).renew_interval(SECOND * 8 / 5);
        timings.validate().expect("as in a program");
        // After `lease_ticks` a Lease duration has just passed on the fast clock.
        let tick = timings.lease() * 100 / 101 / u32::from(lease_ticks);
        // No fractions of a nanosecond on any clock.
        let tick = Duration::from_nanos((tick.as_nanos() as u64 / 100 + 1) * 100);
        Self {
            timings,
            mutants: Mutants::default(),
            lease_ticks,
            tick,
            local_ticks: RATES.map(|rate| tick * rate / 100),
            faults: MANY,
            late: 0,
            slow_watch: false,
            releases: false,
            crashes: 0,
            deletes: 0,
            deletes_early: false,
            judges_take_over: true,
            identities: [identities("a"), identities("b")],
        }
    }

    /// The real time in which a peer's clock moves on by `local`.
    pub(super) fn real_time(&self, who: usize, local: Duration) -> Duration {
        local * 100 / RATES[who]
    }

    pub(super) fn identity(&self, who: usize, incarnation: u8) -> &Identity {
        &self.identities[who][usize::from(incarnation) - 1]
    }

    /// What must be reached, or it would be no wonder that nothing is broken.
    pub(super) fn expected(&self) -> Vec<&'static str> {
        let mut names = vec!["a works", "b works", "a takes over", "b takes over"];
        if self.crashes > 0 {
            names.extend([
                "a follows a crash",
                "b follows a crash",
                "a new process follows",
            ]);
        }
        if self.releases {
            names.extend(["a takes what is free", "b takes what is free"]);
        }
        if self.deletes > 0 {
            names.push("made anew");
        }
        if self.late > 0 {
            names.push("a late request arrives in time");
        }
        names
    }
}
