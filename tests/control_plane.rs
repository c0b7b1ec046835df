//! Fleets of real processes: each scenario runs against the API server in memory, and against etcd and kube-apiserver.
//!
//! `cargo test --all-features --test control_plane -- --nocapture` prints the figures; add `--include-ignored` for the
//! real API server, whose programs `tests/assets/build.sh` makes.

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
