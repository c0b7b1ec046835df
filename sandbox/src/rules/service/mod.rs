//! Services.

mod addresses;
mod ports;

use serde_json::{Value, json};

use super::{at::At, fill, metadata, names};
use crate::status::FieldError;

pub(crate) use self::addresses::claim_addresses;

/// How long a client stays with the same Pod, in seconds.
const AFFINITY: i32 = 10_800;

/// The longest time of that kind: a day.
const LONGEST_AFFINITY: i64 = 86_400;

pub(crate) fn default_service(new: &mut Value) {
    let Some(spec) = fill::part(new, "spec") else {
        return;
    };
    fill::zero(spec, "type", "ClusterIP");
    fill::zero(spec, "sessionAffinity", "None");
    match spec["sessionAffinity"].as_str() {
        Some("None") => {
            if let Some(fields) = spec.as_object_mut() {
                fields.remove("sessionAffinityConfig");
            }
        }
        Some("ClientIP")
            if At::root(spec)
                .field("sessionAffinityConfig")
                .field("clientIP")
                .field("timeoutSeconds")
                .value()
                .is_null() =>
        {
            spec["sessionAffinityConfig"] = json!({"clientIP": {"timeoutSeconds": AFFINITY}});
        }
        _ => {}
    }
    for port in fill::items(spec, "ports") {
        fill::zero(port, "protocol", "TCP");
        let number = port["port"].clone();
        fill::zero(
            port,
            "targetPort",
            if number.is_null() { json!(0) } else { number },
        );
    }
    let kind = spec["type"].as_str().unwrap_or_default().to_owned();
    let external = At::root(spec).field("externalIPs").len() > 0;
    if matches!(&*kind, "NodePort" | "LoadBalancer") || (kind == "ClusterIP" && external) {
        fill::zero(spec, "externalTrafficPolicy", "Cluster");
    }
    if matches!(&*kind, "ClusterIP" | "NodePort" | "LoadBalancer") {
        fill::missing(spec, "internalTrafficPolicy", "Cluster");
    }
    if kind == "LoadBalancer" {
        fill::missing(spec, "allocateLoadBalancerNodePorts", true);
    }
}

pub(crate) fn prepare_service(new: &mut Value, old: Option<&Value>) {
    if old.is_none() {
        new["status"] = json!({"loadBalancer": {}});
    }
    addresses::keep(&mut new["spec"], old.map(|old| &old["spec"]));
    if let Some(old) = old {
        ports::keep(&mut new["spec"], &old["spec"]);
    }
}

pub(crate) fn validate_service(new: &Value, old: Option<&Value>) -> Vec<FieldError> {
    let spec = At::root(new).field("spec");
    let kind = spec.field("type");
    let headless = spec.field("clusterIP").text() == "None";
    let mut errors = Vec::new();
    if let Some(old) = old {
        errors.extend(addresses::change(&spec, &At::root(old).field("spec")));
    }
    let ports = spec.field("ports");
    if ports.len() == 0 && !headless && kind.text() != "ExternalName" {
        errors.push(ports.required(""));
    }
    match kind.text() {
        "LoadBalancer" | "NodePort" if headless => {
            let why = format!("may not be set to 'None' for {} services", kind.text());
            errors.push(FieldError::invalid(
                "spec.clusterIPs[0]",
                &json!("None"),
                &why,
            ));
        }
        "ExternalName" => errors.extend(external_name(&spec)),
        _ => {}
    }
    errors.extend(ports::check(&ports));
    errors.extend(metadata::labels(&spec.field("selector")));
    let affinity = spec.field("sessionAffinity");
    errors.extend(affinity.required_one_of(&["ClientIP", "None"]));
    let time = spec
        .field("sessionAffinityConfig")
        .field("clientIP")
        .field("timeoutSeconds");
    if affinity.text() == "ClientIP" && !(1..=LONGEST_AFFINITY).contains(&time.number()) {
        let why = format!("must be greater than 0 and less than {LONGEST_AFFINITY}");
        errors.push(time.invalid(&why));
    }
    errors.extend(addresses::check(&spec));
    errors.extend(kind.required_one_of(&["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"]));
    errors.extend(ports::check_nodes(&ports, kind.text()));
    for (field, known) in [
        ("internalTrafficPolicy", ["Cluster", "Local"]),
        ("externalTrafficPolicy", ["Cluster", "Local"]),
    ] {
        let policy = spec.field(field);
        if policy.is_set() {
            errors.extend(policy.one_of(&known));
        }
    }
    errors
}

/// A Service that is another name has no addresses.
fn external_name(spec: &At<'_>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for field in ["clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
        let field = spec.field(field);
        if field.len() > 0 || !field.text().is_empty() {
            errors.push(field.forbidden("may not be set for ExternalName services"));
        }
    }
    let name = spec.field("externalName");
    match name.text().strip_suffix('.').unwrap_or(name.text()) {
        "" => errors.push(name.required("")),
        text => {
            let wrong = names::subdomain(text).into_iter();
            errors.extend(wrong.map(|why| FieldError::invalid(name.path(), &json!(text), &why)));
        }
    }
    errors
}
