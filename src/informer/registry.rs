//! The informers of one engagement, each with its subscribers.

use std::{
    any::Any,
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::{
    ObjectEvent, Objects, Watch, Watched,
    changes::Changes,
    task::{self, Command, Handler},
    watch::Identity,
};
use crate::{
    engage::Engagement,
    mailbox::{Sender, mailbox},
};

/// The informers of one engagement.
#[derive(Default)]
struct Informers(Mutex<Known>);

#[derive(Default)]
struct Known {
    running: HashMap<Identity, Entry>,
    next: u64,
}

struct Entry {
    /// A `Running<K>`.
    running: Box<dyn Any + Send>,
    subscribers: usize,
    stop: CancellationToken,
}

struct Running<K> {
    objects: Objects<K>,
    commands: Sender<Command<K>>,
}

/// A place among the subscribers of an informer; dropping it gives the place up.
pub(crate) struct Subscription {
    informers: Arc<Informers>,
    identity: Identity,
    detach: Option<Box<dyn FnOnce() + Send>>,
    synced: Option<oneshot::Receiver<()>>,
}

/// Tells `handler` of every object of a kind in an engaged cluster, present and to come.
///
/// `user` is what logs call the one who asks. The handler is called by the informer's task and must not block.
pub(crate) fn subscribe<K: Watched>(
    engagement: &Engagement,
    watch: &Watch<K>,
    user: &str,
    handler: impl FnMut(&[ObjectEvent<K>]) + Send + 'static,
) -> (Objects<K>, Subscription) {
    let informers = engagement.shared::<Informers>();
    let identity = watch.identity();
    let (told, synced) = oneshot::channel();
    let mut known = informers.lock();
    let id = known.next;
    known.next += 1;
    let entry = known.running.entry(identity.clone()).or_insert_with(|| {
        let stop = CancellationToken::new();
        Entry {
            running: Box::new(start(engagement, watch, stop.clone())),
            subscribers: 0,
            stop,
        }
    });
    entry.subscribers += 1;
    // The identity holds the type.
    let running = entry.running.downcast_ref::<Running<K>>();
    let (objects, commands) = match running {
        Some(running) => (running.objects.clone(), running.commands.clone()),
        None => {
            let fresh = start(engagement, watch, entry.stop.clone());
            (fresh.objects, fresh.commands)
        }
    };
    drop(known);
    let handler = Handler {
        id,
        user: user.into(),
        call: Box::new(handler),
        told: Some(told),
    };
    // An informer that has ended belongs to an engagement that has ended.
    drop(commands.send(Command::Attach(handler)));
    let detach = move || drop(commands.send(Command::Detach(id)));
    let subscription = Subscription {
        informers,
        identity,
        detach: Some(Box::new(detach)),
        synced: Some(synced),
    };
    (objects, subscription)
}

fn start<K: Watched>(
    engagement: &Engagement,
    watch: &Watch<K>,
    stop: CancellationToken,
) -> Running<K> {
    // It outlives the part that asks first.
    let engagement = engagement.of_all();
    let (commands, obeyed) = mailbox();
    let changes = Changes::new(watch.get_transform());
    let objects = changes.objects().clone();
    // In a box, since a future that another one moves takes its place twice.
    let work = Box::pin(task::run(
        engagement.clone(),
        watch.clone(),
        changes,
        obeyed,
    ));
    let cancelled = engagement.cancelled();
    tokio::spawn(engagement.track(async move {
        tokio::select! {
            biased;
            () = cancelled => {}
            () = stop.cancelled() => {}
            () = work => {}
        }
    }));
    Running { objects, commands }
}

// === impl Informers ===

impl Informers {
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Subscription ===

impl Subscription {
    /// Completes when the handler has been told of everything that a first complete list has shown.
    pub(crate) async fn synced(&mut self) {
        if let Some(synced) = &mut self.synced {
            if synced.await.is_err() {
                // The informer has ended, as the engagement is about to.
                std::future::pending::<()>().await;
            }
            self.synced = None;
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut known = self.informers.lock();
        if let Some(entry) = known.running.get_mut(&self.identity) {
            entry.subscribers -= 1;
            if entry.subscribers == 0 {
                entry.stop.cancel();
                known.running.remove(&self.identity);
            }
        }
        drop(known);
        if let Some(detach) = self.detach.take() {
            detach();
        }
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("watch", &self.identity)
            .finish_non_exhaustive()
    }
}
