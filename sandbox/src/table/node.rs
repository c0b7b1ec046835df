//! The table of Nodes.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    Own,
    cells::{NONE, age, items, name, or, or_none, text},
    column::{self, AGE, NAME},
};

const INFO: &str = "api.core.v1.NodeSystemInfo";
const STATUS: &str = "api.core.v1.NodeStatus";

pub(super) static NODE: Own = Own {
    columns: &[
        NAME,
        column::text("Status").about("The status of the node"),
        column::text("Roles").about("The roles of the node"),
        AGE,
        column::text("Version").field(INFO, "kubeletVersion"),
        column::text("Internal-IP")
            .field(STATUS, "addresses")
            .wide(),
        column::text("External-IP")
            .field(STATUS, "addresses")
            .wide(),
        column::text("OS-Image").field(INFO, "osImage").wide(),
        column::text("Kernel-Version")
            .field(INFO, "kernelVersion")
            .wide(),
        column::text("Container-Runtime")
            .field(INFO, "containerRuntimeVersion")
            .wide(),
    ],
    cells,
    conditions: |_| None,
};

fn cells(node: &Value, now: Timestamp) -> Vec<Value> {
    let info = &node["status"]["nodeInfo"];
    let known = |field: &str| or(text(&info[field]), "<unknown>").to_owned();
    let mut kernel = known("kernelVersion");
    if !text(&info["architecture"]).is_empty() {
        kernel += &format!(" ({})", text(&info["architecture"]));
    }
    vec![
        name(node),
        json!(status(node)),
        json!(or_none(&roles(node))),
        age(node, now),
        json!(text(&info["kubeletVersion"])),
        json!(address(node, "InternalIP")),
        json!(address(node, "ExternalIP")),
        json!(known("osImage")),
        json!(kernel),
        json!(known("containerRuntimeVersion")),
    ]
}

fn status(node: &Value) -> String {
    let mut conditions = items(&node["status"]["conditions"]).iter().rev();
    let ready = conditions.find(|condition| text(&condition["type"]) == "Ready");
    let ready = match ready.map(|condition| text(&condition["status"])) {
        Some("True") => "Ready",
        Some(_) => "NotReady",
        None => "Unknown",
    };
    let closed = node["spec"]["unschedulable"] == json!(true);
    let closed = if closed { ",SchedulingDisabled" } else { "" };
    format!("{ready}{closed}")
}

fn roles(node: &Value) -> String {
    let labels = node["metadata"]["labels"].as_object().into_iter().flatten();
    let roles = labels.filter_map(|(key, value)| match key.as_str() {
        "kubernetes.io/role" => value.as_str(),
        key => key.strip_prefix("node-role.kubernetes.io/"),
    });
    let roles: BTreeSet<_> = roles.filter(|role| !role.is_empty()).collect();
    roles.into_iter().collect::<Vec<_>>().join(",")
}

fn address<'a>(node: &'a Value, kind: &str) -> &'a str {
    let mut addresses = items(&node["status"]["addresses"]).iter();
    let found = addresses.find(|address| text(&address["type"]) == kind);
    found.map_or(NONE, |address| text(&address["address"]))
}
