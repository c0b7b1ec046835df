//! What the Pods of a StatefulSet look like.

use k8s_openapi::{
    api::{
        apps::v1::StatefulSet,
        core::v1::{Pod, PodTemplateSpec},
    },
    apimachinery::pkg::apis::meta::v1::OwnerReference,
    jiff::Timestamp,
};
use kube::{Resource, ResourceExt, api::ObjectMeta};

/// The label with the name of a Pod's revision.
pub(super) const REVISION: &str = "controller-revision-hash";

/// The Pod of `set` with this ordinal, from the template of `revision`.
pub(super) fn make(
    set: &StatefulSet,
    template: &PodTemplateSpec,
    revision: &str,
    ordinal: i32,
) -> Pod {
    let name = format!("{}-{ordinal}", set.name_any());
    let of_template = template.metadata.clone().unwrap_or_default();
    let mut labels = of_template.labels.unwrap_or_default();
    labels.insert("statefulset.kubernetes.io/pod-name".into(), name.clone());
    labels.insert("apps.kubernetes.io/pod-index".into(), ordinal.to_string());
    labels.insert(REVISION.into(), revision.to_owned());
    let mut spec = template.spec.clone().unwrap_or_default();
    spec.hostname = Some(name.clone());
    let service = set.spec.service_name.clone();
    spec.subdomain = service.filter(|service| !service.is_empty());
    Pod {
        metadata: ObjectMeta {
            generate_name: Some(format!("{}-", set.name_any())),
            name: Some(name),
            namespace: set.namespace(),
            labels: Some(labels),
            annotations: of_template.annotations,
            finalizers: of_template.finalizers,
            owner_references: Some(owners(set)),
            ..ObjectMeta::default()
        },
        spec: Some(spec),
        status: None,
    }
}

/// What makes an object one of `set`.
pub(super) fn owners(set: &StatefulSet) -> Vec<OwnerReference> {
    let mut owner = set.controller_owner_ref(&()).unwrap_or_default();
    owner.block_owner_deletion = Some(true);
    vec![owner]
}

/// Which one of `set` the Pod is; `None` when its name is another's.
pub(super) fn ordinal(set: &StatefulSet, pod: &Pod) -> Option<i32> {
    let name = pod.metadata.name.as_deref()?;
    let number = name.strip_prefix(&set.name_any())?.strip_prefix('-')?;
    let ordinal: i32 = number.parse().ok()?;
    (ordinal.to_string() == number).then_some(ordinal)
}

pub(super) fn revision(pod: &Pod) -> Option<&str> {
    pod.labels().get(REVISION).map(String::as_str)
}

pub(super) fn is_terminating(pod: &Pod) -> bool {
    pod.metadata.deletion_timestamp.is_some()
}

/// Whether it has ended and is not started again.
pub(super) fn is_over(pod: &Pod) -> bool {
    matches!(phase(pod), "Succeeded" | "Failed")
}

pub(super) fn is_ready(pod: &Pod) -> bool {
    phase(pod) == "Running" && ready_since(pod).is_some()
}

/// Since when it is ready; `None` when it is not.
pub(super) fn ready_since(pod: &Pod) -> Option<Timestamp> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    let ready = conditions
        .iter()
        .find(|condition| condition.type_ == "Ready" && condition.status == "True")?;
    let since = ready.last_transition_time.as_ref();
    Some(since.map_or(Timestamp::UNIX_EPOCH, |time| time.0))
}

fn phase(pod: &Pod) -> &str {
    let status = pod.status.as_ref();
    status
        .and_then(|status| status.phase.as_deref())
        .unwrap_or_default()
}
