//! Who holds which Lease, from a watch that sees every change.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures_util::StreamExt;
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use kube::{
    Api, Client, ResourceExt,
    runtime::{
        WatchStreamExt,
        watcher::{self, Event, watcher},
    },
};
use tokio::task::JoinHandle;

pub(crate) const PEER: &str = "mcr-peer-";
pub(crate) const SHARD: &str = "mcr-shard-";

/// A Lease got another holder, none, or was deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    /// When the watch delivered it, on the clock of this machine.
    pub(crate) time: Timestamp,
    pub(crate) lease: String,
    pub(crate) before: Option<String>,
    pub(crate) after: Option<String>,
}

/// Somebody became the holder of a Lease, be it the one that it was before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Acquisition {
    /// When the watch delivered it, on the clock of this machine.
    pub(crate) time: Timestamp,
    pub(crate) lease: String,
    pub(crate) holder: String,
}

/// The Leases of the fleet as they were and are.
pub(crate) struct LeaseWatch {
    seen: Arc<Mutex<Seen>>,
    task: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Seen {
    /// All Leases that exist, with their holders.
    present: BTreeMap<String, Tenure>,
    changes: Vec<Change>,
    acquisitions: Vec<Acquisition>,
    problems: Vec<String>,
    /// What a list that is not complete yet has shown.
    listed: BTreeMap<String, Tenure>,
}

/// Who holds a Lease; an acquisition changes it even when the holder's name stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Tenure {
    holder: Option<String>,
    transitions: Option<i32>,
    uid: Option<String>,
}

// === impl LeaseWatch ===

impl LeaseWatch {
    /// Watches the Leases of a namespace.
    pub(crate) fn start(client: Client, namespace: &str) -> Self {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let writer = seen.clone();
        let api: Api<Lease> = Api::namespaced(client, namespace);
        let task = tokio::spawn(async move {
            // Without a pause between attempts it would spin once the server is gone, and keep the runtime from ending.
            let events = watcher(api, watcher::Config::default()).default_backoff();
            let mut events = events.boxed();
            while let Some(event) = events.next().await {
                lock(&writer).take(event, Timestamp::now());
            }
        });
        Self { seen, task }
    }

    /// Sees nothing more: the server is about to go away.
    pub(crate) fn stop(&self) {
        self.task.abort();
    }

    /// The present holder of each Lease under a prefix; `None` for one that is free.
    pub(crate) fn holders(&self, prefix: &str) -> BTreeMap<String, Option<String>> {
        let seen = lock(&self.seen);
        let under = seen.present.iter().filter_map(|(lease, tenure)| {
            let name = lease.strip_prefix(prefix)?.to_owned();
            Some((name, tenure.holder.clone()))
        });
        under.collect()
    }

    /// All changes of Leases under a prefix, oldest first.
    pub(crate) fn changes(&self, prefix: &str) -> Vec<Change> {
        let seen = lock(&self.seen);
        let under = seen
            .changes
            .iter()
            .filter(|change| change.lease.starts_with(prefix));
        under.cloned().collect()
    }

    /// All acquisitions of Leases under a prefix after `since`, oldest first.
    pub(crate) fn acquisitions(&self, prefix: &str, since: Timestamp) -> Vec<Acquisition> {
        let seen = lock(&self.seen);
        let under = seen.acquisitions.iter().filter(|acquisition| {
            acquisition.lease.starts_with(prefix) && acquisition.time > since
        });
        under.cloned().collect()
    }

    /// When the Lease first had a holder.
    pub(crate) fn first_held(&self, lease: &str) -> Option<Timestamp> {
        let changes = self.changes(lease);
        let mut held = changes
            .iter()
            .filter(|change| change.lease == lease && change.after.is_some());
        held.next().map(|change| change.time)
    }

    /// Failures of the watch: while there are none, no change was missed.
    pub(crate) fn problems(&self) -> Vec<String> {
        lock(&self.seen).problems.clone()
    }
}

impl Drop for LeaseWatch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

// === impl Seen ===

impl Seen {
    fn take(&mut self, event: watcher::Result<Event<Lease>>, time: Timestamp) {
        match event {
            Ok(Event::Apply(lease)) => {
                self.set(lease.name_any(), tenure(&lease), time);
            }
            Ok(Event::Delete(lease)) => {
                let name = lease.name_any();
                self.set(name.clone(), Tenure::default(), time);
                self.present.remove(&name);
            }
            Ok(Event::Init) => self.listed.clear(),
            Ok(Event::InitApply(lease)) => {
                self.listed.insert(lease.name_any(), tenure(&lease));
            }
            Ok(Event::InitDone) => {
                let listed = std::mem::take(&mut self.listed);
                let known: Vec<_> = self.present.keys().cloned().collect();
                for name in known.into_iter().filter(|name| !listed.contains_key(name)) {
                    self.set(name.clone(), Tenure::default(), time);
                    self.present.remove(&name);
                }
                for (name, tenure) in listed {
                    self.set(name, tenure, time);
                }
            }
            Err(error) => self.problems.push(error.to_string()),
        }
    }

    fn set(&mut self, lease: String, after: Tenure, time: Timestamp) {
        let before = self.present.insert(lease.clone(), after.clone());
        let before = before.unwrap_or_default();
        if let Some(holder) = after.holder.clone().filter(|_| before != after) {
            self.acquisitions.push(Acquisition {
                time,
                lease: lease.clone(),
                holder,
            });
        }
        if before.holder != after.holder {
            self.changes.push(Change {
                time,
                lease,
                before: before.holder,
                after: after.holder,
            });
        }
    }
}

fn tenure(lease: &Lease) -> Tenure {
    let spec = lease.spec.clone().unwrap_or_default();
    Tenure {
        holder: spec.holder_identity.filter(|holder| !holder.is_empty()),
        transitions: spec.lease_transitions,
        uid: lease.metadata.uid.clone(),
    }
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}
