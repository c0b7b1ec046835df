//! The rules for the spec of a Pod as a whole.

use super::{containers, scheduling, volumes};
use crate::{
    rules::{at::At, metadata, names},
    status::FieldError,
};

/// Checks a spec, be it of a Pod or in a template.
pub(crate) fn check(spec: &At<'_>) -> Vec<FieldError> {
    let (volumes, mut errors) = volumes::check(&spec.field("volumes"));
    errors.extend(containers::check(spec, &volumes));
    errors.extend(host_network(spec));
    let restart = spec.field("restartPolicy");
    errors.extend(restart.required_one_of(&["Always", "OnFailure", "Never"]));
    let resolution = spec.field("dnsPolicy");
    let known = ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"];
    errors.extend(resolution.required_one_of(&known));
    errors.extend(metadata::labels(&spec.field("nodeSelector")));
    errors.extend(security(&spec.field("securityContext")));
    for gate in spec.field("readinessGates").items() {
        let condition = gate.field("conditionType");
        errors.extend(condition.misformed(names::qualified(condition.text())));
    }
    errors.extend(scheduling::gates(&spec.field("schedulingGates")));
    errors.extend(form(&spec.field("serviceAccountName"), names::subdomain));
    errors.extend(form(&spec.field("nodeName"), names::subdomain));
    let deadline = spec.field("activeDeadlineSeconds");
    if deadline.is_set() {
        errors.extend(in_range(&deadline, 1));
    }
    errors.extend(form(&spec.field("hostname"), names::label));
    errors.extend(form(&spec.field("subdomain"), names::label));
    errors.extend(scheduling::tolerations(&spec.field("tolerations")));
    errors.extend(form(&spec.field("priorityClassName"), names::subdomain));
    errors.extend(form(&spec.field("runtimeClassName"), names::subdomain));
    let preemption = spec.field("preemptionPolicy");
    if preemption.is_set() {
        errors.extend(preemption.required_one_of(&["PreemptLowerPriority", "Never"]));
    }
    errors
}

/// Who containers run as, in a Pod or in one container.
pub(super) fn users(context: &At<'_>, fields: &[&str]) -> Vec<FieldError> {
    let fields = fields.iter().map(|field| context.field(field));
    let set = fields.filter(At::is_set);
    set.flat_map(|field| in_range(&field, 0)).collect()
}

/// The profile of allowed system calls.
pub(super) fn system_calls(profile: &At<'_>) -> Option<FieldError> {
    if !profile.is_set() {
        return None;
    }
    let kind = profile.field("type");
    kind.one_of(&["Localhost", "RuntimeDefault", "Unconfined"])
}

fn security(context: &At<'_>) -> Vec<FieldError> {
    let mut errors = users(context, &["fsGroup", "runAsUser", "runAsGroup"]);
    for group in context.field("supplementalGroups").items() {
        errors.extend(in_range(&group, 0));
    }
    let change = context.field("fsGroupChangePolicy");
    if change.is_set() {
        errors.extend(change.one_of(&["Always", "OnRootMismatch"]));
    }
    errors.extend(system_calls(&context.field("seccompProfile")));
    errors
}

/// On the network of the Node, a port of a container is one of the Node.
fn host_network(spec: &At<'_>) -> Vec<FieldError> {
    if !spec.field("hostNetwork").is_true() {
        return Vec::new();
    }
    let mut errors = Vec::new();
    for container in spec.field("containers").items() {
        for port in container.field("ports").items() {
            let host = port.field("hostPort");
            if host.number() != port.field("containerPort").number() {
                let why = "must match `hostPort` when `hostNetwork` is true";
                errors.push(port.field("containerPort").invalid(why));
            }
        }
    }
    errors
}

fn in_range(number: &At<'_>, least: i64) -> Vec<FieldError> {
    let wrong = names::between(number.number(), least, i32::MAX.into());
    wrong.iter().map(|why| number.invalid(why)).collect()
}

/// A text that has a form when it is not empty.
fn form(text: &At<'_>, form: fn(&str) -> Vec<String>) -> Vec<FieldError> {
    match text.text() {
        "" => Vec::new(),
        value => text.misformed(form(value)).collect(),
    }
}
