//! The watch of one kind in one cluster, which finds the way that works.

use std::time::Duration;

use futures_util::{StreamExt, stream::BoxStream};
use kube::{
    Api, Client,
    core::DeserializeGuard,
    runtime::watcher::{self, watcher},
};
use tokio::time::Instant;

use super::{
    Watch, Watched,
    changes::{Invalid, Shown},
};
use crate::{backoff::WatchBackoff, health::Health};

/// How long a list by a watch may show nothing before it counts as not supported.
const SILENCE: Duration = Duration::from_secs(10);

/// An endless watch; after an error it goes on.
pub(super) struct Source<K: Watched> {
    client: Client,
    health: Health,
    watch: Watch<K>,
    /// Decodes object by object: slower, but one bad object is one error.
    guarded: bool,
    backoff: WatchBackoff,
    /// Until when nothing is asked for.
    paused: Option<Instant>,
    listing: bool,
    events: BoxStream<'static, watcher::Result<Shown<K>>>,
}

// === impl Source ===

impl<K: Watched> Source<K> {
    pub(super) fn new(client: Client, health: Health, watch: Watch<K>) -> Self {
        let events = open(&client, &watch, false);
        Self {
            client,
            health,
            watch,
            guarded: false,
            backoff: WatchBackoff::new(),
            paused: None,
            listing: true,
            events,
        }
    }

    /// The next event; cancel-safe.
    pub(super) async fn next(&mut self) -> watcher::Result<Shown<K>> {
        loop {
            self.pause().await;
            let silent = self.listing && self.watch.is_streaming();
            let next = if silent {
                let Ok(next) = tokio::time::timeout(SILENCE, self.events.next()).await else {
                    self.list_plainly("it began and did not end");
                    continue;
                };
                next
            } else {
                self.events.next().await
            };
            let Some(event) = next else {
                // A watcher does not end.
                self.reopen();
                continue;
            };
            match &event {
                Ok(event) => {
                    self.listing =
                        matches!(event, watcher::Event::Init | watcher::Event::InitApply(_));
                }
                Err(error) if !self.guarded && is_undecodable(error) => {
                    self.guarded = true;
                    self.reopen();
                    continue;
                }
                Err(error) if self.watch.is_streaming() && is_refused(error) => {
                    self.list_plainly("the server refuses it");
                    continue;
                }
                Err(_) => {}
            }
            let pause = self.backoff.after(&event);
            self.paused = pause.map(|pause| Instant::now() + pause);
            return event;
        }
    }

    /// Asks for nothing for a while.
    pub(super) fn pause_for(&mut self, pause: Duration) {
        self.paused = Some(Instant::now() + pause);
    }

    /// Waits after a failure; cancel-safe.
    async fn pause(&mut self) {
        while let Some(end) = self.paused {
            if self.health.check().is_ok() {
                tokio::time::sleep_until(end).await;
                if self.health.check().is_ok() {
                    self.paused = None;
                }
            } else {
                // One probe asks for all; when it is answered, not all come at the same moment.
                self.health.reachable().await;
                let spread = Duration::from_millis(fastrand::u64(..300));
                self.paused = Some(Instant::now() + spread);
            }
        }
    }

    fn list_plainly(&mut self, reason: &str) {
        let kind = K::kind(self.watch.dyntype());
        tracing::info!(%kind, reason, "a list by a watch does not work here: using plain lists");
        self.watch.plain_list();
        self.reopen();
    }

    fn reopen(&mut self) {
        self.events = open(&self.client, &self.watch, self.guarded);
    }
}

fn open<K: Watched>(
    client: &Client,
    watch: &Watch<K>,
    guarded: bool,
) -> BoxStream<'static, watcher::Result<Shown<K>>> {
    let (client, config, dyntype) = (client.clone(), watch.config(), watch.dyntype());
    if guarded {
        let api = Api::<DeserializeGuard<K>>::all_with(client, dyntype);
        let events = watcher(api, config);
        events
            .map(|event| Ok(shown(event?, |object| object.0.map_err(Invalid::from))))
            .boxed()
    } else {
        let api = Api::<K>::all_with(client, dyntype);
        let events = watcher(api, config);
        events.map(|event| Ok(shown(event?, Ok))).boxed()
    }
}

fn shown<A, B>(event: watcher::Event<A>, map: impl Fn(A) -> B) -> watcher::Event<B> {
    use watcher::Event;
    match event {
        Event::Apply(object) => Event::Apply(map(object)),
        Event::Delete(object) => Event::Delete(map(object)),
        Event::Init => Event::Init,
        Event::InitApply(object) => Event::InitApply(map(object)),
        Event::InitDone => Event::InitDone,
    }
}

/// Whether an object, or something else in the answer, could not be decoded.
fn is_undecodable(error: &watcher::Error) -> bool {
    use watcher::Error::{InitialListFailed, WatchFailed, WatchStartFailed};
    matches!(
        error,
        InitialListFailed(kube::Error::SerdeError(_))
            | WatchStartFailed(kube::Error::SerdeError(_))
            | WatchFailed(kube::Error::SerdeError(_))
    )
}

/// Whether the server does not know how to list by a watch.
fn is_refused(error: &watcher::Error) -> bool {
    match error {
        watcher::Error::WatchStartFailed(kube::Error::Api(status)) => {
            matches!(status.code, 400 | 403 | 405 | 422)
        }
        _ => false,
    }
}
