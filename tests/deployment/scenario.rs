//! The demo on a whole cluster, as a person deploys, tries and removes it with kubectl.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use jiff::Timestamp;
use multicluster::sharding::{Peer, Rendezvous, Sharder};
use tokio::time::Instant;

use super::{
    fleet::{
        audit::Deeds,
        backend::{LEASES, Server},
        eventually::eventually,
        kubectl::Kubectl,
        leases::{LeaseWatch, PEER, SHARD},
        rights::MANIFESTS,
    },
    node::Node,
};

const SECOND: Duration = Duration::from_secs(1);

/// How long the fleet may need to settle after its size has changed.
const SETTLED: Duration = Duration::from_secs(3);

/// How kube-apiserver calls the replicas.
const USER: &str = "system:serviceaccount:mcr-demo:sharded-namespace";

/// A cluster, a person with kubectl, and what the Leases show. They end in the order of the fields.
struct Demo {
    leases: LeaseWatch,
    node: Node,
    kubectl: Kubectl,
    /// All Namespaces.
    clusters: BTreeSet<String>,
    server: Server,
}

/// Deploys the manifests, plays through the demo, and removes it.
pub(crate) async fn deployment() {
    let mut server = Server::cluster().await;
    let node = Node::start(&mut server).await;
    let kubectl = Kubectl::new(&server.admin_kubeconfig());
    let leases = LeaseWatch::start(server.admin.clone(), LEASES);
    let names = ["default", "kube-node-lease", "kube-public", "kube-system"];
    let ours = ["island", "jungle", "mcr-demo", "zoo"];
    let mut demo = Demo {
        server,
        node,
        kubectl,
        leases,
        clusters: names
            .iter()
            .chain(&ours)
            .map(|name| (*name).to_owned())
            .collect(),
    };
    demo.deploy().await;
    demo.observe().await;
    demo.scale_to_one().await;
    demo.scale_to_three().await;
    demo.delete_a_namespace().await;
    demo.check_rights();
    demo.clean_up().await;
    demo.node.stop().await;
}

// === impl Demo ===

impl Demo {
    async fn deploy(&self) {
        let start = Instant::now();
        let applied = self.kubectl.run(&format!("apply -k {MANIFESTS}")).await;
        assert!(
            applied.contains("statefulset.apps/sharded-namespace created"),
            "{applied}"
        );
        measured("kubectl apply -k", start);
        let rollout = "-n mcr-demo rollout status statefulset/sharded-namespace --timeout=60s";
        self.kubectl.run(rollout).await;
        measured("kubectl apply -k -> rolled out", start);
        self.settled(2, 30 * SECOND).await;
        measured(
            "kubectl apply -k -> every cluster is held by its owner",
            start,
        );

        // A second time changes nothing, whoever compares. (kubectl always replaces the
        // selector of a budget; and what the server has defaulted in a reference to a field is a conflict.)
        for how in [
            "--dry-run=server",
            "--dry-run=server --server-side --force-conflicts",
            "",
        ] {
            let line = format!("apply -k {MANIFESTS} {how}");
            let again = self.kubectl.run(line.trim_end()).await;
            let changed =
                |line: &&str| !line.contains("unchanged") && !line.contains("serverside-applied");
            let changed = again
                .lines()
                .filter(changed)
                .filter(|line| !line.starts_with("poddisruptionbudget"));
            assert_eq!(changed.collect::<Vec<_>>(), [""; 0], "{line}");
        }
        self.kubectl.run(&format!("diff -k {MANIFESTS}")).await;
    }

    /// Pods, their logs, and the Leases.
    async fn observe(&self) {
        let start = Instant::now();
        let pods = self.kubectl.run("-n mcr-demo get pods --no-headers").await;
        let rows: Vec<Vec<_>> = pods
            .lines()
            .map(|row| row.split_whitespace().collect())
            .collect();
        let shown: Vec<_> = rows.iter().map(|row| &row[..4]).collect();
        assert_eq!(
            shown,
            [
                ["sharded-namespace-0", "1/1", "Running", "0"],
                ["sharded-namespace-1", "1/1", "Running", "0"]
            ]
        );
        let leases = self.kubectl.run("-n kube-system get lease -o name").await;
        let peers: Vec<_> = under(&leases, PEER).collect();
        assert_eq!(peers, ["sharded-namespace-0", "sharded-namespace-1"]);
        let shards: BTreeSet<_> = under(&leases, SHARD).map(str::to_owned).collect();
        assert_eq!(shards, self.clusters);
        let owners = owners(&self.clusters, 2);
        let columns =
            "custom-columns=HOLDER:.spec.holderIdentity,RENEW:.spec.renewTime --no-headers";
        let shown = format!("-n kube-system get lease mcr-shard-zoo -o {columns}");
        let shown = self.kubectl.run(&shown).await;
        assert_eq!(
            shown.split_whitespace().next(),
            Some(owners["zoo"].as_str())
        );
        for (cluster, animal) in [
            ("zoo", "elephant"),
            ("jungle", "monkey"),
            ("island", "bird"),
        ] {
            let log = self.log(&format!("pod/{}", owners[cluster])).await;
            assert!(
                says(&log, "synchronization start", cluster, ""),
                "{cluster}: {log}"
            );
            assert!(
                says(&log, "Reconciling ConfigMap", cluster, animal),
                "{cluster}: {log}"
            );
        }
        self.log("statefulset/sharded-namespace").await;
        measured("observe: pods, Leases, logs", start);
    }

    /// The only replica that is left owns everything, and reconciles it.
    async fn scale_to_one(&self) {
        let start = Instant::now();
        self.kubectl
            .run("-n mcr-demo scale statefulset/sharded-namespace --replicas=1")
            .await;
        self.kubectl
            .run(
                "-n kube-system wait --for=jsonpath={.spec.holderIdentity}=sharded-namespace-0 \
                 lease/mcr-shard-zoo lease/mcr-shard-jungle lease/mcr-shard-island --timeout=60s",
            )
            .await;
        let time = measured("scale to 1 -> kubectl wait returns", start);
        assert!(time <= SETTLED, "{time:?}");
        self.settled(1, SETTLED).await;
        let made = self.create_config_map("island", "test-1").await;
        self.reconciled_by("sharded-namespace-0", "island", "test-1")
            .await;
        measured("kubectl apply of a ConfigMap -> seen in kubectl logs", made);
    }

    /// Each of three has its share again.
    async fn scale_to_three(&self) {
        let start = Instant::now();
        self.kubectl
            .run("-n mcr-demo scale statefulset/sharded-namespace --replicas=3")
            .await;
        self.settled(3, 10 * SECOND).await;
        let time = measured("scale to 3 -> every cluster is held by its owner", start);
        assert!(time <= SETTLED, "{time:?}");
        let owner = &owners(&self.clusters, 3)["default"];
        println!("MEASURED real deployed, owner of default among three: {owner}");
        let made = self.create_config_map("default", "test-2").await;
        self.reconciled_by(owner, "default", "test-2").await;
        measured("kubectl apply of a ConfigMap -> seen in kubectl logs", made);
        for number in 0..3 {
            let pod = format!("sharded-namespace-{number}");
            let log = self.log(&format!("pod/{pod}")).await;
            let has_done = says(&log, "Reconciling ConfigMap", "default", "test-2");
            assert_eq!(has_done, pod == *owner, "{pod}: {log}");
        }
    }

    async fn delete_a_namespace(&mut self) {
        let start = Instant::now();
        self.kubectl
            .run("delete namespace jungle --wait=false")
            .await;
        self.clusters.remove("jungle");
        self.settled(3, 15 * SECOND).await;
        measured("delete a Namespace -> its Lease is gone", start);
    }

    /// The replicas have used all of their rights, and wanted no others.
    fn check_rights(&mut self) {
        let deeds = Deeds::of(USER, &self.server.plane().audit_log());
        assert_eq!(deeds.refused, BTreeSet::new());
        assert!(!deeds.permitted.is_empty());
    }

    /// Nothing is left of what the manifests and the replicas have made, but a ConfigMap that the person made elsewhere.
    async fn clean_up(&self) {
        let start = Instant::now();
        let delete = format!("delete -k {MANIFESTS} --ignore-not-found --timeout=80s");
        self.kubectl.run(&delete).await;
        measured("kubectl delete -k", start);
        let kinds = "get namespaces,clusterroles,clusterrolebindings -o name";
        let all = self.kubectl.run(kinds).await;
        let of_the_demo = ["island", "jungle", "mcr-demo", "zoo", "sharded-namespace"];
        let ours = |line: &&str| {
            let name = line.rsplit('/').next();
            name.is_some_and(|name| of_the_demo.contains(&name))
        };
        assert_eq!(all.lines().filter(ours).collect::<Vec<_>>(), [""; 0]);
        let everything = "get all,roles,rolebindings,configmaps,poddisruptionbudgets -A -o name \
                          -l app.kubernetes.io/name=sharded-namespace";
        assert_eq!(self.kubectl.run(everything).await, "");
        eventually(
            30 * SECOND,
            "the Leases go with the Namespace",
            async || {
                let leases = self.kubectl.run("-n kube-system get lease -o name").await;
                let left: Vec<_> = under(&leases, "mcr-").collect();
                left.is_empty()
                    .then_some(())
                    .ok_or_else(|| format!("{left:?}"))
            },
        )
        .await;
        measured("kubectl delete -k -> no Lease of the demo is left", start);
    }

    /// Waits until each cluster is held by its owner among the first `peers`, and no other cluster has a Lease.
    async fn settled(&self, peers: usize, limit: Duration) {
        let owners = owners(&self.clusters, peers);
        eventually(limit, "every cluster is held by its owner", async || {
            let holders = self.leases.holders(SHARD);
            let held: BTreeMap<_, _> = holders
                .into_iter()
                .filter_map(|(cluster, holder)| Some((cluster, holder?)))
                .collect();
            let differ = |(cluster, owner): &(&String, &String)| held.get(*cluster) != Some(*owner);
            let differ: Vec<_> = owners.iter().filter(differ).collect();
            match differ.is_empty() && held.len() == owners.len() {
                true => Ok(()),
                false => Err(format!("{differ:?} of {}", held.len())),
            }
        })
        .await;
    }

    /// `kubectl create cm … --dry-run=client -oyaml | kubectl apply -f -`
    async fn create_config_map(&self, cluster: &str, name: &str) -> Instant {
        let made = Instant::now();
        let seconds = Timestamp::now().as_second();
        let create = format!(
            "-n {cluster} create cm {name} --from-literal=ts={seconds} --dry-run=client -oyaml"
        );
        let yaml = self.kubectl.run(&create).await;
        self.kubectl
            .pipe(&yaml, &format!("-n {cluster} apply -f -"))
            .await;
        made
    }

    /// `kubectl logs … --since=100s | grep "Reconciling ConfigMap.*CLUSTER"`
    async fn reconciled_by(&self, pod: &str, cluster: &str, name: &str) {
        let what = format!("{pod} reconciles {cluster}/{name}");
        eventually(5 * SECOND, &what, async || {
            let log = self.log(&format!("pod/{pod}")).await;
            let has_done = says(&log, "Reconciling ConfigMap", cluster, name);
            has_done.then_some(()).ok_or(log)
        })
        .await;
    }

    async fn log(&self, of: &str) -> String {
        self.kubectl
            .run(&format!("-n mcr-demo logs {of} --since=100s"))
            .await
    }
}

/// Who shall hold each cluster when the first `peers` replicas run.
fn owners(clusters: &BTreeSet<String>, peers: usize) -> BTreeMap<String, String> {
    let mut placement = Rendezvous::new();
    for number in 0..peers {
        let id = format!("sharded-namespace-{number}")
            .parse()
            .expect("a peer id");
        placement.join(&Peer { id, weight: 1 });
    }
    let owner = |name: &String| {
        let cluster = name.parse().expect("a cluster name");
        placement.insert(&cluster);
        let owner = placement.owner(&cluster).expect("there are peers");
        (name.clone(), owner.to_string())
    };
    clusters.iter().map(owner).collect()
}

/// Whether a line has these words, this cluster and this name.
fn says(log: &str, words: &str, cluster: &str, name: &str) -> bool {
    let cluster = format!("\"cluster\": \"{cluster}\"");
    let of = |line: &&str| line.contains(words) && line.contains(&cluster);
    log.lines().filter(of).any(|line| line.contains(name))
}

/// The Leases under a prefix, as `kubectl get lease -o name` shows them.
fn under<'a>(names: &'a str, prefix: &str) -> impl Iterator<Item = &'a str> {
    let prefix = format!("lease.coordination.k8s.io/{prefix}");
    names
        .lines()
        .filter_map(move |line| line.strip_prefix(prefix.as_str()))
}

/// Prints how long something took.
fn measured(what: &str, since: Instant) -> Duration {
    let time = since.elapsed();
    println!("MEASURED real deployed, {what}: {time:.3?}");
    time
}
