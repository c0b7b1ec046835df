//! The manifests of the demo on a whole cluster: kube-apiserver, the StatefulSet controller of kube-controller-manager, and
//! the demo's kubelet, which runs the example's program for each Pod under the Pod's service account.
//!
//! `cargo test --all-features --test deployment -- --ignored --nocapture` prints how long each step takes; it needs the
//! programs that `tests/assets/build.sh --with kube-controller-manager` makes. Real kubectl types the steps of the demo's
//! README in their order: `apply -k`, Pods, Leases and logs, scale to 1 and to 3, a Namespace that goes, `delete -k`. After a
//! scale every cluster is held by its owner within 3 s; the audit log shows that the replicas are refused nothing; in the
//! end nothing is left. That none of their rights is too much is shown by `tests/control_plane.rs`.

#[allow(dead_code, unused_imports, reason = "other tests use the rest")]
mod fleet;
#[path = "../examples/sharded-namespace/kubelet/mod.rs"]
#[allow(dead_code, reason = "the example uses the rest")]
mod kubelet;
#[path = "../examples/sharded-namespace/process.rs"]
mod process;

#[path = "deployment/container_logs.rs"]
mod container_logs;
#[path = "deployment/node.rs"]
mod node;
#[path = "deployment/scenario.rs"]
mod scenario;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KUBEBUILDER_ASSETS, see tests/assets/README.md"]
async fn the_demo_is_deployed_tried_and_removed() {
    scenario::deployment().await;
}
