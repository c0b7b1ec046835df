//! Plays the operations of a scenario.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use super::{Expectation, LOOK, World, hands::spoil};
use crate::{
    sharding::internals::Input,
    testing::simulation::{
        event::{Event, ProcessNumber},
        operation::Operation,
        process::{Life, Process, Worker},
        server::Health,
    },
};

// === impl World ===

impl World<'_> {
    /// Plays operations until one takes time.
    pub(super) fn next_operation(&mut self) {
        if let Some(mut expectation) = self.expecting.take() {
            let idle = self.idle();
            let elapsed = self.now - expectation.since;
            if !expectation.waiting.is_empty() {
                expectation.waiting.retain(|cluster| idle.contains(cluster));
                expectation.reached = elapsed;
            }
            if let Some(cluster) = idle.first() {
                if self.now < expectation.until {
                    self.expecting = Some(expectation);
                    self.after(LOOK, Event::Script);
                    return;
                }
                self.observer.violations.push(format!(
                    "L1: nobody works on cluster-{cluster} at {:?}, {elapsed:?} after it was expected to be worked on",
                    self.now
                ));
                return;
            }
            self.took.push(elapsed);
            self.reached.push(expectation.reached);
        }
        while let Some(operation) = self.script.next() {
            if let Some(trace) = &mut self.trace {
                trace.push(format!("{:>10.3?} === {operation:?}", self.now));
            }
            match operation {
                Operation::Wait(time) => {
                    self.after(*time, Event::Script);
                    return;
                }
                Operation::ExpectOwned(limit) => {
                    self.expecting = Some(Expectation {
                        since: self.now,
                        until: self.now + *limit,
                        waiting: self.clusters.clone(),
                        reached: Duration::ZERO,
                    });
                    self.after(Duration::ZERO, Event::Script);
                    return;
                }
                other => self.operate(other),
            }
        }
        self.after(Duration::ZERO, Event::Script);
    }

    fn operate(&mut self, operation: &Operation) {
        match *operation {
            Operation::Start(peer) => {
                if let Some(old) = self.process_of(peer) {
                    self.die(old);
                }
                self.start(peer);
            }
            Operation::Crash(peer) => self.on(peer, Self::die),
            Operation::Leave(peer) => self.on(peer, |world, number| {
                world.thaw(number);
                world.processes[number].leaving = true;
                world.step(number, Input::Leave);
            }),
            Operation::Zombie(peer) => {
                self.on(peer, |world, number| world.processes[number].cut = true);
                self.start(peer);
            }
            Operation::Restart(peer) => self.restart(peer),
            Operation::Twin(peer) => self.twin(peer),
            Operation::EndOthers(peer) => self.end_others(peer),
            Operation::Rehome(peer) => self.rehome(peer),
            Operation::Suspend(peer) => self.on(peer, Self::suspend),
            Operation::Resume(peer) => self.on(peer, Self::resume),
            Operation::Freeze(peer) => self.on(peer, |world, number| {
                world.processes[number].life = Life::Frozen;
            }),
            Operation::Thaw(peer) => self.on(peer, Self::thaw),
            Operation::Partition(peer) => {
                self.on(peer, |world, number| world.processes[number].cut = true)
            }
            Operation::Heal(peer) => self.on(peer, Self::heal),
            Operation::StallWatch(peer) => self.on(peer, |world, number| {
                world.processes[number].watch.stalled = true;
            }),
            Operation::BreakWatch(peer) => self.on(peer, |world, number| {
                world.restart_watch(number, Duration::from_millis(100));
            }),
            Operation::JumpDate(peer, seconds) => self.on(peer, |world, number| {
                world.processes[number].clock.wall_offset += seconds * 1_000_000;
            }),
            Operation::Upgrade(peer) => {
                self.upgraded.insert(peer);
            }
            Operation::Load(cluster, objects) => self.load(cluster, objects),
            Operation::Weight(peer, weight) => {
                self.weights.insert(peer, weight);
                self.on(peer, |world, number| {
                    world.step(number, Input::Weight(weight))
                });
            }
            Operation::Hide(peer, cluster, hide) => self.hide(peer, cluster, hide),
            Operation::Hub(health) => self.set_health(health),
            Operation::Add(cluster) => self.show(cluster, true),
            Operation::Remove(cluster) => self.show(cluster, false),
            Operation::DeleteFence(cluster) => {
                let lease = self.fence_lease(cluster);
                self.server.delete(&lease);
                self.wake_watches();
            }
            Operation::DeletePeerLease(peer) => {
                self.server.delete(&format!("mcr-peer-peer-{peer}"));
                self.wake_watches();
            }
            Operation::AnnotateFence(cluster) => {
                let lease = self.fence_lease(cluster);
                self.server.edit(&lease, |record| {
                    Arc::make_mut(&mut record.foreign)
                        .annotations
                        .insert("note".into(), "by hand".into());
                });
                self.wake_watches();
            }
            Operation::SpoilFence(cluster, nonsense) => {
                let lease = self.fence_lease(cluster);
                self.server.edit(&lease, |record| spoil(record, nonsense));
                self.wake_watches();
            }
            Operation::SpoilPeerLease(peer, nonsense) => {
                let lease = format!("mcr-peer-peer-{peer}");
                self.server.edit(&lease, |record| spoil(record, nonsense));
                self.wake_watches();
            }
            Operation::GoRenews(cluster) => self.go_renews(cluster),
            Operation::GoWorks(cluster) => self.go_works(cluster),
            Operation::GoTakes(cluster) => self.go_takes(cluster),
            Operation::Loss(probability) => {
                self.loss = probability;
                self.reply_loss = probability;
            }
            Operation::LostReplies(probability) => self.reply_loss = probability,
            Operation::Refusals(probability) => self.refusals = probability,
            Operation::Deaf(peer, deaf) => self.on(peer, |world, number| {
                world.processes[number].deaf = deaf;
                world.stubborn(number, deaf);
            }),
            Operation::Stubborn(peer, stubborn) => {
                self.on(peer, |world, number| world.stubborn(number, stubborn))
            }
            Operation::HealAll => self.heal_all(),
            Operation::ExpectNoMoves => {
                let moved = self.observer.moves - self.moves_before;
                self.moves_before = self.observer.moves;
                if moved > 0 {
                    self.observer
                        .violations
                        .push(format!("L7: {moved} clusters have moved for no reason"));
                }
            }
            Operation::Wait(_) | Operation::ExpectOwned(_) => {}
        }
    }

    pub(super) fn process_of(&self, peer: usize) -> Option<ProcessNumber> {
        let number = *self.current.get(&peer)?;
        (self.processes[number].life != Life::Dead).then_some(number)
    }

    pub(super) fn on(&mut self, peer: usize, act: impl FnOnce(&mut Self, ProcessNumber)) {
        if let Some(number) = self.process_of(peer) {
            act(self, number);
        }
    }

    fn stubborn(&mut self, number: ProcessNumber, stubborn: bool) {
        self.processes[number].stubborn = stubborn;
        let workers = self.processes[number].workers.iter();
        let draining: Vec<_> = workers
            .filter(|(_, worker)| worker.draining && !stubborn)
            .map(|(cluster, worker)| (*cluster, worker.number))
            .collect();
        for (cluster, worker) in draining {
            self.end_after(Duration::from_millis(1), number, cluster, worker);
        }
    }

    pub(super) fn heal(&mut self, number: ProcessNumber) {
        if !self.processes[number].cut {
            return;
        }
        self.processes[number].cut = false;
        for event in std::mem::take(&mut self.processes[number].held) {
            if self.random.bool() {
                let late = self.random_between(Duration::ZERO, Duration::from_millis(200));
                self.after(late, event);
            }
        }
        // A connection may have survived; a stream that lost events has not.
        self.restart_watch(number, Duration::from_millis(100));
    }

    fn set_health(&mut self, health: Health) {
        self.server.health = health;
        match health {
            Health::Up => {
                for event in std::mem::take(&mut self.hung) {
                    if self.random.bool() {
                        let late = self.random_between(Duration::ZERO, Duration::from_millis(200));
                        self.after(late, event);
                    }
                }
            }
            Health::Refusing => {
                for number in 0..self.processes.len() {
                    self.restart_watch(number, Duration::from_millis(100));
                }
            }
            Health::Hanging | Health::StoreDown => {}
        }
    }

    fn heal_all(&mut self) {
        self.set_health(Health::Up);
        self.loss = 0.0;
        self.reply_loss = 0.0;
        self.refusals = 0.0;
        for number in 0..self.processes.len() {
            if self.processes[number].life == Life::Dead {
                continue;
            }
            self.processes[number].deaf = false;
            self.stubborn(number, false);
            self.processes[number].watch.stalled = false;
            self.resume(number);
            self.thaw(number);
            self.heal(number);
            if self.current.get(&self.processes[number].peer) != Some(&number) {
                // The zombie's pod is gone at last.
                self.die(number);
            }
        }
        let peers: Vec<_> = self.current.keys().copied().collect();
        for peer in peers {
            if self
                .process_of(peer)
                .is_none_or(|number| self.processes[number].leaving)
            {
                self.on(peer, Self::die);
                self.start(peer);
            }
        }
        let hidden = std::mem::take(&mut self.hidden);
        for (peer, cluster) in hidden {
            if self.clusters.contains(&cluster) {
                let name = self.name(cluster);
                self.on(peer, |world, number| {
                    world.step(number, Input::Applied(name))
                });
            }
        }
    }

    fn show(&mut self, cluster: usize, shown: bool) {
        if shown {
            self.clusters.insert(cluster);
        } else {
            self.clusters.remove(&cluster);
        }
        let peers: Vec<_> = self.current.keys().copied().collect();
        for peer in peers {
            if !self.hidden.contains(&(peer, cluster)) {
                self.tell(peer, cluster, shown);
            }
        }
    }

    fn load(&mut self, cluster: usize, objects: u64) {
        let works =
            |process: &Process| process.is_running() && process.workers.contains_key(&cluster);
        if let Some(number) = self.processes.iter().rposition(works) {
            let name = self.name(cluster);
            self.step(number, Input::Load(name, objects));
        }
    }

    fn hide(&mut self, peer: usize, cluster: usize, hide: bool) {
        if hide {
            self.hidden.insert((peer, cluster));
        } else {
            self.hidden.remove(&(peer, cluster));
        }
        if self.clusters.contains(&cluster) {
            self.tell(peer, cluster, !hide);
        }
    }

    fn tell(&mut self, peer: usize, cluster: usize, shown: bool) {
        let name = self.name(cluster);
        let input = if shown {
            Input::Applied(name)
        } else {
            Input::Removed(name)
        };
        self.on(peer, |world, number| world.step(number, input));
    }

    /// The clusters on which no live process works.
    fn idle(&self) -> BTreeSet<usize> {
        let worked_on = |cluster: &usize| {
            self.processes.iter().any(|process| {
                let now = process.clock.local(self.now);
                let works = |worker: &Worker| !worker.draining && worker.permits(now);
                process.is_running() && process.workers.get(cluster).is_some_and(works)
            })
        };
        let clusters = self.clusters.iter().copied();
        clusters.filter(|cluster| !worked_on(cluster)).collect()
    }
}
