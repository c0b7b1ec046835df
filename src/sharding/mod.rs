//! One owner for every cluster.
//!
//! Peers find each other by Leases, place the clusters by [rendezvous hashing](Rendezvous), and work on a cluster only
//! while they hold its fencing Lease.
//!
//! # Flow
//! 1. A peer creates its own Lease (`mcr-peer-<peer>`) and renews it. Who does so is alive.
//! 2. Every peer computes the same owner for every cluster from the live peers. Nothing is negotiated.
//! 3. The owner takes the cluster's fence (`mcr-shard-<cluster>`), engages, and renews it for as long as it works.
//! 4. When another peer becomes the owner, the present one drains, releases the fence, and the other takes it at once.
//! 5. When a peer dies, the others see its Leases stand still for a Lease duration, and take over.
//!
//! # Guarantees
//! At most one peer begins work on a cluster at a time, under the assumptions below, whatever happens to processes, to
//! the network, or to the API server. Every cluster that any live peer can own gets an owner.
//!
//! # Not guaranteed
//! Exactly-once processing: a write that left before its deadline can arrive after it. Who needs more than the stop
//! margin lets the written resource check the [fencing token](crate::FencingToken).
//!
//! # Assumptions
//! - The API server's store is not set back to an earlier state under running peers.
//! - Clock *rates* of two machines differ by at most 1 %. Their dates may differ by any amount.
//! - A write has taken effect, or never will, within the [stop margin](Timings::stop_margin) after it was given up.
//! - Nobody edits the Leases by hand.

mod alone;
mod bounded_rendezvous;
mod claim;
mod coordinator;
mod cost;
mod driver;
mod fence;
mod formulas;
mod heartbeat;
mod lease;
mod membership;
mod multicluster_runtime;
mod mutant;
mod names;
mod peer;
mod placed;
mod placement;
mod pod;
mod record;
mod rendezvous;
mod ring;
mod settings;
mod timings;

use std::{any::Any, fmt, sync::Arc};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::{Client, Config};
use tokio::sync::mpsc;

pub use bounded_rendezvous::BoundedRendezvous;
pub use cost::Cost;
pub use multicluster_runtime::MulticlusterRuntime;
#[cfg(feature = "testing")]
pub use mutant::Mutant;
pub use peer::{MAX_WEIGHT, Peer, PeerId};
pub use placement::{Move, Sharder};
pub use rendezvous::{Rendezvous, RendezvousTable, RowMove};
pub use ring::Ring;
pub use settings::Settings;
pub use timings::Timings;

pub(crate) use alone::run as alone;
pub(crate) use driver::{Assignment, Driver, Order};

/// What the simulation of a fleet is made of.
#[cfg(feature = "testing")]
pub(crate) mod internals {
    pub(crate) use super::{
        claim::Place,
        coordinator::{Command, Coordinator, Input, Settings},
        fence::Command as FenceCommand,
        mutant::Mutants,
        names::fence_name,
        record::{Answer, Content, Foreign, LeaseName, Marks, Pod, Record, Request},
    };
}

use crate::{
    clock::{Clock, SystemClock},
    error::{Error, Report, Result},
    guard::Watchdog,
    loads::Loads,
};
use coordinator::Coordinator;
use lease::LeaseApi;
use mutant::Mutants;

/// How a manager shares the clusters with its peers.
///
/// Two fleets in one namespace are apart when their names are.
#[must_use]
pub struct Sharding {
    client: Access,
    lease_namespace: String,
    peer_prefix: String,
    fence_prefix: String,
    peer: Option<String>,
    weight: u32,
    pod_uid: Option<String>,
    owner: Option<OwnerReference>,
    timings: Timings,
    sharder: Box<dyn Sharder>,
    clock: Arc<dyn Clock>,
    system_clock: bool,
    watchdog: bool,
}

enum Access {
    Config(Box<Config>),
    Client(Client),
}

/// A checked [`Sharding`].
pub(crate) struct Started {
    pub(crate) peer: PeerId,
    pub(crate) timings: Timings,
    pub(crate) driver: Driver,
    pub(crate) orders: mpsc::UnboundedSender<Order>,
    pub(crate) assignments: mpsc::UnboundedReceiver<Assignment>,
    pub(crate) loads: Loads,
}

// === impl Sharding ===

impl Sharding {
    /// Shares the clusters among the peers of `fleet`, whose Leases are in the cluster of `config`.
    ///
    /// The Leases are named `<fleet>-peer-<peer>` and `<fleet>-shard-<cluster>`; they are in the config's namespace
    /// unless [`lease_namespace`](Self::lease_namespace) says otherwise. The client is built from `config` without the
    /// retries that kube adds by default: a fence decides itself when to try again.
    pub fn new(config: &Config, fleet: &str) -> Self {
        let namespace = config.default_namespace.clone();
        Self::build(Access::Config(Box::new(config.clone())), namespace, fleet)
    }

    /// The same with a ready client, for tests: it must not retry on its own.
    pub fn with_client(client: Client, fleet: &str) -> Self {
        let namespace = client.default_namespace().to_owned();
        Self::build(Access::Client(client), namespace, fleet)
    }

    fn build(client: Access, lease_namespace: String, fleet: &str) -> Self {
        Self {
            client,
            lease_namespace,
            peer_prefix: format!("{fleet}-peer"),
            fence_prefix: format!("{fleet}-shard"),
            peer: None,
            weight: 1,
            pod_uid: None,
            owner: None,
            timings: Timings::default(),
            sharder: Box::new(Rendezvous::new()),
            clock: Arc::new(SystemClock),
            system_clock: true,
            watchdog: false,
        }
    }

    /// Everything that `settings` says; what is called later overrides it.
    pub fn settings(mut self, settings: &Settings) -> Self {
        let Settings {
            lease_namespace,
            peer_prefix,
            fence_prefix,
            weight,
            watchdog,
            ..
        } = settings.clone();
        self.lease_namespace = lease_namespace.unwrap_or(self.lease_namespace);
        self.peer_prefix = peer_prefix.unwrap_or(self.peer_prefix);
        self.fence_prefix = fence_prefix.unwrap_or(self.fence_prefix);
        self.timings(settings.timings())
            .weight(weight)
            .watchdog(watchdog)
    }

    /// The id of this peer; by default `POD_NAME`, else the host name.
    pub fn peer(mut self, id: impl Into<String>) -> Self {
        self.peer = Some(id.into());
        self
    }

    /// The UID of this process's pod, which the downward API gives as `metadata.uid`; by default `POD_UID`.
    ///
    /// With it, a container that is restarted in its pod goes on with its clusters at once instead of waiting until the
    /// Leases of its last process expire; Linux only.
    pub fn pod_uid(mut self, uid: impl Into<String>) -> Self {
        self.pod_uid = Some(uid.into());
        self
    }

    /// The namespace of the Leases.
    pub fn lease_namespace(mut self, namespace: impl Into<String>) -> Self {
        self.lease_namespace = namespace.into();
        self
    }

    /// The object that the Leases depend on: the garbage collector deletes them when it is gone.
    ///
    /// It must be in the namespace of the Leases, or in none, such as the Namespace that the fleet runs in. Without an
    /// owner the Leases of a fleet stay when the fleet is removed.
    pub fn owner(mut self, owner: OwnerReference) -> Self {
        self.owner = Some(owner);
        self
    }

    /// The prefixes of peer Leases and of fences, in place of those from the fleet's name.
    pub fn prefixes(mut self, peers: impl Into<String>, fences: impl Into<String>) -> Self {
        self.peer_prefix = peers.into();
        self.fence_prefix = fences.into();
        self
    }

    /// The Lease duration and what follows from it.
    pub fn timings(mut self, timings: Timings) -> Self {
        self.timings = timings;
        self
    }

    /// This peer's share of the clusters relative to others; 1 by default, at most [`MAX_WEIGHT`].
    pub fn weight(mut self, weight: u32) -> Self {
        self.weight = weight;
        self
    }

    /// The placement; [`Rendezvous`] by default. All peers of a fleet must use the same.
    pub fn sharder(mut self, sharder: impl Sharder) -> Self {
        self.sharder = Box::new(sharder);
        self
    }

    /// The source of time; tests with paused time set a [`TokioClock`](crate::clock::TokioClock).
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.system_clock = (&clock as &dyn Any).is::<SystemClock>();
        self.clock = Arc::new(clock);
        self
    }

    /// Whether the process aborts when a reconcile works on without permission; off by default, good for a program of its
    /// own.
    ///
    /// At the deadline of a fence its reconciles are dropped. One that blocks its thread cannot be, and would work on
    /// beside the next owner. The watchdog ends the process when that has gone on for half a
    /// [stop margin](Timings::stop_margin), and so early enough. It also ends one that blocks beyond the drain timeout,
    /// which otherwise keeps its cluster for ever. Time in which the process is stopped or suspended does not count. It
    /// works with the system's clock only.
    pub fn watchdog(mut self, on: bool) -> Self {
        self.watchdog = on;
        self
    }

    /// Checks everything and builds the driver; must be called inside a tokio runtime.
    pub(crate) fn start(self) -> Result<Started> {
        self.timings.validate()?;
        names::check_prefixes(&self.peer_prefix, &self.fence_prefix)?;
        settings::check_namespace(&self.lease_namespace)?;
        settings::check_weight(self.weight)?;
        if self.watchdog && !self.system_clock {
            return Err(Error::setting(
                "the watchdog works with the system's clock only: leave out one of clock and watchdog",
            ));
        }
        let id = PeerId::new(self.peer.map_or_else(default_peer, Ok)?)?;
        let peer = Peer {
            id: id.clone(),
            weight: self.weight.max(1),
        };
        let timings = self.timings;
        let pod_uid = self.pod_uid.or_else(|| std::env::var("POD_UID").ok());
        let place = pod_uid
            .filter(|uid| !uid.is_empty())
            .and_then(|uid| pod::place(&uid, &self.peer_prefix, id.as_str(), &*self.clock));
        let (client, server) = self.client.connect(&timings)?;
        let api = LeaseApi::new(
            client,
            server.as_deref(),
            &self.lease_namespace,
            &self.peer_prefix,
            timings.request_timeout(),
        )
        .owned_by(self.owner);
        let coordinator = Coordinator::new(coordinator::Settings {
            peer,
            incarnation: uuid::Uuid::new_v4().simple().to_string().into(),
            place,
            peer_prefix: self.peer_prefix.clone(),
            fence_prefix: self.fence_prefix.clone(),
            timings,
            sharder: self.sharder,
            mutants: Mutants::default(),
        });
        let watchdog = self.watchdog.then(|| Watchdog::start(timings.margin()));
        let (orders, obeys) = mpsc::unbounded_channel();
        let (assigns, assignments) = mpsc::unbounded_channel();
        let loads = Loads::new();
        let driver = Driver {
            coordinator,
            api,
            prefixes: [self.peer_prefix, self.fence_prefix],
            timings,
            clock: self.clock,
            watchdog: watchdog.transpose()?,
            orders: obeys,
            assignments: assigns,
            loads: loads.clone(),
        };
        Ok(Started {
            peer: id,
            timings,
            driver,
            orders,
            assignments,
            loads,
        })
    }
}

impl fmt::Debug for Sharding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sharding")
            .field("peer", &self.peer)
            .field("lease_namespace", &self.lease_namespace)
            .field("prefixes", &[&self.peer_prefix, &self.fence_prefix])
            .field("timings", &self.timings)
            .field("weight", &self.weight)
            .finish_non_exhaustive()
    }
}

// === impl Access ===

impl Access {
    /// The client, and the address of its server where that is known.
    fn connect(self, timings: &Timings) -> Result<(Client, Option<String>)> {
        let mut config = match self {
            Self::Client(client) => return Ok((client, None)),
            Self::Config(config) => *config,
        };
        let server = config.cluster_url.to_string();
        config.default_retry = false;
        config.connect_timeout = Some(timings.request_timeout());
        // Reads have no timeout here: a watch is silent for minutes. Each request gets one of its own.
        config.read_timeout = None;
        let client = Client::try_from(config).map_err(|error| {
            Error::setting(format!("the kubeconfig cannot be used: {}", Report(&error)))
        })?;
        Ok((client, Some(server)))
    }
}

/// `POD_NAME`, else the host name.
fn default_peer() -> Result<String> {
    if let Ok(name) = std::env::var("POD_NAME") {
        return Ok(name);
    }
    let host = rustix::system::uname();
    host.nodename().to_str().map(str::to_owned).map_err(|_| {
        Error::setting("the host name is not UTF-8: set the peer id (--peer or POD_NAME)")
    })
}
