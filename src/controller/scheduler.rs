//! Hands the jobs of a controller's queue to the clusters that they belong to.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::Instant,
};

use super::queue::{Outcome, Queue, Slot};

/// The queue of one controller, shared by its clusters.
#[derive(Debug)]
pub(super) struct Scheduler<K: Clone + Eq + Hash> {
    shared: Arc<Mutex<Shared<K>>>,
}

#[derive(Debug)]
struct Shared<K: Clone + Eq + Hash> {
    queue: Queue<K>,
    clusters: HashMap<Slot, UnboundedSender<Job<K>>>,
}

/// One cluster's side of the queue; dropping it detaches the cluster.
#[derive(Debug)]
pub(super) struct Attached<K: Clone + Eq + Hash> {
    scheduler: Scheduler<K>,
    slot: Slot,
    jobs: UnboundedReceiver<Job<K>>,
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
    /// At most `limit` jobs are out at a time.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            shared: Arc::new(Mutex::new(Shared {
                queue: Queue::new(limit),
                clusters: HashMap::new(),
            })),
        }
    }

    /// Adds a cluster.
    pub(super) fn attach(&self) -> Attached<K> {
        let (sender, jobs) = unbounded_channel();
        let mut shared = self.lock();
        let slot = shared.queue.attach();
        shared.clusters.insert(slot, sender);
        drop(shared);
        Attached {
            scheduler: self.clone(),
            slot,
            jobs,
        }
    }

    /// Changes the queue, then hands out what may run.
    fn change<T>(&self, act: impl FnOnce(&mut Queue<K>) -> T) -> T {
        let mut shared = self.lock();
        let result = act(&mut shared.queue);
        let mut refused = Vec::new();
        while let Some((slot, key)) = shared.queue.pop() {
            let job = Job {
                scheduler: self.clone(),
                slot,
                key: Some(key),
            };
            match shared.clusters.get(&slot) {
                Some(sender) => refused.extend(sender.send(job).err().map(|error| error.0)),
                None => refused.push(job),
            }
        }
        // Dropping a job locks again.
        drop(shared);
        drop(refused);
        result
    }

    fn lock(&self) -> MutexGuard<'_, Shared<K>> {
        // The queue is consistent between statements that can panic.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Clone + Eq + Hash> Clone for Scheduler<K> {
    fn clone(&self) -> Self {
        Self {
            shared: self.shared.clone(),
        }
    }
}

// === impl Attached ===

impl<K: Clone + Eq + Hash> Attached<K> {
    /// Asks for keys at once.
    pub(super) fn add(&self, keys: impl IntoIterator<Item = K>) {
        self.scheduler.change(|queue| {
            for key in keys {
                queue.add(self.slot, key);
            }
        });
    }

    /// Makes ready what is due, and says when the next key will be.
    pub(super) fn expire(&self) -> Option<Instant> {
        self.scheduler
            .change(|queue| queue.expire(self.slot, Instant::now()))
    }

    /// Gets no jobs while paused.
    pub(super) fn pause(&self, paused: bool) {
        self.scheduler
            .change(|queue| queue.pause(self.slot, paused));
    }

    /// The next job; cancel-safe.
    pub(super) async fn next(&mut self) -> Option<Job<K>> {
        self.jobs.recv().await
    }
}

impl<K: Clone + Eq + Hash> Drop for Attached<K> {
    fn drop(&mut self) {
        // Both under one lock, so that no job is handed out in between.
        let mut shared = self.scheduler.lock();
        shared.clusters.remove(&self.slot);
        shared.queue.detach(self.slot);
        drop(shared);
        // Jobs that were handed out and not begun free their places.
        while let Ok(job) = self.jobs.try_recv() {
            drop(job);
        }
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
                .change(|queue| queue.finish(slot, key, outcome, Instant::now()));
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

    #[tokio::test]
    async fn a_dropped_job_frees_its_place_and_is_tried_again() {
        let scheduler = Scheduler::new(1);
        let mut cluster = scheduler.attach();
        cluster.add([1, 2]);
        drop(cluster.next().await);
        let second = cluster.next().await.unwrap();
        assert_eq!(second.key(), Some(&2));
        second.finish(Outcome::Done);
        let due = cluster.expire().expect("the first one is retried");
        tokio::time::sleep_until(due).await;
        cluster.expire();
        assert_eq!(cluster.next().await.unwrap().key(), Some(&1));
    }

    #[tokio::test]
    async fn clusters_that_leave_while_others_finish_stop_nobody() {
        let scheduler = Scheduler::new(1);
        let mut stays = scheduler.attach();
        stays.add([1]);
        let mut job = stays.next().await;
        for round in 0..1_000 {
            let leaves = scheduler.attach();
            leaves.add([2]);
            stays.add([round + 3]);
            let ended = tokio::task::spawn_blocking(move || drop(leaves));
            drop(job.take());
            ended.await.unwrap();
            job = stays.next().await;
        }
    }

    #[tokio::test]
    async fn a_cluster_that_leaves_frees_the_places_of_its_jobs() {
        let scheduler = Scheduler::new(1);
        let (leaving, mut other) = (scheduler.attach(), scheduler.attach());
        leaving.add([1]);
        other.add([2]);
        drop(leaving);
        assert_eq!(other.next().await.unwrap().key(), Some(&2));
    }
}
