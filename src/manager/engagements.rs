//! The engaged clusters: connect, engage every part, drain.

use std::{
    collections::{BTreeMap, HashMap},
    error::Error as _,
    panic::AssertUnwindSafe,
    pin::pin,
    sync::Arc,
    time::Duration,
};

use futures_util::FutureExt;
use tokio::{
    sync::{Semaphore, watch},
    task::JoinSet,
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::{AbortOnDrop, Parts, connection, died, part};
use crate::{
    backoff::Backoff,
    cluster::{Cluster, ClusterName},
    engage::{Engagement, Surroundings},
    error::{Error, Report, Result, panic_message},
    guard::Guard,
    health::Health,
    problems::Whose,
    provider::{ClusterProvider, ClusterRef},
    sharding::PeerId,
};

/// A connection that takes longer than this is slow.
const SLOW: Duration = Duration::from_secs(2);

/// A connection that has lasted so long was a good one.
const SETTLED: Duration = Duration::from_secs(60);

/// Timeouts of engagements.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    pub(super) connect_timeout: Duration,
    /// How many clusters are connected to at a time, not counting slow ones.
    pub(super) concurrent_connections: usize,
    pub(super) drain_timeout: Duration,
}

/// The clusters that this peer works on.
pub(super) struct Engagements {
    common: Arc<Common>,
    /// The newest form of every cluster that the provider shows.
    shown: BTreeMap<ClusterName, watch::Sender<ClusterRef>>,
    running: HashMap<ClusterName, CancellationToken>,
    tasks: JoinSet<ClusterName>,
    /// Clusters that were assigned after the provider had dropped them.
    refused: Vec<ClusterName>,
}

struct Common {
    provider: Arc<dyn ClusterProvider>,
    parts: Parts,
    peer: String,
    rules: Rules,
    connecting: Semaphore,
    surroundings: Surroundings,
}

// === impl Engagements ===

impl Engagements {
    pub(super) fn new(
        provider: Arc<dyn ClusterProvider>,
        parts: Parts,
        peer: Option<PeerId>,
        rules: Rules,
        surroundings: Surroundings,
    ) -> Self {
        let common = Common {
            provider,
            parts,
            peer: peer.map_or_else(String::new, |peer| peer.to_string()),
            rules,
            connecting: Semaphore::new(rules.concurrent_connections),
            surroundings,
        };
        Self {
            common: Arc::new(common),
            shown: BTreeMap::new(),
            running: HashMap::new(),
            tasks: JoinSet::new(),
            refused: Vec::new(),
        }
    }

    /// The provider shows a cluster, or a new form of it.
    pub(super) fn update(&mut self, cluster: ClusterRef) {
        match self.shown.get(&cluster.name) {
            Some(sender) => {
                sender.send_if_modified(|known| {
                    let changed = *known != cluster;
                    *known = cluster;
                    changed
                });
            }
            None => {
                let name = cluster.name.clone();
                self.shown.insert(name, watch::Sender::new(cluster));
            }
        }
    }

    /// The provider does not show a cluster any more.
    pub(super) fn forget(&mut self, name: &ClusterName) {
        self.shown.remove(name);
    }

    /// Works on a cluster under `guard` until it is drained.
    pub(super) fn engage(&mut self, name: ClusterName, guard: Guard) {
        let Some(shown) = self.shown.get(&name) else {
            self.refused.push(name);
            return;
        };
        let stop = CancellationToken::new();
        self.running.insert(name.clone(), stop.clone());
        let (common, shown) = (self.common.clone(), shown.subscribe());
        let health = common.surroundings.owned.assigned(&name);
        self.tasks.spawn(async move {
            // A task of its own, so that the name comes back even after a panic.
            let task = tokio::spawn(work(common, name.clone(), shown, guard, health, stop));
            if let Err(error) = (&mut AbortOnDrop(task).0).await {
                tracing::error!(cluster = %name, "{}", died("the engagement", error));
            }
            name
        });
    }

    /// Ends the work on a cluster; [`ended`](Self::ended) tells when it has ended.
    pub(super) fn drain(&mut self, name: &ClusterName) {
        if let Some(stop) = self.running.get(name) {
            stop.cancel();
        }
    }

    /// A cluster on which the work has ended; pending while there is none. Cancel-safe.
    pub(super) async fn ended(&mut self) -> Option<ClusterName> {
        if let Some(name) = self.refused.pop() {
            return Some(name);
        }
        match self.tasks.join_next().await {
            Some(Ok(name)) => {
                self.running.remove(&name);
                self.common.surroundings.owned.released(&name);
                Some(name)
            }
            Some(Err(_)) | None => None,
        }
    }

    /// Drains everything.
    pub(super) async fn stop(&mut self) {
        for stop in self.running.values() {
            stop.cancel();
        }
        while self.tasks.join_next().await.is_some() {}
    }
}

/// One cluster, from its assignment to its drain: connected, engaged, and again when its fingerprint changes.
async fn work(
    common: Arc<Common>,
    name: ClusterName,
    mut shown: watch::Receiver<ClusterRef>,
    guard: Guard,
    health: Health,
    stop: CancellationToken,
) {
    let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(30));
    while !stop.is_cancelled() {
        health.connecting();
        let cluster_ref = shown.borrow_and_update().clone();
        let connected = tokio::select! {
            () = stop.cancelled() => break,
            // In a box, since it is large and soon gone.
            connected = Box::pin(connect(&common, &cluster_ref)) => connected,
        };
        match connected {
            Ok(cluster) => {
                health.connected();
                let begun = Instant::now();
                let surroundings = &common.surroundings;
                let base = cluster.clone();
                let engagement =
                    Engagement::new(cluster, guard.engagement(), health.clone(), surroundings);
                surroundings.owned.engaged(&engagement);
                let worn_out =
                    engaged(&common, &engagement, &base, &cluster_ref, &mut shown, &stop).await;
                surroundings.owned.disengaged(&name);
                if worn_out {
                    let retry_in = backoff.next_after(begun.elapsed(), SETTLED);
                    if !pause(retry_in, &stop, &mut shown, &cluster_ref).await {
                        continue;
                    }
                }
                backoff.reset();
            }
            Err(error) => {
                let retry_in = backoff.next();
                health.not_connected(Report(&error).to_string());
                let (cause, text) = (cause(&error), Report(&error).to_string());
                let shared = cause.clone();
                common
                    .surroundings
                    .problems
                    .meet(Some(&name), cause, move |whose| match whose {
                        Whose::Others(_) => tracing::warn!(
                            clusters = whose.clusters(),
                            "the same of other clusters: {shared}"
                        ),
                        _ => tracing::warn!(cluster = whose.cluster(), ?retry_in, "{text}"),
                    });
                if pause(retry_in, &stop, &mut shown, &cluster_ref).await {
                    backoff.reset();
                }
            }
        }
    }
}

/// Waits before the next attempt, or until the cluster's source has changed, as when it has got new credentials; says
/// whether it has.
async fn pause(
    pause: Duration,
    stop: &CancellationToken,
    shown: &mut watch::Receiver<ClusterRef>,
    present: &ClusterRef,
) -> bool {
    tokio::select! {
        () = stop.cancelled() => false,
        () = tokio::time::sleep(pause) => false,
        () = reconnect_needed(shown, present) => true,
    }
}

async fn connect(common: &Common, cluster: &ClusterRef) -> Result<Cluster> {
    let limit = common.rules.connect_timeout;
    let step = || format!("connect to cluster {}", cluster.name);
    // The semaphore is never closed.
    let place = common.connecting.acquire().await;
    // A panic of a provider is a failure like any other.
    let connecting = AssertUnwindSafe(async { common.provider.connect(cluster).await });
    let mut connecting = pin!(tokio::time::timeout(limit, connecting.catch_unwind()));
    let result = match tokio::time::timeout(SLOW, &mut connecting).await {
        Ok(result) => result,
        Err(_) => {
            // Slow clusters must not keep the others waiting.
            drop(place);
            connecting.await
        }
    };
    let connected = match result {
        Ok(Ok(connected)) => connected,
        Ok(Err(panic)) => Err(Error::Panic {
            part: step(),
            message: panic_message(&*panic),
        }),
        Err(_) => Err(Error::Timeout {
            step: step(),
            limit,
        }),
    };
    connected.map(|connected| connected.shared_labels(cluster.labels.clone()))
}

/// Why a connection failed, besides the step, which may name the cluster.
fn cause(error: &Error) -> String {
    match (error, error.source()) {
        (Error::Timeout { limit, .. }, _) => format!("no answer within {limit:?}"),
        (_, Some(source)) => Report(source).to_string(),
        (_, None) => Report(error).to_string(),
    }
}

/// One engagement: every part in a task of its own, until the cluster is drained or connected to anew; says whether the
/// connection `base` itself was the reason.
async fn engaged(
    common: &Common,
    engagement: &Engagement,
    base: &Cluster,
    cluster_ref: &ClusterRef,
    shown: &mut watch::Receiver<ClusterRef>,
    stop: &CancellationToken,
) -> bool {
    let name = engagement.name();
    tracing::info!(cluster = %name, peer = %common.peer, "synchronization start");
    let limit = common.rules.drain_timeout;
    let mut parts = JoinSet::new();
    for part in common.parts.of(name) {
        let (part, engagement) = (part.clone(), engagement.clone());
        parts.spawn(part::supervise(part, engagement, shown.clone(), limit));
    }
    let mut worn_out = false;
    tokio::select! {
        () = stop.cancelled() => {}
        () = connection::probe(base.transport(), engagement.health()) => {}
        reason = connection::worn_out(base.transport(), engagement.health()) => {
            worn_out = true;
            tracing::warn!(cluster = %name, "connecting anew: {reason}");
        }
        () = reconnect_needed(shown, cluster_ref) => {
            tracing::info!(cluster = %name, "connecting anew: the cluster's source has changed");
        }
    }
    engagement.cancel();
    let drained = async { while parts.join_next().await.is_some() {} };
    if tokio::time::timeout(limit, drained).await.is_err() {
        tracing::warn!(cluster = %name, "not drained within {limit:?}: dropping what still runs");
        engagement.end();
        parts.shutdown().await;
    }
    engagement.end();
    // The cluster is not given away while anything of it is alive, however long that takes.
    part::dead(engagement).await;
    tracing::info!(cluster = %name, peer = %common.peer, "synchronization stop");
    worn_out
}

/// Completes when the provider shows another fingerprint; other labels alone are the matter of each part.
async fn reconnect_needed(shown: &mut watch::Receiver<ClusterRef>, present: &ClusterRef) {
    if shown
        .wait_for(|newest| newest.fingerprint != present.fingerprint)
        .await
        .is_err()
    {
        // The provider does not show it any more: the drain follows.
        std::future::pending::<()>().await;
    }
}
