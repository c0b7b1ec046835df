//! The node that the Pods are on.

use k8s_openapi::{
    api::core::v1::{Node, NodeAddress, NodeCondition, NodeStatus, NodeSystemInfo},
    apimachinery::pkg::apis::meta::v1::Time,
    jiff::Timestamp,
};
use kube::{
    Api, Client,
    api::{ObjectMeta, Patch, PatchParams, PostParams},
};
use serde_json::json;

use super::environment::ADDRESS;

/// Tells the API server of the node; Pods run without that too.
pub(super) async fn register(client: &Client, name: &str) {
    let nodes = Api::<Node>::all(client.clone());
    let node = Node {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            labels: Some([("kubernetes.io/hostname".into(), name.to_owned())].into()),
            ..ObjectMeta::default()
        },
        ..Node::default()
    };
    let registered = match nodes.create(&PostParams::default(), &node).await {
        Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(()),
        other => other.map(drop),
    };
    let status = json!({"status": status(name)});
    let reported = match registered {
        Ok(()) => {
            let patch = Patch::Merge(status);
            nodes
                .patch_status(name, &PatchParams::default(), &patch)
                .await
                .map(drop)
        }
        Err(error) => Err(error),
    };
    if let Err(error) = reported {
        tracing::warn!(node = name, %error, "the node cannot be registered");
    }
}

fn status(name: &str) -> NodeStatus {
    let now = Time(Timestamp::now());
    let address = |type_: &str, address: &str| NodeAddress {
        type_: type_.into(),
        address: address.into(),
    };
    NodeStatus {
        addresses: Some(vec![
            address("InternalIP", ADDRESS),
            address("Hostname", name),
        ]),
        conditions: Some(vec![NodeCondition {
            type_: "Ready".into(),
            status: "True".into(),
            reason: Some("KubeletReady".into()),
            message: Some("containers are processes of the demo".into()),
            last_heartbeat_time: Some(now.clone()),
            last_transition_time: Some(now),
        }]),
        node_info: Some(NodeSystemInfo {
            architecture: std::env::consts::ARCH.into(),
            operating_system: std::env::consts::OS.into(),
            container_runtime_version: "process://1".into(),
            kubelet_version: format!("v{}", env!("CARGO_PKG_VERSION")),
            ..NodeSystemInfo::default()
        }),
        ..NodeStatus::default()
    }
}
