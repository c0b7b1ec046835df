//! Whose turn it is: a queue over all clusters of one controller.
//!
//! Keys are kept per cluster. A cluster takes one key per turn, and turns are given by stride scheduling (Waldspurger
//! and Weihl 1995): each turn moves a cluster ahead by the inverse of its weight, and who is furthest behind is next. So
//! a cluster with many keys delays the others by one job, and one that had nothing to do for a while is served first.
//!
//! There are two lanes: what a first list showed waits behind what has changed since, and gets one turn in
//! [`PATIENCE`] when there is no end of changes.
//!
//! Pure and without a clock of its own; [`scheduler`](super::scheduler) hands the jobs out.

mod keys;
mod rate;
mod slots;
mod turns;

use std::{hash::Hash, num::NonZeroU32, time::Duration};

use tokio::time::Instant;

use keys::{Keys, later};
pub(crate) use rate::Rate;
pub(crate) use slots::Slot;
use slots::Slots;
use turns::Turns;

/// After how many jobs of the live lane in a row the initial lane has a turn.
const PATIENCE: u32 = 16;

/// How urgent a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Lane {
    /// Something has changed.
    Live = 0,
    /// The object was there when the watch began.
    Initial = 1,
}

/// How a job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Done, until the object changes.
    Done,
    /// Done, and due again after this time.
    Requeue(Duration),
    /// Failed: again with back-off.
    Failed,
    /// Not done, and not its fault: again at once.
    Interrupted,
}

/// How much may be worked on at a time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Jobs of all clusters together.
    pub(crate) total: usize,
    /// Jobs of one cluster; by default half of all when there are other clusters: one that hangs must not stop the rest.
    pub(crate) per_cluster: Option<usize>,
    /// How often a job of one cluster may begin.
    pub(crate) rate: Option<Rate>,
}

/// The keys of all attached clusters.
#[derive(Debug)]
pub(crate) struct Queue<K> {
    limits: Limits,
    running: usize,
    clusters: Slots<Keys<K>>,
    /// Who waits for a turn in each lane.
    turns: [Turns; 2],
    lives_in_a_row: u32,
}

// === impl Lane ===

impl Lane {
    const ALL: [Self; 2] = [Self::Live, Self::Initial];
}

// === impl Limits ===

impl Limits {
    /// At most `total` jobs at a time.
    pub(crate) const fn new(total: usize) -> Self {
        Self {
            total,
            per_cluster: None,
            rate: None,
        }
    }

    /// How many jobs one of `clusters` clusters may have.
    fn of_one(&self, clusters: usize) -> usize {
        match self.per_cluster {
            Some(limit) => limit,
            None if clusters == 1 => self.total,
            None => self.total.div_ceil(2),
        }
    }
}

// === impl Queue ===

impl<K: Clone + Eq + Hash> Queue<K> {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            running: 0,
            clusters: Slots::new(),
            turns: Default::default(),
            lives_in_a_row: 0,
        }
    }

    /// Sets the limits; the rate holds for clusters that are added from now on.
    pub(crate) fn limit(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Adds a cluster, which gets `weight` turns for each one of a cluster of weight 1.
    pub(crate) fn attach(&mut self, weight: NonZeroU32, now: Instant) -> Slot {
        let slot = self.clusters.insert(Keys::new(weight, self.limits.rate));
        self.share_places(now);
        slot
    }

    /// Removes a cluster with everything that waits in it; its running jobs still count until they are finished.
    pub(crate) fn detach(&mut self, slot: Slot, now: Instant) {
        if let Some(keys) = self.clusters.remove(slot) {
            for lane in Lane::ALL {
                self.turns[lane as usize].leave(slot, keys.place(lane));
            }
        }
        self.share_places(now);
    }

    /// Hands out nothing of a cluster while it is paused.
    pub(crate) fn pause(&mut self, slot: Slot, paused: bool, now: Instant) {
        if let Some(keys) = self.clusters.get_mut(slot) {
            keys.paused = paused;
        }
        self.stand(slot, now);
    }

    /// Asks for a key at once; that overtakes a delay, and in the live lane the initial one.
    pub(crate) fn add(&mut self, slot: Slot, key: K, lane: Lane, now: Instant) {
        if let Some(keys) = self.clusters.get_mut(slot) {
            keys.add(key, lane);
        }
        self.stand(slot, now);
    }

    /// Asks for a key after `delay`, if it is not asked for earlier.
    pub(crate) fn add_after(&mut self, slot: Slot, key: K, delay: Duration, now: Instant) {
        if delay.is_zero() {
            self.add(slot, key, Lane::Live, now);
        } else if let Some(keys) = self.clusters.get_mut(slot) {
            keys.delay(key, later(now, delay));
        }
    }

    /// Makes ready what is due in a cluster.
    pub(crate) fn expire(&mut self, slot: Slot, now: Instant) {
        if let Some(keys) = self.clusters.get_mut(slot) {
            keys.expire(now);
        }
        self.stand(slot, now);
    }

    /// When something of a cluster changes by the passing of time alone.
    pub(crate) fn due(&self, slot: Slot, now: Instant) -> Option<Instant> {
        self.clusters.get(slot)?.due(now)
    }

    /// The next key to work on, if one is ready and the limits permit.
    pub(crate) fn pop(&mut self, now: Instant) -> Option<(Slot, K)> {
        while self.running < self.limits.total {
            let lane = self.next_lane()?;
            let (slot, pass) = self.turns[lane as usize].next()?;
            let Some(keys) = self.clusters.get_mut(slot) else {
                continue;
            };
            let Some(key) = keys.take(lane, pass, now) else {
                continue;
            };
            self.running += 1;
            self.lives_in_a_row = match lane {
                Lane::Live => self.lives_in_a_row.saturating_add(1),
                Lane::Initial => 0,
            };
            self.stand(slot, now);
            return Some((slot, key));
        }
        None
    }

    /// A job has ended.
    pub(crate) fn finish(&mut self, slot: Slot, key: K, outcome: Outcome, now: Instant) {
        self.running = self.running.saturating_sub(1);
        if let Some(keys) = self.clusters.get_mut(slot) {
            keys.finish(key, outcome, now);
        }
        self.stand(slot, now);
    }

    /// Whether nothing waits, neither for a turn nor for its time, and nothing runs.
    #[cfg(test)]
    fn is_idle(&self) -> bool {
        self.running == 0 && self.clusters.values().all(Keys::is_empty)
    }

    fn next_lane(&self) -> Option<Lane> {
        let [live, initial] = [Lane::Live, Lane::Initial].map(|lane| &self.turns[lane as usize]);
        let waits_long = !initial.is_empty() && self.lives_in_a_row >= PATIENCE;
        if !live.is_empty() && !waits_long {
            return Some(Lane::Live);
        }
        (!initial.is_empty()).then_some(Lane::Initial)
    }

    /// How many places a cluster may use depends on whether it is alone.
    fn share_places(&mut self, now: Instant) {
        if self.clusters.len() <= 2 {
            let slots: Vec<_> = self.clusters.slots().collect();
            slots.into_iter().for_each(|slot| self.stand(slot, now));
        }
    }

    /// Lets a cluster wait for its turns, or not, as its state says.
    fn stand(&mut self, slot: Slot, now: Instant) {
        let limit = self.limits.of_one(self.clusters.len());
        let Some(keys) = self.clusters.get_mut(slot) else {
            return;
        };
        let may = keys.may_run(limit, now);
        for lane in Lane::ALL {
            let wanted = may && keys.has_ready(lane);
            let turns = &mut self.turns[lane as usize];
            match (wanted, keys.place(lane).is_some()) {
                (true, false) => keys.enter(lane, |pass| turns.enter(slot, pass)),
                (false, true) => turns.leave(slot, keys.leave(lane)),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests;
