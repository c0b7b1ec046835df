//! The history of a StatefulSet's template, which `kubectl rollout history` and `undo` read.

use k8s_openapi::{
    api::{
        apps::v1::{ControllerRevision, StatefulSet},
        core::v1::PodTemplateSpec,
    },
    apimachinery::pkg::runtime::RawExtension,
};
use kube::{
    ResourceExt,
    api::{DeleteParams, ListParams, ObjectMeta, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};
use xxhash_rust::xxh3::xxh3_64;

use super::{Cluster, Failure, controller_of, failed, pods, selector_of};

/// The two templates that Pods are made from.
#[derive(Debug)]
pub(super) struct History {
    /// The one before the update that is going on; the same as `update` when none is.
    pub(super) current: Revision,
    pub(super) update: Revision,
    /// How often two templates had the same hash.
    pub(super) collisions: i32,
}

#[derive(Clone, Debug)]
pub(super) struct Revision {
    pub(super) name: String,
    pub(super) template: PodTemplateSpec,
}

// === impl Revision ===

impl From<&ControllerRevision> for Revision {
    fn from(stored: &ControllerRevision) -> Self {
        let template = stored.data.0.pointer("/spec/template");
        Self {
            name: stored.name_any(),
            template: template
                .and_then(|template| serde_json::from_value(template.clone()).ok())
                .unwrap_or_default(),
        }
    }
}

// === impl Cluster ===

impl Cluster {
    /// Records the template of `set` unless it is known.
    pub(super) async fn history(&self, set: &StatefulSet) -> Result<History, Failure> {
        let params = ListParams::default().labels(&selector_of(set));
        let listed = self.revisions.list(&params).await;
        let listed =
            listed.map_err(|error| failed("list the ControllerRevisions".into(), error))?;
        let mut known: Vec<_> = listed
            .into_iter()
            .filter(|revision| controller_of(revision) == set.metadata.uid.as_deref())
            .collect();
        known.sort_by_key(|revision| revision.revision);
        let status = set.status.clone().unwrap_or_default();
        let mut collisions = status.collision_count.unwrap_or(0);
        let data = data_of(set);
        let newest = known
            .last()
            .and_then(|revision| revision.revision)
            .unwrap_or(0);
        let same = |revision: &&ControllerRevision| revision.data.0 == data;
        let update = match known.iter().rfind(same) {
            Some(revision) if revision.revision == Some(newest) => revision.clone(),
            // An old template is the newest again.
            Some(revision) => self.renumber(revision, newest + 1).await?,
            None => self.record(set, data, newest + 1, &mut collisions).await?,
        };
        let current = status.current_revision.as_deref();
        let current = known
            .iter()
            .find(|revision| Some(revision.name_any().as_str()) == current)
            .map_or_else(|| Revision::from(&update), Revision::from);
        let update = Revision::from(&update);
        self.forget(set, &known, &[&current.name, &update.name])
            .await?;
        Ok(History {
            current,
            update,
            collisions,
        })
    }

    async fn renumber(
        &self,
        revision: &ControllerRevision,
        number: i64,
    ) -> Result<ControllerRevision, Failure> {
        let name = revision.name_any();
        let patch = Patch::Merge(json!({"revision": number}));
        self.revisions
            .patch(&name, &PatchParams::default(), &patch)
            .await
            .map_err(|error| failed(format!("renumber the ControllerRevision {name}"), error))
    }

    async fn record(
        &self,
        set: &StatefulSet,
        data: Value,
        number: i64,
        collisions: &mut i32,
    ) -> Result<ControllerRevision, Failure> {
        let template = set.spec.template.metadata.as_ref();
        let labels = template.and_then(|meta| meta.labels.clone());
        loop {
            let hash = xxh3_64(format!("{data}{collisions}").as_bytes()) & 0xff_ffff_ffff;
            let name = format!("{}-{hash:010x}", set.name_any());
            let revision = ControllerRevision {
                metadata: ObjectMeta {
                    name: Some(name.clone()),
                    namespace: set.namespace(),
                    labels: labels.clone(),
                    owner_references: Some(pods::owners(set)),
                    ..ObjectMeta::default()
                },
                data: RawExtension(data.clone()),
                revision: Some(number),
            };
            let created = self
                .revisions
                .create(&PostParams::default(), &revision)
                .await;
            match created {
                Err(kube::Error::Api(status)) if status.is_already_exists() => *collisions += 1,
                other => {
                    return other.map_err(|error| {
                        failed(format!("create the ControllerRevision {name}"), error)
                    });
                }
            }
        }
    }

    /// Deletes the oldest of those that nobody uses, beyond the limit of the history.
    async fn forget(
        &self,
        set: &StatefulSet,
        known: &[ControllerRevision],
        used: &[&String],
    ) -> Result<(), Failure> {
        let limit = set.spec.revision_history_limit;
        let limit = usize::try_from(limit.unwrap_or(10)).unwrap_or(0);
        let unused: Vec<_> = known
            .iter()
            .map(ResourceExt::name_any)
            .filter(|name| !used.contains(&name))
            .collect();
        for name in unused.iter().take(unused.len().saturating_sub(limit)) {
            match self.revisions.delete(name, &DeleteParams::default()).await {
                Err(kube::Error::Api(status)) if status.is_not_found() => {}
                Err(error) => {
                    return Err(failed(
                        format!("delete the ControllerRevision {name}"),
                        error,
                    ));
                }
                Ok(_) => {}
            }
        }
        Ok(())
    }
}

/// What is recorded: a patch that brings the template back.
fn data_of(set: &StatefulSet) -> Value {
    let mut template = serde_json::to_value(&set.spec.template).unwrap_or_default();
    template["$patch"] = "replace".into();
    json!({"spec": {"template": template}})
}
