//! What happens, and when.

use std::{cmp::Reverse, collections::BinaryHeap, sync::Arc, time::Duration};

use crate::{
    clock::Moment,
    sharding::internals::{Answer, LeaseName, Record, Request},
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
        lease: LeaseName,
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
        leases: Vec<(LeaseName, Arc<Record>)>,
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
    /// The first attempt of a write has failed: it is sent once more.
    Retry {
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

/// What is yet to happen: earlier events first, then in the order of their making.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    /// Small entries, since a heap moves them a lot: the time, the order, and the place of the event.
    heap: BinaryHeap<Reverse<(u64, u64, usize)>>,
    events: Vec<Option<Event>>,
    free: Vec<usize>,
    made: u64,
}

// === impl Event ===

impl Event {
    /// A number for the kind of event.
    pub(super) fn kind(&self) -> u64 {
        match self {
            Self::Script => 0,
            Self::Arrive { .. } => 1,
            Self::Reply { .. } => 2,
            Self::GiveUp { .. } => 3,
            Self::Timer { .. } => 4,
            Self::List { .. } => 5,
            Self::Listed { .. } => 6,
            Self::Watched { .. } => 7,
            Self::Work { .. } => 8,
            Self::Effect { .. } => 9,
            Self::Deadline { .. } => 10,
            Self::Ended { .. } => 11,
            Self::Retry { .. } => 12,
        }
    }

    /// The process whose code handles it; `None` for what happens elsewhere.
    pub(super) fn handled_by(&self) -> Option<ProcessNumber> {
        match self {
            Self::Reply { process, .. }
            | Self::GiveUp { process, .. }
            | Self::Timer { process, .. }
            | Self::Listed { process, .. }
            | Self::Watched { process, .. }
            | Self::Work { process, .. }
            | Self::Retry { process, .. }
            | Self::Ended { process, .. } => Some(*process),
            Self::Script
            | Self::Arrive { .. }
            | Self::List { .. }
            | Self::Effect { .. }
            | Self::Deadline { .. } => None,
        }
    }
}

// === impl Agenda ===

impl Agenda {
    pub(super) fn add(&mut self, at: Duration, event: Event) {
        self.made += 1;
        let place = self.free.pop().unwrap_or_else(|| {
            self.events.push(None);
            self.events.len() - 1
        });
        self.events[place] = Some(event);
        let at = u64::try_from(at.as_nanos()).unwrap_or(u64::MAX);
        self.heap.push(Reverse((at, self.made, place)));
    }

    /// The next event and its time.
    pub(super) fn next(&mut self) -> Option<(Duration, Event)> {
        let Reverse((at, _, place)) = self.heap.pop()?;
        let event = self.events[place].take()?;
        self.free.push(place);
        Some((Duration::from_nanos(at), event))
    }
}
