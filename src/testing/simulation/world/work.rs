//! What processes do to the clusters that they own.

use std::time::Duration;

use super::World;
use crate::{
    clock::Moment,
    sharding::{Mutant, internals::Input},
    testing::simulation::{
        event::{Event, ProcessNumber},
        process::{Worker, work_time},
    },
};

// === impl World ===

impl World<'_> {
    pub(super) fn engage(
        &mut self,
        number: ProcessNumber,
        cluster: usize,
        deadline: Moment,
        token: u64,
    ) {
        self.workers += 1;
        let worker = Worker {
            number: self.workers,
            token,
            deadline,
            revoked: false,
            draining: false,
            ends_since: None,
            writes: Vec::new(),
            last_unanswered: None,
        };
        self.observer
            .begins(cluster, number, worker.number, token, self.now);
        let worker_number = worker.number;
        self.processes[number].workers.insert(cluster, worker);
        self.watch_deadline(number, cluster, deadline, worker_number);
        let pause = self.random_between(Duration::from_millis(1), Duration::from_millis(100));
        self.after(
            pause,
            Event::Work {
                process: number,
                cluster,
                worker: worker_number,
            },
        );
    }

    pub(super) fn permit(&mut self, number: ProcessNumber, cluster: usize, deadline: Moment) {
        if let Some(worker) = self.processes[number].workers.get_mut(&cluster) {
            worker.deadline = deadline;
            let worker = worker.number;
            self.watch_deadline(number, cluster, deadline, worker);
        }
    }

    fn watch_deadline(
        &mut self,
        number: ProcessNumber,
        cluster: usize,
        deadline: Moment,
        worker: u64,
    ) {
        let at = self.processes[number].clock.real(deadline);
        self.at(
            at,
            Event::Deadline {
                process: number,
                cluster,
                worker,
            },
        );
    }

    /// The machine's clock has reached a deadline, whatever its process does: what is under way is given up.
    pub(super) fn deadline(&mut self, number: ProcessNumber, cluster: usize, worker: u64) {
        let now = self.processes[number].clock.local(self.now);
        let passed = self.processes[number]
            .workers
            .get(&cluster)
            .is_some_and(|known| known.number == worker && now >= known.deadline);
        if passed && !self.processes[number].deaf {
            self.give_up_writes(number, cluster);
        }
    }

    pub(super) fn revoke(&mut self, number: ProcessNumber, cluster: usize) {
        self.give_up_writes(number, cluster);
        let Some(worker) = self.processes[number].workers.get_mut(&cluster) else {
            return;
        };
        worker.revoked = true;
        let (draining, worker) = (worker.draining, worker.number);
        // What ignored that it was asked to end is dropped now.
        if draining && self.processes[number].stubborn && !self.processes[number].deaf {
            self.end_after(Duration::from_millis(1), number, cluster, worker);
        }
    }

    pub(super) fn drain(&mut self, number: ProcessNumber, cluster: usize) {
        let (stubborn, deaf) = (self.processes[number].stubborn, self.processes[number].deaf);
        let Some(worker) = self.processes[number].workers.get_mut(&cluster) else {
            return;
        };
        worker.draining = true;
        let (revoked, worker) = (worker.revoked, worker.number);
        if stubborn && (!revoked || deaf) {
            return;
        }
        let pause = self.random_between(Duration::ZERO, self.scenario.reconcile);
        self.end_after(pause, number, cluster, worker);
    }

    /// The engagement ends after `pause`.
    pub(super) fn end_after(
        &mut self,
        pause: Duration,
        number: ProcessNumber,
        cluster: usize,
        worker: u64,
    ) {
        self.after(
            pause,
            Event::Ended {
                process: number,
                cluster,
                worker,
            },
        );
    }

    pub(super) fn ended(&mut self, number: ProcessNumber, cluster: usize, worker: u64) {
        let now = self.now;
        let Some(known) = self.processes[number].workers.get_mut(&cluster) else {
            return;
        };
        if known.number != worker {
            return;
        }
        let since = *known.ends_since.get_or_insert(now);
        if !known.writes.is_empty() && !known.revoked && now - since < PATIENCE {
            // It waits for its last answer.
            self.end_after(Duration::from_millis(1), number, cluster, worker);
            return;
        }
        self.give_up_writes(number, cluster);
        let Some(ended) = self.processes[number].workers.remove(&cluster) else {
            return;
        };
        let name = self.name(cluster);
        self.observer.idle(cluster, worker, self.now);
        self.step(number, Input::Drained(name, ended.last_unanswered));
    }

    /// One turn of a worker: it writes to the cluster when its guard permits.
    pub(super) fn work(&mut self, number: ProcessNumber, cluster: usize, worker: u64) {
        let process = &self.processes[number];
        let now = process.clock.local(self.now);
        let Some(known) = process
            .workers
            .get(&cluster)
            .filter(|known| known.number == worker)
        else {
            return;
        };
        let unguarded = self.scenario.unguarded || process.deaf;
        let begins = known.ends_since.is_none() || unguarded;
        if begins && (known.permits(now) || unguarded) {
            // Some writes fail at first, and a layer of the client tries them again.
            if self.random.f64() < 0.02 {
                let pause =
                    self.random_between(Duration::from_millis(100), Duration::from_millis(1_500));
                self.after(
                    pause,
                    Event::Retry {
                        process: number,
                        cluster,
                        worker,
                    },
                );
            } else {
                self.write(number, cluster, now, unguarded);
            }
        }
        let pause = self.random_between(Duration::from_millis(20), self.scenario.write_every);
        self.after(
            pause,
            Event::Work {
                process: number,
                cluster,
                worker,
            },
        );
    }

    /// P6: each attempt asks the guard, not only the first one.
    pub(super) fn retry(&mut self, number: ProcessNumber, cluster: usize, worker: u64) {
        let process = &self.processes[number];
        let now = process.clock.local(self.now);
        let unguarded = self.scenario.unguarded || process.deaf;
        let unchecked = unguarded || self.scenario.mutants.has(Mutant::CheckOnce);
        let known = process.workers.get(&cluster);
        if known.is_some_and(|known| known.number == worker && (unchecked || known.permits(now))) {
            self.write(number, cluster, now, unguarded);
        }
    }

    /// An attempt to write leaves for the cluster.
    fn write(&mut self, number: ProcessNumber, cluster: usize, now: Moment, unguarded: bool) {
        let process = &mut self.processes[number];
        let confirmed = process.confirmed.get(&cluster).copied();
        let Some(known) = process.workers.get_mut(&cluster) else {
            return;
        };
        let (worker, token) = (known.number, known.token);
        self.writes += 1;
        let write = self.writes;
        known.writes.push(write);
        // I1 is what an unguarded write must be caught by.
        if !unguarded {
            let allows = work_time(&self.scenario.timings);
            self.observer
                .write_begins(cluster, number, now, confirmed, allows);
        }
        // Some writes take longer than their writer waits.
        let slow = self.random.f64() < self.scenario.slow_writes;
        let latency =
            Duration::from_micros(self.random.u64(200..if slow { 4_000_000 } else { 20_000 }));
        self.after(
            latency,
            Event::Effect {
                process: number,
                cluster,
                worker,
                token,
                write,
            },
        );
    }

    /// A write takes effect, if its writer still waits for it: those that were given up have an event of their own.
    pub(super) fn effect(
        &mut self,
        number: ProcessNumber,
        cluster: usize,
        worker: u64,
        token: u64,
        write: u64,
    ) {
        let process = &mut self.processes[number];
        let waited_for = match process
            .workers
            .get_mut(&cluster)
            .filter(|known| known.number == worker)
        {
            Some(known) => {
                let before = known.writes.len();
                known.writes.retain(|other| *other != write);
                known.writes.len() < before
            }
            None => false,
        };
        // `GIVEN_UP` marks a late effect, which nobody waits for.
        if waited_for || write == GIVEN_UP {
            self.observer.effect(cluster, number, worker, token);
        }
    }

    /// Everything under way takes effect within the stop margin from now, or never.
    pub(super) fn give_up_writes(&mut self, number: ProcessNumber, cluster: usize) {
        let process = &mut self.processes[number];
        let now = process.clock.local(self.now);
        let Some(worker) = process.workers.get_mut(&cluster) else {
            return;
        };
        let given_up = std::mem::take(&mut worker.writes).len();
        if given_up == 0 {
            return;
        }
        worker.last_unanswered = Some(now);
        let (worker, token) = (worker.number, worker.token);
        let margin = self.scenario.timings.margin().mul_f64(0.98);
        for _ in 0..given_up {
            let late = self.random_between(Duration::ZERO, margin);
            self.after(
                late,
                Event::Effect {
                    process: number,
                    cluster,
                    worker,
                    token,
                    write: GIVEN_UP,
                },
            );
        }
    }
}

const GIVEN_UP: u64 = 0;

/// How long a worker that ends waits for its last answers.
const PATIENCE: Duration = Duration::from_millis(100);
