//! The addresses of Services in the cluster.

use std::{collections::HashSet, net::IpAddr};

use serde_json::{Value, json};

use super::ports;
use crate::{
    rules::{at::At, fill},
    status::FieldError,
};

/// The first part of all addresses; the last one is given out.
const NETWORK: [u8; 3] = [10, 0, 0];

/// The first address that is given out without being asked for: the ones below are left to those who ask.
const FIRST_FREE: u8 = 16;

/// The address of the API server itself.
const API_SERVER: &str = "10.0.0.1";

const ADDRESSES: [&str; 4] = ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"];

/// Brings the two fields for addresses together, and keeps the address of a Service that has one.
pub(super) fn keep(new: &mut Value, old: Option<&Value>) {
    let addressed = |spec: &Value| spec["type"] != "ExternalName";
    if let Some(old) = old.filter(|old| addressed(old)) {
        if !addressed(new) {
            // What was given out goes back, unless the client asks for something else.
            if let Some(fields) = new.as_object_mut() {
                for field in ADDRESSES {
                    if fields.get(field) == old.get(field) {
                        fields.remove(field);
                    }
                }
            }
            return;
        }
        let changed = |field: &str| !old[field].is_null() && new[field] != old[field];
        if changed("clusterIP") && !new["clusterIP"].as_str().unwrap_or_default().is_empty() {
            if new["clusterIPs"] == old["clusterIPs"] {
                new["clusterIPs"] = Value::Null;
            }
        } else {
            for field in ["clusterIP", "clusterIPs"] {
                let empty = At::root(new).field(field);
                if empty.text().is_empty() && empty.len() == 0 && !old[field].is_null() {
                    new[field] = old[field].clone();
                }
            }
        }
        for field in ["ipFamilies", "ipFamilyPolicy"] {
            if !old[field].is_null() {
                fill::missing(new, field, old[field].clone());
            }
        }
    }
    let address = new["clusterIP"].clone();
    if !address.as_str().unwrap_or_default().is_empty() {
        fill::missing(new, "clusterIPs", json!([address]));
    }
}

/// An address stays while there is one.
pub(super) fn change(new: &At<'_>, old: &At<'_>) -> Option<FieldError> {
    let first = |spec: &At<'_>| {
        let all = spec.field("clusterIPs");
        let first = all.items().next();
        first
            .map(|first| first.text().to_owned())
            .unwrap_or_default()
    };
    let external = |spec: &At<'_>| spec.field("type").text() == "ExternalName";
    if external(new) || external(old) || first(old).is_empty() || first(new) == first(old) {
        return None;
    }
    let all = new.field("clusterIPs");
    let why = "may not change once set";
    Some(FieldError::invalid("spec.clusterIPs[0]", all.value(), why))
}

pub(super) fn check(spec: &At<'_>) -> Vec<FieldError> {
    if spec.field("type").text() == "ExternalName" {
        return Vec::new();
    }
    let (one, all) = (spec.field("clusterIP"), spec.field("clusterIPs"));
    let mut errors = Vec::new();
    let first = all.items().next();
    match (one.text(), &first) {
        ("", Some(_)) => {
            errors.push(all.invalid("must be empty when `clusterIP` is not specified"))
        }
        ("", None) => {}
        (_, None) => errors.push(all.required("")),
        (one, Some(first)) if first.text() != one => {
            errors.push(all.invalid("first value must match `clusterIP`"));
        }
        _ => {}
    }
    for family in spec.field("ipFamilies").items() {
        errors.extend(family.one_of(&["IPv4", "IPv6"]));
    }
    let policy = spec.field("ipFamilyPolicy");
    if policy.is_set() {
        errors.extend(policy.one_of(&["PreferDualStack", "RequireDualStack", "SingleStack"]));
    }
    for (index, address) in all.items().enumerate() {
        if index == 0 && address.text() == "None" {
            if all.len() > 1 {
                errors.push(all.invalid("'None' must be the first and only value"));
            }
            continue;
        }
        if address.text().parse::<IpAddr>().is_err() {
            let why = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
            errors.push(address.invalid(why));
        }
    }
    errors
}

/// Gives a Service that needs them an address and ports of Nodes that none of the others has.
pub(crate) fn claim_addresses(
    new: &mut Value,
    others: &mut dyn Iterator<Item = &Value>,
) -> Vec<FieldError> {
    let mut addresses = HashSet::from([API_SERVER.to_owned()]);
    let mut nodes = HashSet::new();
    for other in others {
        let spec = At::root(other).field("spec");
        addresses.extend(
            spec.field("clusterIPs")
                .items()
                .map(|address| address.text().to_owned()),
        );
        nodes.extend(
            spec.field("ports")
                .items()
                .map(|port| port.field("nodePort").number()),
        );
    }
    let spec = &mut new["spec"];
    let kind = spec["type"].as_str().unwrap_or_default().to_owned();
    if kind == "ExternalName" {
        return Vec::new();
    }
    families(spec);
    let mut errors: Vec<_> = address(spec, &addresses).into_iter().collect();
    if matches!(&*kind, "NodePort" | "LoadBalancer")
        && spec["allocateLoadBalancerNodePorts"] != json!(false)
    {
        errors.extend(ports::claim(spec, &nodes));
    }
    errors
}

/// A cluster has addresses of one family; a Service without Pods of its own may lead to any.
fn families(spec: &mut Value) {
    let headless = spec["clusterIP"] == "None";
    let selects = At::root(spec).field("selector").len() > 0;
    let both = headless && !selects;
    fill::missing(
        spec,
        "ipFamilyPolicy",
        if both {
            "RequireDualStack"
        } else {
            "SingleStack"
        },
    );
    fill::missing(
        spec,
        "ipFamilies",
        if both {
            json!(["IPv4", "IPv6"])
        } else {
            json!(["IPv4"])
        },
    );
}

fn address(spec: &mut Value, taken: &HashSet<String>) -> Option<FieldError> {
    let refuse = |address: &str, why: &str| {
        let why = format!("failed to allocate IP {address}: {why}");
        Some(FieldError::invalid(
            "spec.clusterIPs",
            &json!([address]),
            &why,
        ))
    };
    let wanted = spec["clusterIP"].as_str().unwrap_or_default();
    match wanted.parse::<IpAddr>() {
        _ if wanted == "None" => return None,
        Ok(IpAddr::V4(address)) if address.octets().starts_with(&NETWORK) => {
            if taken.contains(wanted) {
                return refuse(wanted, "provided IP is already allocated");
            }
            return None;
        }
        Ok(_) => {
            return refuse(
                wanted,
                "the provided network does not match the current range",
            );
        }
        Err(_) => {}
    }
    let [first, second, third] = NETWORK;
    let free = (FIRST_FREE..255)
        .chain(2..FIRST_FREE)
        .map(|last| format!("{first}.{second}.{third}.{last}"))
        .find(|address| !taken.contains(address));
    let Some(free) = free else {
        let why = "failed to allocate a serviceIP: range is full";
        return Some(FieldError::invalid("spec.clusterIPs", &json!([]), why));
    };
    spec["clusterIP"] = json!(free);
    spec["clusterIPs"] = json!([free]);
    None
}
