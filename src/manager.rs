//! Brings a provider, the sharding and the cluster-aware parts of a program together.

mod discovery;
mod engagements;
mod settings;

use std::{fmt, pin::pin, sync::Arc, time::Duration};

use tokio::{
    sync::mpsc::{self, UnboundedReceiver, UnboundedSender},
    task::{JoinError, JoinHandle},
    time::Instant,
};

use crate::{
    engage::ClusterAware,
    error::{Error, Report, Result, panic_message},
    loads::Loads,
    problems::Problems,
    provider::{ClusterEvent, ClusterProvider},
    sharding::{self, Assignment, Order, PeerId, Sharding, Timings},
};
use engagements::{Engagements, Rules};
pub use settings::Settings;

/// Runs controllers over the clusters of a provider.
///
/// # Flow
/// 1. [`run`](Self::run) joins the fleet and follows the provider.
/// 2. For each cluster that becomes this peer's, the manager connects and engages every part; when the cluster moves or
///    disappears, it drains them.
/// 3. On shutdown everything is drained, and the clusters are released to the other peers.
///
/// # Guarantees
/// One cluster that cannot be reached, or one part that fails, delays no other: each is retried on its own.
pub struct Manager {
    provider: Arc<dyn ClusterProvider>,
    parts: Vec<Arc<dyn ClusterAware>>,
    peer: Option<PeerId>,
    rules: Rules,
    startup_timeout: Option<Duration>,
    ownership: JoinHandle<Result<()>>,
    orders: UnboundedSender<Order>,
    assignments: UnboundedReceiver<Assignment>,
    loads: Loads,
}

/// Collects what a [`Manager`] is made of.
#[must_use]
pub struct ManagerBuilder {
    provider: Arc<dyn ClusterProvider>,
    parts: Vec<Arc<dyn ClusterAware>>,
    sharding: Option<Sharding>,
    startup_timeout: Option<Duration>,
    connect_timeout: Duration,
    concurrent_connections: usize,
    drain_timeout: Duration,
}

// === impl Manager ===

impl Manager {
    /// A manager of the clusters of `provider`.
    pub fn builder(provider: impl ClusterProvider) -> ManagerBuilder {
        let Settings {
            startup_timeout,
            connect_timeout,
            concurrent_connections,
        } = Settings::default();
        ManagerBuilder {
            provider: Arc::new(provider),
            parts: Vec::new(),
            sharding: None,
            startup_timeout,
            connect_timeout,
            concurrent_connections,
            drain_timeout: Timings::default().drain(),
        }
    }

    /// The id of this peer; `None` without sharding.
    #[must_use]
    pub fn peer(&self) -> Option<&PeerId> {
        self.peer.as_ref()
    }

    /// Runs until `shutdown` completes and everything is drained and released.
    ///
    /// # Errors
    /// - [`Error::Startup`] when the API server or the provider did not answer within the start-up timeout.
    /// - [`Error::PeerReplaced`] when another process took this peer's id.
    ///
    /// Everything else is reported in logs and retried.
    ///
    /// # Cancellation
    /// Dropping the future ends all work without releasing anything; others take over when the Leases expire.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<()> {
        let Self {
            provider,
            parts,
            peer,
            rules,
            startup_timeout,
            ownership,
            orders,
            mut assignments,
            loads,
        } = self;
        let mut shutdown = pin!(shutdown);
        let mut ownership = AbortOnDrop(ownership);
        let mut discovered = discovery::follow(provider.clone());
        let mut engagements = Engagements::new(provider, parts, peer, rules, loads);
        let mut startup = Startup::new(startup_timeout);
        let mut leaving = false;
        // The driver ends when the orders do, so a failed send needs no answer.
        let order = |order| drop(orders.send(order));
        loop {
            tokio::select! {
                () = &mut shutdown, if !leaving => {
                    leaving = true;
                    order(Order::Leave);
                }
                Some(event) = discovered.recv() => match event {
                    Ok(ClusterEvent::Applied(cluster)) => {
                        order(Order::Applied(cluster.name.clone()));
                        engagements.update(cluster);
                    }
                    Ok(ClusterEvent::Removed(name)) => {
                        engagements.forget(&name);
                        order(Order::Removed(name));
                    }
                    Ok(ClusterEvent::Synced) => startup.discovered = true,
                    Err(error) => startup.provider_failed(error),
                },
                Some(assignment) = assignments.recv() => match assignment {
                    Assignment::Started => startup.joined = true,
                    Assignment::NotStarted(error) => startup.failed(error),
                    Assignment::Engage(name, guard) => engagements.engage(name, guard),
                    Assignment::Drain(name) => engagements.drain(&name),
                },
                Some(name) = engagements.ended() => order(Order::Drained(name)),
                () = startup.expired(), if !leaving => return Err(startup.error()),
                ended = &mut ownership.0 => {
                    // What is engaged now has no owner's right any more.
                    engagements.stop().await;
                    return ended.unwrap_or_else(|panic| Err(died("sharding", panic)));
                }
            }
        }
    }
}

impl fmt::Debug for Manager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Manager")
            .field("peer", &self.peer)
            .field(
                "parts",
                &self
                    .parts
                    .iter()
                    .map(|part| part.name())
                    .collect::<Vec<_>>(),
            )
            .finish_non_exhaustive()
    }
}

// === impl ManagerBuilder ===

impl ManagerBuilder {
    /// Shares the clusters with other peers; without it this one owns them all.
    pub fn sharding(mut self, sharding: Sharding) -> Self {
        self.sharding = Some(sharding);
        self
    }

    /// Adds a part that works on every owned cluster, such as a [`Controller`](crate::Controller).
    pub fn with(mut self, part: impl ClusterAware) -> Self {
        self.parts.push(Arc::new(part));
        self
    }

    /// Everything that `settings` says; what is called later overrides it.
    pub fn settings(mut self, settings: &Settings) -> Self {
        self.startup_timeout = settings.startup_timeout;
        self.connect_timeout = settings.connect_timeout;
        self.concurrent_connections = settings.concurrent_connections;
        self
    }

    /// Ends the manager with an error when it could not join the fleet and list the clusters in this time.
    ///
    /// By default it tries for ever.
    pub fn startup_timeout(mut self, timeout: Duration) -> Self {
        self.startup_timeout = Some(timeout);
        self
    }

    /// How long one attempt to connect to a cluster may take; 30 s by default.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How many clusters are connected to at a time, not counting slow ones; 32 by default.
    pub fn concurrent_connections(mut self, number: usize) -> Self {
        self.concurrent_connections = number;
        self
    }

    /// Checks all settings; must be called inside a tokio runtime.
    ///
    /// # Errors
    /// [`Error::Setting`] for the first setting that cannot be used.
    pub fn build(self) -> Result<Manager> {
        Settings {
            startup_timeout: self.startup_timeout,
            connect_timeout: self.connect_timeout,
            concurrent_connections: self.concurrent_connections,
        }
        .validate()
        .map_err(|broken| broken.error)?;
        let (peer, drain_timeout, ownership, orders, assignments, loads) = match self.sharding {
            Some(sharding) => {
                let started = sharding.start()?;
                (
                    Some(started.peer),
                    started.timings.drain(),
                    tokio::spawn(started.driver.run()),
                    started.orders,
                    started.assignments,
                    started.loads,
                )
            }
            None => {
                let (orders, obeys) = mpsc::unbounded_channel();
                let (assigns, assignments) = mpsc::unbounded_channel();
                let ownership = tokio::spawn(sharding::alone(obeys, assigns));
                (
                    None,
                    self.drain_timeout,
                    ownership,
                    orders,
                    assignments,
                    Loads::default(),
                )
            }
        };
        Ok(Manager {
            provider: self.provider,
            parts: self.parts,
            peer,
            rules: Rules {
                connect_timeout: self.connect_timeout,
                concurrent_connections: self.concurrent_connections,
                drain_timeout,
            },
            startup_timeout: self.startup_timeout,
            ownership,
            orders,
            assignments,
            loads,
        })
    }
}

impl fmt::Debug for ManagerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ManagerBuilder")
            .field("sharding", &self.sharding)
            .finish_non_exhaustive()
    }
}

/// Whether the manager has found its API server and its clusters yet.
struct Startup {
    limit: Option<(Duration, Instant)>,
    joined: bool,
    discovered: bool,
    last: Option<Error>,
    problems: Problems,
}

// === impl Startup ===

impl Startup {
    fn new(limit: Option<Duration>) -> Self {
        Self {
            limit: limit.map(|limit| (limit, Instant::now() + limit)),
            joined: false,
            discovered: false,
            last: None,
            problems: Problems::default(),
        }
    }

    /// What keeps this peer from joining comes first: both have the same cause, as a rule.
    fn provider_failed(&mut self, error: Error) {
        let before = self.last.take().filter(|_| !self.joined);
        self.failed(error);
        self.last = before.or(self.last.take());
    }

    fn failed(&mut self, error: Error) {
        let text = Report(&error).to_string();
        self.problems
            .meet(None, text.clone(), move |_| tracing::warn!("{text}"));
        self.last = Some(error);
    }

    async fn expired(&self) {
        match self.limit {
            Some((_, end)) if !(self.joined && self.discovered) => {
                tokio::time::sleep_until(end).await;
            }
            _ => std::future::pending().await,
        }
    }

    fn error(&mut self) -> Error {
        let limit = self.limit.map_or(Duration::ZERO, |(limit, _)| limit);
        let what = if self.joined {
            "the provider"
        } else {
            "the API server"
        };
        let source = self.last.take().unwrap_or_else(|| Error::Timeout {
            step: format!("wait for {what}"),
            limit,
        });
        Error::Startup {
            limit,
            source: Box::new(source),
        }
    }
}

/// A task that ends with its owner.
struct AbortOnDrop<T>(JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The error of a task that did not return.
fn died(part: &str, error: JoinError) -> Error {
    let message = match error.try_into_panic() {
        Ok(panic) => panic_message(&*panic),
        Err(error) => error.to_string(),
    };
    Error::Panic {
        part: part.to_owned(),
        message,
    }
}
