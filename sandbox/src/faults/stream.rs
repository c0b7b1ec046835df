//! The body of a watch, which faults can delay, silence and end while it is open.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use bytes::Bytes;
use futures_util::stream::unfold;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};
use tower::BoxError;

use super::{
    call::ApiCall,
    plan::broken,
    rule::{End, RuleId},
};
use crate::{sandbox::Body, watch::Horizon};

/// What is wrong with an open watch.
#[derive(Clone, Debug, Default)]
pub(super) struct Condition {
    /// Silent for good.
    pub(super) stalled: bool,
    /// Silent while one of these rules is there.
    pub(super) frozen: BTreeSet<RuleId>,
    pub(super) cut: Option<(Instant, End)>,
}

/// An open watch, as the rules see it.
#[derive(Debug)]
pub(super) struct OpenWatch {
    pub(super) call: ApiCall,
    condition: watch::Sender<Condition>,
    horizon: watch::Sender<Option<u64>>,
    /// What each rule lets it see.
    horizons: BTreeMap<RuleId, u64>,
}

/// The server's end of an [`OpenWatch`].
#[derive(Debug)]
pub(super) struct Line {
    condition: watch::Receiver<Condition>,
    pub(super) horizon: Horizon,
    /// How long each event is on its way.
    pub(super) lag: Duration,
}

/// A body on its way.
struct Following {
    body: Body,
    line: Line,
    /// What is on its way, and when it arrives.
    travelling: VecDeque<(Instant, Option<Item>)>,
    read: bool,
    ended: bool,
}

type Item = Result<Frame<Bytes>, BoxError>;

// === impl OpenWatch ===

impl OpenWatch {
    pub(super) fn new(call: ApiCall) -> (Self, Line) {
        let (condition, conditions) = watch::channel(Condition::default());
        let (horizon, horizons) = watch::channel(None);
        let line = Line {
            condition: conditions,
            horizon: horizons,
            lag: Duration::ZERO,
        };
        let open = Self {
            call,
            condition,
            horizon,
            horizons: BTreeMap::new(),
        };
        (open, line)
    }

    pub(super) fn is_closed(&self) -> bool {
        self.condition.is_closed()
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut Condition)) {
        self.condition.send_modify(change);
    }

    /// Shows nothing beyond `version` while the rule is there.
    pub(super) fn limit(&mut self, rule: RuleId, version: u64) {
        self.horizons.insert(rule, version);
        self.show();
    }

    /// The rule is gone.
    pub(super) fn release(&mut self, rule: RuleId) {
        if self.horizons.remove(&rule).is_some() {
            self.show();
        }
        self.condition
            .send_if_modified(|condition| condition.frozen.remove(&rule));
    }

    fn show(&self) {
        self.horizon
            .send_replace(self.horizons.values().min().copied());
    }
}

/// The same body, subject to what happens on `line`.
pub(super) fn follow(body: Body, line: Line) -> Body {
    let following = Following {
        body,
        line,
        travelling: VecDeque::new(),
        read: false,
        ended: false,
    };
    let frames = unfold(following, async |mut following| {
        let item = following.next().await?;
        Some((item, following))
    });
    StreamBody::new(frames).boxed_unsync()
}

// === impl Following ===

impl Following {
    async fn next(&mut self) -> Option<Item> {
        while !self.ended {
            let condition = self.line.condition.borrow_and_update().clone();
            let silent = condition.stalled || !condition.frozen.is_empty();
            let now = Instant::now();
            if let Some((at, end)) = condition.cut
                && at <= now
            {
                self.ended = true;
                return (end == End::Broken).then(|| Err(broken()));
            }
            let arrival = self.travelling.front().map(|(at, _)| *at);
            if !silent
                && arrival.is_some_and(|at| at <= now)
                && let Some((_, item)) = self.travelling.pop_front()
            {
                self.ended = item.is_none();
                return item;
            }
            let arrival = arrival.filter(|_| !silent);
            tokio::select! {
                biased;
                () = changed(&mut self.line.condition) => {}
                () = until(condition.cut.map(|(at, _)| at)) => {}
                () = until(arrival) => {}
                frame = self.body.frame(), if !silent && !self.read => {
                    self.read = frame.is_none();
                    self.travelling.push_back((Instant::now() + self.line.lag, frame));
                }
            }
        }
        None
    }
}

/// Completes when a rule changes something; never when all rules are gone.
async fn changed(condition: &mut watch::Receiver<Condition>) {
    if condition.changed().await.is_err() {
        std::future::pending().await
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}
