//! The ports of a Service.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::{
    rules::{at::At, fill, names, pod},
    status::FieldError,
};

/// The ports of Nodes that a Service can get.
pub(super) const NODE_PORTS: std::ops::Range<i64> = 30_000..32_768;

/// Lets ports that stay keep the ports of Nodes that they have.
pub(super) fn keep(new: &mut Value, old: &Value) {
    let kind = |spec: &Value| spec["type"].as_str().unwrap_or_default().to_owned();
    let exposed = |spec: &Value| matches!(&*kind(spec), "NodePort" | "LoadBalancer");
    if !exposed(new) || !exposed(old) {
        return;
    }
    for port in fill::items(new, "ports") {
        let same =
            |one: &&Value| one["port"] == port["port"] && one["protocol"] == port["protocol"];
        let before = old["ports"].as_array().into_iter().flatten().find(same);
        if let Some(number) = before.and_then(|before| before.get("nodePort")).cloned() {
            fill::zero(port, "nodePort", number);
        }
    }
}

pub(super) fn check(ports: &At<'_>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut known = HashSet::new();
    for port in ports.items() {
        let name = port.field("name");
        if name.text().is_empty() {
            if ports.len() > 1 {
                errors.push(name.required(""));
            }
        } else {
            errors.extend(name.misformed(names::label(name.text())));
            if !known.insert(name.text()) {
                errors.push(name.duplicate());
            }
        }
        let number = port.field("port");
        let wrong = names::port_number(number.number());
        let value = json!(number.number());
        errors.extend(
            wrong
                .iter()
                .map(|why| FieldError::invalid(number.path(), &value, why)),
        );
        let protocol = port.field("protocol");
        errors.extend(protocol.required_one_of(&["SCTP", "TCP", "UDP"]));
        errors.extend(pod::check_port(&port.field("targetPort")));
        let application = port.field("appProtocol");
        if application.is_set() {
            errors.extend(application.misformed(names::qualified(application.text())));
        }
    }
    errors
}

/// Checks the ports of Nodes, and that no port is there twice.
pub(super) fn check_nodes(ports: &At<'_>, kind: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let (mut nodes, mut numbers) = (HashSet::new(), HashSet::new());
    for port in ports.items() {
        let node = port.field("nodePort");
        if node.number() != 0 && kind == "ClusterIP" {
            errors.push(node.forbidden("may not be used when `type` is 'ClusterIP'"));
        }
        let protocol = port.field("protocol").text();
        if node.number() != 0 && !nodes.insert((protocol, node.number())) {
            errors.push(node.duplicate());
        }
        let number = port.field("port").number();
        if !numbers.insert((protocol, number)) {
            let form = json!({"Name": "", "Protocol": protocol, "AppProtocol": null, "Port": number,
                "TargetPort": 0, "NodePort": 0});
            errors.push(FieldError::duplicate(port.path(), &form));
        }
    }
    errors
}

/// Gives each port that needs one a free port of the Nodes.
pub(super) fn claim(spec: &mut Value, taken: &HashSet<i64>) -> Vec<FieldError> {
    let mut taken = taken.clone();
    let mut errors = Vec::new();
    for port in At::root(spec).field("ports").items() {
        let node = port.field("nodePort");
        if node.number() == 0 {
            continue;
        }
        let path = format!("spec.{}", node.path());
        if !NODE_PORTS.contains(&node.number()) {
            let why =
                "provided port is not in the valid range. The range of valid ports is 30000-32767";
            errors.push(FieldError::invalid(path, node.value(), why));
        } else if !taken.insert(node.number()) {
            errors.push(FieldError::invalid(
                path,
                node.value(),
                "provided port is already allocated",
            ));
        }
    }
    for port in fill::items(spec, "ports") {
        let free = NODE_PORTS.clone().find(|number| !taken.contains(number));
        if let Some(free) = free.filter(|_| port["nodePort"].as_i64().unwrap_or_default() == 0) {
            taken.insert(free);
            port["nodePort"] = json!(free);
        }
    }
    errors
}
