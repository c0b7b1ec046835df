//! The keys of one cluster: what is ready, delayed and running.

use std::{
    collections::{BTreeMap, HashMap, VecDeque, hash_map::Entry},
    hash::Hash,
    num::NonZeroU32,
    time::Duration,
};

use tokio::time::Instant;

use super::{
    Lane, Outcome,
    rate::{Bucket, Rate},
    turns::{Place, STRIDE},
};
use crate::backoff::exponential;

const FIRST_RETRY: Duration = Duration::from_millis(5);
const LONGEST_RETRY: Duration = Duration::from_secs(1000);

/// As good as never: 30 years, which any clock can add.
const NEVER: Duration = Duration::from_secs(30 * 365 * 24 * 3600);

/// The keys of one cluster.
#[derive(Debug)]
pub(super) struct Keys<K> {
    pub(super) paused: bool,
    stride: u64,
    known: HashMap<K, Known>,
    lanes: [Ready<K>; 2],
    delayed: BTreeMap<(Instant, u64), K>,
    sequence: u64,
    running: usize,
    rate: Option<(Rate, Bucket)>,
}

/// The keys of one lane.
#[derive(Debug)]
struct Ready<K> {
    /// In the order of their requests; some may have gone to the other lane since.
    keys: VecDeque<K>,
    /// How many of them have not.
    count: usize,
    pass: u64,
    place: Option<Place>,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    state: State,
    /// How often it failed in a row.
    failures: u32,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Delayed((Instant, u64)),
    Ready(Lane),
    Running { again: Again },
}

/// What was asked for while a key was worked on.
#[derive(Clone, Copy, Debug)]
enum Again {
    No,
    At(Instant),
    Now(Lane),
}

// === impl Keys ===

impl<K: Clone + Eq + Hash> Keys<K> {
    pub(super) fn new(weight: NonZeroU32, rate: Option<Rate>) -> Self {
        Self {
            paused: false,
            stride: STRIDE / u64::from(weight.get()),
            known: HashMap::new(),
            lanes: Default::default(),
            delayed: BTreeMap::new(),
            sequence: 0,
            running: 0,
            rate: rate.map(|rate| (rate, Bucket::default())),
        }
    }

    /// Asks for a key at once.
    pub(super) fn add(&mut self, key: K, lane: Lane) {
        let entry = match self.known.entry(key) {
            Entry::Occupied(entry) => entry,
            Entry::Vacant(entry) => {
                self.lanes[lane as usize].push(entry.key().clone());
                entry.insert(Known {
                    state: State::Ready(lane),
                    failures: 0,
                });
                return;
            }
        };
        let key = entry.key().clone();
        let known = entry.into_mut();
        match known.state {
            State::Ready(present) if present <= lane => return,
            // What is left in the other lane is skipped there.
            State::Ready(present) => self.lanes[present as usize].count -= 1,
            State::Running { again } => {
                let lane = match again {
                    Again::Now(present) => present.min(lane),
                    Again::No | Again::At(_) => lane,
                };
                known.state = State::Running {
                    again: Again::Now(lane),
                };
                return;
            }
            State::Delayed(at) => drop(self.delayed.remove(&at)),
        }
        known.state = State::Ready(lane);
        self.lanes[lane as usize].push(key);
    }

    /// Asks for a key at `at`, if it is not asked for earlier.
    pub(super) fn delay(&mut self, key: K, at: Instant) {
        let mut failures = 0;
        if let Some(known) = self.known.get_mut(&key) {
            failures = known.failures;
            match &mut known.state {
                State::Delayed(present) if at < present.0 => {
                    let present = *present;
                    self.delayed.remove(&present);
                }
                State::Running { again } => {
                    match again {
                        Again::No => *again = Again::At(at),
                        Again::At(present) => *present = at.min(*present),
                        Again::Now(_) => {}
                    }
                    return;
                }
                State::Delayed(_) | State::Ready(_) => return,
            }
        }
        let at = (at, self.sequence);
        self.sequence += 1;
        let state = State::Delayed(at);
        self.known.insert(key.clone(), Known { state, failures });
        self.delayed.insert(at, key);
    }

    /// Makes ready what is due.
    pub(super) fn expire(&mut self, now: Instant) {
        while let Some(entry) = self.delayed.first_entry() {
            if entry.key().0 > now {
                break;
            }
            let key = entry.remove();
            if let Some(known) = self.known.get_mut(&key) {
                known.state = State::Ready(Lane::Live);
            }
            self.lanes[Lane::Live as usize].push(key);
        }
    }

    /// When something changes by the passing of time alone.
    pub(super) fn due(&self, now: Instant) -> Option<Instant> {
        let delayed = self.delayed.first_key_value().map(|((at, _), _)| *at);
        let waits = Lane::ALL.iter().any(|lane| self.has_ready(*lane));
        let rate = self.rate.as_ref().filter(|_| waits);
        let free = rate.and_then(|(rate, bucket)| bucket.free_at(rate, now));
        [delayed, free].into_iter().flatten().min()
    }

    /// Begins to work on the next key of a lane; `pass` is that of the turn.
    pub(super) fn take(&mut self, lane: Lane, pass: u64, now: Instant) -> Option<K> {
        let ready = &mut self.lanes[lane as usize];
        ready.place = None;
        ready.pass = pass.saturating_add(self.stride);
        while let Some(key) = ready.keys.pop_front() {
            let Some(known) = self.known.get_mut(&key) else {
                continue;
            };
            if !matches!(known.state, State::Ready(present) if present == lane) {
                continue;
            }
            known.state = State::Running { again: Again::No };
            ready.count -= 1;
            self.running += 1;
            if let Some((rate, bucket)) = &mut self.rate {
                bucket.take(rate, now);
            }
            return Some(key);
        }
        None
    }

    /// A job has ended.
    pub(super) fn finish(&mut self, key: K, outcome: Outcome, now: Instant) {
        self.running = self.running.saturating_sub(1);
        let Entry::Occupied(mut entry) = self.known.entry(key) else {
            return;
        };
        let known = entry.get_mut();
        let State::Running { again } = known.state else {
            return;
        };
        known.failures = match outcome {
            Outcome::Done | Outcome::Requeue(_) => 0,
            Outcome::Failed => known.failures.saturating_add(1),
            Outcome::Interrupted => known.failures,
        };
        let own = match outcome {
            Outcome::Done => Again::No,
            Outcome::Interrupted => Again::Now(Lane::Live),
            Outcome::Requeue(delay) if delay.is_zero() => Again::Now(Lane::Live),
            Outcome::Requeue(delay) => Again::At(later(now, delay)),
            Outcome::Failed => {
                Again::At(now + exponential(FIRST_RETRY, LONGEST_RETRY, known.failures - 1))
            }
        };
        match again.earlier(own) {
            Again::No => drop(entry.remove()),
            Again::Now(lane) => {
                known.state = State::Ready(lane);
                let key = entry.key().clone();
                self.lanes[lane as usize].push(key);
            }
            Again::At(at) => {
                let at = (at, self.sequence);
                self.sequence += 1;
                known.state = State::Delayed(at);
                self.delayed.insert(at, entry.key().clone());
            }
        }
    }

    /// Whether a job may begin when there is one.
    pub(super) fn may_run(&self, limit: usize, now: Instant) -> bool {
        let rate = self.rate.as_ref();
        let free = rate.is_none_or(|(rate, bucket)| bucket.free_at(rate, now).is_none());
        !self.paused && self.running < limit && free
    }

    pub(super) fn has_ready(&self, lane: Lane) -> bool {
        self.lanes[lane as usize].count > 0
    }

    /// Where the cluster stands in a lane; `None` when it does not wait there.
    pub(super) fn place(&self, lane: Lane) -> Option<Place> {
        self.lanes[lane as usize].place
    }

    pub(super) fn enter(&mut self, lane: Lane, enter: impl FnOnce(u64) -> Place) {
        let ready = &mut self.lanes[lane as usize];
        ready.place = Some(enter(ready.pass));
    }

    pub(super) fn leave(&mut self, lane: Lane) -> Option<Place> {
        self.lanes[lane as usize].place.take()
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.known.is_empty() && self.delayed.is_empty()
    }
}

/// `delay` after `now`; what no clock can express is as good as never.
pub(super) fn later(now: Instant, delay: Duration) -> Instant {
    now.checked_add(delay.min(NEVER)).unwrap_or(now)
}

// === impl Ready ===

impl<K> Ready<K> {
    fn push(&mut self, key: K) {
        self.keys.push_back(key);
        self.count += 1;
    }
}

impl<K> Default for Ready<K> {
    fn default() -> Self {
        Self {
            keys: VecDeque::new(),
            count: 0,
            pass: 0,
            place: None,
        }
    }
}

// === impl Again ===

impl Again {
    /// The earlier one of two requests.
    fn earlier(self, other: Self) -> Self {
        match (self, other) {
            (Self::Now(a), Self::Now(b)) => Self::Now(a.min(b)),
            (Self::Now(lane), _) | (_, Self::Now(lane)) => Self::Now(lane),
            (Self::At(a), Self::At(b)) => Self::At(a.min(b)),
            (Self::At(at), Self::No) | (Self::No, Self::At(at)) => Self::At(at),
            (Self::No, Self::No) => Self::No,
        }
    }
}
