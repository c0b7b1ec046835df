//! A controller of StatefulSets, as kube-controller-manager runs one: an ordinary client of the API server.
//!
//! It makes Pods, ends those that are too many, replaces those of an old template, and keeps the StatefulSet's status and
//! its history of revisions. It knows nothing of volume claims.

mod plan;
mod pods;
mod revisions;

use std::{sync::Arc, time::Duration};

use futures_util::StreamExt;
use k8s_openapi::{
    api::{apps::v1::StatefulSet, core::v1::Pod},
    apimachinery::pkg::apis::meta::v1::LabelSelector,
    jiff::Timestamp,
};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams, Preconditions},
    runtime::{
        controller::{Action, Controller},
        watcher,
    },
};
use serde_json::json;

use plan::{Input, Step};

/// Why a StatefulSet is looked at again.
#[derive(Debug, thiserror::Error)]
#[error("cannot {step}")]
struct Failure {
    step: String,
    source: kube::Error,
}

/// The objects of one StatefulSet's namespace.
struct Cluster {
    sets: Api<StatefulSet>,
    pods: Api<Pod>,
    revisions: Api<k8s_openapi::api::apps::v1::ControllerRevision>,
}

/// Looks after all StatefulSets of the cluster until it is dropped.
pub(crate) async fn run(client: Client) {
    let all = watcher::Config::default;
    Controller::new(Api::<StatefulSet>::all(client.clone()), all())
        .owns(Api::<Pod>::all(client.clone()), all())
        .run(
            reconcile,
            |set, failure, _| again(&set, failure),
            Arc::new(client),
        )
        .for_each(|_| std::future::ready(()))
        .await;
}

fn again(set: &StatefulSet, failure: &Failure) -> Action {
    let cause = &failure.source;
    tracing::debug!(stateful_set = set.name_any(), %failure, %cause, "it is tried again");
    Action::requeue(Duration::from_millis(200))
}

async fn reconcile(seen: Arc<StatefulSet>, client: Arc<Client>) -> Result<Action, Failure> {
    let cluster = Cluster::new(&client, &seen.namespace().unwrap_or_default());
    // What was seen may be old by now, and would make too many Pods.
    let name = seen.name_any();
    let set = cluster.sets.get_opt(&name).await;
    let set = set.map_err(|error| failed(format!("get the StatefulSet {name}"), error))?;
    match set {
        Some(set) if set.uid() == seen.uid() => cluster.reconcile(&set).await,
        _ => Ok(Action::await_change()),
    }
}

// === impl Cluster ===

impl Cluster {
    fn new(client: &Client, namespace: &str) -> Self {
        Self {
            sets: Api::namespaced(client.clone(), namespace),
            pods: Api::namespaced(client.clone(), namespace),
            revisions: Api::namespaced(client.clone(), namespace),
        }
    }

    async fn reconcile(&self, set: &StatefulSet) -> Result<Action, Failure> {
        let history = self.history(set).await?;
        let pods = self.pods_of(set).await?;
        let input = Input {
            set,
            history: &history,
            pods: &pods,
            now: Timestamp::now(),
        };
        let plan = plan::plan(&input);
        for step in plan.steps {
            self.perform(step).await?;
        }
        if set.status.as_ref() != Some(&plan.status) {
            let name = set.name_any();
            // Of this very StatefulSet, and not of one that was made in its place.
            let patch = json!({"metadata": {"uid": set.uid()}, "status": plan.status});
            self.sets
                .patch_status(&name, &PatchParams::default(), &Patch::Merge(patch))
                .await
                .map_err(|error| failed(format!("report on the StatefulSet {name}"), error))?;
        }
        Ok(plan
            .again
            .map_or_else(Action::await_change, Action::requeue))
    }

    /// The Pods that belong to `set`; those of its name that belong to nobody are adopted.
    async fn pods_of(&self, set: &StatefulSet) -> Result<Vec<Pod>, Failure> {
        let params = ListParams::default().labels(&selector_of(set));
        let listed = self.pods.list(&params).await;
        let listed = listed.map_err(|error| failed("list the Pods".into(), error))?;
        let mut own = Vec::new();
        for pod in listed {
            match controller_of(&pod) {
                Some(uid) if Some(uid) == set.metadata.uid.as_deref() => own.push(pod),
                None if pods::ordinal(set, &pod).is_some() => {
                    own.extend(self.adopt(set, &pod).await?)
                }
                _ => {}
            }
        }
        Ok(own)
    }

    async fn adopt(&self, set: &StatefulSet, orphan: &Pod) -> Result<Option<Pod>, Failure> {
        let leaves = |meta: &kube::api::ObjectMeta| meta.deletion_timestamp.is_some();
        if leaves(set.meta()) || leaves(orphan.meta()) {
            return Ok(None);
        }
        let name = orphan.name_any();
        let patch =
            json!({"metadata": {"uid": orphan.uid(), "ownerReferences": pods::owners(set)}});
        self.pods
            .patch(&name, &PatchParams::default(), &Patch::Merge(patch))
            .await
            .map(Some)
            .map_err(|error| failed(format!("adopt the Pod {name}"), error))
    }

    async fn perform(&self, step: Step) -> Result<(), Failure> {
        match step {
            Step::Create(pod) => match self.pods.create(&PostParams::default(), &pod).await {
                Ok(_) => Ok(()),
                Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(()),
                Err(error) => {
                    tracing::warn!(pod = pod.name_any(), %error, "a Pod cannot be created");
                    Err(failed(format!("create the Pod {}", pod.name_any()), error))
                }
            },
            Step::Delete { name, uid } => {
                let params = DeleteParams::default().preconditions(Preconditions {
                    uid,
                    resource_version: None,
                });
                match self.pods.delete(&name, &params).await {
                    Ok(_) => Ok(()),
                    Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
                    Err(error) => Err(failed(format!("delete the Pod {name}"), error)),
                }
            }
        }
    }
}

/// The selector of `set` as the API server reads it.
fn selector_of(set: &StatefulSet) -> String {
    let LabelSelector {
        match_labels,
        match_expressions,
    } = set.spec.selector.clone();
    let labels = match_labels.unwrap_or_default();
    let labels = labels.iter().map(|(key, value)| format!("{key}={value}"));
    let expressions = match_expressions
        .unwrap_or_default()
        .into_iter()
        .map(|rule| {
            let values = rule.values.unwrap_or_default().join(",");
            match rule.operator.as_str() {
                "In" => format!("{} in ({values})", rule.key),
                "NotIn" => format!("{} notin ({values})", rule.key),
                "DoesNotExist" => format!("!{}", rule.key),
                _ => rule.key,
            }
        });
    labels.chain(expressions).collect::<Vec<_>>().join(",")
}

/// The UID of the controller that `object` belongs to.
fn controller_of(object: &impl Resource) -> Option<&str> {
    let owners = object.meta().owner_references.iter().flatten();
    owners
        .filter(|owner| owner.controller == Some(true))
        .map(|owner| owner.uid.as_str())
        .next()
}

fn failed(step: String, source: kube::Error) -> Failure {
    Failure { step, source }
}
