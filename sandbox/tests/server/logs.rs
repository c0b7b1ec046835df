//! What `kubectl logs` can rely on.

use crate::support::refusal;
use futures_util::{AsyncBufReadExt, StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api,
    api::{LogParams, Patch, PatchParams, PostParams},
};
use kube_sandbox::{ContainerLog, ContainerLogs, LogLine, LogSource, Sandbox};
use serde_json::{Value, json};
use tokio::sync::mpsc;

/// Knows the container `main`: it has written one line, and writes what the channel brings.
struct Logs {
    live: std::sync::Mutex<Option<mpsc::UnboundedReceiver<LogLine>>>,
}

impl ContainerLogs for Logs {
    fn open(&self, source: LogSource) -> Option<ContainerLog> {
        let text = format!("{}/{} {}", source.namespace, source.pod, source.container);
        let past = if source.previous {
            "before".to_owned()
        } else {
            text
        };
        let past = vec![LogLine::new(jiff::Timestamp::now(), past)];
        let live = self.live.lock().unwrap().take();
        let live = live.map_or_else(
            || stream::empty().boxed(),
            |live| stream::unfold(live, async |mut live| Some((live.recv().await?, live))).boxed(),
        );
        Some(ContainerLog::new(past, live)).filter(|_| source.container == "main")
    }
}

fn sandbox() -> (Sandbox, mpsc::UnboundedSender<LogLine>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let live = std::sync::Mutex::new(Some(receiver));
    (Sandbox::builder().logs(Logs { live }).build(), sender)
}

/// A Pod with these containers, all of them in `state`.
async fn pod(pods: &Api<Pod>, node: Option<&str>, containers: &[&str], state: Value, last: Value) {
    let container = |name| json!({"name": name, "image": "zoo:dev"});
    let specs: Vec<_> = containers.iter().map(container).collect();
    let pod =
        json!({"metadata": {"name": "lion"}, "spec": {"nodeName": node, "containers": specs}});
    let params = PostParams::default();
    pods.create(&params, &serde_json::from_value(pod).unwrap())
        .await
        .unwrap();
    let status = |name| {
        json!({
            "name": name, "image": "zoo:dev", "imageID": "", "ready": true, "restartCount": 0,
            "containerID": "process://7", "state": state, "lastState": last,
        })
    };
    let statuses: Vec<_> = containers.iter().map(status).collect();
    let status = json!({"status": {"containerStatuses": statuses}});
    let params = PatchParams::default();
    pods.patch_status("lion", &params, &Patch::Merge(&status))
        .await
        .unwrap();
}

fn running() -> Value {
    json!({"running": {"startedAt": "2026-11-23T17:00:00Z"}})
}

#[tokio::test]
async fn a_client_that_follows_gets_each_line_until_the_container_ends() {
    let (sandbox, sender) = sandbox();
    let pods: Api<Pod> = Api::default_namespaced(sandbox.client());
    pod(&pods, Some("node"), &["main"], running(), json!({})).await;
    assert_eq!(
        pods.logs("lion", &LogParams::default()).await.unwrap(),
        "default/lion main\n"
    );

    let (sandbox, sender_of_live) = self::sandbox();
    drop((sender, pods));
    let pods: Api<Pod> = Api::default_namespaced(sandbox.client());
    pod(&pods, Some("node"), &["main"], running(), json!({})).await;
    let params = LogParams {
        follow: true,
        ..LogParams::default()
    };
    let mut lines = pods.log_stream("lion", &params).await.unwrap().lines();
    assert_eq!(
        lines.try_next().await.unwrap().unwrap(),
        "default/lion main"
    );
    for text in ["roar", "yawn"] {
        sender_of_live
            .send(LogLine::new(jiff::Timestamp::now(), text))
            .unwrap();
        assert_eq!(lines.try_next().await.unwrap().unwrap(), text);
    }
    drop(sender_of_live);
    assert_eq!(lines.try_next().await.unwrap(), None);
}

#[tokio::test]
async fn the_container_before_a_restart_has_a_log_of_its_own() {
    let (sandbox, _sender) = sandbox();
    let pods: Api<Pod> = Api::default_namespaced(sandbox.client());
    let last = json!({"terminated": {"exitCode": 1, "containerID": "process://6"}});
    pod(&pods, Some("node"), &["main"], running(), last).await;
    let params = LogParams {
        previous: true,
        ..LogParams::default()
    };
    assert_eq!(pods.logs("lion", &params).await.unwrap(), "before\n");
}

#[tokio::test]
async fn containers_without_a_log_are_refused_like_by_a_real_server() {
    let creating = json!({"waiting": {"reason": "ContainerCreating"}});
    for (containers, asked, previous, state, code, message) in [
        (
            &["main"][..],
            Some("x"),
            false,
            running(),
            400,
            "container x is not valid for pod lion",
        ),
        (
            &["main", "side"],
            None,
            false,
            running(),
            400,
            "a container name must be specified for pod lion, choose one of: [main side]",
        ),
        (
            &["main"],
            None,
            true,
            running(),
            400,
            "previous terminated container \"main\" in pod \"lion\" not found",
        ),
        (
            &["main"],
            None,
            false,
            creating,
            400,
            "container \"main\" in pod \"lion\" is waiting to start: ContainerCreating",
        ),
        (
            &["unknown"],
            None,
            false,
            running(),
            404,
            "the server could not find the requested resource ( pods/log lion)",
        ),
    ] {
        let (sandbox, _sender) = sandbox();
        let pods: Api<Pod> = Api::default_namespaced(sandbox.client());
        pod(&pods, Some("node"), containers, state, json!({})).await;
        let container = asked.map(str::to_owned);
        let params = LogParams {
            container,
            previous,
            ..LogParams::default()
        };
        let status = refusal(pods.logs("lion", &params).await);
        assert_eq!((status.code, status.message.as_str()), (code, message));
    }
}

#[tokio::test]
async fn a_pod_without_a_node_has_written_nothing() {
    let (sandbox, _sender) = sandbox();
    let pods: Api<Pod> = Api::default_namespaced(sandbox.client());
    assert_eq!(
        refusal(pods.logs("lion", &LogParams::default()).await).code,
        404
    );
    pod(&pods, None, &["main"], running(), json!({})).await;
    assert_eq!(pods.logs("lion", &LogParams::default()).await.unwrap(), "");
}
