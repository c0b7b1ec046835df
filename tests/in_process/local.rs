//! Whole clusters, each with an API server of its own, under one manager without sharding.

use std::{
    fmt::Debug,
    sync::{Arc, Mutex},
    time::Duration,
};

use k8s_openapi::{
    NamespaceResourceScope,
    api::core::v1::{ConfigMap, Secret},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::{Api, Client, Resource, ResourceExt, api::Patch};
use kube_sandbox::{Faults, Sandbox, Verb};
use multicluster::{
    Action, BoxError, Context, Controller, Manager, ManagerBuilder, OwnedClusters,
    informer::Watched, providers::FixedProvider,
};
use serde::{Serialize, de::DeserializeOwned};
use tokio::time::Instant;

use crate::fleet::Replica;

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// An API server, and what goes wrong on the way to it.
pub(crate) struct Member {
    pub(crate) sandbox: Sandbox,
    pub(crate) faults: Faults,
}

/// What a reconciler was called for, as `cluster/name`, with a `-` in front for deleted objects.
#[derive(Clone, Default)]
pub(crate) struct Seen(Arc<Mutex<Vec<(Instant, String)>>>);

// === impl Member ===

impl Member {
    pub(crate) fn new() -> Self {
        let sandbox = Sandbox::new();
        let faults = Faults::new(&sandbox, 1);
        Self { sandbox, faults }
    }

    /// The one that a manager uses.
    pub(crate) fn client(&self) -> Client {
        self.faults.client("manager")
    }

    /// The API in the namespace `default`, past all faults.
    pub(crate) fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.sandbox.client(), "default")
    }

    pub(crate) async fn create<K>(&self, object: &K) -> K
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + DeserializeOwned
            + Serialize
            + Debug,
    {
        let created = self.api().create(&Default::default(), object).await;
        created.unwrap()
    }

    pub(crate) async fn merge<K>(&self, name: &str, patch: serde_json::Value) -> K
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + DeserializeOwned
            + Debug,
    {
        let patch = Patch::Merge(patch);
        let patched = self.api().patch(name, &Default::default(), &patch).await;
        patched.unwrap()
    }

    pub(crate) async fn delete<K>(&self, name: &str)
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + DeserializeOwned
            + Debug,
    {
        let deleted = self.api::<K>().delete(name, &Default::default()).await;
        deleted.unwrap();
    }

    /// How many requests of this kind the manager has sent.
    pub(crate) fn calls(&self, verb: Verb, kind: &str) -> usize {
        let calls = self.faults.calls().into_iter();
        calls
            .filter(|call| call.verb == verb && call.kind == kind)
            .count()
    }
}

pub(crate) fn config_map(name: &str) -> ConfigMap {
    ConfigMap {
        metadata: meta(name),
        ..ConfigMap::default()
    }
}

pub(crate) fn secret(name: &str) -> Secret {
    Secret {
        metadata: meta(name),
        ..Secret::default()
    }
}

fn meta(name: &str) -> ObjectMeta {
    ObjectMeta {
        name: Some(name.to_owned()),
        namespace: Some("default".to_owned()),
        ..ObjectMeta::default()
    }
}

/// Runs a manager of these clusters.
pub(crate) fn run(
    clusters: &[(&str, &Member)],
    parts: impl FnOnce(ManagerBuilder) -> ManagerBuilder,
) -> (Replica, OwnedClusters) {
    let mut provider = FixedProvider::new();
    for (name, member) in clusters {
        provider = provider.cluster(name.parse().unwrap(), member.client());
    }
    let manager = parts(Manager::builder(provider)).build().unwrap();
    let owned = manager.owned_clusters();
    (Replica::run(manager), owned)
}

/// Waits until `condition` holds.
pub(crate) async fn until(limit: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() <= limit, "not within {limit:?}: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

// === impl Seen ===

impl Seen {
    /// A controller that notes what it is called for.
    pub(crate) fn controller<K: Watched<DynamicType: Default>>(&self, name: &str) -> Controller<K> {
        let seen = self.clone();
        Controller::new(name, move |context: Context<K>| {
            seen.note(&context);
            async { Ok::<_, BoxError>(Action::await_change()) }
        })
    }

    pub(crate) fn note<K: Watched>(&self, context: &Context<K>) {
        let deleted = if context.object().is_some() { "" } else { "-" };
        let (cluster, name) = (context.cluster_name(), &context.key().name);
        self.say(format!("{deleted}{cluster}/{name}"));
    }

    pub(crate) fn say(&self, what: impl Into<String>) {
        self.0.lock().unwrap().push((Instant::now(), what.into()));
    }

    /// What was noted since the last time.
    pub(crate) fn take(&self) -> Vec<String> {
        let seen = std::mem::take(&mut *self.0.lock().unwrap());
        seen.into_iter().map(|(_, what)| what).collect()
    }

    /// What was noted, with its times.
    pub(crate) fn timed(&self) -> Vec<(Instant, String)> {
        self.0.lock().unwrap().clone()
    }

    /// Waits for exactly these, in any order, and for a while longer to see that no more come.
    pub(crate) async fn exactly(&self, expected: &[&str]) {
        let start = Instant::now();
        while self.0.lock().unwrap().len() < expected.len() && start.elapsed() < 30 * SECOND {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        tokio::time::sleep(SECOND).await;
        let mut seen = self.take();
        seen.sort();
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        assert_eq!(seen, expected);
    }
}

/// The name of an object.
pub(crate) fn name<K: Resource>(object: &K) -> String {
    object.name_any()
}
