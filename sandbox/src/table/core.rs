//! The tables of small kinds: namespaces, configuration, services, Leases.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    Own,
    cells::{NONE, age, count, items, labels, name, number, or, or_none, text},
    column::{self, AGE, NAME},
};

const SERVICE_SPEC: &str = "api.core.v1.ServiceSpec";

pub(super) static NAMESPACE: Own = Own {
    columns: &[
        NAME,
        column::text("Status").about("The status of the namespace"),
        AGE,
    ],
    cells: |object, now| {
        vec![
            name(object),
            json!(text(&object["status"]["phase"])),
            age(object, now),
        ]
    },
    conditions: |_| None,
};

pub(super) static CONFIG_MAP: Own = Own {
    columns: &[
        NAME,
        column::text("Data").field("api.core.v1.ConfigMap", "data"),
        AGE,
    ],
    cells: |object, now| {
        let entries = count(&object["data"]) + count(&object["binaryData"]);
        vec![name(object), json!(entries), age(object, now)]
    },
    conditions: |_| None,
};

pub(super) static SECRET: Own = Own {
    columns: &[
        NAME,
        column::text("Type").field("api.core.v1.Secret", "type"),
        column::text("Data").field("api.core.v1.Secret", "data"),
        AGE,
    ],
    cells: |object, now| {
        let entries = count(&object["data"]);
        vec![
            name(object),
            json!(text(&object["type"])),
            json!(entries),
            age(object, now),
        ]
    },
    conditions: |_| None,
};

pub(super) static SERVICE_ACCOUNT: Own = Own {
    columns: &[NAME, AGE],
    cells: |object, now| vec![name(object), age(object, now)],
    conditions: |_| None,
};

pub(super) static LEASE: Own = Own {
    columns: &[
        NAME,
        column::text("Holder").field("api.coordination.v1.LeaseSpec", "holderIdentity"),
        AGE,
    ],
    cells: |object, now| {
        let holder = text(&object["spec"]["holderIdentity"]);
        vec![name(object), json!(holder), age(object, now)]
    },
    conditions: |_| None,
};

pub(super) static SERVICE: Own = Own {
    columns: &[
        NAME,
        column::text("Type").field(SERVICE_SPEC, "type"),
        column::text("Cluster-IP").field(SERVICE_SPEC, "clusterIP"),
        column::text("External-IP").field(SERVICE_SPEC, "externalIPs"),
        column::text("Port(s)").field(SERVICE_SPEC, "ports"),
        AGE,
        column::text("Selector")
            .field(SERVICE_SPEC, "selector")
            .wide(),
    ],
    cells: service,
    conditions: |_| None,
};

fn service(object: &Value, now: Timestamp) -> Vec<Value> {
    let spec = &object["spec"];
    let internal = items(&spec["clusterIPs"]).first().map_or(NONE, text);
    let ports: Vec<_> = items(&spec["ports"]).iter().map(port).collect();
    vec![
        name(object),
        json!(text(&spec["type"])),
        json!(internal),
        json!(external(object)),
        json!(or_none(&ports.join(","))),
        age(object, now),
        json!(labels(&spec["selector"])),
    ]
}

fn port(port: &Value) -> String {
    let (number, protocol) = (number(&port["port"]), text(&port["protocol"]));
    match port["nodePort"].as_i64().filter(|node| *node > 0) {
        Some(node) => format!("{number}:{node}/{protocol}"),
        None => format!("{number}/{protocol}"),
    }
}

/// Where a service can be reached from outside of the cluster.
fn external(service: &Value) -> String {
    let spec = &service["spec"];
    let mut addresses: Vec<_> = items(&spec["externalIPs"]).iter().map(text).collect();
    match text(&spec["type"]) {
        "ClusterIP" | "NodePort" => or_none(&addresses.join(",")).to_owned(),
        "LoadBalancer" => {
            let balancers = items(&service["status"]["loadBalancer"]["ingress"]).iter();
            let mut all: Vec<_> = balancers
                .map(|one| or(text(&one["ip"]), text(&one["hostname"])))
                .filter(|address| !address.is_empty())
                .collect();
            all.sort_unstable();
            all.dedup();
            all.append(&mut addresses);
            or(&all.join(","), "<pending>").to_owned()
        }
        "ExternalName" => text(&spec["externalName"]).to_owned(),
        _ => "<unknown>".to_owned(),
    }
}
