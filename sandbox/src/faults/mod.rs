//! Faults between clients and a [`Sandbox`]: delays, losses, refusals, outages, broken and silent watches.
//!
//! # Flow
//! 1. Clients are made by [`Faults::client`], or connect to [`Faults::serve`].
//! 2. [`Rule`]s are added and removed while they work; each request has the faults of all rules that select it.
//! 3. [`Faults::calls`] tells afterwards what was asked.
//!
//! # Order
//! Rules act in the order in which they were added. Delays add up; of the other faults a request has the first.
//!
//! # Determinism
//! Each rule draws from random numbers of its own, which follow from the seed and the rule's number: the same rules and
//! the same requests in the same order have the same faults. Times are those of the tokio clock.

mod call;
mod plan;
mod rule;
mod state;
mod stream;

use std::{
    fmt,
    future::Future,
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use http::{Request, Response};
use tokio::net::TcpListener;
use tower::{BoxError, Service};

pub use self::{
    call::{ApiCall, Verb},
    rule::{End, Fault, Outage, Rule, RuleId, StoreDown},
};
use crate::{
    auth::Claimed,
    reply, request,
    sandbox::{Body, Sandbox},
    server::Server,
};
use state::State;

/// The faults of one [`Sandbox`]; clones share their rules.
///
/// ```
/// use kube_sandbox::{Fault, Faults, Rule, Sandbox, Verb};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let sandbox = Sandbox::new();
/// let faults = Faults::new(&sandbox, 7);
/// let client = faults.client("a");
///
/// // Three of ten updates of Leases by "a" are applied without an answer.
/// let rule = Rule::new(Fault::LoseReply).verbs([Verb::Update]).kind("Lease").user("a");
/// let id = faults.add(rule.chance(0.3));
/// // .. the work under test ..
/// let lost = faults.remove(id);
/// # assert_eq!(lost, 0);
/// # drop(client);
/// # }
/// ```
#[derive(Clone)]
pub struct Faults {
    sandbox: Sandbox,
    state: Arc<Mutex<State>>,
}

/// A [`Sandbox`] behind [`Faults`], as one user reaches it.
#[derive(Clone, Debug)]
pub struct Faulty {
    faults: Faults,
    /// `None` for whom the bearer token names.
    user: Option<String>,
}

// === impl Faults ===

impl Faults {
    /// No faults yet; those to come follow from `seed`.
    #[must_use]
    pub fn new(sandbox: &Sandbox, seed: u64) -> Self {
        Self {
            sandbox: sandbox.clone(),
            state: Arc::new(Mutex::new(State::new(seed))),
        }
    }

    /// A client of `user` whose requests have the faults, otherwise like [`Sandbox::client_for`].
    ///
    /// # Panics
    /// Outside of a tokio runtime, which every [`kube::Client`] needs.
    #[must_use]
    pub fn client(&self, user: &str) -> kube::Client {
        kube::Client::new(self.service(user), "default")
    }

    /// What [`client`](Self::client) is built on.
    #[must_use]
    pub fn service(&self, user: &str) -> Faulty {
        Faulty {
            faults: self.clone(),
            user: Some(user.to_owned()),
        }
    }

    /// Serves HTTP/1.1 on `listener` like [`Sandbox::serve`]; the bearer token of a request names its user.
    ///
    /// [`Server::kubeconfig_for`] gives a user one.
    ///
    /// # Errors
    /// When the listener does not know its address.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn serve(&self, listener: TcpListener) -> io::Result<Server> {
        let service = Faulty {
            faults: self.clone(),
            user: None,
        };
        Server::start(service, listener)
    }

    /// Adds a rule; what concerns watches applies to those that are open too.
    #[expect(
        clippy::must_use_candidate,
        reason = "a rule that stays needs no handle"
    )]
    pub fn add(&self, rule: Rule) -> RuleId {
        let version = self.sandbox.store().version();
        self.state().add(rule, version)
    }

    /// Removes a rule, and says how many requests it has concerned; what it has held is applied now.
    #[expect(clippy::must_use_candidate, reason = "the count is an extra")]
    pub fn remove(&self, id: RuleId) -> u64 {
        self.state().remove(id)
    }

    /// Removes all rules.
    pub fn clear(&self) {
        self.state().clear();
    }

    /// How many requests and open watches a rule has concerned; 0 once it is removed.
    #[must_use]
    pub fn hits(&self, id: RuleId) -> u64 {
        self.state().hits(id)
    }

    /// The newest requests, oldest first; 100,000 of them are kept.
    #[must_use]
    pub fn calls(&self) -> Vec<ApiCall> {
        self.state().calls()
    }

    /// Forgets the requests so far.
    pub fn forget_calls(&self) {
        self.state().forget_calls();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Never held across an await, and no change of it can panic half way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Faults").finish_non_exhaustive()
    }
}

// === impl Faulty ===

impl<B> Service<Request<B>> for Faulty
where
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let Self { faults, user } = self.clone();
        Box::pin(async move {
            let request = match request::read(request).await {
                Ok(mut request) => {
                    if let Some(user) = user.clone() {
                        request.extensions_mut().insert(Claimed(user));
                    }
                    request
                }
                Err(error) => return Ok(reply::refuse(&error)),
            };
            let call = ApiCall::of(&faults.sandbox.registry(), &request, user.as_deref());
            let plan = faults.state().plan(&call);
            plan.perform(faults.sandbox, call, request).await
        })
    }
}
