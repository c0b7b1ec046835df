//! A simulated process: its clock, its coordinator, and its work on clusters.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use super::event::{Event, RequestId};
use crate::{
    clock::Moment,
    sharding::{
        Timings,
        internals::{Coordinator, LeaseName},
    },
};

/// A clock that runs at its own rate from its own start.
#[derive(Clone, Copy, Debug)]
pub(super) struct SimulatedClock {
    /// How much faster than real time it is, in millionths.
    pub(super) drift: i64,
    /// What it shows when the simulation begins.
    pub(super) start: Duration,
    /// How far its date is off.
    pub(super) wall_offset: i64,
    /// How long it stood still.
    pub(super) stood: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    Running,
    Frozen,
    Dead,
}

/// Where a process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Home {
    pub(super) pod: usize,
    pub(super) network: usize,
}

/// One process of a peer.
pub(super) struct Process {
    pub(super) peer: usize,
    pub(super) home: Home,
    /// Whether it holds the socket of its pod.
    pub(super) alone: bool,
    pub(super) incarnation: Arc<str>,
    pub(super) coordinator: Coordinator,
    pub(super) clock: SimulatedClock,
    pub(super) life: Life,
    /// Whether nothing gets through to the API server.
    pub(super) cut: bool,
    pub(super) leaving: bool,
    pub(super) stubborn: bool,
    pub(super) deaf: bool,
    /// Since when its machine is suspended.
    pub(super) suspended: Option<Duration>,
    /// What happened while it was frozen.
    pub(super) backlog: VecDeque<Event>,
    /// What is kept in the network while it is cut off.
    pub(super) held: Vec<Event>,
    /// Requests without an answer yet, with their local send times.
    pub(super) pending: BTreeMap<RequestId, Pending>,
    pub(super) watch: Watch,
    pub(super) workers: BTreeMap<usize, Worker>,
    /// Counts timers, so that only the newest one rings.
    pub(super) timer: u64,
    /// When the newest timer rings.
    pub(super) timer_at: Option<Duration>,
    /// Local send times of the newest answered write that made or kept it a holder, by cluster.
    pub(super) confirmed: BTreeMap<usize, Moment>,
}

#[derive(Clone, Debug)]
pub(super) struct Pending {
    pub(super) lease: LeaseName,
    /// The cluster whose fence it is.
    pub(super) cluster: Option<usize>,
    pub(super) sent: Moment,
    /// Whether the request would make or keep the process a holder.
    pub(super) holds: bool,
}

/// One watch stream.
#[derive(Clone, Debug, Default)]
pub(super) struct Watch {
    /// Counts streams: what belongs to an older one is dropped.
    pub(super) stream: u64,
    /// The place in the log that was delivered last; `None` while there is no stream.
    pub(super) position: Option<usize>,
    pub(super) stalled: bool,
    /// A stream is in order: nothing arrives before this time.
    pub(super) busy_until: Duration,
    pub(super) failures: u32,
}

/// The work on one cluster in one tenure.
#[derive(Clone, Debug)]
pub(super) struct Worker {
    /// Counts the tenures of all processes.
    pub(super) number: u64,
    pub(super) token: u64,
    pub(super) deadline: Moment,
    pub(super) revoked: bool,
    pub(super) draining: bool,
    /// Since when it only waits for answers.
    pub(super) ends_since: Option<Duration>,
    /// Writes to the member cluster that were not answered yet.
    pub(super) writes: Vec<u64>,
    pub(super) last_unanswered: Option<Moment>,
}

// === impl SimulatedClock ===

impl SimulatedClock {
    pub(super) fn local(&self, real: Duration) -> Moment {
        let nanos = nanos(real.saturating_sub(self.stood));
        Moment(
            self.start + Duration::from_nanos(nanos.saturating_add_signed(part(nanos, self.drift))),
        )
    }

    /// The real time at which the clock will show `local`, or a little later.
    pub(super) fn real(&self, local: Moment) -> Duration {
        let shown = nanos(local.0.saturating_sub(self.start));
        // The inverse of 1 + d is 1 - d + d^2 to far below a nanosecond in what follows.
        let estimate = shown.saturating_add_signed(
            -part(shown, self.drift)
                + part(part(shown, self.drift).unsigned_abs(), self.drift.abs()),
        );
        let mut real = Duration::from_nanos(estimate) + self.stood;
        while self.local(real) < local {
            real += (local.0 - self.local(real).0) + Duration::from_nanos(1);
        }
        real
    }

    /// Microseconds since 1970, by this machine.
    pub(super) fn wall(&self, real: Duration) -> i64 {
        let elapsed = i64::try_from(real.as_micros()).unwrap_or(i64::MAX / 2);
        1_700_000_000_000_000 + elapsed + self.wall_offset
    }
}

// === impl Process ===

impl Process {
    pub(super) fn is_running(&self) -> bool {
        self.life == Life::Running
    }

    /// Whether it could renew now.
    pub(super) fn is_connected(&self) -> bool {
        self.is_running() && !self.cut
    }
}

// === impl Worker ===

impl Worker {
    pub(super) fn permits(&self, now: Moment) -> bool {
        !self.revoked && now < self.deadline
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// That many millionths of a time.
fn part(nanos: u64, millionths: i64) -> i64 {
    // In units of 2^-40: a division of 128 bits for each event would be a good part of all time.
    let factor = i128::from(millionths * (1 << 40) / 1_000_000);
    let part = (i128::from(nanos) * factor) >> 40;
    i64::try_from(part).unwrap_or(i64::MAX)
}

/// How long a confirmed write allows work, for the observer's own reckoning.
pub(super) fn work_time(timings: &Timings) -> Duration {
    timings.work_time()
}
