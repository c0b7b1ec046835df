//! Fleets of real processes: each scenario runs against the API server in memory, and against etcd and kube-apiserver.
//!
//! `cargo test --all-features --test control_plane -- --nocapture` prints the figures; add `--include-ignored` for the
//! real API server, whose programs `tests/assets/build.sh` makes.
//!
//! Three replicas of the example share 17 to 67 Namespaces under Leases of `L` = 5 s. At the end of each scenario no two
//! of them ever worked on one cluster, and nobody reconciled anything outside of its own work. Besides:
//!
//! | scenario | what happens | claims |
//! |---|---|---|
//! | `cold_start` | three replicas start together | every cluster has a holder within 3 s, and after 2 s more nothing moves |
//! | `changes` | a ConfigMap is made, or changed | its holder, and nobody else, reconciles it within 1 s |
//! | `graceful_leave` | SIGTERM | others have reconciled its clusters within 2 s; its own Lease is free |
//! | `crash` | SIGKILL | others have reconciled its clusters within 7 s; those of others do not move |
//! | `suspended` | SIGSTOP for 3 `L` | as `crash`; after SIGCONT its first life is over, and it has its share back within 7 s |
//! | `napped` | SIGSTOP until its clusters are others' | it works on them again within 3 s of SIGCONT |
//! | `restarted` | SIGKILL and a start in the same pod | it works again within 2 s of the start; each fence is acquired once, by itself |
//! | `replaced` | SIGKILL and a start in another pod | no fence is acquired before it has expired; then as `crash` |
//! | `doubled` | SIGSTOP, and a start in the same pod beside it | as `replaced`; after SIGCONT the first process ends without any work |
//! | `namespaces_come_and_go` | 20 are created in a fail-over, then deleted | they have owners within 7 s; no others are disturbed; their Leases go within 15 s |
//! | `server_suspended` | the API server stands still for 2 `L` (real only) | work pauses within 4.9 s and goes on within 6 s; no tenure ends |
//! | `server_killed` | the API server is away for 31 s (15 s in memory) | work goes on within 6 s; no tenure ends; 15 lines in each log at most, besides those of each cluster |
//! | `annotated_and_deleted` | people annotate, then delete Leases | the first costs nothing, the second 3 s; nothing moves |
//! | `nonsense` | people write nonsense into Leases (real only) | it costs their own clusters 8 s at most, and others nothing; it is reported |
//! | `unreadable` | a Lease has a time that cannot be read (real only) | a replica can still join |
//!
//! `real_every_rule_of_the_manifests_is_needed`: twelve fleets of two under service accounts. The one with all rights of
//! `examples/sharded-namespace/manifests` keeps its promises, and the audit log shows that it is refused nothing; each of
//! the others lacks one verb on one resource, breaks a promise, and is refused that alone.
//!
//! `real_replicas_have_their_rights_and_no_more` is about the scenarios themselves. Where the limits are: `fleet/scenarios`.

#[allow(dead_code, reason = "the tests of providers use the rest")]
mod fleet;

use fleet::{
    backend::Backend::{self, Real, Sandbox},
    scenarios,
};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::{
    Api,
    api::{ListParams, PostParams},
};

#[tokio::test(flavor = "multi_thread")]
async fn sandbox_cold_start() {
    scenarios::cold_start(Sandbox).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KUBEBUILDER_ASSETS, see tests/assets/README.md"]
async fn real_cold_start() {
    scenarios::cold_start(Real).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sandbox_graceful_leave() {
    scenarios::graceful_leave(Sandbox).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KUBEBUILDER_ASSETS, see tests/assets/README.md"]
async fn real_graceful_leave() {
    scenarios::graceful_leave(Real).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sandbox_crash() {
    scenarios::crash(Sandbox).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KUBEBUILDER_ASSETS, see tests/assets/README.md"]
async fn real_crash() {
    scenarios::crash(Real).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sandbox_suspended() {
    scenarios::suspended(Sandbox).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KUBEBUILDER_ASSETS, see tests/assets/README.md"]
async fn real_suspended() {
    scenarios::suspended(Real).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sandbox_napped() {
    scenarios::napped(Sandbox).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KUBEBUILDER_ASSETS, see tests/assets/README.md"]
async fn real_napped() {
    scenarios::napped(Real).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sandbox_changes() {
    scenarios::changes(Sandbox).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KUBEBUILDER_ASSETS, see tests/assets/README.md"]
async fn real_changes() {
    scenarios::changes(Real).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sandbox_namespaces_come_and_go() {
    scenarios::namespaces_come_and_go(Sandbox).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KUBEBUILDER_ASSETS, see tests/assets/README.md"]
async fn real_namespaces_come_and_go() {
    scenarios::namespaces_come_and_go(Real).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sandbox_restarted() {
    scenarios::restarted(Sandbox).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KUBEBUILDER_ASSETS, see tests/assets/README.md"]
async fn real_restarted() {
    scenarios::restarted(Real).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sandbox_replaced() {
    scenarios::replaced(Sandbox).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KUBEBUILDER_ASSETS, see tests/assets/README.md"]
async fn real_replaced() {
    scenarios::replaced(Real).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sandbox_doubled() {
    scenarios::doubled(Sandbox).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KUBEBUILDER_ASSETS, see tests/assets/README.md"]
async fn real_doubled() {
    scenarios::doubled(Real).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KUBEBUILDER_ASSETS, see tests/assets/README.md"]
async fn real_server_suspended() {
    scenarios::server_suspended(Real).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sandbox_server_killed() {
    scenarios::server_killed(Sandbox).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KUBEBUILDER_ASSETS, see tests/assets/README.md"]
async fn real_server_killed() {
    scenarios::server_killed(Real).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sandbox_annotated_and_deleted() {
    scenarios::annotated_and_deleted(Sandbox).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KUBEBUILDER_ASSETS, see tests/assets/README.md"]
async fn real_annotated_and_deleted() {
    scenarios::annotated_and_deleted(Real).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KUBEBUILDER_ASSETS, see tests/assets/README.md"]
async fn real_nonsense() {
    scenarios::nonsense(Real).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KUBEBUILDER_ASSETS, see tests/assets/README.md"]
async fn real_unreadable() {
    scenarios::unreadable(Real).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KUBEBUILDER_ASSETS, see tests/assets/README.md"]
async fn real_every_rule_of_the_manifests_is_needed() {
    scenarios::every_rule_is_needed().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KUBEBUILDER_ASSETS, see tests/assets/README.md"]
async fn real_replicas_have_their_rights_and_no_more() {
    let peer = "sharded-namespace-0";
    let server = Backend::start(Real, &[peer.to_owned()]).await;
    let client = server.client_of(peer).await;
    let namespaces: Api<Namespace> = Api::all(client.clone());
    assert_eq!(
        namespaces
            .list(&ListParams::default())
            .await
            .unwrap()
            .items
            .len(),
        4
    );
    let maps: Api<ConfigMap> = Api::default_namespaced(client);
    let mut map = ConfigMap::default();
    map.metadata.name = Some("elephant".into());
    let refused = maps.create(&PostParams::default(), &map).await;
    assert!(matches!(refused, Err(kube::Error::Api(status)) if status.is_forbidden()));
    let mut namespace = Namespace::default();
    namespace.metadata.name = Some("zoo".into());
    let all: Api<Namespace> = Api::all(server.admin.clone());
    all.create(&PostParams::default(), &namespace)
        .await
        .unwrap();
    assert!(namespaces.get_opt("zoo").await.unwrap().is_some());
    server.delete_namespace("zoo").await;
    assert!(namespaces.get_opt("zoo").await.unwrap().is_none());
}
