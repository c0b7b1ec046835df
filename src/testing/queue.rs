//! The queue of controllers, so that a bench can measure it.

use std::num::NonZeroU32;

use tokio::time::Instant;

use crate::controller::queue::{Lane, Limits, Outcome, Queue, Slot};

/// A queue over some clusters, whose keys are numbers.
#[derive(Debug)]
pub struct Keys {
    queue: Queue<u64>,
    clusters: Vec<Slot>,
}

/// A key that is being worked on.
#[derive(Clone, Copy, Debug)]
pub struct Job {
    slot: Slot,
    key: u64,
}

// === impl Keys ===

impl Keys {
    /// A queue that hands out up to `places` keys at a time.
    #[must_use]
    pub fn new(clusters: usize, places: usize) -> Self {
        let mut queue = Queue::new(Limits::new(places));
        let now = Instant::now();
        let clusters = (0..clusters)
            .map(|_| queue.attach(NonZeroU32::MIN, now))
            .collect();
        Self { queue, clusters }
    }

    /// Asks for a key of the cluster in this place.
    pub fn add(&mut self, cluster: usize, key: u64, now: Instant) {
        self.queue.add(self.clusters[cluster], key, Lane::Live, now);
    }

    /// The next key to work on.
    pub fn pop(&mut self, now: Instant) -> Option<Job> {
        let (slot, key) = self.queue.pop(now)?;
        Some(Job { slot, key })
    }

    /// The work on a key is done.
    pub fn finish(&mut self, job: Job, now: Instant) {
        self.queue.finish(job.slot, job.key, Outcome::Done, now);
    }
}
