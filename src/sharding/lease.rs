//! Leases on the wire: the only place that speaks `coordination.k8s.io`.
//!
//! Names, labels and the weight's annotation are those of multicluster-runtime (Go); ours stand beside them.

mod stored;
pub(crate) mod watch;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::{MicroTime, OwnerReference},
};
use kube::{
    Api, Client,
    api::{DeleteParams, ObjectMeta, PostParams, Preconditions},
    core::Status,
};

use super::{
    cost::Cost,
    names,
    record::{Answer, Content, Foreign, Marks, Pod, Record, Request},
};
use crate::error::Report;
use stored::StoredLease;

mod key {
    pub(super) const INCARNATION: &str = "multicluster.rs/incarnation";
    pub(super) const CLUSTER: &str = "multicluster.rs/cluster";
    pub(super) const RENEW_TIME: &str = "multicluster.rs/renew-time";
    pub(super) const SESSION: &str = "multicluster.rs/session";
    pub(super) const POD_UID: &str = "multicluster.rs/pod-uid";
    pub(super) const NETNS: &str = "multicluster.rs/netns";
    pub(super) const DRAINING: &str = "multicluster.rs/draining";
    pub(super) const PLACEMENT: &str = "multicluster.rs/placement";
    pub(super) const COST: &str = "multicluster.rs/cost";
    pub(super) const WEIGHT: &str = "mcr.sigs.k8s.io/weight";
    pub(super) const PART_OF: &str = "app.kubernetes.io/part-of";
    pub(super) const PEER: &str = "mcr.sigs.k8s.io/peer";
    pub(super) const PREFIX: &str = "mcr.sigs.k8s.io/prefix";

    /// Everything under it is ours, also what later versions write.
    pub(super) const OURS: &str = "multicluster.rs/";
    pub(super) const LABELS: [&str; 3] = [PART_OF, PEER, PREFIX];
}

/// The Leases of one namespace.
#[derive(Clone, Debug)]
pub(crate) struct LeaseApi {
    api: Api<StoredLease>,
    namespace: String,
    /// The namespace and the server, for messages.
    place: String,
    peer_prefix: String,
    timeout: Duration,
    /// What every Lease depends on.
    owner: Option<OwnerReference>,
}

// === impl LeaseApi ===

impl LeaseApi {
    /// Every request is given up after `timeout`; `server` is named in messages.
    pub(crate) fn new(
        client: Client,
        server: Option<&str>,
        namespace: &str,
        peer_prefix: &str,
        timeout: Duration,
    ) -> Self {
        let place = match server {
            Some(server) => format!("{namespace} at {server}"),
            None => namespace.to_owned(),
        };
        Self {
            place,
            api: Api::namespaced(client, namespace),
            namespace: namespace.to_owned(),
            peer_prefix: peer_prefix.to_owned(),
            timeout,
            owner: None,
        }
    }

    /// Whatever is written depends on `owner`.
    pub(crate) fn owned_by(self, owner: Option<OwnerReference>) -> Self {
        Self { owner, ..self }
    }

    /// Sends one request; every failure is an answer too.
    pub(crate) async fn send(&self, name: &str, request: Request) -> Answer {
        let verb = match &request {
            Request::Get => "get",
            Request::Create(_) => "create",
            Request::Replace { .. } => "update",
            Request::Delete { .. } => "delete",
        };
        let step = format!("{verb} the Lease {}/{name}", self.namespace);
        match tokio::time::timeout(self.timeout, self.perform(name, request)).await {
            Ok(Ok(Some(lease))) => match record(&lease) {
                Some(record) => Answer::Record(Arc::new(record)),
                None => Answer::Unknown(format!("{step}: the answer has no resourceVersion")),
            },
            Ok(Ok(None)) => Answer::Deleted,
            Ok(Err(error)) => answer(&step, verb, &error),
            Err(_) => Answer::Unknown(format!("{step}: no answer within {:?}", self.timeout)),
        }
    }

    async fn perform(&self, name: &str, request: Request) -> kube::Result<Option<Lease>> {
        let params = PostParams::default();
        match request {
            Request::Get => self.api.get(name).await.map(|lease| Some(lease.0)),
            Request::Create(content) => {
                let lease = self.lease(name, *content, Foreign::default());
                self.api
                    .create(&params, &StoredLease(lease))
                    .await
                    .map(|lease| Some(lease.0))
            }
            Request::Replace {
                uid,
                version,
                content,
                foreign,
            } => {
                let mut lease = self.lease(name, *content, Arc::unwrap_or_clone(foreign));
                lease.metadata.uid = Some(uid.to_string());
                lease.metadata.resource_version = Some(version.to_string());
                self.api
                    .replace(name, &params, &StoredLease(lease))
                    .await
                    .map(|lease| Some(lease.0))
            }
            Request::Delete { uid, version } => {
                let params = DeleteParams::default().preconditions(Preconditions {
                    uid: Some(uid.to_string()),
                    resource_version: Some(version.to_string()),
                });
                self.api.delete(name, &params).await.map(|_| None)
            }
        }
    }

    fn lease(&self, name: &str, content: Content, foreign: Foreign) -> Lease {
        let Foreign {
            mut labels,
            mut annotations,
        } = foreign;
        // Go peers find each other by labels; their fences carry none.
        if content.marks.placement.is_some() {
            let peer = names::under(&self.peer_prefix, name).unwrap_or(name);
            for (label, value) in [
                (key::PART_OF, "multicluster-runtime"),
                (key::PEER, peer),
                (key::PREFIX, &self.peer_prefix),
            ] {
                labels.insert(label.to_owned(), value.to_owned());
            }
        }
        annotations.extend(annotate(content.marks));
        let time = MicroTime(Timestamp::from_microsecond(content.renew_time).unwrap_or_default());
        Lease {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                namespace: Some(self.namespace.clone()),
                labels: Some(labels).filter(|labels| !labels.is_empty()),
                annotations: Some(annotations),
                owner_references: self.owner.clone().map(|owner| vec![owner]),
                ..ObjectMeta::default()
            },
            spec: Some(LeaseSpec {
                holder_identity: Some(content.holder.to_string()),
                lease_duration_seconds: i32::try_from(content.duration.as_secs()).ok(),
                lease_transitions: Some(content.transitions),
                renew_time: Some(time),
                ..LeaseSpec::default()
            }),
        }
    }
}

/// Reads a Lease; `None` when it has no identity or version, as no API server answers.
pub(crate) fn record(lease: &Lease) -> Option<Record> {
    let spec = lease.spec.clone().unwrap_or_default();
    let marks = lease.metadata.annotations.as_ref().map(marks);
    let foreign = Foreign {
        labels: kept(lease.metadata.labels.as_ref(), |label| {
            !key::LABELS.contains(&label)
        }),
        annotations: kept(lease.metadata.annotations.as_ref(), |annotation| {
            !annotation.starts_with(key::OURS) && annotation != key::WEIGHT
        }),
    };
    Some(Record {
        uid: lease.metadata.uid.as_deref()?.into(),
        version: lease.metadata.resource_version.as_ref()?.parse().ok()?,
        holder: spec
            .holder_identity
            .filter(|holder| !holder.is_empty())
            .map(Arc::from),
        transitions: spec.lease_transitions.unwrap_or(0),
        duration: spec
            .lease_duration_seconds
            .and_then(|seconds| u64::try_from(seconds).ok())
            .filter(|seconds| *seconds > 0)
            .map(Duration::from_secs),
        renew_time: spec.renew_time.map(|time| time.0.as_microsecond()),
        marks: marks.unwrap_or_default(),
        foreign: Arc::new(foreign),
    })
}

/// The foreign ones; a map from which all others were taken out would keep its memory.
fn kept(
    all: Option<&BTreeMap<String, String>>,
    is_foreign: impl Fn(&str) -> bool,
) -> BTreeMap<String, String> {
    let all = all.into_iter().flatten();
    all.filter(|(key, _)| is_foreign(key))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

fn marks(annotations: &BTreeMap<String, String>) -> Marks {
    let get = |key: &str| annotations.get(key);
    let text = |key: &str| get(key).map(|text| Arc::from(text.as_str()));
    Marks {
        incarnation: text(key::INCARNATION),
        renew_time: get(key::RENEW_TIME)
            .and_then(|time| time.parse::<Timestamp>().ok())
            .map(Timestamp::as_microsecond),
        cluster: text(key::CLUSTER),
        session: text(key::SESSION),
        cost: get(key::COST)
            .and_then(|units| units.parse().ok())
            .map(Cost::from_units),
        pod: text(key::POD_UID)
            .zip(text(key::NETNS))
            .map(|(uid, network)| Pod { uid, network }),
        draining: get(key::DRAINING).is_some(),
        placement: text(key::PLACEMENT),
        weight: get(key::WEIGHT).and_then(|weight| weight.parse().ok()),
    }
}

fn annotate(marks: Marks) -> impl Iterator<Item = (String, String)> {
    let (uid, network) = marks.pod.map(|pod| (pod.uid, pod.network)).unzip();
    let text = |mark: Option<Arc<str>>| mark.map(|mark| mark.to_string());
    let renew_time = marks
        .renew_time
        .and_then(|time| Timestamp::from_microsecond(time).ok())
        .map(|time| format!("{time:.6}"));
    [
        (key::INCARNATION, text(marks.incarnation)),
        (key::CLUSTER, text(marks.cluster)),
        (key::SESSION, text(marks.session)),
        (key::COST, marks.cost.map(|cost| cost.get().to_string())),
        (key::POD_UID, text(uid)),
        (key::NETNS, text(network)),
        (key::RENEW_TIME, renew_time),
        (key::DRAINING, marks.draining.then(|| "true".to_owned())),
        (key::PLACEMENT, text(marks.placement)),
        (key::WEIGHT, marks.weight.map(|weight| weight.to_string())),
    ]
    .into_iter()
    .filter_map(|(key, value)| Some((key.to_owned(), value?)))
}

/// What a failed request says about the Lease.
fn answer(step: &str, verb: &str, error: &kube::Error) -> Answer {
    let text = format!("{step}: {}", Report(error));
    let status: &Status = match error {
        kube::Error::Api(status) => status,
        kube::Error::BuildRequest(_) => return Answer::Refused(text),
        _ => return Answer::Unknown(text),
    };
    let text = format!("{step}: {} ({})", status.message, status.code);
    match (status.code, verb) {
        (404, "create") => Answer::Refused(format!(
            "{text}: is there such a namespace, and does the server have coordination.k8s.io/v1?"
        )),
        (404, _) => Answer::NotFound,
        (409, "create") => Answer::AlreadyExists,
        (409, _) => Answer::Conflict,
        (429, _) => {
            let seconds = status
                .details
                .as_ref()
                .map(|details| details.retry_after_seconds);
            Answer::Throttled(
                seconds
                    .filter(|seconds| *seconds > 0)
                    .map(|seconds| Duration::from_secs(seconds.into())),
            )
        }
        (400..=499, _) => Answer::Refused(text),
        _ => Answer::Unknown(text),
    }
}

#[cfg(test)]
mod tests;
