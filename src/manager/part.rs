//! One part of the program on one engaged cluster: engaged while it selects the cluster, and again when it fails.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use futures_util::FutureExt;
use tokio::{sync::watch, time::Instant};

use crate::{
    backoff::Backoff,
    cluster::Cluster,
    engage::{ClusterAware, Engagement},
    error::{Report, panic_message},
    provider::ClusterRef,
};

/// A part that worked for so long was well, whatever became of it.
const SETTLED: Duration = Duration::from_secs(60);

/// How one engagement of a part has ended.
enum Ended {
    /// With the cluster's.
    Cancelled,
    /// It no longer selects the cluster, and is drained.
    Deselected,
    /// By itself, or while it was asked whether it selects the cluster.
    Failed(String),
}

/// Keeps a part engaged until the engagement is cancelled, whatever the part does, while it selects what `shown` says
/// of the cluster.
pub(super) async fn supervise(
    part: Arc<dyn ClusterAware>,
    engagement: Engagement,
    mut shown: watch::Receiver<ClusterRef>,
    drain_timeout: Duration,
) {
    let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(60));
    while !engagement.is_cancelled() {
        let begun = Instant::now();
        let labels = shown.borrow_and_update().labels.clone();
        let cluster = engagement.cluster().clone().shared_labels(labels);
        let ended = match selects(&*part, &cluster) {
            Ok(true) => {
                let own = engagement.of_part(cluster);
                let ended = engaged(&part, &own, &mut shown, drain_timeout).await;
                if !matches!(ended, Ended::Cancelled) {
                    own.cancel();
                    // The same part does not begin again beside itself.
                    dead(&own).await;
                }
                ended
            }
            Ok(false) => {
                tokio::select! {
                    () = engagement.cancelled() => return,
                    () = relabelled(&mut shown, &cluster) => continue,
                }
            }
            Err(problem) => Ended::Failed(problem),
        };
        match ended {
            Ended::Cancelled => return,
            Ended::Deselected => backoff.reset(),
            Ended::Failed(problem) => {
                let pause = backoff.next_after(begun.elapsed(), SETTLED);
                tracing::warn!(
                    cluster = %engagement.name(),
                    part = part.name(),
                    retry_in = ?pause,
                    "a part of the program failed and is engaged again: {problem}"
                );
                tokio::select! {
                    () = engagement.cancelled() => return,
                    () = tokio::time::sleep(pause) => {}
                }
            }
        }
    }
}

/// Waits until nothing of an engagement is alive, and says so when that takes long.
pub(super) async fn dead(engagement: &Engagement) {
    while tokio::time::timeout(Duration::from_secs(30), engagement.dead())
        .await
        .is_err()
    {
        tracing::error!(
            cluster = %engagement.name(),
            "work that was dropped still runs: a reconcile blocks its thread"
        );
    }
}

/// One engagement of a part.
async fn engaged(
    part: &Arc<dyn ClusterAware>,
    own: &Engagement,
    shown: &mut watch::Receiver<ClusterRef>,
    drain_timeout: Duration,
) -> Ended {
    let (engaging, engagement) = (part.clone(), own.clone());
    // A call that panics must not take the other parts along.
    let working = AssertUnwindSafe(async move { engaging.engage(engagement).await });
    let mut working = Box::pin(own.track(working.catch_unwind()));
    let ended = tokio::select! {
        biased;
        ended = &mut working => ended,
        () = deselected(&**part, own.cluster(), shown) => {
            let (cluster, part) = (own.name(), part.name());
            tracing::info!(%cluster, part, "the labels have changed: a part of the program ends here");
            own.cancel();
            if tokio::time::timeout(drain_timeout, working).await.is_err() {
                tracing::warn!(%cluster, part, "not drained within {drain_timeout:?}: dropping what still runs");
            }
            return Ended::Deselected;
        }
    };
    match ended {
        _ if own.is_cancelled() => Ended::Cancelled,
        Ok(Err(error)) => Ended::Failed(Report(&error).to_string()),
        Err(panic) => Ended::Failed(format!("it panicked: {}", panic_message(&*panic))),
        Ok(Ok(())) => Ended::Failed("it ended before it was cancelled".into()),
    }
}

/// Whether a part selects a cluster, or how it failed to say so.
fn selects(part: &dyn ClusterAware, cluster: &Cluster) -> Result<bool, String> {
    let asked = catch_unwind(AssertUnwindSafe(|| part.selects(cluster)));
    asked.map_err(|panic| {
        let message = panic_message(&*panic);
        format!("it panicked when asked whether it selects the cluster: {message}")
    })
}

/// Completes when the part no longer selects the cluster; one that cannot say goes on.
async fn deselected(
    part: &dyn ClusterAware,
    cluster: &Cluster,
    shown: &mut watch::Receiver<ClusterRef>,
) {
    let mut cluster = cluster.clone();
    loop {
        relabelled(shown, &cluster).await;
        let labels = shown.borrow_and_update().labels.clone();
        cluster = cluster.shared_labels(labels);
        match selects(part, &cluster) {
            Ok(true) => {}
            Ok(false) => return,
            Err(problem) => tracing::warn!(
                cluster = %cluster.name(),
                part = part.name(),
                "a part of the program goes on as before: {problem}"
            ),
        }
    }
}

/// Completes when the provider shows the cluster with other labels.
async fn relabelled(shown: &mut watch::Receiver<ClusterRef>, cluster: &Cluster) {
    let other = |newest: &ClusterRef| *newest.labels != *cluster.get_labels();
    if shown.wait_for(other).await.is_err() {
        // The provider does not show it any more: the drain follows.
        std::future::pending::<()>().await;
    }
}
