//! The whole system at one time, and what can happen to it.

use super::*;

/// Late enough that `Moment::default` is long ago.
const START: Duration = Duration::from_secs(1_000);

/// Two processes, the API server, what is under way, and the time.
#[derive(Clone, Debug)]
pub(super) struct State {
    pub(super) setup: Arc<Setup>,
    pub(super) tick: u32,
    /// The events of this tick: each takes a nanosecond, so that one is before the other.
    pub(super) events: u32,
    pub(super) server: Server,
    pub(super) processes: [Process; 2],
    /// Requests that their senders gave up or took with them, and that may still arrive.
    pub(super) late: Vec<Request>,
    /// The largest token that was worked under.
    pub(super) newest_token: u64,
    /// The newest version when time last moved.
    pub(super) version_before: u64,
    /// How many more requests and answers may be late or lost.
    pub(super) faults: u8,
    pub(super) crashes: u8,
    pub(super) deletes: u8,
    pub(super) fault: Option<Fault>,
}

// === impl State ===

impl State {
    pub(super) fn new(setup: Arc<Setup>) -> Self {
        Self {
            tick: 0,
            events: 0,
            server: Server::new(),
            processes: [Process::new(1), Process::new(1)],
            late: Vec::new(),
            newest_token: 0,
            version_before: 0,
            faults: setup.faults,
            crashes: setup.crashes,
            deletes: setup.deletes,
            fault: None,
            setup,
        }
    }

    /// The time on a process's clock.
    pub(super) fn now(&self, who: usize) -> Moment {
        self.tick_began(who) + Duration::from_nanos(self.events.into())
    }

    /// The time on a process's clock when this tick began.
    pub(super) fn tick_began(&self, who: usize) -> Moment {
        Moment(START + self.setup.local_ticks[who] * self.tick)
    }

    /// The time on no process's clock.
    pub(super) fn real(&self) -> Moment {
        Moment(START + self.setup.tick * self.tick)
    }

    /// The process sees the time and says what it wants; true when it sends something.
    pub(super) fn wake(&mut self, who: usize) -> bool {
        let now = self.now(who);
        let goal = self.processes[who].goal();
        let held = self.held_by_other(who);
        let Step::Send(request) = self.with(who, |claim, env| claim.advance(&goal, env)) else {
            return false;
        };
        let process = &mut self.processes[who];
        if let (Request::Replace { version, .. }, true) = (&request, held) {
            let (heard, at) = process.heard;
            let stood_still = heard == *version && now.since(at) > self.setup.timings.lease();
            if !stood_still && self.setup.judges_take_over {
                self.fault.get_or_insert(Fault::TakeOver);
            }
        }
        process.flight = Some(Flight {
            request,
            sent: now,
            slow: false,
            answer: None,
        });
        true
    }

    /// Whether somebody else holds the Lease, as far as the process knows.
    pub(super) fn held_by_other(&self, who: usize) -> bool {
        let process = &self.processes[who];
        let own = self.setup.identity(who, process.incarnation);
        process.claim.record().is_some_and(|record| {
            let other = record.incarnation() != Some(&own.incarnation)
                || record.holder.as_deref() != Some(&own.peer);
            record.holder.is_some() && other
        })
    }

    /// The process learns something; then it looks what follows.
    pub(super) fn learn(
        &mut self,
        who: usize,
        learn: impl FnOnce(&mut Claim, &Env<'_>) -> Option<Change>,
    ) {
        let (now, real) = (self.now(who), self.real());
        let margin = self.setup.timings.margin();
        let before = self.processes[who].known_version();
        let change = self.with(who, learn);
        let process = &mut self.processes[who];
        process.heard = match process.claim.record() {
            Some(record) if record.version > before => (record.version, now),
            Some(_) => process.heard,
            None => Default::default(),
        };
        if matches!(change, Some(Change::Lost | Change::Released)) {
            if process.wish == Wish::Hold {
                process.effects_until = process.effects_until.min(real + margin);
            } else {
                process.wish = Wish::Hold;
            }
        }
        self.wake(who);
    }

    /// The answer has come, or the process waits for it no longer.
    pub(super) fn answer(&mut self, who: usize, sent: Moment, answer: Answer) {
        self.learn(who, |claim, env| claim.answer(sent, answer, env));
    }

    /// What the watch has sent arrives.
    pub(super) fn deliver(&mut self, who: usize) {
        let Some(letter) = self.processes[who].letter.take() else {
            return;
        };
        self.learn(who, |claim, env| match letter {
            Letter::Seen(record) => claim.observe(&record, env),
            Letter::Deleted(last) => claim.deleted(&last, env),
            Letter::Unlisted(asked) => {
                claim.unlisted(asked, env);
                None
            }
        });
    }

    /// The work is over for good, and the Lease is given up once nothing of it can take effect any more.
    pub(super) fn release(&mut self, who: usize, answered: bool) {
        let quiet = match answered {
            true => Duration::ZERO,
            false => self.setup.timings.margin(),
        };
        let (now, real) = (self.now(who), self.real());
        let process = &mut self.processes[who];
        process.effects_until = process.effects_until.min(real + quiet);
        process.wish = Wish::Release(now + quiet);
        process.claim.hold_off(now + quiet);
        self.wake(who);
    }

    /// One more thing goes wrong.
    pub(super) fn goes_wrong(&mut self) {
        if self.faults < MANY {
            self.faults -= 1;
        }
    }

    /// Forgets what cannot change anything any more.
    pub(super) fn sweep(&mut self) {
        let (server, deletes) = (&self.server, self.deletes);
        self.late
            .retain(|request| server.may_take(request, deletes));
        for process in &mut self.processes {
            let known = process.known_version();
            process.letter.take_if(|letter| letter.is_old(known));
        }
    }

    /// Whether somebody may delete the Lease now.
    ///
    /// A process that does not know the holder yet may make the Lease anew at once: one that has just started, that has
    /// sent a POST of its own, or whose watch lags and that has not noticed it.
    pub(super) fn may_delete(&self) -> bool {
        let Some(record) = &self.server.record else {
            return false;
        };
        let aware = |who: usize| {
            let process = &self.processes[who];
            let mut sent = process.sent().into_iter();
            let posts = sent.any(|flight| matches!(flight.request, Request::Create(_)));
            let knows = process.claim.record().is_some_and(|known| {
                known.uid == record.uid && known.transitions == record.transitions
            });
            let started = !matches!(process.claim.observed, Observed::Unknown);
            let noticed = process.blind >= self.tick_began(who);
            started && !posts && (knows || noticed)
        };
        let running = self.processes.iter().all(|process| process.alive);
        self.deletes > 0 && running && (self.setup.deletes_early || (0..2).all(aware))
    }

    /// Begins and prolongs work, and finds two at work.
    pub(super) fn work(&mut self) {
        for who in 0..2 {
            let (now, real) = (self.now(who), self.real());
            let process = &self.processes[who];
            let Some(tenure) = process.working(now) else {
                continue;
            };
            let (token, left) = (tenure.token, tenure.deadline.since(now));
            let begins = token != process.token;
            let other = &self.processes[1 - who];
            if other.effects_until > real || (begins && process.effects_until > real) {
                self.fault.get_or_insert(Fault::Overlap);
            }
            if begins && token <= self.newest_token {
                self.fault.get_or_insert(Fault::Token);
            }
            let until = real + self.setup.real_time(who, left) + self.setup.timings.margin();
            let process = &mut self.processes[who];
            process.token = token;
            process.effects_until = process.effects_until.max(until);
            self.newest_token = self.newest_token.max(token);
        }
    }

    /// Time moves on for everybody.
    pub(super) fn pass(&mut self) {
        self.tick += 1;
        self.events = 0;
        for who in 0..2 {
            let now = self.now(who);
            let before = self.version_before;
            let process = &mut self.processes[who];
            if let Some(flight) = &mut process.flight {
                flight.slow = true;
            }
            // A lag of the watch is noticed at the second tick after what it owes, as the own heartbeats show it.
            if self.setup.deletes > 0 && process.alive && process.known_version() < before {
                process.blind = now;
            }
        }
        self.version_before = self.server.version;
    }

    /// The process is gone from one moment to the next.
    pub(super) fn crash(&mut self, who: usize) -> Option<Flight> {
        let until = self.real() + self.setup.timings.margin();
        let process = &mut self.processes[who];
        let gone = Process {
            alive: false,
            incarnation: process.incarnation,
            effects_until: process.effects_until.min(until),
            ..Process::new(0)
        };
        std::mem::replace(process, gone).flight
    }

    /// The peer comes back with a new process.
    pub(super) fn restart(&mut self, who: usize) {
        let process = &mut self.processes[who];
        *process = Process {
            effects_until: process.effects_until,
            ..Process::new(process.incarnation + 1)
        };
    }

    /// Lets a claim decide in its surroundings.
    fn with<T>(&mut self, who: usize, act: impl FnOnce(&mut Claim, &Env<'_>) -> T) -> T {
        let now = self.now(who);
        let setup = &*self.setup;
        let process = &mut self.processes[who];
        let env = Env {
            now,
            // Renewals of one version differ from it.
            wall: process.known_version() as i64 + 1,
            grace: Moment::default(),
            blind: process.blind,
            contact: Some(now),
            blocked: false,
            mutants: setup.mutants,
            identity: setup.identity(who, process.incarnation),
            timings: &setup.timings,
        };
        let result = act(&mut process.claim, &env);
        process.claim.problem = None;
        result
    }
}
