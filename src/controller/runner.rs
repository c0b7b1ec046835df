//! The work of one controller on one cluster, from engage to drained.

use std::{
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
};

use futures_util::future::join_all;
use tokio::{task::JoinSet, time::Instant};

use super::{
    Requests, Spec,
    queue::Outcome,
    reconcile,
    scheduler::Attached,
    source::{Cache, Target, lane},
};
use crate::{
    engage::Engagement,
    error::{Error, Result, panic_message},
    informer::{Indexes, Key, ObjectEvent, Objects, Subscription, Watch, Watched, subscribe},
};

/// What the reconciles of one engagement have in common.
pub(super) struct Work<K: Watched, S> {
    pub(super) spec: Arc<Spec<K, S>>,
    pub(super) engagement: Engagement,
    pub(super) objects: Objects<K>,
    pub(super) deleted: Arc<Deleted<K>>,
    pub(super) caches: Arc<[Cache]>,
}

/// The last states of objects whose deletion was not reconciled yet.
pub(super) struct Deleted<K>(Mutex<HashMap<Key, Arc<K>>>);

/// Runs until the engagement is cancelled and every reconcile of it has ended.
pub(super) async fn run<K: Watched, S: Clone + Send + Sync + 'static>(
    spec: Arc<Spec<K, S>>,
    engagement: Engagement,
) -> Result<()> {
    // Whoever engages it as a part of its own may not have asked.
    if !spec.clusters.selects(engagement.cluster()) {
        engagement.cancelled().await;
        return Ok(());
    }
    let weight = (spec.weight)(engagement.cluster());
    let mut queue = spec.scheduler.attach(engagement.name().clone(), weight);
    // Nothing begins before everything is known that a reconciler may look up.
    queue.pause(true);
    let mut reconciles = JoinSet::new();
    tokio::select! {
        biased;
        () = engagement.cancelled() => return Ok(()),
        started = start(&spec, &engagement) => started?,
    }
    // After the hook: when it fails and is called again, nothing is listed again for that.
    let result = work(&spec, &engagement, &mut queue, &mut reconciles).await;
    // What waits is dropped; what runs ends by itself, or when the engagement's guard ends it.
    drop(queue);
    while reconciles.join_next().await.is_some() {}
    if let Some(hook) = &spec.on_disengage {
        let requests = Requests::new(spec.scheduler.clone());
        hook(engagement.name().clone(), requests).await;
    }
    result
}

/// Watches, and hands out jobs until the engagement is cancelled.
async fn work<K: Watched, S: Clone + Send + Sync + 'static>(
    spec: &Arc<Spec<K, S>>,
    engagement: &Engagement,
    queue: &mut Attached<Key>,
    reconciles: &mut JoinSet<()>,
) -> Result<()> {
    let (work, subscriptions) = attach(spec, engagement, queue)?;
    let (objects, watch) = (work.objects.clone(), spec.watch.clone());
    queue.judge(move |key| {
        let object = objects.by_key(key);
        let passes = AssertUnwindSafe(|| object.is_none_or(|object| watch.passes_generic(&object)));
        // Rather one reconcile too many.
        catch_unwind(passes).unwrap_or(true)
    });
    serve(&Arc::new(work), queue, subscriptions, reconciles).await;
    Ok(())
}

/// Calls the hook of an engagement.
async fn start<K: Watched, S>(spec: &Spec<K, S>, engagement: &Engagement) -> Result<()> {
    let Some(hook) = &spec.on_engage else {
        return Ok(());
    };
    let requests = Requests::new(spec.scheduler.clone());
    let result = hook(engagement.clone(), requests).await;
    result.map_err(|source| Error::User {
        part: "on_engage".into(),
        source,
    })
}

/// Hands out jobs until the engagement is cancelled.
async fn serve<K: Watched, S: Clone + Send + Sync + 'static>(
    work: &Arc<Work<K, S>>,
    queue: &mut Attached<Key>,
    mut subscriptions: Vec<Subscription>,
    reconciles: &mut JoinSet<()>,
) {
    let engagement = &work.engagement;
    let guard = engagement.guard();
    let mut cancelled = pin!(engagement.cancelled());
    let mut stopped = false;
    {
        let mut synced = pin!(join_all(subscriptions.iter_mut().map(Subscription::synced)));
        tokio::select! {
            biased;
            () = &mut cancelled => return,
            _ = &mut synced => queue.pause(false),
        }
    }
    let mut due = queue.expire();
    loop {
        tokio::select! {
            biased;
            () = &mut cancelled => return,
            () = turn(engagement, stopped) => {
                stopped = !may_work(engagement);
                queue.pause(stopped);
            }
            Some(_) = reconciles.join_next() => due = queue.expire(),
            job = queue.next() => match job {
                Some(job) if guard.check().is_ok() => {
                    reconciles.spawn(reconcile::tracked(work.clone(), job));
                    if work.spec.limits.rate.is_some() {
                        due = queue.expire();
                    }
                }
                Some(job) => {
                    stopped = true;
                    queue.pause(true);
                    job.finish(Outcome::Interrupted);
                }
                None => due = queue.expire(),
            },
            () = sleep_until(due) => due = queue.expire(),
        }
    }
}

/// Begins to watch everything that the controller wants to know of a cluster.
fn attach<K: Watched, S: Clone + Send + Sync + 'static>(
    spec: &Arc<Spec<K, S>>,
    engagement: &Engagement,
    queue: &Attached<Key>,
) -> Result<(Work<K, S>, Vec<Subscription>)> {
    let indexes = Arc::new(Indexes::new(&spec.indexes));
    let deleted = Arc::new(Deleted::default());
    let follow = follow(spec, queue, indexes.clone(), deleted.clone());
    let (objects, subscription) = subscribe(engagement, &spec.watch, &spec.name, follow);
    let objects = objects.with_indexes(indexes);
    let mut subscriptions = vec![subscription];
    let mut caches = vec![Cache::new(objects.clone(), false)];
    let target = Target {
        controller: &spec.name,
        engagement,
        requests: queue.requests(),
        objects: &objects,
    };
    for source in &spec.sources {
        let attachment = source.attach(&target)?;
        subscriptions.push(attachment.subscription);
        caches.push(attachment.objects);
    }
    let work = Work {
        spec: spec.clone(),
        engagement: engagement.clone(),
        objects,
        deleted,
        caches: caches.into(),
    };
    Ok((work, subscriptions))
}

/// Follows the objects that are reconciled.
fn follow<K: Watched, S: Send + Sync + 'static>(
    spec: &Arc<Spec<K, S>>,
    queue: &Attached<Key>,
    indexes: Arc<Indexes<K>>,
    deleted: Arc<Deleted<K>>,
) -> impl FnMut(&[ObjectEvent<K>]) + Send + 'static {
    let (requests, watch) = (queue.requests().clone(), spec.watch.clone());
    let name = spec.name.clone();
    move |events| {
        // One call for each run of events of the same urgency.
        for run in events.chunk_by(|a, b| lane(a) == lane(b)) {
            let keys = run.iter().filter_map(|event| {
                let key = Key::of(&**event.object());
                if !is_wanted(&watch, &indexes, event, &name) {
                    return None;
                }
                match event {
                    ObjectEvent::Deleted { object } => deleted.insert(key.clone(), object.clone()),
                    _ => deleted.remove(&key),
                }
                Some(key)
            });
            let keys: Vec<_> = keys.collect();
            if let Some(first) = run.first() {
                requests.add(keys, lane(first));
            }
        }
    }
}

/// Indexes an event, and asks the predicates; when one of them panics, rather one reconcile too many.
fn is_wanted<K: Watched>(
    watch: &Watch<K>,
    indexes: &Indexes<K>,
    event: &ObjectEvent<K>,
    controller: &str,
) -> bool {
    let judge = AssertUnwindSafe(|| {
        indexes.take_in(event);
        watch.passes(event)
    });
    catch_unwind(judge).unwrap_or_else(|panic| {
        let (object, error) = (Key::of(&**event.object()), panic_message(&*panic));
        tracing::error!(controller, %object, error, "an index or a predicate panicked");
        true
    })
}

fn may_work(engagement: &Engagement) -> bool {
    engagement.guard().check().is_ok() && engagement.health().check().is_ok()
}

/// Completes when work must stop, or, when it has, when it may go on.
async fn turn(engagement: &Engagement, stopped: bool) {
    let (guard, health) = (engagement.guard(), engagement.health());
    if !stopped {
        tokio::select! {
            _ = guard.stopped() => {}
            () = health.unreachable() => {}
        }
        return;
    }
    if guard.permitted().await.is_err() {
        // Over for good: the cancellation follows.
        std::future::pending::<()>().await;
    }
    health.reachable().await;
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

// === impl Deleted ===

impl<K> Deleted<K> {
    pub(super) fn get(&self, key: &Key) -> Option<Arc<K>> {
        self.lock().get(key).cloned()
    }

    /// The deletion of `object` was reconciled; that of a later one of the same name is not.
    pub(super) fn settled(&self, key: &Key, object: &Arc<K>) {
        let mut known = self.lock();
        if known
            .get(key)
            .is_some_and(|known| Arc::ptr_eq(known, object))
        {
            known.remove(key);
        }
    }

    fn remove(&self, key: &Key) {
        self.lock().remove(key);
    }

    fn insert(&self, key: Key, object: Arc<K>) {
        self.lock().insert(key, object);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Key, Arc<K>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K> Default for Deleted<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}
