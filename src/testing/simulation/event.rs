//! What happens, and when.

use std::{cmp::Ordering, time::Duration};

use crate::{
    clock::Moment,
    sharding::internals::{Answer, Record, Request},
};

/// A process by its number; a peer has several in turn.
pub(super) type ProcessNumber = usize;

/// A request by its number.
pub(super) type RequestId = u64;

#[derive(Clone, Debug)]
pub(super) enum Event {
    /// The next operation of the scenario.
    Script,
    /// A request reaches the API server.
    Arrive {
        process: ProcessNumber,
        id: RequestId,
        lease: String,
        request: Request,
    },
    /// An answer reaches the process.
    Reply {
        process: ProcessNumber,
        id: RequestId,
        answer: Answer,
    },
    /// The process gives a request up.
    GiveUp {
        process: ProcessNumber,
        id: RequestId,
    },
    /// The timer of a coordinator rings.
    Timer { process: ProcessNumber, timer: u64 },
    /// A watch begins with a list.
    List { process: ProcessNumber, stream: u64 },
    /// The list reaches the process.
    Listed {
        process: ProcessNumber,
        stream: u64,
        asked: Moment,
        leases: Vec<(String, Record)>,
        position: usize,
    },
    /// The watch shows the log up to this place.
    Watched {
        process: ProcessNumber,
        stream: u64,
        position: usize,
    },
    /// A worker wants to write to its cluster.
    Work {
        process: ProcessNumber,
        cluster: usize,
        worker: u64,
    },
    /// A write takes effect in the member cluster.
    Effect {
        process: ProcessNumber,
        cluster: usize,
        worker: u64,
        token: u64,
        write: u64,
    },
    /// The deadline of a worker may have passed.
    Deadline {
        process: ProcessNumber,
        cluster: usize,
        worker: u64,
    },
    /// The engagement has ended.
    Ended {
        process: ProcessNumber,
        cluster: usize,
        worker: u64,
    },
}

/// An event in the queue: earlier ones first, then in the order of their making.
#[derive(Clone, Debug)]
pub(super) struct Scheduled {
    pub(super) at: Duration,
    pub(super) order: u64,
    pub(super) event: Event,
}

// === impl Event ===

impl Event {
    /// The process whose code handles it; `None` for what happens elsewhere.
    pub(super) fn handled_by(&self) -> Option<ProcessNumber> {
        match self {
            Self::Reply { process, .. }
            | Self::GiveUp { process, .. }
            | Self::Timer { process, .. }
            | Self::Listed { process, .. }
            | Self::Watched { process, .. }
            | Self::Work { process, .. }
            | Self::Ended { process, .. } => Some(*process),
            Self::Script
            | Self::Arrive { .. }
            | Self::List { .. }
            | Self::Effect { .. }
            | Self::Deadline { .. } => None,
        }
    }
}

// === impl Scheduled ===

impl Ord for Scheduled {
    /// The greatest is the next one, as a heap wants it.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.order).cmp(&(self.at, self.order))
    }
}

impl PartialOrd for Scheduled {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Scheduled {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Scheduled {}
