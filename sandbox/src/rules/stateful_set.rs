//! `StatefulSets`, and the revisions of their templates.

use serde_json::{Value, json};

use super::{amount, at::At, fill, names, workload};
use crate::status::FieldError;

/// What may change in a spec.
const CHANGEABLE: [&str; 7] = [
    "replicas",
    "template",
    "updateStrategy",
    "minReadySeconds",
    "ordinals",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
];

// === StatefulSet ===

pub(crate) fn default_stateful_set(new: &mut Value) {
    workload::default_template(new);
    let Some(spec) = fill::part(new, "spec") else {
        return;
    };
    fill::zero(spec, "podManagementPolicy", "OrderedReady");
    fill::missing(spec, "replicas", 1);
    fill::missing(spec, "revisionHistoryLimit", 10);
    fill::missing(spec, "serviceName", "");
    if let Some(strategy) = fill::part(spec, "updateStrategy") {
        if strategy["type"].as_str().unwrap_or_default().is_empty() {
            fill::zero(strategy, "type", "RollingUpdate");
            fill::missing(strategy, "rollingUpdate", json!({}));
        }
        if strategy["type"] == "RollingUpdate"
            && let Some(rolling) = fill::at(strategy, "rollingUpdate")
        {
            fill::missing(rolling, "partition", 0);
        }
    }
    if let Some(policy) = fill::part(spec, "persistentVolumeClaimRetentionPolicy") {
        fill::zero(policy, "whenDeleted", "Retain");
        fill::zero(policy, "whenScaled", "Retain");
    }
    for claim in fill::items(spec, "volumeClaimTemplates") {
        fill::zero(claim, "apiVersion", "v1");
        fill::zero(claim, "kind", "PersistentVolumeClaim");
        if let Some(spec) = fill::part(claim, "spec") {
            fill::missing(spec, "volumeMode", "Filesystem");
        }
        if let Some(status) = fill::part(claim, "status") {
            fill::zero(status, "phase", "Pending");
        }
    }
}

pub(crate) fn prepare_stateful_set(new: &mut Value, old: Option<&Value>) {
    if old.is_none() {
        new["status"] = json!({"replicas": 0, "availableReplicas": 0});
    }
}

pub(crate) fn validate_stateful_set(new: &Value, old: Option<&Value>) -> Vec<FieldError> {
    let spec = At::root(new).field("spec");
    let mut errors = check_spec(&spec, old.is_some());
    let Some(old) = old else {
        return errors;
    };
    let fixed = |spec: &Value| {
        let mut spec = spec.clone();
        for field in CHANGEABLE {
            spec[field] = Value::Null;
        }
        spec
    };
    if fixed(spec.value()) != fixed(&old["spec"]) {
        let why = "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', \
                   'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and \
                   'minReadySeconds' are forbidden";
        errors.push(spec.forbidden(why));
    }
    errors.extend(workload::counts(
        &At::root(new).field("status"),
        &[
            "replicas",
            "readyReplicas",
            "currentReplicas",
            "updatedReplicas",
            "availableReplicas",
        ],
        &[
            ("readyReplicas", "replicas"),
            ("currentReplicas", "replicas"),
            ("updatedReplicas", "replicas"),
            ("availableReplicas", "replicas"),
            ("availableReplicas", "readyReplicas"),
        ],
    ));
    errors
}

fn check_spec(spec: &At<'_>, exists: bool) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let policy = spec.field("podManagementPolicy");
    if !matches!(policy.text(), "OrderedReady" | "Parallel") {
        errors.push(policy.invalid("must be 'OrderedReady' or 'Parallel'"));
    }
    errors.extend(strategy(&spec.field("updateStrategy")));
    for field in ["whenDeleted", "whenScaled"] {
        let policy = spec
            .field("persistentVolumeClaimRetentionPolicy")
            .field(field);
        errors.extend(policy.one_of(&["Retain", "Delete"]));
    }
    errors.extend(spec.field("replicas").not_negative());
    errors.extend(spec.field("minReadySeconds").not_negative());
    errors.extend(spec.field("ordinals").field("start").not_negative());
    let service = spec.field("serviceName");
    if !exists && !service.text().is_empty() {
        errors.extend(service.misformed(names::label(service.text())));
    }
    errors.extend(workload::selector(spec, "statefulset"));
    let with_claims = with_claims(spec.value());
    let checked = At::root(&with_claims).renamed(spec.path());
    errors.extend(workload::template(&checked, ""));
    // The API server looks at them twice.
    errors.extend(workload::tags(&spec.field("template")));
    errors.extend(workload::endless(spec, "StatefulSet"));
    errors
}

/// The spec with a volume for each claim, and without what the controller sets in each Pod.
fn with_claims(spec: &Value) -> Value {
    let mut with = spec.clone();
    let claims: Vec<_> = At::root(spec)
        .field("volumeClaimTemplates")
        .items()
        .map(|claim| claim.field("metadata").field("name").value().clone())
        .collect();
    let Some(pod) = fill::at(&mut with, "template").and_then(|template| fill::at(template, "spec"))
    else {
        return with;
    };
    if let Some(fields) = pod.as_object_mut() {
        fields.remove("hostname");
        fields.remove("subdomain");
    }
    if claims.is_empty() {
        return with;
    }
    fill::missing(pod, "volumes", json!([]));
    if let Some(volumes) = pod["volumes"].as_array_mut() {
        volumes.retain(|volume| !claims.contains(&volume["name"]));
        volumes.extend(
            claims
                .iter()
                .map(|name| json!({"name": name, "persistentVolumeClaim": {"claimName": name}})),
        );
    }
    with
}

fn strategy(strategy: &At<'_>) -> Vec<FieldError> {
    let rolling = strategy.field("rollingUpdate");
    let shown = |value: &At<'_>| {
        let fields = ["partition", "maxUnavailable"].map(|field| {
            let (first, rest) = field.split_at(1);
            format!(
                "\"{}{rest}\":{}",
                first.to_uppercase(),
                value.field(field).value()
            )
        });
        format!("{{{}}}", fields.join(","))
    };
    match strategy.field("type").text() {
        "RollingUpdate" => {
            let mut errors: Vec<_> = rolling
                .field("partition")
                .not_negative()
                .into_iter()
                .collect();
            errors.extend(amount::not_negative(&rolling.field("maxUnavailable")));
            errors.extend(amount::at_most_all(&rolling.field("maxUnavailable")));
            errors
        }
        "OnDelete" if rolling.is_set() => {
            let why = "only allowed for updateStrategy 'RollingUpdate'";
            vec![FieldError::invalid_form(
                rolling.path(),
                &shown(&rolling),
                why,
            )]
        }
        "OnDelete" => Vec::new(),
        kind => {
            let kind = json!(kind);
            let rolling = if rolling.is_set() {
                shown(&rolling)
            } else {
                "null".to_owned()
            };
            let form = format!("{{\"Type\":{kind},\"RollingUpdate\":{rolling}}}");
            let why = "must be 'RollingUpdate' or 'OnDelete'";
            vec![FieldError::invalid_form(strategy.path(), &form, why)]
        }
    }
}

// === ControllerRevision ===

pub(crate) fn validate_controller_revision(new: &Value, old: Option<&Value>) -> Vec<FieldError> {
    let root = At::root(new);
    let mut errors = Vec::new();
    let (revision, data) = (root.field("revision"), root.field("data"));
    errors.extend(revision.not_negative());
    if !data.is_set() {
        errors.push(data.required("data is mandatory"));
    }
    if let Some(old) = old {
        errors.extend(data.unchanged(&At::root(old).field("data")));
    }
    errors
}
