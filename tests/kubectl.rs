//! kubectl drives the demo as its README says: every step is typed, and its time is printed.
//!
//! `cargo test --all-features --test kubectl -- --ignored --nocapture`; kubectl is that of `KUBEBUILDER_ASSETS`.

#[allow(
    dead_code,
    unused_imports,
    reason = "the scenarios of tests/control_plane.rs use the rest"
)]
mod fleet;

#[path = "kubectl/terminal.rs"]
mod terminal;

use std::time::Duration;

use terminal::Terminal;

const SECOND: Duration = Duration::from_secs(1);

/// How fast the fleet settles when its size changes.
const SETTLED: Duration = Duration::from_secs(3);

const README: &str = include_str!("../examples/sharded-namespace/README.md");
const MANIFESTS: &str = include_str!("../examples/sharded-namespace/manifests.yaml");

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KUBEBUILDER_ASSETS, see tests/assets/README.md"]
async fn the_demo_does_what_its_readme_says() {
    let terminal = Terminal::start(&[]).await;
    flow(&terminal).await;
    terminal.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KUBEBUILDER_ASSETS, see tests/assets/README.md"]
async fn a_bare_server_runs_what_is_applied_and_forgets_what_is_deleted() {
    let terminal = Terminal::start(&["--bare"]).await;
    let everything = "kubectl get namespaces,serviceaccounts,roles,rolebindings,clusterroles,clusterrolebindings,\
                      configmaps,services,statefulsets,pods,poddisruptionbudgets,leases,controllerrevisions -A -o name";
    let before = terminal.run(everything).await;
    terminal
        .typed("kubectl apply -k examples/sharded-namespace/manifests")
        .await;
    flow(&terminal).await;
    terminal
        .typed("kubectl delete -k examples/sharded-namespace/manifests --ignore-not-found")
        .await;
    terminal
        .until(10 * SECOND, everything, |after| {
            let ours = |line: &&str| {
                !before.lines().any(|known| known == *line) && !line.ends_with("/test-2")
            };
            after.lines().filter(ours).count() == 0
        })
        .await;
    terminal.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KUBEBUILDER_ASSETS, see tests/assets/README.md"]
async fn the_rendered_manifests_are_those_of_kustomize() {
    let terminal = Terminal::alone();
    let rendered = terminal
        .run("kubectl kustomize examples/sharded-namespace/manifests")
        .await;
    let (_, kept) = MANIFESTS.split_once('\n').unwrap();
    assert_eq!(
        kept, rendered,
        "run: kubectl kustomize examples/sharded-namespace/manifests"
    );
}

/// The README's commands, in its order.
async fn flow(terminal: &Terminal) {
    let lines = |text: &str| text.lines().count();
    let owners = "kubectl -n kube-system get lease -o custom-columns=NAME:.metadata.name,HOLDER:.spec.holderIdentity | grep ^mcr-shard-";
    let all_held = |leases: &str| {
        lines(leases) == 8
            && leases
                .lines()
                .all(|lease| lease.split_whitespace().count() == 2 && !lease.contains("<none>"))
    };

    // Observe.
    terminal
        .until(10 * SECOND, "kubectl -n mcr-demo get pods", |pods| {
            pods.matches("1/1     Running").count() == 2
        })
        .await;
    terminal
        .until(
            10 * SECOND,
            "kubectl -n kube-system get lease | grep '^mcr-peer-'",
            |peers| lines(peers) == 2,
        )
        .await;
    terminal
        .until(
            10 * SECOND,
            "kubectl -n kube-system get lease | grep '^mcr-shard-'",
            |shards| lines(shards) == 8,
        )
        .await;
    terminal.until(10 * SECOND, owners, all_held).await;
    let holder = "kubectl -n kube-system get lease mcr-shard-zoo -o custom-columns=HOLDER:.spec.holderIdentity,RENEW:.spec.renewTime";
    terminal
        .until(SECOND, holder, |shown| {
            shown.contains("sharded-namespace-1")
        })
        .await;
    let follow = "timeout 2 kubectl -n mcr-demo logs statefulset/sharded-namespace -f";
    let log = terminal.attempt(follow).await;
    assert!(
        log.contains("synchronization start\t{\"cluster\": "),
        "{log}"
    );
    assert!(
        log.contains("Reconciling ConfigMap\t{\"controller\": \"multicluster-configmaps\""),
        "{log}"
    );

    // One replica.
    let took = terminal.typed("kubectl -n mcr-demo scale statefulset/sharded-namespace --replicas=1").await
        + terminal.typed(
            "kubectl -n kube-system wait --for=jsonpath='{.spec.holderIdentity}'=sharded-namespace-0 \
             lease/mcr-shard-zoo lease/mcr-shard-jungle lease/mcr-shard-island --timeout=60s",
        ).await;
    assert!(took <= SETTLED, "{took:?}");
    terminal.typed("kubectl -n island create cm test-1 --from-literal=ts=1 --dry-run=client -oyaml | kubectl apply -f -").await;
    let seen = "kubectl -n mcr-demo logs pod/sharded-namespace-0 --since=100s | grep 'Reconciling ConfigMap.*island'";
    terminal
        .until(5 * SECOND, seen, |log| log.contains("test-1"))
        .await;

    // Three replicas.
    let start = tokio::time::Instant::now();
    terminal
        .typed("kubectl -n mcr-demo scale statefulset/sharded-namespace --replicas=3")
        .await;
    terminal.timed("kubectl -n kube-system wait --for=jsonpath='{.spec.holderIdentity}'=sharded-namespace-2 lease/mcr-shard-default --timeout=60s").await;
    terminal
        .until(5 * SECOND, owners, |leases| {
            all_held(leases)
                && ["zoo", "jungle"].iter().all(|cluster| {
                    leases.lines().any(|lease| {
                        lease.starts_with(&format!("mcr-shard-{cluster} "))
                            && lease.ends_with("sharded-namespace-1")
                    })
                })
        })
        .await;
    let took = start.elapsed();
    println!("MEASURED kubectl: scale to 3 -> settled: {took:.1?}");
    assert!(took <= SETTLED, "{took:?}");
    terminal.typed("kubectl -n default create cm test-2 --from-literal=ts=1 --dry-run=client -oyaml | kubectl apply -f -").await;
    let log_of = |pod: u8| {
        format!(
            "kubectl -n mcr-demo logs pod/sharded-namespace-{pod} --since=100s | grep 'Reconciling ConfigMap.*default'"
        )
    };
    terminal
        .until(5 * SECOND, &log_of(2), |log| log.contains("test-2"))
        .await;
    for other in [0, 1] {
        let log = terminal.attempt(&log_of(other)).await;
        assert!(!log.contains("test-2"), "{log}");
    }

    // A cluster comes and goes.
    terminal.typed("kubectl create namespace savanna").await;
    let savanna = "kubectl -n kube-system get lease mcr-shard-savanna --ignore-not-found -o jsonpath='{.spec.holderIdentity}'";
    terminal
        .until(5 * SECOND, savanna, |holder| {
            holder.starts_with("sharded-namespace-")
        })
        .await;
    terminal.typed("kubectl delete namespace savanna").await;
    terminal
        .timed("kubectl -n kube-system wait --for=delete lease/mcr-shard-savanna --timeout=60s")
        .await;

    // Pods come and go.
    terminal
        .typed("kubectl -n mcr-demo delete pod sharded-namespace-2")
        .await;
    terminal
        .typed("kubectl -n mcr-demo rollout restart statefulset/sharded-namespace")
        .await;
    terminal
        .typed("kubectl -n mcr-demo rollout status statefulset/sharded-namespace")
        .await;
}
