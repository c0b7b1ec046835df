//! What may happen next.
//!
//! What only one process notices commutes with all that happens to the other, so it has one place among the events of a
//! tick: an answer comes with its request's effect or at the next tick, so does what a watch sends, and a process looks
//! at its clock when the tick begins, or sleeps through it.

use stateright::{Model, Property};

use super::*;

/// One event in the fleet; the number is that of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Time moves on, and what was under way arrives, the watch's letters only where it says so; who is awake sees to
    /// what is due.
    Tick { hears: [bool; 2], awake: [bool; 2] },
    /// A request takes effect.
    Apply(usize, Reply),
    /// A request is lost: its sender knows nothing.
    Lose(usize),
    /// The same, while the request lives on.
    Abandon(usize),
    /// A request takes effect for which nobody waits.
    Late(usize),
    /// The watch shows what is news, now or later.
    Show(usize, usize, Arrival),
    /// The work has ended, with every write answered or not, and the Lease is given up.
    Release { who: usize, answered: bool },
    /// The process is gone; its request may live on.
    Crash { who: usize, sent: bool },
    /// The peer has a new process.
    Restart(usize),
    /// Somebody deletes the Lease.
    Delete,
}

/// What becomes of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    Now,
    NextTick,
    Lost,
}

/// When a watch event arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    Now,
    Later,
}

impl Model for Fleet {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State::new(self.setup.clone())]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.fault.is_some() {
            return;
        }
        self.ticks(state, actions);
        for (who, process) in state.processes.iter().enumerate() {
            if process.alive {
                self.living(state, who, actions);
            } else {
                actions.push(Action::Restart(who));
            }
        }
        actions.extend((0..state.late.len()).map(Action::Late));
        if state.may_delete() {
            actions.push(Action::Delete);
        }
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = state.clone();
        next.events += 1;
        next.act(action)?;
        next.sweep();
        next.work();
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties()
    }
}

// === impl Fleet ===

impl Fleet {
    fn ticks(&self, state: &State, actions: &mut Vec<Action>) {
        // A request that is still on its way when the tick ends is late, and arrives in the next one.
        let mut sent = state.processes.iter().filter_map(Process::sent);
        if sent.any(|flight| flight.slow || state.faults == 0) {
            return;
        }
        let both = [false, true];
        let letters = state
            .processes
            .each_ref()
            .map(|process| process.letter.is_some());
        let idle = state
            .processes
            .each_ref()
            .map(|process| process.alive && process.flight.is_none());
        for first in &both[..=usize::from(letters[0])] {
            for second in &both[..=usize::from(letters[1])] {
                for awake in &both[..=usize::from(idle[0])] {
                    for wakes in &both[..=usize::from(idle[1])] {
                        actions.push(Action::Tick {
                            hears: [*first, *second],
                            awake: [*awake, *wakes],
                        });
                    }
                }
            }
        }
    }

    fn living(&self, state: &State, who: usize, actions: &mut Vec<Action>) {
        let process = &state.processes[who];
        let going = process.sent();
        let survives = going.is_some_and(|flight| {
            state.late.len() < self.setup.late
                && state.server.may_take(&flight.request, state.deletes)
        });
        if let Some(flight) = going {
            actions.push(Action::Apply(who, Reply::Now));
            if !flight.slow && state.faults > 0 {
                actions.push(Action::Apply(who, Reply::NextTick));
                actions.push(Action::Lose(who));
            }
            if flight.request != Request::Get && state.faults > 0 {
                actions.push(Action::Apply(who, Reply::Lost));
            }
            if survives && !flight.slow && state.faults > 0 {
                actions.push(Action::Abandon(who));
            }
        }
        for index in 0..process.news(&state.server, state.now(who)).len() {
            actions.push(Action::Show(who, index, Arrival::Now));
            if self.setup.slow_watch {
                actions.push(Action::Show(who, index, Arrival::Later));
            }
        }
        match process.wish {
            Wish::Hold if process.claim.tenure().is_some() && self.setup.releases => {
                actions.extend([true, false].map(|answered| Action::Release { who, answered }));
            }
            _ => {}
        }
        if state.crashes > 0 {
            actions.push(Action::Crash { who, sent: false });
            if survives {
                actions.push(Action::Crash { who, sent: true });
            }
        }
    }
}

// === impl State ===

impl State {
    /// Does it; `None` if there is nothing to do.
    fn act(&mut self, action: Action) -> Option<()> {
        match action {
            Action::Tick { hears, awake } => {
                if self
                    .processes
                    .iter()
                    .any(|process| process.sent().is_some())
                {
                    self.goes_wrong();
                }
                self.pass();
                for who in 0..2 {
                    if hears[who] {
                        self.deliver(who);
                    }
                    let flight = self.processes[who]
                        .flight
                        .take_if(|flight| flight.answer.is_some());
                    if let Some(flight) = flight {
                        self.answer(who, flight.sent, flight.answer?);
                    }
                    if awake[who] && !self.wake(who) {
                        return None;
                    }
                }
            }
            Action::Apply(who, reply) => {
                let mut flight = self.processes[who].flight.take()?;
                let answer = self.server.apply(&flight.request);
                match reply {
                    Reply::Now => self.answer(who, flight.sent, answer),
                    Reply::Lost => {
                        self.goes_wrong();
                        self.answer(who, flight.sent, unknown());
                    }
                    Reply::NextTick => {
                        self.goes_wrong();
                        flight.answer = Some(answer);
                        self.processes[who].flight = Some(flight);
                    }
                }
            }
            Action::Lose(who) | Action::Abandon(who) => {
                self.goes_wrong();
                let flight = self.processes[who].flight.take()?;
                if matches!(action, Action::Abandon(_)) {
                    self.late.push(flight.request);
                }
                self.answer(who, flight.sent, unknown());
            }
            Action::Late(index) => {
                let request = self.late.remove(index);
                self.server.apply(&request);
            }
            Action::Show(who, index, arrival) => {
                let mut news = self.processes[who].news(&self.server, self.now(who));
                self.processes[who].letter = Some(news.swap_remove(index));
                if arrival == Arrival::Now {
                    self.deliver(who);
                }
            }
            Action::Release { who, answered } => self.release(who, answered),
            Action::Crash { who, sent } => {
                self.crashes -= 1;
                let flight = self.crash(who).filter(|_| sent);
                self.late.extend(flight.map(|flight| flight.request));
            }
            Action::Restart(who) => self.restart(who),
            Action::Delete => {
                self.deletes -= 1;
                self.server.delete();
            }
        }
        Some(())
    }
}
