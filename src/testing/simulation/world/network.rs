//! Between processes and the API server.

use std::{sync::Arc, time::Duration};

use super::World;
use crate::{
    clock::Moment,
    sharding::internals::{Answer, Input, LeaseName, Record, Request},
    testing::simulation::{
        event::{Event, ProcessNumber, RequestId},
        process::Watch,
        server::Health,
    },
};

// === impl World ===

impl World<'_> {
    /// One way through the network: short as a rule, long now and then.
    fn latency(&mut self) -> Duration {
        let slow = self.random.f64() < self.scenario.slow;
        let limit = match slow {
            true => self.scenario.slowest,
            false => Duration::from_millis(8),
        };
        self.random_between(Duration::from_micros(300), limit)
    }

    pub(super) fn send(&mut self, number: ProcessNumber, lease: LeaseName, request: Request) {
        let id = self.pending(number, &lease, &request);
        let process = &self.processes[number];
        let give_up = process.clock.local(self.now) + self.scenario.timings.request_timeout();
        let give_up_at = process.clock.real(give_up);
        self.at(
            give_up_at,
            Event::GiveUp {
                process: number,
                id,
            },
        );
        if self.random.f64() < self.loss {
            return;
        }
        let latency = self.latency();
        self.after(
            latency,
            Event::Arrive {
                process: number,
                id,
                lease,
                request,
            },
        );
    }

    pub(super) fn arrive(
        &mut self,
        number: ProcessNumber,
        id: RequestId,
        lease: LeaseName,
        request: Request,
    ) {
        let event = |lease, request| Event::Arrive {
            process: number,
            id,
            lease,
            request,
        };
        if self.processes[number].cut {
            // A request lives on in the network when its sender has forgotten it.
            self.processes[number].held.push(event(lease, request));
            return;
        }
        let answer = match self.server.health {
            Health::Hanging => {
                self.hung.push(event(lease, request));
                return;
            }
            Health::Refusing => Answer::Unknown("connection refused".into()),
            Health::StoreDown => Answer::Unknown("500".into()),
            Health::Up if self.random.f64() < self.refusals => match self.random.bool() {
                true => Answer::Throttled(Some(Duration::from_secs(1))),
                false => Answer::Unknown("500".into()),
            },
            Health::Up => {
                let before = self.server.log.len();
                self.notice_theft(number, &lease, &request);
                let answer = self.server.apply(&lease, &request);
                self.observer.violations.append(&mut self.server.accidents);
                if self.server.log.len() > before {
                    self.wake_watches();
                }
                answer
            }
        };
        if self.random.f64() < self.reply_loss {
            return;
        }
        let latency = self.latency();
        self.after(
            latency,
            Event::Reply {
                process: number,
                id,
                answer,
            },
        );
    }

    pub(super) fn reply(&mut self, number: ProcessNumber, id: RequestId, answer: Answer) {
        if self.processes[number].cut {
            self.processes[number].held.push(Event::Reply {
                process: number,
                id,
                answer,
            });
            return;
        }
        let process = &mut self.processes[number];
        let Some(pending) = process.pending.remove(&id) else {
            return;
        };
        if let Some(cluster) = pending.cluster.filter(|_| pending.holds)
            && matches!(answer, Answer::Record(_))
        {
            process.confirmed.insert(cluster, pending.sent);
        }
        let input = Input::Answer {
            lease: pending.lease,
            sent: pending.sent,
            answer,
        };
        self.step(number, input);
    }

    pub(super) fn give_up(&mut self, number: ProcessNumber, id: RequestId) {
        let Some(pending) = self.processes[number].pending.remove(&id) else {
            return;
        };
        let answer = Answer::Unknown("no answer in time".into());
        let input = Input::Answer {
            lease: pending.lease,
            sent: pending.sent,
            answer,
        };
        self.step(number, input);
    }

    /// L4: nobody takes a fence from a process that could renew it.
    fn notice_theft(&mut self, number: ProcessNumber, lease: &str, request: &Request) {
        let Request::Replace {
            version, content, ..
        } = request
        else {
            return;
        };
        let Some(known) = self.server.get(lease) else {
            return;
        };
        let Some(holder) = known.incarnation() else {
            return;
        };
        let takes = known.version == *version
            && !content.holder.is_empty()
            && known.holder.is_some()
            && content.marks.incarnation.as_deref() != Some(holder);
        let robbed = self.processes.iter().any(|process| {
            *process.incarnation == *holder && process.is_connected() && !process.leaving
        });
        if takes && robbed {
            self.observer.thefts += 1;
            if let Some(trace) = &mut self.trace {
                trace.push(format!(
                    "{:>10.3?} p{number} takes {lease} from {holder}, which is connected",
                    self.now
                ));
            }
        }
    }

    // Watches.

    /// Opens a new stream after a pause.
    pub(super) fn restart_watch(&mut self, number: ProcessNumber, pause: Duration) {
        let process = &mut self.processes[number];
        process.watch = Watch {
            stream: process.watch.stream + 1,
            failures: process.watch.failures,
            ..Watch::default()
        };
        let stream = process.watch.stream;
        let latency = self.latency();
        self.after(
            pause + latency,
            Event::List {
                process: number,
                stream,
            },
        );
    }

    pub(super) fn list(&mut self, number: ProcessNumber, stream: u64) {
        let process = &self.processes[number];
        if process.watch.stream != stream {
            return;
        }
        let unreachable =
            process.cut || matches!(self.server.health, Health::Refusing | Health::Hanging);
        if unreachable || self.random.f64() < self.loss {
            let process = &mut self.processes[number];
            process.watch.failures = process.watch.failures.saturating_add(1);
            let pause = Duration::from_millis(100 << process.watch.failures.min(4));
            let pause = self.random_between(pause / 2, pause);
            self.restart_watch(number, pause);
            return;
        }
        let asked = process
            .clock
            .local(self.now.saturating_sub(Duration::from_millis(5)));
        let (leases, position) = self.server.list();
        let latency = self.latency();
        self.after(
            latency,
            Event::Listed {
                process: number,
                stream,
                asked,
                leases,
                position,
            },
        );
    }

    pub(super) fn listed(
        &mut self,
        number: ProcessNumber,
        stream: u64,
        asked: Moment,
        leases: Vec<(LeaseName, Arc<Record>)>,
        position: usize,
    ) {
        let process = &mut self.processes[number];
        if process.watch.stream != stream {
            return;
        }
        process.watch.position = Some(position);
        process.watch.failures = 0;
        self.step(number, Input::Listed { asked, leases });
        self.wake_watch(number);
    }

    /// Something has changed: every stream will show it, each in its own time.
    pub(super) fn wake_watches(&mut self) {
        for number in 0..self.processes.len() {
            self.wake_watch(number);
        }
    }

    fn wake_watch(&mut self, number: ProcessNumber) {
        let end = self.server.log.len();
        let process = &self.processes[number];
        if process.life == super::Life::Dead
            || process
                .watch
                .position
                .is_none_or(|position| position >= end)
        {
            return;
        }
        let lag = self.latency();
        let watch = &mut self.processes[number].watch;
        watch.busy_until = watch.busy_until.max(self.now + lag);
        let (at, stream) = (watch.busy_until, watch.stream);
        self.at(
            at,
            Event::Watched {
                process: number,
                stream,
                position: end,
            },
        );
    }

    pub(super) fn watched(&mut self, number: ProcessNumber, stream: u64, position: usize) {
        let process = &self.processes[number];
        let watch = &process.watch;
        if watch.stream != stream || watch.stalled {
            return;
        }
        if process.cut {
            let event = Event::Watched {
                process: number,
                stream,
                position,
            };
            self.processes[number].held.push(event);
            return;
        }
        let Some(from) = watch.position.filter(|from| *from < position) else {
            return;
        };
        self.processes[number].watch.position = Some(position);
        for at in from..position {
            let change = self.server.log[at].clone();
            let input = match change.deleted {
                true => Input::Deleted(change.lease, change.record),
                false => Input::Seen(change.lease, change.record),
            };
            self.step(number, input);
        }
    }
}
