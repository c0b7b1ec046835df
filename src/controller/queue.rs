//! Whose turn it is: a queue over all clusters of one controller.
//!
//! Keys are kept per cluster, and clusters with work stand in a ring: each takes one key per turn, so a cluster with
//! many keys cannot keep the others waiting for more than one round. A key that is being worked on is not handed out
//! again before it is finished; if it was asked for meanwhile, it is ready again at once.
//!
//! Pure and without a clock of its own; [`scheduler`](super::scheduler) hands the jobs out.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    hash::Hash,
    time::Duration,
};

use tokio::time::Instant;

use crate::backoff::exponential;

const FIRST_RETRY: Duration = Duration::from_millis(5);
const LONGEST_RETRY: Duration = Duration::from_secs(1000);

/// One attachment of a cluster; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Slot(u64);

/// How a job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Done, until the object changes.
    Done,
    /// Done, and due again after this time.
    Requeue(Duration),
    /// Failed: again with back-off.
    Failed,
    /// Not done, and not its fault: again at once.
    Interrupted,
}

/// The keys of all attached clusters.
#[derive(Debug)]
pub(super) struct Queue<K> {
    limit: usize,
    /// How many places one of several clusters may use: one that hangs must not stop all others.
    per_cluster: usize,
    running: usize,
    next_slot: u64,
    clusters: BTreeMap<Slot, Lane<K>>,
    ring: VecDeque<Slot>,
}

/// The keys of one cluster.
#[derive(Debug)]
struct Lane<K> {
    keys: HashMap<K, State>,
    ready: VecDeque<K>,
    delayed: BTreeMap<(Instant, u64), K>,
    failures: HashMap<K, u32>,
    sequence: u64,
    running: usize,
    paused: bool,
    in_ring: bool,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Delayed((Instant, u64)),
    Ready,
    Running { again: bool },
}

// === impl Queue ===

impl<K: Clone + Eq + Hash> Queue<K> {
    /// At most `limit` keys are worked on at a time.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            per_cluster: limit.div_ceil(2),
            running: 0,
            next_slot: 0,
            clusters: BTreeMap::new(),
            ring: VecDeque::new(),
        }
    }

    /// Adds a cluster.
    pub(super) fn attach(&mut self) -> Slot {
        let slot = Slot(self.next_slot);
        self.next_slot += 1;
        self.clusters.insert(slot, Lane::new());
        slot
    }

    /// Removes a cluster with everything that waits in it; its running jobs still count until they are finished.
    pub(super) fn detach(&mut self, slot: Slot) {
        self.clusters.remove(&slot);
        self.ring.retain(|other| *other != slot);
    }

    /// Hands out nothing of a cluster while it is paused.
    pub(super) fn pause(&mut self, slot: Slot, paused: bool) {
        if let Some(lane) = self.clusters.get_mut(&slot) {
            lane.paused = paused;
        }
        self.enter_ring(slot);
    }

    /// Asks for a key at once; that overtakes a delay.
    pub(super) fn add(&mut self, slot: Slot, key: K) {
        if let Some(lane) = self.clusters.get_mut(&slot) {
            lane.add(key);
        }
        self.enter_ring(slot);
    }

    /// Makes the keys ready whose delay has passed, and says when the next one of the cluster will be.
    pub(super) fn expire(&mut self, slot: Slot, now: Instant) -> Option<Instant> {
        let lane = self.clusters.get_mut(&slot)?;
        while let Some(entry) = lane.delayed.first_entry() {
            if entry.key().0 > now {
                break;
            }
            let key = entry.remove();
            lane.keys.insert(key.clone(), State::Ready);
            lane.ready.push_back(key);
        }
        let next = lane.delayed.first_key_value().map(|((at, _), _)| *at);
        self.enter_ring(slot);
        next
    }

    /// The next key to work on, if one is ready and the limit permits.
    pub(super) fn pop(&mut self) -> Option<(Slot, K)> {
        while self.running < self.limit {
            let slot = self.ring.pop_front()?;
            let Some(lane) = self.clusters.get_mut(&slot) else {
                continue;
            };
            lane.in_ring = false;
            if lane.paused {
                continue;
            }
            let Some(key) = lane.ready.pop_front() else {
                continue;
            };
            lane.keys
                .insert(key.clone(), State::Running { again: false });
            lane.running += 1;
            self.running += 1;
            self.enter_ring(slot);
            return Some((slot, key));
        }
        None
    }

    /// A job has ended.
    pub(super) fn finish(&mut self, slot: Slot, key: K, outcome: Outcome, now: Instant) {
        self.running = self.running.saturating_sub(1);
        if let Some(lane) = self.clusters.get_mut(&slot) {
            lane.running = lane.running.saturating_sub(1);
            lane.finish(key, outcome, now);
        }
        self.enter_ring(slot);
    }

    fn enter_ring(&mut self, slot: Slot) {
        let alone = self.clusters.len() == 1;
        if let Some(lane) = self.clusters.get_mut(&slot)
            && !lane.in_ring
            && !lane.paused
            && (alone || lane.running < self.per_cluster)
            && !lane.ready.is_empty()
        {
            lane.in_ring = true;
            self.ring.push_back(slot);
        }
    }
}

// === impl Lane ===

impl<K: Clone + Eq + Hash> Lane<K> {
    fn new() -> Self {
        Self {
            keys: HashMap::new(),
            ready: VecDeque::new(),
            delayed: BTreeMap::new(),
            failures: HashMap::new(),
            sequence: 0,
            running: 0,
            paused: false,
            in_ring: false,
        }
    }

    fn add(&mut self, key: K) {
        match self.keys.get_mut(&key) {
            Some(State::Ready) => return,
            Some(State::Running { again }) => {
                *again = true;
                return;
            }
            Some(State::Delayed(at)) => {
                let at = *at;
                self.delayed.remove(&at);
            }
            None => {}
        }
        self.keys.insert(key.clone(), State::Ready);
        self.ready.push_back(key);
    }

    fn finish(&mut self, key: K, outcome: Outcome, now: Instant) {
        let Some(State::Running { again }) = self.keys.remove(&key) else {
            return;
        };
        let delay = match outcome {
            Outcome::Done => {
                self.failures.remove(&key);
                None
            }
            Outcome::Requeue(after) => {
                self.failures.remove(&key);
                Some(after)
            }
            Outcome::Failed => {
                let failures = self.failures.entry(key.clone()).or_insert(0);
                let delay = exponential(FIRST_RETRY, LONGEST_RETRY, *failures);
                *failures = failures.saturating_add(1);
                Some(delay)
            }
            Outcome::Interrupted => Some(Duration::ZERO),
        };
        match delay {
            _ if again => self.add(key),
            Some(Duration::ZERO) => self.add(key),
            Some(delay) => {
                let at = (now + delay, self.sequence);
                self.sequence += 1;
                self.keys.insert(key.clone(), State::Delayed(at));
                self.delayed.insert(at, key);
            }
            None => {}
        }
    }
}

#[cfg(test)]
mod tests;
