//! The rules, the watches that are open, and the requests so far.

use std::{
    collections::{BTreeMap, VecDeque},
    ops::RangeInclusive,
    time::Duration,
};

use tokio::{sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    call::{ApiCall, Verb},
    plan::{Outcome, Plan, Refusal},
    rule::{End, Fault, Outage, Rule, RuleId, StoreDown},
    stream::OpenWatch,
};

/// How many requests are remembered.
const CALLS: usize = 100_000;

/// What all clones of a `Faults` share.
pub(super) struct State {
    seed: u64,
    next: u64,
    rules: BTreeMap<RuleId, Active>,
    open: Vec<OpenWatch>,
    calls: VecDeque<ApiCall>,
}

/// A rule at work.
struct Active {
    rule: Rule,
    random: fastrand::Rng,
    /// How many requests it has concerned.
    hits: u64,
    /// The server's version when it was added.
    version: u64,
    removed: CancellationToken,
}

// === impl State ===

impl State {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            seed,
            next: 0,
            rules: BTreeMap::new(),
            open: Vec::new(),
            calls: VecDeque::new(),
        }
    }

    pub(super) fn add(&mut self, rule: Rule, version: u64) -> RuleId {
        let id = RuleId(self.next);
        self.next += 1;
        let mut active = Active {
            rule,
            random: fastrand::Rng::with_seed(mix(self.seed, id.0)),
            hits: 0,
            version,
            removed: CancellationToken::new(),
        };
        self.open.retain(|open| !open.is_closed());
        if active.rule.fault.reaches_open_watches() {
            for open in &mut self.open {
                if active.strikes(&open.call) {
                    active.strike(id, open);
                }
            }
        }
        self.rules.insert(id, active);
        id
    }

    pub(super) fn remove(&mut self, id: RuleId) -> u64 {
        let Some(active) = self.rules.remove(&id) else {
            return 0;
        };
        active.removed.cancel();
        for open in &mut self.open {
            open.release(id);
        }
        active.hits
    }

    pub(super) fn clear(&mut self) {
        while let Some((id, _)) = self.rules.first_key_value() {
            self.remove(*id);
        }
    }

    pub(super) fn hits(&self, id: RuleId) -> u64 {
        self.rules.get(&id).map_or(0, |active| active.hits)
    }

    pub(super) fn calls(&self) -> Vec<ApiCall> {
        self.calls.iter().cloned().collect()
    }

    pub(super) fn forget_calls(&mut self) {
        self.calls.clear();
    }

    /// What becomes of a request.
    pub(super) fn plan(&mut self, call: &ApiCall) -> Plan {
        if self.calls.len() == CALLS {
            self.calls.pop_front();
        }
        self.calls.push_back(call.clone());

        let mut plan = Plan::default();
        let mut opened = (call.verb == Verb::Watch).then(|| OpenWatch::new(call.clone()));
        for (id, active) in &mut self.rules {
            let open = opened.as_mut().map(|(open, _)| open);
            active.join(*id, call, &mut plan, open);
        }
        if let Some((open, mut line)) = opened {
            line.lag = plan.after;
            plan.line = Some(line);
            self.open.retain(|open| !open.is_closed());
            self.open.push(open);
        }
        plan
    }
}

// === impl Active ===

impl Active {
    /// Whether a request or an open watch has the fault; counts and draws.
    fn strikes(&mut self, call: &ApiCall) -> bool {
        let struck = self.hits < self.rule.times
            && self.rule.selects(call)
            && (self.rule.chance >= 1.0 || self.random.f64() < self.rule.chance);
        self.hits += u64::from(struck);
        struck
    }

    /// Does to an open watch what the fault does.
    fn strike(&mut self, id: RuleId, open: &mut OpenWatch) {
        match self.rule.fault.clone() {
            Fault::CutWatch { after, end } => {
                let at = Instant::now() + self.draw(&after);
                open.change(|watch| watch.cut = Some((at, end)));
            }
            Fault::Outage(Outage::Refuse) => {
                open.change(|watch| watch.cut = Some((Instant::now(), End::Broken)));
            }
            Fault::StallWatch | Fault::Outage(Outage::Drop) => {
                open.change(|watch| watch.stalled = true);
            }
            Fault::FreezeWatch | Fault::Outage(Outage::Freeze) => open.change(|watch| {
                watch.frozen.insert(id);
            }),
            Fault::StoreDown(_) => open.limit(id, self.version),
            _ => {}
        }
    }

    /// Adds the fault to the plan for a request, which opens a watch when there is `open`.
    fn join(&mut self, id: RuleId, call: &ApiCall, plan: &mut Plan, open: Option<&mut OpenWatch>) {
        let fault = self.rule.fault.clone();
        let outcome = fault.outcome(call);
        let decided = !matches!(plan.outcome, Outcome::Serve);
        if (decided && outcome.is_some()) || !self.strikes(call) {
            return;
        }
        match &fault {
            Fault::Delay { before, after } => {
                plan.before += self.draw(before);
                plan.after += self.draw(after);
            }
            Fault::Hold | Fault::Outage(Outage::Freeze) => plan.held.push(self.removed.clone()),
            Fault::StoreDown(_) if call.verb == Verb::List => {
                plan.horizon = Some(watch::channel(Some(self.version)).1);
            }
            _ => {}
        }
        if let Some(outcome) = outcome {
            plan.outcome = outcome;
        } else if let Some(open) = open {
            self.strike(id, open);
        }
    }

    fn draw(&mut self, range: &RangeInclusive<Duration>) -> Duration {
        let nanoseconds =
            |duration: &Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let (from, to) = (nanoseconds(range.start()), nanoseconds(range.end()));
        Duration::from_nanos(self.random.u64(from..=to.max(from)))
    }
}

// === impl Fault ===

impl Fault {
    fn reaches_open_watches(&self) -> bool {
        matches!(
            self,
            Self::CutWatch { .. }
                | Self::StallWatch
                | Self::FreezeWatch
                | Self::Outage(_)
                | Self::StoreDown(_)
        )
    }

    /// How a request with this fault is answered; `None` for a fault that leaves this open.
    fn outcome(&self, call: &ApiCall) -> Option<Outcome> {
        let from_cache = matches!(call.verb, Verb::List | Verb::Watch);
        let throttle = |seconds: u32, text| Outcome::Refuse(Refusal::Throttle { seconds, text });
        Some(match self {
            Self::Hang | Self::Outage(Outage::Drop) => Outcome::Hang,
            Self::LoseReply => Outcome::LoseReply,
            Self::Disconnect | Self::Outage(Outage::Refuse) => Outcome::Disconnect,
            Self::DisconnectAfter => Outcome::DisconnectAfter,
            Self::Conflict => Outcome::Refuse(Refusal::Conflict),
            Self::Throttle { retry_after } => throttle(*retry_after, false),
            Self::ThrottleText { retry_after } => throttle(*retry_after, true),
            Self::Status(code) => Outcome::Refuse(Refusal::Status(*code)),
            Self::StoreDown(_) if from_cache => return None,
            Self::StoreDown(StoreDown::Fail) => Outcome::Refuse(Refusal::Status(500)),
            Self::StoreDown(StoreDown::Hang) => Outcome::Hang,
            _ => return None,
        })
    }
}

/// One seed of two numbers.
fn mix(seed: u64, number: u64) -> u64 {
    let mixed = seed ^ (number + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed ^ (mixed >> 31)
}
