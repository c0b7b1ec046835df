//! A state without what makes no difference.
//!
//! Times count from now, in ticks, and the past only as far back as something depends on it; versions count by their
//! order, and transitions from the smallest one. Two states that agree in this form behave alike for ever, so a fleet
//! that lives for any length of time has finitely many of them.

use std::hash::{Hash, Hasher};

use super::*;

impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        canonical(self) == canonical(other)
    }
}

impl Hash for State {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        canonical(self).hash(hasher);
    }
}

fn canonical(state: &State) -> Vec<u8> {
    let mut form = Form {
        out: Vec::with_capacity(256),
        ..Form::default()
    };
    form.state(state);
    for order in [&mut form.versions, &mut form.transitions, &mut form.tokens] {
        order.sort();
    }
    form.out.clear();
    form.state(state);
    form.out
}

/// Written twice: the first time collects what is numbered.
#[derive(Default)]
struct Form {
    versions: Order,
    transitions: Order,
    tokens: Order,
    out: Vec<u8>,
}

/// Numbers of which only the order matters: a new one is larger than all.
#[derive(Default)]
struct Order {
    known: Vec<u64>,
    sorted: bool,
}

// === impl Order ===

impl Order {
    fn rank(&mut self, number: u64) -> u8 {
        if !self.sorted && !self.known.contains(&number) {
            self.known.push(number);
        }
        self.known.partition_point(|other| *other < number) as u8
    }

    fn sort(&mut self) {
        self.known.sort_unstable();
        self.sorted = true;
    }
}

// === impl Form ===

impl Form {
    fn state(&mut self, state: &State) {
        self.put(state.fault.map_or(0, |fault| 1 + fault as u8));
        self.put(state.faults);
        self.put(state.crashes);
        self.put(state.deletes);
        self.record(state.server.record.as_deref());
        self.record(state.server.last.as_deref());
        for who in 0..2 {
            self.process(state, who);
        }
        // In whichever order they were sent.
        let mut late: Vec<_> = state
            .late
            .iter()
            .map(|late| self.apart(late, &state.server))
            .collect();
        late.sort_unstable();
        for request in late {
            self.out.extend(request);
        }
    }

    fn process(&mut self, state: &State, who: usize) {
        let process = &state.processes[who];
        let (claim, clock) = (&process.claim, Clock::of(state, who));
        self.put(u8::from(process.alive));
        self.put(process.incarnation);
        self.put(Clock::real(state).ahead(process.effects_until));
        if !process.alive {
            return;
        }
        match process.wish {
            Wish::Hold => self.put(0),
            Wish::Release(at) => {
                self.put(1);
                self.put(clock.ahead(at));
            }
        }
        self.observed(state, who, &clock);
        self.claim(state, who, &clock);
        self.letter(process, &clock);
        let Some(flight) = &process.flight else {
            return self.put(0);
        };
        self.put(1 + u8::from(flight.slow));
        // An absence is believed only if it is about a later time than what was seen.
        if claim.in_flight == Some(InFlight::Get) && state.setup.deletes > 0 {
            let newer =
                matches!(claim.observed, Observed::Present { seen, .. } if seen > flight.sent);
            self.put(u8::from(newer));
        }
        match &flight.answer {
            None => {
                self.put(0);
                self.request(&flight.request, &state.server);
            }
            Some(Answer::Record(record)) => {
                self.put(1);
                self.record(Some(record));
            }
            Some(Answer::NotFound) => self.put(2),
            Some(Answer::Conflict) => self.put(3),
            Some(Answer::AlreadyExists) => self.put(4),
            Some(other) => unreachable!("{other:?}"),
        }
    }

    fn observed(&mut self, state: &State, who: usize, clock: &Clock) {
        let process = &state.processes[who];
        match &process.claim.observed {
            Observed::Unknown => self.put(0),
            Observed::Unseen { version } => {
                self.put(3);
                self.version(*version);
            }
            Observed::Present { record, seen } => {
                self.put(1);
                self.version(record.version);
                self.writer(record);
                self.put(u8::from(record.transitions == 0));
                // How long it has stood still matters where somebody else holds it, or where it may be gone.
                if state.held_by_other(who) || state.setup.deletes > 0 {
                    self.put(clock.age(*seen));
                    self.put(clock.age(process.heard.1));
                    self.put(u8::from(process.heard.0 == record.version));
                }
            }
            Observed::Absent {
                version,
                since,
                wait,
                sure_since,
            } => {
                self.put(2);
                self.version(*version);
                self.put(u8::from(wait.is_zero()));
                if !wait.is_zero() || state.setup.deletes > 0 {
                    self.put(clock.age(*since));
                    self.put(u8::from(*sure_since == *since));
                    self.put(u8::from(*sure_since < process.blind));
                }
            }
        }
        if state.setup.deletes > 0 {
            self.put(clock.age(process.blind));
            self.put(u8::from(process.known_version() < state.version_before));
        }
    }

    fn claim(&mut self, state: &State, who: usize, clock: &Clock) {
        let process = &state.processes[who];
        let claim = &process.claim;
        match &claim.tenure {
            None => self.put(0),
            Some(tenure) => {
                self.put(1);
                self.put(clock.ahead(tenure.deadline));
                self.put(clock.ahead(tenure.work_from));
                self.put(clock.ahead(tenure.renew_at));
                self.uid(&tenure.uid);
                self.transitions(tenure.transitions);
                match tenure.token == process.token {
                    true => self.put(0),
                    // It will be compared when work begins.
                    false => {
                        self.put(1);
                        let rank = self.tokens.rank(tenure.token);
                        self.put(rank);
                        let rank = self.tokens.rank(state.newest_token);
                        self.put(rank);
                    }
                }
            }
        }
        self.put(match claim.in_flight {
            None => 0,
            Some(InFlight::Get) => 1,
            Some(InFlight::Clear) => 2,
            Some(InFlight::Renew { .. }) => 3,
            Some(InFlight::Acquire { late_post, .. }) => 4 + u8::from(late_post),
            Some(other) => unreachable!("{other:?}"),
        });
        assert_eq!(claim.confirmed, None, "good for one decision");
        self.put(u8::from(claim.unsure));
        self.put(u8::from(claim.late_post));
        self.put(claim.conflicts.min(1) as u8);
        self.put(clock.ahead(claim.hold_off));
        let until = claim.backoff.until(clock.now);
        self.put(until.map_or(0, |until| clock.ahead(until)));
        // Where every wait is over at the next tick, it does not matter how often it has grown.
        if state.setup.timings.renew() > clock.tick {
            self.put(claim.backoff.failures().min(4) as u8);
        }
    }

    fn letter(&mut self, process: &Process, clock: &Clock) {
        match &process.letter {
            None => self.put(0),
            Some(Letter::Seen(record)) => {
                self.put(1);
                self.record(Some(record));
            }
            Some(Letter::Deleted(last)) => {
                self.put(2);
                self.record(Some(last));
            }
            Some(Letter::Unlisted(asked)) => {
                self.put(3);
                self.put(clock.age(*asked));
                let seen = match &process.claim.observed {
                    Observed::Present { seen, .. } => seen <= asked,
                    _ => true,
                };
                self.put(u8::from(seen));
            }
        }
    }

    fn request(&mut self, request: &Request, server: &Server) {
        match request {
            Request::Get => self.put(0),
            Request::Create(content) => {
                self.put(1);
                self.content(content);
            }
            // It cannot succeed any more, whatever it says.
            Request::Replace { .. } if !server.may_take(request, 0) => self.put(2),
            Request::Replace {
                uid,
                version,
                content,
                ..
            } => {
                self.put(3);
                self.uid(uid);
                self.version(*version);
                self.content(content);
                let now = server.record.as_ref().map(|record| record.transitions);
                self.put(u8::from(now == Some(content.transitions)));
            }
            Request::Delete { .. } => unreachable!("no cluster is removed"),
        }
    }

    fn content(&mut self, content: &Content) {
        self.text(&content.holder);
        self.text(content.marks.incarnation.as_deref().unwrap_or_default());
    }

    fn record(&mut self, record: Option<&Record>) {
        let Some(record) = record else {
            return self.put(0);
        };
        self.put(1);
        self.uid(&record.uid);
        self.version(record.version);
        self.writer(record);
        self.transitions(record.transitions);
    }

    fn writer(&mut self, record: &Record) {
        self.text(record.holder.as_deref().unwrap_or_default());
        self.text(record.marks.incarnation.as_deref().unwrap_or_default());
    }

    /// What a request looks like by itself.
    fn apart(&mut self, request: &Request, server: &Server) -> Vec<u8> {
        let rest = std::mem::take(&mut self.out);
        self.request(request, server);
        std::mem::replace(&mut self.out, rest)
    }

    fn version(&mut self, version: u64) {
        let rank = self.versions.rank(version);
        self.put(rank);
    }

    /// A Lease is named after its first version.
    fn uid(&mut self, uid: &str) {
        self.version(uid.parse().unwrap_or_default());
    }

    fn transitions(&mut self, transitions: i32) {
        self.put(u8::from(transitions == 0));
        let rank = self.transitions.rank(transitions as u64);
        self.put(rank);
    }

    fn text(&mut self, text: &str) {
        self.out.extend(text.as_bytes());
        self.put(0);
    }

    fn put(&mut self, byte: u8) {
        self.out.push(byte);
    }
}

/// A clock that counts in ticks.
struct Clock {
    now: Moment,
    tick: Duration,
    /// A longer time ago is as good as for ever.
    oldest: u8,
}

// === impl Clock ===

impl Clock {
    fn of(state: &State, who: usize) -> Self {
        Self {
            now: state.tick_began(who),
            tick: state.setup.local_ticks[who],
            oldest: state.setup.lease_ticks + 1,
        }
    }

    fn real(state: &State) -> Self {
        Self {
            now: state.real(),
            tick: state.setup.tick,
            ..Self::of(state, 0)
        }
    }

    /// The ticks until `time` has come.
    fn ahead(&self, time: Moment) -> u8 {
        time.since(self.now)
            .as_nanos()
            .div_ceil(self.tick.as_nanos()) as u8
    }

    /// The ticks since `time`.
    fn age(&self, time: Moment) -> u8 {
        let now = self.now + Duration::from_micros(1);
        let age = now.since(time).as_nanos() / self.tick.as_nanos();
        age.min(self.oldest.into()) as u8
    }
}
