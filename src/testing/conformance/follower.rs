//! Follows a provider as a manager does, and checks each event.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use futures_util::{StreamExt, stream::BoxStream};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::{case::Log, clause::Clause, report::Check, settings::Settings};
use crate::{
    cluster::ClusterName,
    error::{Error, Report},
    provider::{ClusterEvent, ClusterProvider, ClusterRef},
};

/// The pause before a stream that ended is started again.
const PAUSE: Duration = Duration::from_millis(500);

/// More events than this within one wait are a flood: no check makes so many changes.
const FLOOD: usize = 20_000;

/// More errors than this within one wait are one.
const ERROR_FLOOD: usize = 1_000;

/// A provider's stream, started again when it ends.
pub(super) struct Follower {
    provider: Arc<dyn ClusterProvider>,
    events: BoxStream<'static, Result<ClusterEvent, Error>>,
    patience: Duration,
    log: Log,
    pub(super) seen: Seen,
}

/// What a follower has been told.
#[derive(Default)]
pub(super) struct Seen {
    /// The clusters, as a manager knows them.
    pub(super) known: BTreeMap<ClusterName, ClusterRef>,
    /// Complete listings.
    pub(super) syncs: usize,
    pub(super) removals: usize,
    pub(super) errors: usize,
    /// What the present stream has reported and not removed.
    reported: BTreeSet<ClusterName>,
    /// The present stream has not been listed completely.
    listing: bool,
}

// === impl Follower ===

impl Follower {
    pub(super) fn new(provider: Arc<dyn ClusterProvider>, settings: &Settings, log: Log) -> Self {
        let events = provider.clusters();
        let seen = Seen {
            listing: true,
            ..Seen::default()
        };
        Self {
            provider,
            events,
            patience: settings.patience,
            log,
            seen,
        }
    }

    /// Polls until `condition` holds.
    pub(super) async fn until(&mut self, what: &str, condition: impl Fn(&Seen) -> bool) -> Check {
        let end = Instant::now() + self.patience;
        let (begin, failed) = (Instant::now(), self.seen.errors);
        let mut events = 0;
        while !condition(&self.seen) {
            if !self.next(end).await? {
                let known: Vec<_> = self.seen.known.keys().collect();
                return Err(self.log.fault(format!(
                    "not within {:?}: {what}; known are {known:?}",
                    self.patience
                )));
            }
            events += 1;
            self.check_flood(events, failed, begin)?;
        }
        Ok(())
    }

    /// Polls until the known clusters are those of `names`.
    pub(super) async fn until_known(&mut self, names: &BTreeSet<ClusterName>) -> Check {
        let what = format!("the clusters {names:?}");
        self.until(&what, |seen| seen.known.keys().eq(names)).await
    }

    /// Polls for some time, whatever comes.
    pub(super) async fn for_a_while(&mut self, time: Duration) -> Check {
        let end = Instant::now() + time;
        let (begin, failed) = (Instant::now(), self.seen.errors);
        let mut events = 0;
        while self.next(end).await? {
            events += 1;
            self.check_flood(events, failed, begin)?;
        }
        Ok(())
    }

    /// Polls the stream so many times, whether or not it has something to say.
    pub(super) async fn poll(&mut self, times: usize) -> Check {
        for _ in 0..times {
            let now = Instant::now();
            self.next(now).await?;
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// What is known of a cluster, which must be known.
    pub(super) fn known(&self, name: &ClusterName) -> Check<ClusterRef> {
        let known = self.seen.known.get(name).cloned();
        known.ok_or_else(|| self.log.fault(format!("{name} is not known any more")))
    }

    /// Takes the next event, or the end of the stream; says whether there was one.
    async fn next(&mut self, end: Instant) -> Check<bool> {
        match timeout_at(end, self.events.next()).await {
            Err(_) => Ok(false),
            Ok(None) => {
                self.log.note("the stream ended");
                if timeout(end.saturating_duration_since(Instant::now()), sleep(PAUSE))
                    .await
                    .is_err()
                {
                    // Started at the next poll.
                    self.events = futures_util::stream::empty().boxed();
                    return Ok(false);
                }
                self.events = self.provider.clusters();
                self.seen.restart();
                Ok(true)
            }
            Ok(Some(event)) => {
                self.take(event)?;
                Ok(true)
            }
        }
    }

    fn take(&mut self, event: Result<ClusterEvent, Error>) -> Check {
        match event {
            Ok(event) => {
                self.log.note(line(&event));
                self.log.inspect("an event", &event)?;
                self.seen
                    .take(event)
                    .map_err(|what| self.log.broken(Clause::OnlyChanges, what))
            }
            Err(error) => {
                self.log.note(format!("  error: {}", Report(&error)));
                self.seen.errors += 1;
                self.log.inspect_error("an error of the stream", &error)
            }
        }
    }

    fn check_flood(&self, events: usize, failed: usize, begin: Instant) -> Check {
        let errors = self.seen.errors - failed;
        if events < FLOOD && errors < ERROR_FLOOD {
            return Ok(());
        }
        let took = begin.elapsed();
        Err(self.log.fault(format!(
            "the stream reported {events} events within {took:?}, {errors} of them errors"
        )))
    }
}

// === impl Seen ===

impl Seen {
    /// A new stream reports everything anew.
    fn restart(&mut self) {
        self.reported.clear();
        self.listing = true;
    }

    /// Takes an event over; says what is wrong with it.
    fn take(&mut self, event: ClusterEvent) -> Result<(), String> {
        match event {
            ClusterEvent::Applied(cluster) => {
                let fresh = self.reported.insert(cluster.name.clone());
                let before = self.known.insert(cluster.name.clone(), cluster.clone());
                if !fresh && before.as_ref() == Some(&cluster) {
                    return Err(format!(
                        "Applied({}) came again without a change",
                        cluster.name
                    ));
                }
            }
            ClusterEvent::Removed(name) => {
                self.known.remove(&name);
                self.removals += 1;
                if !self.reported.remove(&name) {
                    return Err(format!(
                        "Removed({name}) came, and the stream had not reported it"
                    ));
                }
            }
            ClusterEvent::Synced => {
                self.syncs += 1;
                if self.listing {
                    // What a new stream does not show before its first Synced is gone.
                    self.listing = false;
                    self.known.retain(|name, _| self.reported.contains(name));
                }
            }
        }
        Ok(())
    }
}

/// An event in the history.
fn line(event: &ClusterEvent) -> String {
    match event {
        ClusterEvent::Applied(cluster) => format!(
            "  Applied({}, {:?}, fingerprint {:x})",
            cluster.name, cluster.labels, cluster.fingerprint
        ),
        ClusterEvent::Removed(name) => format!("  Removed({name})"),
        ClusterEvent::Synced => "  Synced".into(),
    }
}
