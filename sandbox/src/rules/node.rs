//! Nodes.

use serde_json::{Value, json};

use super::fill;

/// What a Node says about its system; empty until it does.
const SYSTEM: [&str; 10] = [
    "machineID",
    "systemUUID",
    "bootID",
    "kernelVersion",
    "osImage",
    "containerRuntimeVersion",
    "kubeletVersion",
    "kubeProxyVersion",
    "operatingSystem",
    "architecture",
];

/// Keeps Pods away from a Node until it says that it is ready.
pub(crate) fn prepare_node(new: &mut Value, old: Option<&Value>) {
    if old.is_none() {
        let taint = json!({"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"});
        if let Some(spec) = fill::part(new, "spec") {
            fill::missing(spec, "taints", json!([]));
            if let Some(taints) = spec["taints"]
                .as_array_mut()
                .filter(|taints| !taints.contains(&taint))
            {
                taints.push(taint);
            }
        }
    }
    let Some(status) = fill::part(new, "status") else {
        return;
    };
    if !status["capacity"].is_null() {
        fill::missing(status, "allocatable", status["capacity"].clone());
    }
    fill::missing(
        status,
        "daemonEndpoints",
        json!({"kubeletEndpoint": {"Port": 0}}),
    );
    if let Some(info) = fill::part(status, "nodeInfo") {
        for field in SYSTEM {
            fill::missing(info, field, "");
        }
    }
}
