//! One reconcile, from its job to its outcome.

use std::{panic::AssertUnwindSafe, sync::Arc};

use futures_util::FutureExt;
use tracing::Instrument;

use super::{Spec, action::Action, context::Context, queue::Outcome, runner::Work, scheduler::Job};
use crate::{
    error::{BoxError, Report, panic_message},
    informer::{Key, Watched},
};

/// Reconciles the object of a job, and counts as alive until that is over.
pub(super) fn tracked<K: Watched, S: Clone + Send + Sync + 'static>(
    work: Arc<Work<K, S>>,
    job: Job<Key>,
) -> impl Future<Output = ()> + Send + 'static {
    let spec = &work.spec;
    let dyntype = spec.watch.dyntype();
    let span = tracing::info_span!(
        "reconcile",
        controller = %spec.name,
        controllerGroup = %K::group(dyntype),
        controllerKind = %K::kind(dyntype),
        reconcileID = %uuid::Builder::from_random_bytes(fastrand::u128(..).to_le_bytes()).into_uuid(),
        cluster = %work.engagement.name(),
    );
    let engagement = work.engagement.clone();
    // As a whole: the job is over when the reconcile is, not when its task is aborted.
    engagement.track(run(work, job).instrument(span))
}

async fn run<K: Watched, S: Clone + Send + Sync + 'static>(work: Arc<Work<K, S>>, job: Job<Key>) {
    let Some(key) = job.key().cloned() else {
        return;
    };
    let (object, last_known) = (work.objects.by_key(&key), work.deleted.get(&key));
    let deleted = last_known.clone().filter(|_| object.is_none());
    let context = Context {
        last_known,
        object,
        key: key.to_ref(work.spec.watch.dyntype().clone()),
        state: work.spec.state.clone(),
        engagement: work.engagement.clone(),
        caches: work.caches.clone(),
    };
    let outcome = reconcile(&work.spec, context).await;
    if let (Some(deleted), Outcome::Done) = (deleted, outcome) {
        work.deleted.settled(&key, &deleted);
    }
    job.finish(outcome);
}

async fn reconcile<K: Watched, S: Clone + Send + Sync + 'static>(
    spec: &Spec<K, S>,
    context: Context<K, S>,
) -> Outcome {
    let key = context.key().clone();
    let (name, ns) = (&key.name, key.namespace.as_deref().unwrap_or_default());
    let guard = context.guard().clone();
    let for_policy = spec
        .error_policy
        .as_ref()
        .map(|policy| (policy, context.clone()));
    // The call itself can panic, before there is a future.
    let work = AssertUnwindSafe(async { (spec.reconcile)(context).await }).catch_unwind();
    let limited = async {
        match spec.timeout {
            Some(limit) => tokio::time::timeout(limit, work).await.map_err(|_| limit),
            None => Ok(work.await),
        }
    };
    match guard.run(limited).await {
        Ok(Ok(Ok(Ok(action)))) => done(action),
        Ok(Ok(Ok(Err(error)))) => {
            tracing::error!(ns, name, error = %chain(&error), "Reconciler error");
            match for_policy {
                Some((policy, context)) => decided(|| policy(&context, &error)),
                None => Outcome::Failed,
            }
        }
        Ok(Ok(Err(panic))) => {
            tracing::error!(ns, name, error = %panic_message(&*panic), "Reconciler panicked");
            Outcome::Failed
        }
        Ok(Err(limit)) => {
            tracing::error!(
                ns,
                name,
                "Reconciler dropped: it took longer than {limit:?}"
            );
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

/// What an error policy wants; when it panics, the usual.
fn decided(policy: impl FnOnce() -> Action) -> Outcome {
    match std::panic::catch_unwind(AssertUnwindSafe(policy)) {
        Ok(action) => done(action),
        Err(panic) => {
            tracing::error!(error = %panic_message(&*panic), "the error policy panicked");
            Outcome::Failed
        }
    }
}

/// The whole chain of an error of unknown type, in one line.
fn chain(error: &BoxError) -> String {
    let error: &(dyn std::error::Error + 'static) = &**error;
    Report(error).to_string()
}
