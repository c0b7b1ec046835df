//! A fleet of real processes, its API server, and what is seen of both.

pub(crate) mod assertions;
pub(crate) mod audit;
pub(crate) mod backend;
pub(crate) mod control_plane;
pub(crate) mod eventually;
pub(crate) mod held;
pub(crate) mod in_memory;
pub(crate) mod kubectl;
pub(crate) mod leases;
pub(crate) mod log;
pub(crate) mod port;
pub(crate) mod program;
pub(crate) mod reaper;
pub(crate) mod replica;
pub(crate) mod rights;
pub(crate) mod scenarios;
pub(crate) mod trial;
pub(crate) mod writer;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::{
    Api, Client,
    api::{ListParams, Patch, PatchParams, PostParams},
};
use serde_json::json;

use assertions::{Run, check_exclusive};
use backend::{Backend, LEASES, Server};
use eventually::eventually;
use leases::{LeaseWatch, PEER, SHARD};
use program::program;
use replica::Replica;

/// The ConfigMap that every cluster has.
pub(crate) const ANIMAL: &str = "elephant";

/// The Lease duration of all scenarios.
pub(crate) const LEASE: &str = "5s";

/// Replicas and their API server. They end in the order of the fields.
pub(crate) struct Fleet {
    pub(crate) replicas: Vec<Replica>,
    /// Processes whose name another one has now.
    pub(crate) past: Vec<Replica>,
    pub(crate) leases: LeaseWatch,
    /// All Namespaces.
    pub(crate) clusters: BTreeSet<String>,
    pub(crate) server: Server,
    /// When the replicas were started.
    pub(crate) spawned: Timestamp,
    backend: Backend,
}

/// How a cluster came to be worked on.
#[derive(Clone, Debug)]
pub(crate) struct Work {
    pub(crate) started: Timestamp,
    pub(crate) reconciled: Timestamp,
}

// === impl Fleet ===

impl Fleet {
    /// Three replicas that start together, when there are `numbered` Namespaces beside the usual ones.
    pub(crate) async fn start(backend: Backend, numbered: usize) -> Self {
        Self::start_with(backend, numbered, |_| Vec::new()).await
    }

    /// The same with environment variables for each peer.
    pub(crate) async fn start_with(
        backend: Backend,
        numbered: usize,
        env: impl Fn(&str) -> Vec<(&'static str, String)>,
    ) -> Self {
        let program = program();
        let peers: Vec<_> = (0..3).map(|i| format!("sharded-namespace-{i}")).collect();
        let server = backend.start(&peers).await;
        let mut fleet = Self {
            replicas: Vec::new(),
            past: Vec::new(),
            leases: LeaseWatch::start(server.admin.clone(), LEASES),
            clusters: BTreeSet::new(),
            server,
            spawned: Timestamp::now(),
            backend,
        };
        let animals = ["zoo", "jungle", "island"].map(str::to_owned);
        let names = (0..numbered).map(|i| format!("ns-{i:02}")).chain(animals);
        fleet.create_clusters(names).await;
        let namespaces: Api<Namespace> = Api::all(fleet.client());
        let all = namespaces
            .list(&ListParams::default())
            .await
            .expect("list the Namespaces");
        let all: BTreeSet<String> = all
            .into_iter()
            .filter_map(|one| one.metadata.name)
            .collect();
        let built_in: Vec<_> = all.difference(&fleet.clusters).cloned().collect();
        assert_eq!(
            built_in,
            ["default", "kube-node-lease", "kube-public", "kube-system"]
        );
        for cluster in &built_in {
            fleet.create_animal(cluster, ANIMAL).await;
        }
        fleet.clusters = all;
        fleet.spawned = Timestamp::now();
        for peer in &peers {
            let kubeconfig = fleet.server.kubeconfig(peer).display().to_string();
            let args = [
                "--kubeconfig",
                &kubeconfig,
                "--peer",
                peer,
                "--lease-duration",
                LEASE,
                "--log-format",
                "json",
            ];
            let folder = fleet.server.folder.path();
            let replica = Replica::start(program, folder, peer, args, env(peer));
            fleet.replicas.push(replica);
        }
        fleet
    }

    /// Kills a replica and starts it again under its name; returns the time just before.
    pub(crate) async fn restart(&mut self, place: usize) -> Timestamp {
        let (dead, killed) = self.replicas[place].restart().await;
        self.past.push(dead);
        killed
    }

    /// Starts a second process under the name of one that goes on.
    pub(crate) fn start_twin(&mut self, place: usize) {
        let twin = self.replicas[place].twin();
        let first = std::mem::replace(&mut self.replicas[place], twin);
        self.past.push(first);
    }

    pub(crate) fn client(&self) -> Client {
        self.server.admin.clone()
    }

    /// Creates Namespaces, each with its ConfigMap, which join the fleet's clusters.
    pub(crate) async fn create_clusters(&mut self, names: impl IntoIterator<Item = String>) {
        let names: Vec<_> = names.into_iter().collect();
        let created = names.iter().cloned().map(|name| self.create_cluster(name));
        stream::iter(created)
            .buffer_unordered(8)
            .collect::<()>()
            .await;
        self.clusters.extend(names);
    }

    async fn create_cluster(&self, name: String) {
        let namespace = serde_json::from_value(json!({"metadata": {"name": name}}));
        Api::<Namespace>::all(self.client())
            .create(&PostParams::default(), &namespace.expect("a Namespace"))
            .await
            .expect("create a Namespace");
        self.create_animal(&name, ANIMAL).await;
    }

    /// Creates a ConfigMap; returns the time just before.
    pub(crate) async fn create_animal(&self, cluster: &str, name: &str) -> Timestamp {
        let map = serde_json::from_value(json!({"metadata": {"name": name}}));
        let before = Timestamp::now();
        Api::<ConfigMap>::namespaced(self.client(), cluster)
            .create(&PostParams::default(), &map.expect("a ConfigMap"))
            .await
            .expect("create a ConfigMap");
        before
    }

    /// Changes the ConfigMap of a cluster; returns the time just before.
    pub(crate) async fn change(&self, cluster: &str) -> Timestamp {
        let before = Timestamp::now();
        change(&self.client(), cluster)
            .await
            .expect("change a ConfigMap");
        before
    }

    /// Waits until every cluster is worked on by its holder and nothing moves any more.
    pub(crate) async fn settle(&self) {
        eventually(
            Duration::from_secs(30),
            "every cluster has a holder",
            async || self.all_held(),
        )
        .await;
        self.working(&self.clusters, self.spawned).await;
        let youngest = self.youngest_peer().expect("all peers have Leases");
        eventually(
            Duration::from_secs(10),
            "all peers are 2 s old",
            async || {
                let age = assertions::between(youngest, Timestamp::now());
                (age >= Duration::from_secs(2))
                    .then_some(())
                    .ok_or_else(|| format!("{age:?}"))
            },
        )
        .await;
        self.all_held().expect("no cluster loses its holder");
    }

    /// When the last of the peers got its Lease.
    pub(crate) fn youngest_peer(&self) -> Option<Timestamp> {
        let lease = |replica: &Replica| self.leases.first_held(&format!("{PEER}{}", replica.peer));
        let times: Option<Vec<_>> = self.replicas.iter().map(lease).collect();
        times?.into_iter().max()
    }

    /// Whether each cluster's Lease has a holder, and no other Lease exists.
    pub(crate) fn all_held(&self) -> Result<(), String> {
        let holders = self.leases.holders(SHARD);
        let free = |name: &&String| holders.get(*name).is_none_or(Option::is_none);
        let free: Vec<_> = self.clusters.iter().filter(free).collect();
        let strange: Vec<_> = holders
            .keys()
            .filter(|name| !self.clusters.contains(*name))
            .collect();
        if free.is_empty() && strange.is_empty() {
            return Ok(());
        }
        Err(format!(
            "without a holder: {free:?}; of no Namespace: {strange:?}"
        ))
    }

    /// The present holder of a cluster.
    pub(crate) fn holder(&self, cluster: &str) -> String {
        let holder = self.leases.holders(SHARD).remove(cluster).flatten();
        holder.unwrap_or_else(|| panic!("{cluster} has no holder"))
    }

    /// The clusters that a peer holds.
    pub(crate) fn owned_by(&self, peer: &str) -> BTreeSet<String> {
        let holders = self.leases.holders(SHARD);
        let own = holders
            .into_iter()
            .filter(|(_, holder)| holder.as_deref() == Some(peer));
        own.map(|(cluster, _)| cluster).collect()
    }

    /// The replica that holds most, as its place in `replicas`, and what it holds.
    pub(crate) fn largest(&self) -> (usize, BTreeSet<String>) {
        let shares = self
            .replicas
            .iter()
            .map(|replica| self.owned_by(&replica.peer))
            .enumerate();
        shares
            .max_by_key(|(_, share)| share.len())
            .expect("there are replicas")
    }

    /// Waits until each of `clusters` was started and reconciled, from `since` on, by a replica that runs now.
    pub(crate) async fn working(
        &self,
        clusters: &BTreeSet<String>,
        since: Timestamp,
    ) -> BTreeMap<String, Work> {
        let running = self.replicas.iter().filter(|replica| replica.is_running());
        let peers = running.map(|replica| replica.peer.clone()).collect();
        self.working_by(&peers, clusters, since).await
    }

    /// The same by one of `peers`.
    pub(crate) async fn working_by(
        &self,
        peers: &BTreeSet<String>,
        clusters: &BTreeSet<String>,
        since: Timestamp,
    ) -> BTreeMap<String, Work> {
        eventually(
            Duration::from_secs(30),
            "every cluster is worked on",
            async || {
                let mut found = BTreeMap::new();
                for run in self.runs().iter().filter(|run| peers.contains(&run.peer)) {
                    found.extend(run.work(since));
                }
                let idle: Vec<_> = clusters
                    .iter()
                    .filter(|name| !found.contains_key(*name))
                    .collect();
                if !idle.is_empty() {
                    return Err(format!("idle: {idle:?}"));
                }
                found.retain(|name, _| clusters.contains(name));
                Ok(found)
            },
        )
        .await
    }

    /// All peers but one.
    pub(crate) fn others(&self, place: usize) -> BTreeSet<String> {
        let others = self
            .replicas
            .iter()
            .enumerate()
            .filter(|(other, _)| *other != place);
        others.map(|(_, replica)| replica.peer.clone()).collect()
    }

    /// Whether a cluster's Lease got another holder after `since`.
    pub(crate) fn moved(&self, cluster: &str, since: Timestamp) -> bool {
        let lease = format!("{SHARD}{cluster}");
        let changes = self.leases.changes(&lease);
        changes
            .iter()
            .any(|change| change.lease == lease && change.time > since)
    }

    /// Waits until somebody reconciles an object after `since`; returns how long after.
    pub(crate) async fn reconciled(&self, cluster: &str, name: &str, since: Timestamp) -> Duration {
        let what = format!("{cluster}/{name} is reconciled");
        let time = eventually(Duration::from_secs(15), &what, async || {
            let runs = self.runs();
            let mut times = runs
                .iter()
                .filter_map(|run| run.reconciled(cluster, name, since));
            times.next().ok_or_else(|| {
                let holder = self.leases.holders(SHARD).remove(cluster);
                format!("the holder is {holder:?}")
            })
        })
        .await;
        assertions::between(since, time)
    }

    pub(crate) fn runs(&self) -> Vec<Run> {
        let all = self.replicas.iter().chain(&self.past);
        all.map(Replica::run).collect()
    }

    /// What must hold at the end of every scenario: the claim of exclusive work, and that the evidence is complete.
    pub(crate) fn check(&self, runs: &[Run]) {
        check_exclusive(runs).unwrap_or_else(|problem| panic!("{problem}"));
        assert_eq!(self.leases.problems(), [""; 0], "the watch of the Leases");
        for replica in self.replicas.iter().chain(&self.past) {
            assert_eq!(
                replica.log.strange(),
                [""; 0],
                "{}: lines of another form",
                replica.peer
            );
            assert_eq!(
                replica.stderr().trim_end(),
                replica.last_words,
                "{}: stderr",
                replica.peer
            );
        }
    }

    /// Prints a figure.
    pub(crate) fn measured(&self, what: &str, value: impl std::fmt::Display) {
        println!("MEASURED {} {what}: {value}", self.backend);
    }
}

/// Changes the ConfigMap of a cluster.
pub(crate) async fn change(client: &Client, cluster: &str) -> kube::Result<()> {
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), cluster);
    let patch = Patch::Merge(json!({"data": {"changed": Timestamp::now()}}));
    api.patch(ANIMAL, &PatchParams::default(), &patch)
        .await
        .map(drop)
}
