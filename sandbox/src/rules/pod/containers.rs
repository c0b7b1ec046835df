//! The rules for containers.

use std::collections::HashSet;

use serde_json::json;

use super::{environment, probes, resources, spec};
use crate::{
    rules::{at::At, names},
    status::FieldError,
};

/// Checks the containers of a spec, whose volumes have these names.
pub(super) fn check(spec: &At<'_>, volumes: &HashSet<&str>) -> Vec<FieldError> {
    let list = spec.field("containers");
    if list.len() == 0 {
        let mut errors = vec![list.required("")];
        errors.extend(init_containers(spec, HashSet::new(), volumes));
        return errors;
    }
    let mut errors = Vec::new();
    let mut known = HashSet::new();
    for container in list.items() {
        errors.extend(common(&container, volumes));
        let name = container.field("name");
        if !known.insert(name.text()) {
            errors.push(duplicate(&name));
        }
        errors.extend(probes::check(&container));
        errors.extend(restart(&container));
    }
    errors.extend(host_ports(&list));
    errors.extend(init_containers(spec, known, volumes));
    errors
}

/// Init containers follow the others in what is checked, though they run before them.
fn init_containers<'a>(
    spec: &At<'a>,
    mut known: HashSet<&'a str>,
    volumes: &HashSet<&str>,
) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for container in spec.field("initContainers").items() {
        errors.extend(common(&container, volumes));
        errors.extend(restart(&container));
        let name = container.field("name");
        if known.contains(name.text()) {
            errors.push(duplicate(&name));
        } else if !name.text().is_empty() {
            known.insert(name.text());
        }
        if container.field("restartPolicy").text() == "Always" {
            errors.extend(probes::check(&container));
            continue;
        }
        for field in [
            "lifecycle",
            "livenessProbe",
            "readinessProbe",
            "startupProbe",
        ] {
            let field = container.field(field);
            if field.is_set() {
                let why = "may not be set for init containers without restartPolicy=Always";
                errors.push(field.forbidden(why));
            }
        }
    }
    errors
}

/// What all containers have in common.
fn common(container: &At<'_>, volumes: &HashSet<&str>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let name = container.field("name");
    if name.text().is_empty() {
        errors.push(name.required(""));
    } else {
        errors.extend(name.misformed(names::label(name.text())));
    }
    let image = container.field("image");
    if image.text().is_empty() {
        errors.push(image.required(""));
    }
    let message = container.field("terminationMessagePolicy");
    errors.extend(message.required_one_of(&["File", "FallbackToLogsOnError"]));
    errors.extend(ports(&container.field("ports")));
    errors.extend(environment::check(container));
    errors.extend(mounts(&container.field("volumeMounts"), volumes));
    let pull = container.field("imagePullPolicy");
    errors.extend(pull.required_one_of(&["Always", "IfNotPresent", "Never"]));
    errors.extend(resources::check(&container.field("resources")));
    errors.extend(security(&container.field("securityContext")));
    errors
}

fn ports(list: &At<'_>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut known = HashSet::new();
    for port in list.items() {
        let name = port.field("name");
        if !name.text().is_empty() {
            let wrong = names::port_name(name.text());
            if !wrong.is_empty() {
                errors.extend(name.misformed(wrong));
            } else if !known.insert(name.text()) {
                errors.push(name.duplicate());
            }
        }
        let number = port.field("containerPort");
        if number.number() == 0 {
            errors.push(number.required(""));
        }
        for number in [number, port.field("hostPort")] {
            if number.number() != 0 {
                let wrong = names::port_number(number.number());
                errors.extend(wrong.iter().map(|why| number.invalid(why)));
            }
        }
        let protocol = port.field("protocol");
        errors.extend(protocol.required_one_of(&["SCTP", "TCP", "UDP"]));
    }
    errors
}

/// No two containers have the same port of the Node.
fn host_ports(list: &At<'_>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut known = HashSet::new();
    for port in list.items().flat_map(|container| {
        let ports: Vec<_> = container.field("ports").items().collect();
        ports
    }) {
        let number = port.field("hostPort");
        if number.number() == 0 {
            continue;
        }
        let (protocol, address) = (port.field("protocol"), port.field("hostIP"));
        let all = format!("{}/{}/{}", protocol.text(), address.text(), number.number());
        if !known.insert(all.clone()) {
            errors.push(FieldError::duplicate(number.path(), &json!(all)));
        }
    }
    errors
}

fn mounts(list: &At<'_>, volumes: &HashSet<&str>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut known = HashSet::new();
    for mount in list.items() {
        let name = mount.field("name");
        if name.text().is_empty() {
            errors.push(name.required(""));
        }
        if !volumes.contains(name.text()) {
            errors.push(FieldError::not_found(name.path(), &json!(name.text())));
        }
        let path = mount.field("mountPath");
        if path.text().is_empty() {
            errors.push(path.required(""));
        }
        if !known.insert(path.text()) {
            errors.push(path.invalid_text("must be unique"));
        }
    }
    errors
}

fn restart(container: &At<'_>) -> Option<FieldError> {
    let policy = container.field("restartPolicy");
    if !policy.is_set() {
        return None;
    }
    policy.one_of(&["Always", "Never", "OnFailure"])
}

fn security(context: &At<'_>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let privileged = context.field("privileged");
    if privileged.is_true() {
        // kube-apiserver refuses these unless it is started with --allow-privileged.
        errors.push(privileged.forbidden("disallowed by cluster policy"));
    }
    errors.extend(spec::users(context, &["runAsUser", "runAsGroup"]));
    errors.extend(spec::system_calls(&context.field("seccompProfile")));
    errors
}

/// A name that another container has already; it may be missing.
fn duplicate(name: &At<'_>) -> FieldError {
    FieldError::duplicate(name.path(), &json!(name.text()))
}
