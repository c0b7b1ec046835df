//! Which requests have which fault.

use std::{collections::BTreeSet, ops::RangeInclusive, time::Duration};

use super::call::{ApiCall, Verb};

/// Something that goes wrong between a client and the server, or in the server.
///
/// A request lives on in the network: what is delayed or held is applied even if its sender has given it up.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The request takes time to arrive, and its reply to come back; so does each event of a watch.
    ///
    /// Each request draws its own times; a watch draws one for all of its events, which keep their order.
    Delay {
        /// Before the request is applied.
        before: RangeInclusive<Duration>,
        /// Before the reply arrives.
        after: RangeInclusive<Duration>,
    },
    /// The request is kept in the network, and applied when the rule is removed.
    Hold,
    /// The request gets lost: it is never applied, and never answered.
    Hang,
    /// The request is applied, and its reply gets lost.
    LoseReply,
    /// The connection breaks before the request is applied.
    Disconnect,
    /// The connection breaks after the request was applied.
    DisconnectAfter,
    /// 409: `AlreadyExists` for a create, `Conflict` for other writes; reads are not concerned.
    Conflict,
    /// 429 with `Retry-After`, and the same in the `Status`, as where a handler finds that it is too busy.
    Throttle {
        /// In seconds.
        retry_after: u32,
    },
    /// 429 with `Retry-After` and a line of text, as the API server's own request limit (priority and fairness) answers.
    ThrottleText {
        /// In seconds.
        retry_after: u32,
    },
    /// A refusal with this code, such as 403, 500 or 503.
    Status(u16),
    /// Watches end some time after they were opened, or after the rule was added.
    CutWatch {
        /// When.
        after: RangeInclusive<Duration>,
        /// How.
        end: End,
    },
    /// Watches go silent for good, without an error: the connection is dead, and nobody says so.
    StallWatch,
    /// Watches are silent while the rule is there, and then go on where they were.
    FreezeWatch,
    /// Nothing gets through, in either direction.
    Outage(Outage),
    /// The API server runs and its store does not: it shows lists and watches as they were when the rule was added, with
    /// bookmarks; single objects cannot be read, and nothing can be written.
    ///
    /// The real server reads some lists from its store, by version and settings; this one answers all of them, which is
    /// harder on clients that take an answer for a sign of health. Removed, the rule lets open watches catch up.
    StoreDown(StoreDown),
}

/// How the body of a watch ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// As after its timeout.
    Clean,
    /// With a broken connection.
    Broken,
}

/// How a server cannot be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outage {
    /// Connections are refused, and open watches break.
    Refuse,
    /// Packets disappear: requests are lost, and open watches are silent for good.
    Drop,
    /// Packets wait: requests arrive when the rule is removed, and then open watches go on.
    Freeze,
}

/// What happens to a request that needs the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreDown {
    /// It is answered with 500.
    Fail,
    /// It is not answered.
    Hang,
}

/// A fault, and the requests that have it: all of them, unless told otherwise.
#[derive(Clone, Debug)]
#[must_use]
pub struct Rule {
    pub(super) fault: Fault,
    verbs: Vec<Verb>,
    kinds: BTreeSet<String>,
    namespace: Option<String>,
    name_prefix: Option<String>,
    user: Option<String>,
    pub(super) chance: f64,
    pub(super) times: u64,
}

/// A rule that was added; see [`Faults::remove`](super::Faults::remove).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleId(pub(super) u64);

// === impl Rule ===

impl Rule {
    /// All requests have `fault`.
    pub fn new(fault: Fault) -> Self {
        Self {
            fault,
            verbs: Vec::new(),
            kinds: BTreeSet::new(),
            namespace: None,
            name_prefix: None,
            user: None,
            chance: 1.0,
            times: u64::MAX,
        }
    }

    /// Only requests with one of these verbs.
    pub fn verbs(mut self, verbs: impl IntoIterator<Item = Verb>) -> Self {
        self.verbs.extend(verbs);
        self
    }

    /// Only requests that write.
    pub fn writes(self) -> Self {
        self.verbs(Verb::WRITES)
    }

    /// Only requests about this kind, such as `Lease`, or `leases`; given several times, about any of them.
    pub fn kind(mut self, kind: impl Into<String>) -> Self {
        self.kinds.insert(kind.into());
        self
    }

    /// Only requests about this namespace.
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = Some(namespace.into());
        self
    }

    /// Only requests about one object whose name starts like this.
    pub fn name_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.name_prefix = Some(prefix.into());
        self
    }

    /// Only requests of this user.
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.user = Some(user.into());
        self
    }

    /// Only this share of the requests, from 0 to 1, at random.
    pub fn chance(mut self, chance: f64) -> Self {
        self.chance = chance;
        self
    }

    /// Only so many requests, the first ones.
    pub fn times(mut self, times: u64) -> Self {
        self.times = times;
        self
    }

    pub(super) fn selects(&self, call: &ApiCall) -> bool {
        let any = |kinds: &BTreeSet<String>| {
            kinds.is_empty() || kinds.contains(&call.kind) || kinds.contains(&call.resource)
        };
        let is = |wanted: &Option<String>, value: &str| {
            wanted.as_deref().is_none_or(|wanted| wanted == value)
        };
        let named = |prefix: &String| !call.name.is_empty() && call.name.starts_with(prefix);
        (self.verbs.is_empty() || self.verbs.contains(&call.verb))
            && any(&self.kinds)
            && is(&self.namespace, &call.namespace)
            && is(&self.user, &call.user)
            && self.name_prefix.as_ref().is_none_or(named)
            && self.fault.concerns(call)
    }
}

// === impl Fault ===

impl Fault {
    /// A [`Delay`](Self::Delay) of requests only.
    #[must_use]
    pub fn delay_request(before: RangeInclusive<Duration>) -> Self {
        let after = Duration::ZERO..=Duration::ZERO;
        Self::Delay { before, after }
    }

    /// A [`Delay`](Self::Delay) of replies and watch events only.
    #[must_use]
    pub fn delay_reply(after: RangeInclusive<Duration>) -> Self {
        let before = Duration::ZERO..=Duration::ZERO;
        Self::Delay { before, after }
    }

    /// Whether the fault means anything to such a request.
    fn concerns(&self, call: &ApiCall) -> bool {
        match self {
            Self::Conflict => call.verb.is_write(),
            Self::CutWatch { .. } | Self::StallWatch | Self::FreezeWatch => {
                call.verb == Verb::Watch
            }
            Self::StoreDown(_) => call.is_about_objects(),
            _ => true,
        }
    }
}
