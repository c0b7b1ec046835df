//! Hands the jobs of a controller's queue to the clusters that they belong to.

use std::{
    collections::HashMap,
    fmt,
    hash::Hash,
    num::NonZeroU32,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::queue::{Lane, Limits, Outcome, Queue, Slot};
use crate::{
    cluster::ClusterName,
    mailbox::{Mailbox, Sender, mailbox},
};

/// The queue of one controller, shared by its clusters.
#[derive(Debug)]
pub(super) struct Scheduler<K: Clone + Eq + Hash> {
    shared: Arc<Mutex<Shared<K>>>,
}

#[derive(Debug)]
struct Shared<K: Clone + Eq + Hash> {
    queue: Queue<K>,
    clusters: HashMap<Slot, Runner<K>>,
    names: HashMap<ClusterName, Slot>,
}

/// Where the jobs of a cluster go.
#[derive(Debug)]
struct Runner<K: Clone + Eq + Hash> {
    messages: Sender<Message<K>>,
    /// When it will look again at what is due.
    looks: Option<Instant>,
    judge: Option<Judge<K>>,
}

/// Says whether a key may be asked for from elsewhere.
#[derive(Clone)]
pub(super) struct Judge<K>(Arc<dyn Fn(&K) -> bool + Send + Sync>);

/// What a cluster's runner is told.
#[derive(Debug)]
enum Message<K: Clone + Eq + Hash> {
    Job(Job<K>),
    /// The time at which something is due may be earlier than before.
    LookAgain,
}

/// One cluster's side of the queue; dropping it detaches the cluster.
#[derive(Debug)]
pub(super) struct Attached<K: Clone + Eq + Hash> {
    name: ClusterName,
    requests: Requester<K>,
    messages: Mailbox<Message<K>>,
}

/// Puts keys into the queue of one attachment of a cluster; has no effect after that has ended.
#[derive(Debug)]
pub(super) struct Requester<K: Clone + Eq + Hash> {
    scheduler: Scheduler<K>,
    slot: Slot,
}

/// A key to work on; dropped without an outcome, it has failed.
#[derive(Debug)]
pub(super) struct Job<K: Clone + Eq + Hash> {
    scheduler: Scheduler<K>,
    slot: Slot,
    key: Option<K>,
}

// === impl Scheduler ===

impl<K: Clone + Eq + Hash> Scheduler<K> {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            shared: Arc::new(Mutex::new(Shared {
                queue: Queue::new(limits),
                clusters: HashMap::new(),
                names: HashMap::new(),
            })),
        }
    }

    /// Adds a cluster.
    pub(super) fn attach(&self, name: ClusterName, weight: NonZeroU32) -> Attached<K> {
        let (sender, messages) = mailbox();
        let mut shared = self.lock();
        let slot = shared.queue.attach(weight, Instant::now());
        let runner = Runner {
            messages: sender,
            looks: None,
            judge: None,
        };
        shared.clusters.insert(slot, runner);
        shared.names.insert(name.clone(), slot);
        drop(shared);
        Attached {
            name,
            requests: Requester {
                scheduler: self.clone(),
                slot,
            },
            messages,
        }
    }

    /// Sets how much may be worked on at a time; before the first cluster is attached.
    pub(super) fn limit(&self, limits: Limits) {
        self.change(|shared, _| shared.queue.limit(limits), |_, _| ());
    }

    /// The present attachment of a cluster, and who judges what is asked for there.
    pub(super) fn attached(
        &self,
        cluster: &ClusterName,
    ) -> Option<(Requester<K>, Option<Judge<K>>)> {
        let shared = self.lock();
        let slot = *shared.names.get(cluster)?;
        let judge = shared.clusters.get(&slot)?.judge.clone();
        let requester = Requester {
            scheduler: self.clone(),
            slot,
        };
        Some((requester, judge))
    }

    /// Changes what is shared, hands out what may run, and lets `then` look at what came of it; all under one lock.
    fn change<T>(
        &self,
        act: impl FnOnce(&mut Shared<K>, Instant),
        then: impl FnOnce(&mut Shared<K>, Instant) -> T,
    ) -> T {
        let now = Instant::now();
        let mut shared = self.lock();
        act(&mut shared, now);
        let refused = shared.hand_out(self, now);
        let result = then(&mut shared, now);
        // Dropping a job locks again.
        drop(shared);
        drop(refused);
        result
    }

    /// Changes the keys of one cluster, and wakes its runner when something is due earlier than it looks.
    fn change_keys(&self, slot: Slot, act: impl FnOnce(&mut Queue<K>, Instant)) {
        self.change(
            |shared, now| act(&mut shared.queue, now),
            |shared, now| shared.wake(slot, now),
        );
    }

    fn lock(&self) -> MutexGuard<'_, Shared<K>> {
        // The queue is consistent between statements that can panic.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Shared ===

impl<K: Clone + Eq + Hash> Shared<K> {
    /// Sends out the jobs that may run; those that nobody took are to be dropped without the lock.
    #[must_use]
    fn hand_out(&mut self, scheduler: &Scheduler<K>, now: Instant) -> Vec<Message<K>> {
        let mut refused = Vec::new();
        while let Some((slot, key)) = self.queue.pop(now) {
            let job = Message::Job(Job {
                scheduler: scheduler.clone(),
                slot,
                key: Some(key),
            });
            match self.clusters.get(&slot) {
                Some(runner) => refused.extend(runner.messages.send(job).err()),
                None => refused.push(job),
            }
        }
        refused
    }

    /// Tells a runner when something of its cluster is due earlier than it looks.
    fn wake(&mut self, slot: Slot, now: Instant) {
        let (Some(due), Some(runner)) = (self.queue.due(slot, now), self.clusters.get_mut(&slot))
        else {
            return;
        };
        if runner.looks.is_none_or(|looks| due < looks) {
            runner.looks = Some(due);
            // Without a receiver there is nobody to wake.
            let _ = runner.messages.send(Message::LookAgain);
        }
    }
}

impl<K: Clone + Eq + Hash> Clone for Scheduler<K> {
    fn clone(&self) -> Self {
        Self {
            shared: self.shared.clone(),
        }
    }
}

// === impl Requester ===

impl<K: Clone + Eq + Hash> Requester<K> {
    /// Asks for keys at once.
    pub(super) fn add(&self, keys: impl IntoIterator<Item = K>, lane: Lane) {
        self.scheduler.change_keys(self.slot, |queue, now| {
            for key in keys {
                queue.add(self.slot, key, lane, now);
            }
        });
    }

    /// Asks for a key after `delay`, if it is not asked for earlier.
    pub(super) fn add_after(&self, key: K, delay: Duration) {
        self.scheduler.change_keys(self.slot, |queue, now| {
            queue.add_after(self.slot, key, delay, now);
        });
    }
}

impl<K: Clone + Eq + Hash> Clone for Requester<K> {
    fn clone(&self) -> Self {
        Self {
            scheduler: self.scheduler.clone(),
            slot: self.slot,
        }
    }
}

// === impl Attached ===

impl<K: Clone + Eq + Hash> Attached<K> {
    /// Where keys of this attachment can be asked for.
    pub(super) fn requests(&self) -> &Requester<K> {
        &self.requests
    }

    /// From now on, `judge` says which keys may be asked for from elsewhere.
    pub(super) fn judge(&self, judge: impl Fn(&K) -> bool + Send + Sync + 'static) {
        let mut shared = self.requests.scheduler.lock();
        if let Some(runner) = shared.clusters.get_mut(&self.requests.slot) {
            runner.judge = Some(Judge(Arc::new(judge)));
        }
    }

    /// Makes ready what is due, and says when to ask again.
    pub(super) fn expire(&self) -> Option<Instant> {
        let slot = self.requests.slot;
        self.requests.scheduler.change(
            |shared, now| shared.queue.expire(slot, now),
            // What was handed out may have used up the rate.
            |shared, now| {
                let due = shared.queue.due(slot, now);
                if let Some(runner) = shared.clusters.get_mut(&slot) {
                    runner.looks = due;
                }
                due
            },
        )
    }

    /// Gets no jobs while paused.
    pub(super) fn pause(&self, paused: bool) {
        let slot = self.requests.slot;
        self.requests.scheduler.change(
            |shared, now| shared.queue.pause(slot, paused, now),
            |_, _| (),
        );
    }

    /// The next job, or `None` when the time of the next [`expire`](Self::expire) may have changed; cancel-safe.
    pub(super) async fn next(&mut self) -> Option<Job<K>> {
        match self.messages.next().await {
            Message::Job(job) => Some(job),
            Message::LookAgain => None,
        }
    }
}

impl<K: Clone + Eq + Hash> Drop for Attached<K> {
    fn drop(&mut self) {
        let slot = self.requests.slot;
        self.requests.scheduler.change(
            |shared, now| {
                shared.clusters.remove(&slot);
                if shared.names.get(&self.name) == Some(&slot) {
                    shared.names.remove(&self.name);
                }
                // Who is alone now may use all places.
                shared.queue.detach(slot, now);
            },
            |_, _| (),
        );
        // With the mailbox go the jobs that were handed out and not begun, and free their places.
    }
}

// === impl Judge ===

impl<K> Judge<K> {
    /// Whether `key` may be asked for; it is somebody else's code, so not under the lock.
    pub(super) fn permits(&self, key: &K) -> bool {
        (self.0)(key)
    }
}

impl<K> fmt::Debug for Judge<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Judge").finish_non_exhaustive()
    }
}

// === impl Job ===

impl<K: Clone + Eq + Hash> Job<K> {
    /// The key to work on.
    pub(super) fn key(&self) -> Option<&K> {
        self.key.as_ref()
    }

    /// Ends the job.
    pub(super) fn finish(mut self, outcome: Outcome) {
        self.end(outcome);
    }

    fn end(&mut self, outcome: Outcome) {
        if let Some(key) = self.key.take() {
            let slot = self.slot;
            self.scheduler
                .change_keys(slot, |queue, now| queue.finish(slot, key, outcome, now));
        }
    }
}

impl<K: Clone + Eq + Hash> Drop for Job<K> {
    fn drop(&mut self) {
        self.end(Outcome::Failed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attach(scheduler: &Scheduler<u32>) -> Attached<u32> {
        scheduler.attach("zoo".parse().unwrap(), NonZeroU32::MIN)
    }

    async fn next_job(cluster: &mut Attached<u32>) -> Job<u32> {
        loop {
            if let Some(job) = cluster.next().await {
                return job;
            }
        }
    }

    #[tokio::test]
    async fn a_dropped_job_frees_its_place_and_is_tried_again() {
        let scheduler = Scheduler::new(Limits::new(1));
        let mut cluster = attach(&scheduler);
        cluster.requests().add([1, 2], Lane::Live);
        drop(next_job(&mut cluster).await);
        let second = next_job(&mut cluster).await;
        assert_eq!(second.key(), Some(&2));
        second.finish(Outcome::Done);
        let due = cluster.expire().expect("the first one is retried");
        tokio::time::sleep_until(due).await;
        cluster.expire();
        assert_eq!(next_job(&mut cluster).await.key(), Some(&1));
    }

    #[tokio::test]
    async fn clusters_that_leave_while_others_finish_stop_nobody() {
        let scheduler = Scheduler::new(Limits::new(1));
        let mut stays = attach(&scheduler);
        stays.requests().add([1], Lane::Live);
        let mut job = stays.next().await;
        for round in 0..1_000 {
            let leaves = attach(&scheduler);
            leaves.requests().add([2], Lane::Live);
            stays.requests().add([round + 3], Lane::Live);
            let ended = tokio::task::spawn_blocking(move || drop(leaves));
            drop(job.take());
            ended.await.unwrap();
            job = stays.next().await;
        }
    }

    #[tokio::test]
    async fn a_cluster_that_leaves_frees_the_places_of_its_jobs() {
        let scheduler = Scheduler::new(Limits::new(1));
        let (leaving, mut other) = (attach(&scheduler), attach(&scheduler));
        leaving.requests().add([1], Lane::Live);
        other.requests().add([2], Lane::Live);
        drop(leaving);
        assert_eq!(other.next().await.unwrap().key(), Some(&2));
    }

    #[tokio::test(start_paused = true)]
    async fn requests_by_name_reach_the_present_attachment_only() {
        let scheduler = Scheduler::new(Limits::new(1));
        let (zoo, first) = ("zoo".parse().unwrap(), attach(&scheduler));
        let (old, _) = scheduler.attached(&zoo).unwrap();
        let mut second = attach(&scheduler);
        drop(first);
        old.add([1], Lane::Live);
        old.add_after(2, Duration::from_secs(1));
        let (present, _) = scheduler.attached(&zoo).unwrap();
        present.add_after(3, Duration::from_secs(1));
        assert!(second.next().await.is_none(), "woken");
        let due = second.expire().unwrap();
        tokio::time::sleep_until(due).await;
        assert_eq!(second.expire(), None);
        let job = second.next().await.unwrap();
        assert_eq!(job.key(), Some(&3));
        drop(second);
        assert!(scheduler.attached(&zoo).is_none());
    }
}
