//! The demo's controller of StatefulSets and its kubelet are ordinary clients: the same claims hold for them on the API
//! server in memory and on a real one.
//!
//! `cargo test --all-features --test workloads -- --include-ignored`; the real API server needs the programs that
//! `tests/assets/build.sh` makes.

#[allow(
    dead_code,
    unused_imports,
    reason = "the scenarios of tests/control_plane.rs use the rest"
)]
mod fleet;

#[path = "../examples/sharded-namespace/kubelet/mod.rs"]
#[allow(dead_code, reason = "the example uses the rest")]
mod kubelet;
#[path = "../examples/sharded-namespace/process.rs"]
mod process;
#[path = "../examples/sharded-namespace/stateful_set/mod.rs"]
mod stateful_set;

#[path = "workloads/cluster.rs"]
mod cluster;

use std::time::Duration;

use fleet::backend::Backend::{self, Real, Sandbox};
use serde_json::json;

use cluster::Cluster;

const SECOND: Duration = Duration::from_secs(1);

/// Makes one test for each API server.
macro_rules! on_both {
    ($($scenario:ident)*) => {
        mod sandbox {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $scenario() {
                super::$scenario(super::Sandbox).await;
            })*
        }
        mod real {
            $(#[tokio::test(flavor = "multi_thread")]
            #[ignore = "needs KUBEBUILDER_ASSETS, see tests/assets/README.md"]
            async fn $scenario() {
                super::$scenario(super::Real).await;
            })*
        }
    };
}

on_both! {
    replicas_come_and_go_in_order
    a_deleted_pod_is_another_one_afterwards
    a_killed_process_is_started_again_in_its_pod
    a_new_template_replaces_pods_from_the_highest_down
    an_unknown_image_is_told
}

async fn replicas_come_and_go_in_order(backend: Backend) {
    let cluster = Cluster::start(backend, "mcr-namespace:dev").await;
    cluster.ready(2).await;
    cluster.scale(3).await;
    cluster.ready(3).await;
    let before = cluster.uids().await;
    cluster.scale(1).await;
    cluster.ready(1).await;
    assert_eq!(cluster.uids().await, before[..1], "the first one stays");
    let status = cluster.set().await.status.unwrap();
    assert_eq!(status.observed_generation, Some(3));
    assert_eq!(
        (
            status.ready_replicas,
            status.available_replicas,
            status.current_replicas,
            status.updated_replicas
        ),
        (Some(1), Some(1), Some(1), Some(1))
    );
    assert_eq!(status.current_revision, status.update_revision);
    cluster.stop().await;
}

async fn a_deleted_pod_is_another_one_afterwards(backend: Backend) {
    let cluster = Cluster::start(backend, "mcr-namespace:dev").await;
    cluster.ready(2).await;
    let before = cluster.uids().await;
    cluster.delete("sharded-namespace-1").await;
    cluster
        .until(10 * SECOND, "it is there again", async || {
            let after = cluster.uids().await;
            (after.len() == 2 && after[0] == before[0] && after[1] != before[1])
                .then_some(())
                .ok_or_else(|| format!("{after:?}"))
        })
        .await;
    cluster.ready(2).await;
    cluster.stop().await;
}

async fn a_killed_process_is_started_again_in_its_pod(backend: Backend) {
    let cluster = Cluster::start(backend, "mcr-namespace:dev").await;
    cluster.ready(2).await;
    let before = cluster.uids().await;
    cluster.kill("sharded-namespace-0").await;
    cluster
        .until(10 * SECOND, "it runs again", async || {
            let container = cluster.container("sharded-namespace-0").await;
            let last = container.last_state.and_then(|state| state.terminated);
            let is_running = container.state.and_then(|state| state.running).is_some();
            let told = (
                container.restart_count,
                is_running,
                last.map(|last| last.exit_code),
            );
            (told == (1, true, Some(137)))
                .then_some(())
                .ok_or_else(|| format!("{told:?}"))
        })
        .await;
    assert_eq!(cluster.uids().await, before);
    cluster.stop().await;
}

async fn a_new_template_replaces_pods_from_the_highest_down(backend: Backend) {
    let cluster = Cluster::start(backend, "mcr-namespace:dev").await;
    cluster.ready(2).await;
    let before = cluster.uids().await;
    let mut seen = cluster.watch().await;
    let annotate = json!({"spec": {"template": {"metadata": {"annotations": {"version": "2"}}}}});
    cluster.patch(annotate).await;
    cluster
        .until(20 * SECOND, "both are new", async || {
            let status = cluster.set().await.status.unwrap_or_default();
            let told = (
                status.observed_generation,
                status.updated_replicas,
                status.ready_replicas,
            );
            let is_new = status.current_revision == status.update_revision;
            (told == (Some(2), Some(2), Some(2)) && is_new)
                .then_some(())
                .ok_or_else(|| format!("{status:?}"))
        })
        .await;
    let after = cluster.uids().await;
    assert!(before.iter().all(|uid| !after.contains(uid)));
    assert_eq!(
        seen.ended().await[..2],
        [before[1].clone(), before[0].clone()]
    );
    cluster.stop().await;
}

async fn an_unknown_image_is_told(backend: Backend) {
    let cluster = Cluster::start(backend, "nginx").await;
    cluster
        .until(10 * SECOND, "it is told", async || {
            let waiting = cluster
                .container("sharded-namespace-0")
                .await
                .state
                .and_then(|state| state.waiting);
            let waiting = waiting.unwrap_or_default();
            let told = (waiting.reason.as_deref(), waiting.message.as_deref());
            (told.0 == Some("ErrImagePull")
                && told.1.is_some_and(|message| message.contains("nginx")))
            .then_some(())
            .ok_or_else(|| format!("{waiting:?}"))
        })
        .await;
    cluster.stop().await;
}
