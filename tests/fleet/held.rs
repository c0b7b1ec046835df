//! Who holds which Lease since when, as the API server stores it: what a watch may miss while the server is away.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use kube::{Api, ResourceExt, api::ListParams};

use super::{Fleet, assertions::Spread, backend::LEASES, eventually::eventually};

/// One tenure of a Lease: whoever acquires it anew counts `leaseTransitions` up, or makes another Lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) holder: Option<String>,
    pub(crate) transitions: Option<i32>,
    pub(crate) uid: Option<String>,
}

// === impl Fleet ===

impl Fleet {
    /// The Leases of the fleet, as the administrator sees them.
    pub(crate) fn lease_api(&self) -> Api<Lease> {
        Api::namespaced(self.client(), LEASES)
    }

    /// All Leases under a prefix, by what follows it.
    pub(crate) async fn leases_under(&self, prefix: &str) -> BTreeMap<String, Lease> {
        let all = self.lease_api().list(&ListParams::default()).await;
        let under = |lease: Lease| {
            let name = lease.name_any();
            Some((name.strip_prefix(prefix)?.to_owned(), lease))
        };
        let all = all.expect("list the Leases").into_iter();
        all.filter_map(under).collect()
    }

    /// The present tenures of all Leases under a prefix.
    pub(crate) async fn held(&self, prefix: &str) -> BTreeMap<String, Held> {
        let held = |lease: Lease| {
            let spec = lease.spec.unwrap_or_default();
            Held {
                holder: spec.holder_identity,
                transitions: spec.lease_transitions,
                uid: lease.metadata.uid,
            }
        };
        let leases = self.leases_under(prefix).await.into_iter();
        leases.map(|(name, lease)| (name, held(lease))).collect()
    }

    /// Creates a ConfigMap of this name in every cluster.
    pub(crate) async fn create_everywhere(&self, name: &str) {
        let created = self.clusters.iter().cloned();
        let created = created.map(|cluster| async move {
            self.create_animal(&cluster, name).await;
        });
        stream::iter(created)
            .buffer_unordered(8)
            .collect::<()>()
            .await;
    }

    /// Waits until every cluster has reconciled its object of this name; returns how long after `since` that was.
    pub(crate) async fn reconciled_everywhere(&self, name: &str, since: Timestamp) -> Spread {
        let mut times = Vec::new();
        for cluster in &self.clusters {
            times.push(self.reconciled(cluster, name, since).await);
        }
        Spread::of(times)
    }

    /// Waits until a peer holds these clusters and no others.
    pub(crate) async fn owns(&self, peer: &str, clusters: &BTreeSet<String>, limit: Duration) {
        let what = format!("{peer} has its share");
        eventually(limit, &what, async || {
            let owned = self.owned_by(peer);
            let differ: Vec<_> = owned.symmetric_difference(clusters).collect();
            match differ.is_empty() {
                true => Ok(()),
                false => Err(format!("{differ:?}")),
            }
        })
        .await;
    }
}
