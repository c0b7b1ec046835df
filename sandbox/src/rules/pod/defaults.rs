//! What a spec of a Pod starts with, be it a Pod's own or that of a template.

use serde_json::{Value, json};

use crate::rules::fill::{at, items, missing, part, zero};

/// The mode of files in volumes: 0644.
const FILE_MODE: i32 = 0o644;

/// How long a token in a volume is valid, in seconds.
const TOKEN_LIFETIME: i32 = 3600;

const CONTAINERS: [&str; 3] = ["containers", "initContainers", "ephemeralContainers"];

/// Fills in what both Pods and templates start with.
pub(crate) fn default_spec(spec: &mut Value) {
    zero(spec, "dnsPolicy", "ClusterFirst");
    zero(spec, "restartPolicy", "Always");
    zero(spec, "schedulerName", "default-scheduler");
    missing(spec, "terminationGracePeriodSeconds", 30);
    missing(spec, "securityContext", json!({}));
    same_account(spec);
    for list in CONTAINERS {
        items(spec, list).for_each(default_container);
    }
    items(spec, "volumes").for_each(default_volume);
    if spec["hostNetwork"] == json!(true) {
        for list in ["containers", "initContainers"] {
            for port in items(spec, list).flat_map(|container| items(container, "ports")) {
                let number = port["containerPort"].clone();
                zero(port, "hostPort", number);
            }
        }
    }
}

/// Fills in what Pods start with beyond that.
pub(crate) fn default_pod(pod: &mut Value) {
    if let Some(status) = at(pod, "status") {
        same_address(status);
    }
    let Some(spec) = part(pod, "spec") else {
        return;
    };
    default_spec(spec);
    missing(spec, "enableServiceLinks", true);
    for list in ["containers", "initContainers"] {
        for container in items(spec, list) {
            let limits = container["resources"]["limits"].as_object().cloned();
            for (name, limit) in limits.into_iter().flatten() {
                if let Some(requests) = part(&mut container["resources"], "requests") {
                    missing(requests, &name, limit);
                }
            }
        }
    }
}

/// The first address has a field of its own, which is believed when they differ.
fn same_address(status: &mut Value) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (address, first) = (text(&status["podIP"]), text(&status["podIPs"][0]["ip"]));
    if address.is_empty() && !first.is_empty() {
        status["podIP"] = first.into();
    } else if address != first {
        status["podIPs"] = json!([{"ip": address}]);
    }
}

/// The service account has two names, of which the older one is still served.
fn same_account(spec: &mut Value) {
    let name = |field: &str| spec[field].as_str().filter(|name| !name.is_empty());
    let account = name("serviceAccountName").or_else(|| name("serviceAccount"));
    if let Some(account) = account.map(str::to_owned) {
        spec["serviceAccountName"] = json!(account);
        spec["serviceAccount"] = json!(account);
    }
}

fn default_container(container: &mut Value) {
    let image = container["image"].as_str().unwrap_or_default();
    zero(container, "imagePullPolicy", pull_policy(image));
    zero(container, "terminationMessagePath", "/dev/termination-log");
    zero(container, "terminationMessagePolicy", "File");
    missing(container, "resources", json!({}));
    for port in items(container, "ports") {
        zero(port, "protocol", "TCP");
    }
    for variable in items(container, "env") {
        // A value that is empty is none.
        if variable["value"] == json!("")
            && let Some(fields) = variable.as_object_mut()
        {
            fields.remove("value");
        }
        if let Some(source) = at(variable, "valueFrom").and_then(|from| at(from, "fieldRef")) {
            zero(source, "apiVersion", "v1");
        }
    }
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
        let Some(probe) = at(container, probe) else {
            continue;
        };
        zero(probe, "timeoutSeconds", 1);
        zero(probe, "periodSeconds", 10);
        zero(probe, "successThreshold", 1);
        zero(probe, "failureThreshold", 3);
        default_handler(probe);
    }
    for hook in ["postStart", "preStop"] {
        if let Some(hook) = at(container, "lifecycle").and_then(|lifecycle| at(lifecycle, hook)) {
            default_handler(hook);
        }
    }
}

fn default_handler(handler: &mut Value) {
    if let Some(get) = at(handler, "httpGet") {
        zero(get, "path", "/");
        zero(get, "scheme", "HTTP");
    }
    if let Some(call) = at(handler, "grpc") {
        missing(call, "service", "");
    }
}

fn default_volume(volume: &mut Value) {
    let sources = volume.as_object().into_iter().flatten();
    if sources
        .filter(|(key, source)| *key != "name" && !source.is_null())
        .count()
        == 0
    {
        missing(volume, "emptyDir", json!({}));
    }
    for source in ["configMap", "secret", "downwardAPI", "projected"] {
        if let Some(source) = at(volume, source) {
            missing(source, "defaultMode", FILE_MODE);
        }
    }
    if let Some(source) = at(volume, "downwardAPI") {
        default_files(source);
    }
    if let Some(source) = at(volume, "projected") {
        for source in items(source, "sources") {
            if let Some(token) = at(source, "serviceAccountToken") {
                missing(token, "expirationSeconds", TOKEN_LIFETIME);
            }
            if let Some(source) = at(source, "downwardAPI") {
                default_files(source);
            }
        }
    }
    if let Some(path) = at(volume, "hostPath") {
        missing(path, "type", "");
    }
    if let Some(image) = at(volume, "image") {
        let reference = image["reference"].as_str().unwrap_or_default();
        zero(image, "pullPolicy", pull_policy(reference));
    }
    if let Some(claim) =
        at(volume, "ephemeral").and_then(|source| at(source, "volumeClaimTemplate"))
    {
        missing(claim, "metadata", json!({}));
        if let Some(spec) = at(claim, "spec") {
            missing(spec, "volumeMode", "Filesystem");
        }
    }
}

fn default_files(source: &mut Value) {
    for file in items(source, "items") {
        if let Some(field) = at(file, "fieldRef") {
            zero(field, "apiVersion", "v1");
        }
    }
}

/// An image without a tag is the latest one, and what is the latest changes.
fn pull_policy(image: &str) -> &'static str {
    let (name, digest) = match image.split_once('@') {
        Some((name, _)) => (name, true),
        None => (image, false),
    };
    let last = name.rsplit('/').next().unwrap_or_default();
    match last.split_once(':') {
        Some((_, "latest")) => "Always",
        None if !digest && !image.is_empty() => "Always",
        _ => "IfNotPresent",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_that_may_change_are_pulled_always() {
        for (image, expected) in [
            ("busybox", "Always"),
            ("busybox:latest", "Always"),
            ("busybox:latest@sha256:00", "Always"),
            ("busybox@sha256:00", "IfNotPresent"),
            ("busybox:1", "IfNotPresent"),
            ("registry:5000/busybox", "Always"),
            ("registry:5000/busybox:1", "IfNotPresent"),
            ("", "IfNotPresent"),
        ] {
            assert_eq!(pull_policy(image), expected, "{image}");
        }
    }

    #[test]
    fn requests_follow_from_limits() {
        let mut pod = json!({"spec": {"containers": [
            {"name": "c", "image": "x", "resources": {"limits": {"cpu": "1", "memory": "2"}, "requests": {"cpu": "500m"}}},
        ]}});
        default_pod(&mut pod);
        let requests = &pod["spec"]["containers"][0]["resources"]["requests"];
        assert_eq!(*requests, json!({"cpu": "500m", "memory": "2"}));
    }
}
