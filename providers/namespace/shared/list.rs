//! Lists in one Namespace, many of which are answered by one over all of them.

use std::{
    collections::HashSet,
    mem,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use http::StatusCode;
use multicluster::kube::Client;
use tokio::{sync::oneshot, time::sleep};

use super::{
    Failure, Kind, Sharing,
    coalesce::{Coalescer, Round, Turn},
    lock,
    split::Split,
    upstream,
};

/// How many objects a page holds.
const PAGE: &str = "500";

/// How long a list over all Namespaces waits for others that it can answer: clusters are engaged one after the other.
const GATHER: Duration = Duration::from_millis(10);

/// The lists of one kind that are under way.
#[derive(Default)]
pub(super) struct Lists {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    turns: Coalescer,
    waiting: Vec<Waiter>,
}

struct Waiter {
    namespace: Arc<str>,
    answer: oneshot::Sender<Listed>,
}

/// What becomes of a list in one Namespace.
pub(in super::super) enum Listed {
    /// It is to be sent as it is, while the value is held.
    Alone(Alone),
    /// The list, with its namespaces as the server has them.
    List(Bytes),
    Failed(Failure),
}

/// The right to send a list as it is.
pub(in super::super) struct Alone(Arc<Kind>);

/// Why a list over all Namespaces does not answer those in one.
enum NoList {
    /// The kind is not to be asked for in all Namespaces.
    Unshared,
    /// The objects changed too much while the pages were read.
    Expired,
    Failed(Failure),
}

// === impl Lists ===

impl Lists {
    /// Nobody answers those that wait.
    pub(super) fn lost(&self) {
        let waiting = {
            let mut state = lock(&self.state);
            state.turns.lost();
            mem::take(&mut state.waiting)
        };
        drop(waiting);
    }
}

// === impl Kind ===

impl Kind {
    /// Lists the objects in `namespace`.
    pub(in super::super) async fn list(
        self: &Arc<Self>,
        sharing: &Arc<Sharing>,
        namespace: &Arc<str>,
    ) -> Listed {
        self.watch.await_reader(namespace);
        let answer = {
            let mut state = lock(&self.lists.state);
            match state.turns.arrived() {
                Turn::Alone => return Listed::Alone(Alone(self.clone())),
                Turn::Start => {
                    let kind = self.clone();
                    let run = run(self.clone(), sharing.base.clone());
                    sharing.spawn(run, move || kind.lists_lost());
                }
                Turn::Wait => {}
            }
            let (sender, receiver) = oneshot::channel();
            state.waiting.push(Waiter {
                namespace: namespace.clone(),
                answer: sender,
            });
            receiver
        };
        let ended = || Listed::Failed(Failure::Unanswered("the list was given up".into()));
        answer.await.unwrap_or_else(|_| ended())
    }
}

/// Answers those that wait, round by round, until nobody does.
async fn run(kind: Arc<Kind>, base: Client) {
    loop {
        sleep(GATHER).await;
        let (round, waiting) = {
            let mut state = lock(&kind.lists.state);
            state.waiting.retain(|waiter| !waiter.answer.is_closed());
            let waiting = state.waiting.len();
            let round = state.turns.round(waiting);
            (round, mem::take(&mut state.waiting))
        };
        match round {
            Round::End => return,
            Round::Alone => {
                for waiter in waiting {
                    waiter.tell(Listed::Alone(Alone(kind.clone())));
                }
            }
            Round::Everywhere => {
                let wanted = waiting.iter().map(|waiter| waiter.namespace.clone());
                let answer = everywhere(&kind, &base, &wanted.collect()).await;
                tell(&kind, waiting, answer);
            }
        }
    }
}

/// Answers all by one list.
fn tell(kind: &Arc<Kind>, waiting: Vec<Waiter>, answer: Result<Split, NoList>) {
    match answer {
        Ok(split) => {
            kind.listed(split.version());
            for waiter in waiting {
                match split.list(&waiter.namespace) {
                    Some(list) => waiter.tell(Listed::List(list)),
                    None => drop(waiter),
                }
            }
        }
        Err(NoList::Failed(failure)) => {
            for waiter in waiting {
                waiter.tell(Listed::Failed(failure.clone()));
            }
        }
        Err(NoList::Unshared | NoList::Expired) => {
            lock(&kind.lists.state).turns.alone(waiting.len());
            for waiter in waiting {
                waiter.tell(Listed::Alone(Alone(kind.clone())));
            }
        }
    }
}

async fn everywhere(
    kind: &Kind,
    base: &Client,
    wanted: &HashSet<Arc<str>>,
) -> Result<Split, NoList> {
    match pages(kind, base, wanted, Some(PAGE)).await {
        // In one piece there is nothing to expire.
        Err(NoList::Expired) => pages(kind, base, wanted, None).await,
        answer => answer,
    }
}

async fn pages(
    kind: &Kind,
    base: &Client,
    wanted: &HashSet<Arc<str>>,
    limit: Option<&str>,
) -> Result<Split, NoList> {
    let mut split = Split::for_namespaces(wanted);
    let mut token: Option<String> = None;
    loop {
        let mut query = kind.selectors();
        if let Some(limit) = limit {
            query.set("limit", limit);
        }
        if let Some(token) = &token {
            query.set("continue", token.as_str());
        }
        let page = async { upstream::bytes(upstream::get(base, kind, &query).await?).await };
        let page = page.await.map_err(|failure| match &failure {
            Failure::Refused(StatusCode::GONE, ..) if token.is_some() => NoList::Expired,
            lasting if lasting.is_lasting() => {
                kind.refuse();
                NoList::Unshared
            }
            _ => NoList::Failed(failure),
        })?;
        token = split.page(&page).map_err(|_| {
            kind.refuse();
            NoList::Unshared
        })?;
        if token.is_none() {
            break;
        }
    }
    // Without a single object nobody knows whether the kind has namespaces at all.
    match split.is_empty() && !kind.is_namespaced() {
        true => Err(NoList::Unshared),
        false => Ok(split),
    }
}

// === impl Waiter ===

impl Waiter {
    fn tell(self, answer: Listed) {
        // One that is not waiting any more needs no answer.
        let _ = self.answer.send(answer);
    }
}

// === impl Alone ===

impl Drop for Alone {
    fn drop(&mut self) {
        lock(&self.0.lists.state).turns.ended();
    }
}
