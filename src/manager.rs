//! Brings a provider, the sharding and the cluster-aware parts of a program together.

mod connection;
mod discovery;
mod engagements;
mod files;
mod host;
mod part;
mod settings;
mod startup;

use std::{fmt, pin::pin, sync::Arc, time::Duration};

use kube::Client;
use tokio::{
    sync::mpsc::{self, UnboundedReceiver, UnboundedSender},
    task::{JoinError, JoinHandle},
};

use crate::{
    cluster::ClusterName,
    engage::{ClusterAware, OwnedClusters, Surroundings},
    error::{Error, Result, panic_message},
    loads::Loads,
    provider::{ClusterEvent, ClusterProvider},
    sharding::{self, Assignment, Order, PeerId, Sharding, Timings},
};
use engagements::{Engagements, Rules};
use host::HostProvider;
pub use settings::Settings;
use startup::Startup;

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
    parts: Parts,
    peer: Option<PeerId>,
    rules: Rules,
    startup_timeout: Option<Duration>,
    ownership: JoinHandle<Result<()>>,
    orders: UnboundedSender<Order>,
    assignments: UnboundedReceiver<Assignment>,
    surroundings: Surroundings,
    /// The host's own client.
    host: Option<Client>,
}

/// The parts of a program.
#[derive(Clone, Default)]
struct Parts {
    clusters: Vec<Arc<dyn ClusterAware>>,
    host: Vec<Arc<dyn ClusterAware>>,
    /// What the host is called among the clusters.
    host_name: Option<ClusterName>,
}

/// Collects what a [`Manager`] is made of.
#[must_use]
pub struct ManagerBuilder {
    provider: Arc<dyn ClusterProvider>,
    parts: Parts,
    host: Option<Client>,
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
            parts: Parts::default(),
            host: None,
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

    /// The clusters that this peer works on, and how they are doing, at any time.
    #[must_use]
    pub fn owned_clusters(&self) -> OwnedClusters {
        self.surroundings.owned.clone()
    }

    /// Runs until `shutdown` completes and everything is drained and released.
    ///
    /// # Errors
    /// - [`Error::Startup`] when the API server or the provider did not answer within the start-up timeout.
    /// - [`Error::PeerReplaced`] when another process took this peer's id.
    ///
    /// Everything else is reported in logs and retried.
    ///
    /// # Resources
    /// The limit of open files of the process is raised to what the system permits: each watch is a connection.
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
            surroundings,
            host,
        } = self;
        files::raise_limit();
        let followed = host.zip(surroundings.host.clone());
        let mut host = pin!(async {
            if let Some((client, engagement)) = followed {
                connection::probe(&client.into(), engagement.health()).await;
            }
            std::future::pending::<()>().await;
        });
        let mut shutdown = pin!(shutdown);
        let mut ownership = AbortOnDrop(ownership);
        let mut discovered = discovery::follow(provider.clone());
        let mut engagements = Engagements::new(provider, parts, peer, rules, surroundings);
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
                () = &mut host => {}
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
                &self.parts.all().map(|part| part.name()).collect::<Vec<_>>(),
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
        self.parts.clusters.push(Arc::new(part));
        self
    }

    /// The host (hub): the cluster in which the program's own objects are.
    ///
    /// Every peer may read it, through [`Engagement::host`](crate::Engagement::host) and
    /// [`Controller::watches_host`](crate::Controller::watches_host). Work *on* it is done by
    /// [parts of its own](Self::with_host), by one peer at a time. The client should not retry on its own, as those of
    /// providers should not.
    pub fn host(mut self, client: Client) -> Self {
        self.host = Some(client);
        self
    }

    /// Adds a part that works on the host: it is placed and fenced like a cluster called `host`.
    pub fn with_host(mut self, part: impl ClusterAware) -> Self {
        self.parts.host.push(Arc::new(part));
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
    pub fn build(mut self) -> Result<Manager> {
        let needing = self.parts.all().find(|part| part.needs_host());
        let needing = needing.or(self.parts.host.first());
        if let (None, Some(part)) = (&self.host, needing) {
            return Err(Error::setting(format!(
                "{} works with the host: name it with ManagerBuilder::host",
                part.name()
            )));
        }
        if let (Some(client), false) = (&self.host, self.parts.host.is_empty()) {
            let host = HostProvider::new(self.provider, client.clone());
            self.parts.host_name = Some(host.name().clone());
            self.provider = Arc::new(host);
        }
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
            surroundings: Surroundings {
                host: self
                    .host
                    .clone()
                    .map(|client| host::engagement(client, &loads)),
                loads,
                ..Surroundings::default()
            },
            host: self.host,
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

// === impl Parts ===

impl Parts {
    /// Those that work on a cluster.
    fn of(&self, cluster: &ClusterName) -> &[Arc<dyn ClusterAware>] {
        if self.host_name.as_ref() == Some(cluster) {
            &self.host
        } else {
            &self.clusters
        }
    }

    fn all(&self) -> impl Iterator<Item = &Arc<dyn ClusterAware>> {
        self.clusters.iter().chain(&self.host)
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
