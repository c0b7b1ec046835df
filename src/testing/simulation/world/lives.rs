//! Processes that start, stand still and end.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use super::World;
use crate::{
    clock::Moment,
    sharding::{
        BoundedRendezvous, MAX_WEIGHT, Mutant, Peer, Rendezvous,
        internals::{Coordinator, Input, Place, Pod, Settings},
    },
    testing::simulation::{
        event::ProcessNumber,
        formula::NextFormula,
        process::{Home, Life, Process, SimulatedClock, Watch},
    },
};

// === impl World ===

impl World<'_> {
    /// Starts a process of a peer in a new pod, in place of the one before.
    pub(super) fn start(&mut self, peer: usize) {
        self.pods += 1;
        let home = Home {
            pod: self.pods,
            network: self.pods,
        };
        self.start_in(peer, home);
    }

    /// Starts a process of a peer there, in place of the one before.
    fn start_in(&mut self, peer: usize, home: Home) {
        let number = self.processes.len();
        let incarnation: Arc<str> = format!("incarnation-{number}").into();
        let weight = self
            .weights
            .get(&peer)
            .copied()
            .unwrap_or(1)
            .min(MAX_WEIGHT);
        let Ok(id) = format!("peer-{peer}").parse() else {
            return;
        };
        let clock = SimulatedClock {
            drift: self.random.i64(-10_000..=10_000),
            start: Duration::from_millis(1_000_000 + self.random.u64(..120_000)),
            wall_offset: self.random.i64(-60_000_000..60_000_000),
            stood: Duration::ZERO,
        };
        let place = self.place(home, clock.local(self.now));
        let alone = place.alone_since.is_some();
        let coordinator = Coordinator::new(Settings {
            peer: Peer { id, weight },
            incarnation: incarnation.clone(),
            place: Some(place),
            peer_prefix: "mcr-peer".into(),
            fence_prefix: "mcr-shard".into(),
            timings: self.scenario.timings,
            sharder: match self.upgraded.contains(&peer) {
                true => Box::new(NextFormula::default()),
                false if self.scenario.bounded => Box::new(BoundedRendezvous::new()),
                false => Box::new(Rendezvous::new()),
            },
            mutants: self.scenario.mutants,
        });
        self.processes.push(Process {
            peer,
            home,
            alone,
            incarnation,
            coordinator,
            clock,
            life: Life::Running,
            cut: false,
            leaving: false,
            stubborn: false,
            deaf: false,
            suspended: None,
            backlog: Default::default(),
            held: Vec::new(),
            pending: BTreeMap::new(),
            watch: Watch::default(),
            workers: BTreeMap::new(),
            timer: 0,
            timer_at: None,
            confirmed: BTreeMap::new(),
        });
        self.current.insert(peer, number);
        self.step(number, Input::Tick);
        self.restart_watch(number, Duration::ZERO);
        let shown: Vec<_> = self
            .clusters
            .iter()
            .copied()
            .filter(|cluster| !self.hidden.contains(&(peer, *cluster)))
            .collect();
        for cluster in shown {
            let name = self.name(cluster);
            self.step(number, Input::Applied(name));
        }
    }

    /// P12: the socket is bound by the first process of a pod that lives, in each network.
    fn place(&self, home: Home, now: Moment) -> Place {
        let taken = self
            .processes
            .iter()
            .any(|process| process.home == home && process.alone && process.life != Life::Dead);
        Place {
            pod: Pod {
                uid: format!("pod-{}", home.pod).into(),
                network: format!("network-{}", home.network).into(),
            },
            alone_since: (!taken).then_some(now),
        }
    }

    /// A process ends without a word.
    pub(super) fn die(&mut self, number: ProcessNumber) {
        // What it has sent may still take effect.
        let working: Vec<_> = self.processes[number].workers.keys().copied().collect();
        for cluster in working {
            self.give_up_writes(number, cluster);
        }
        let process = &mut self.processes[number];
        process.life = Life::Dead;
        process.backlog.clear();
        let workers = std::mem::take(&mut process.workers);
        for (cluster, worker) in workers {
            self.observer.idle(cluster, worker.number, self.now);
        }
    }

    /// The container of a peer ends without a word, and is started again in its pod.
    pub(super) fn restart(&mut self, peer: usize) {
        let Some(old) = self.current.get(&peer).copied() else {
            return;
        };
        self.die(old);
        self.start_in(peer, self.processes[old].home);
    }

    /// Whatever runs of a peer besides its present process ends.
    pub(super) fn end_others(&mut self, peer: usize) {
        let present = self.current.get(&peer).copied();
        for number in 0..self.processes.len() {
            let process = &self.processes[number];
            if process.peer == peer && Some(number) != present && process.life != Life::Dead {
                self.die(number);
            }
        }
    }

    /// A second process of a peer starts in its pod.
    pub(super) fn twin(&mut self, peer: usize) {
        if let Some(old) = self.process_of(peer) {
            self.start_in(peer, self.processes[old].home);
        }
    }

    /// A peer's pod gets another network and another process, while the old one runs on, cut off.
    pub(super) fn rehome(&mut self, peer: usize) {
        if let Some(old) = self.process_of(peer) {
            self.processes[old].cut = true;
            self.pods += 1;
            let home = Home {
                pod: self.processes[old].home.pod,
                network: self.pods,
            };
            self.start_in(peer, home);
        }
    }

    /// A machine is suspended: its process stands still, and nothing gets through.
    pub(super) fn suspend(&mut self, number: ProcessNumber) {
        let now = self.now;
        let process = &mut self.processes[number];
        if process.is_running() {
            process.life = Life::Frozen;
            process.cut = true;
            process.suspended = Some(now);
        }
    }

    pub(super) fn resume(&mut self, number: ProcessNumber) {
        let now = self.now;
        let process = &mut self.processes[number];
        let Some(since) = process.suspended.take() else {
            return;
        };
        if self.scenario.mutants.has(Mutant::ClockStandsStill) {
            process.clock.stood += now - since;
        }
        self.thaw(number);
        self.heal(number);
    }

    pub(super) fn thaw(&mut self, number: ProcessNumber) {
        if self.processes[number].life == Life::Frozen {
            self.processes[number].life = Life::Running;
            // Everything that came meanwhile is there at once.
            let backlog = std::mem::take(&mut self.processes[number].backlog);
            for event in backlog {
                self.after(Duration::from_micros(10), event);
            }
        }
    }
}
