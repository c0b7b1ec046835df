//! The work of one controller on one cluster, from engage to drained.

use std::{panic::AssertUnwindSafe, sync::Arc};

use futures_util::{FutureExt, StreamExt};
use kube::{
    Api,
    runtime::{reflector::ObjectRef, watcher},
};
use tokio::{task::JoinSet, time::Instant};
use tracing::Instrument;

use super::{
    Shared,
    action::Action,
    context::Context,
    informer::{Cache, Informer, Watched},
    queue::Outcome,
    scheduler::{Attached, Job},
};
use crate::{
    backoff::is_gone,
    engage::Engagement,
    error::{BoxError, Report, Result, panic_message},
    problems::Whose,
};

/// Runs until the engagement is cancelled and every reconcile of it has ended.
pub(super) async fn run<K: Watched, S: Clone + Send + Sync + 'static>(
    shared: Arc<Shared<K, S>>,
    engagement: Engagement,
) -> Result<()> {
    let informer = Informer::new(shared.dyntype.clone());
    let cache = informer.cache();
    let api = Api::all_with(engagement.client(), &shared.dyntype);
    let mut changes = informer.run(api);
    let mut queue = shared.scheduler.attach();
    let mut reconciles = JoinSet::new();
    let mut paused = false;
    let guard = engagement.guard().clone();

    loop {
        let due = queue.expire();
        tokio::select! {
            biased;
            () = engagement.cancelled() => break,
            () = wait_for_turn(&guard, paused) => {
                paused = guard.check().is_err();
                queue.pause(paused);
            }
            Some(_) = reconciles.join_next() => {}
            Some(job) = queue.next() => {
                if guard.check().is_err() {
                    paused = true;
                    queue.pause(true);
                    job.finish(Outcome::Interrupted);
                } else {
                    start(&shared, &engagement, &cache, job, &mut reconciles);
                }
            }
            Some(change) = changes.next() => match change {
                Ok(keys) => queue.add(keys),
                Err(error) => report_watch(&shared, &engagement, &error),
            },
            () = sleep_until(due) => {}
        }
    }
    drain(queue, reconciles).await;
    Ok(())
}

/// Drops what waits, and waits for what runs: reconciles end by themselves, or when the engagement's guard ends them.
async fn drain<K: Watched>(queue: Attached<ObjectRef<K>>, mut reconciles: JoinSet<()>) {
    drop(queue);
    while reconciles.join_next().await.is_some() {}
}

/// Completes when work is no longer permitted, or, while paused, when it is again.
async fn wait_for_turn(guard: &crate::guard::Guard, paused: bool) {
    if !paused {
        guard.stopped().await;
    } else if guard.permitted().await.is_err() {
        // Over for good: the cancellation follows.
        std::future::pending::<()>().await;
    }
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

fn start<K: Watched, S: Clone + Send + Sync + 'static>(
    shared: &Arc<Shared<K, S>>,
    engagement: &Engagement,
    cache: &Cache<K>,
    job: Job<ObjectRef<K>>,
    reconciles: &mut JoinSet<()>,
) {
    let Some(key) = job.key().cloned() else {
        return;
    };
    let span = tracing::info_span!(
        "reconcile",
        controller = %shared.name,
        controllerGroup = %K::group(&shared.dyntype),
        controllerKind = %K::kind(&shared.dyntype),
        reconcileID = %uuid::Builder::from_random_bytes(fastrand::u128(..).to_le_bytes()).into_uuid(),
        cluster = %engagement.name(),
    );
    let tracked = engagement.clone();
    let (shared, cache, engagement) = (shared.clone(), cache.clone(), engagement.clone());
    let work = async move {
        let object = cache.get(&key);
        let deleted = object.is_none();
        let context = Context {
            last_known: cache.last_known(&key),
            object,
            key: key.clone(),
            state: shared.state.clone(),
            engagement: engagement.clone(),
        };
        let outcome = reconcile(&shared, &engagement, context).await;
        if deleted && matches!(outcome, Outcome::Done) {
            cache.forget(&key);
        }
        job.finish(outcome);
    };
    // Tracked as a whole: the job is over when the reconcile is, not when its task is aborted.
    let work = tracked.track(work.instrument(span));
    reconciles.spawn(work);
}

async fn reconcile<K: Watched, S: Clone + Send + Sync + 'static>(
    shared: &Shared<K, S>,
    engagement: &Engagement,
    context: Context<K, S>,
) -> Outcome {
    let key = context.key().clone();
    let (name, ns) = (&key.name, key.namespace.as_deref().unwrap_or_default());
    // The call itself can panic, before there is a future.
    let work = AssertUnwindSafe(async { (shared.reconcile)(context).await }).catch_unwind();
    match engagement.guard().run(work).await {
        Ok(Ok(Ok(action))) => done(action),
        Ok(Ok(Err(error))) => {
            tracing::error!(ns, name, error = %chain(&error), "Reconciler error");
            Outcome::Failed
        }
        Ok(Err(panic)) => {
            tracing::error!(ns, name, error = %panic_message(&*panic), "Reconciler panicked");
            Outcome::Failed
        }
        Err(refusal) => {
            tracing::debug!(ns, name, %refusal, "reconcile dropped");
            Outcome::Interrupted
        }
    }
}

fn done(action: Action) -> Outcome {
    match action.requeue_after() {
        Some(after) => Outcome::Requeue(after),
        None => Outcome::Done,
    }
}

fn report_watch<K: Watched, S>(
    shared: &Shared<K, S>,
    engagement: &Engagement,
    error: &watcher::Error,
) {
    let text = Report(error).to_string();
    let (controller, kind) = (shared.name.clone(), K::kind(&shared.dyntype).into_owned());
    let cluster = engagement.name();
    if engagement.is_cancelled() {
        return;
    }
    if is_gone(error) {
        tracing::debug!(controller, kind, %cluster, error = text, "the watch is listed anew");
        return;
    }
    let cause = cause(error);
    let words = cause.clone();
    let say = move |whose: &Whose| {
        let error = match whose {
            Whose::Others(_) => &words,
            _ => &text,
        };
        tracing::warn!(
            controller,
            kind,
            cluster = whose.cluster(),
            clusters = whose.clusters(),
            error,
            "the watch fails and is retried"
        );
    };
    shared.problems.meet(Some(cluster), cause, say);
}

/// What makes the failure of a watch the same as that of another cluster's: its words may name the cluster.
fn cause(error: &watcher::Error) -> String {
    use watcher::Error::{InitialListFailed, WatchError, WatchFailed, WatchStartFailed};
    let status = match error {
        WatchError(status) => status,
        InitialListFailed(error) | WatchStartFailed(error) | WatchFailed(error) => match error {
            kube::Error::Api(status) => status,
            kube::Error::Service(_) | kube::Error::HyperError(_) => return "no answer".into(),
            _ => return Report(error).to_string(),
        },
        _ => return Report(error).to_string(),
    };
    format!("{} {}", status.code, status.reason)
}

/// The whole chain of an error of unknown type, in one line.
fn chain(error: &BoxError) -> String {
    let error: &(dyn std::error::Error + 'static) = &**error;
    Report(error).to_string()
}
