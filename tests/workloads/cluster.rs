//! An API server with the demo's objects, its controller and its kubelet.

use std::{path::Path, time::Duration};

use futures_util::StreamExt;
use k8s_openapi::api::{
    apps::v1::StatefulSet,
    core::v1::{ContainerStatus, Pod},
};
use kube::{
    Api, Client, ResourceExt,
    api::{ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams},
    core::GroupVersionKind,
    runtime::{WatchStreamExt, watcher},
};
use rustix::process::Signal;
use serde_json::Value;
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};
use tokio_util::task::AbortOnDropHandle;

use super::{
    fleet::{
        backend::{Backend, Server},
        eventually::eventually,
        program::program,
        replica::send,
    },
    kubelet::{Access, Image, Kubelet, Logs},
    stateful_set,
};

const NAMESPACE: &str = "mcr-demo";
const NAME: &str = "sharded-namespace";
const MANIFESTS: &str = include_str!("../../examples/sharded-namespace/manifests.yaml");

/// Everything that runs for a test.
pub(crate) struct Cluster {
    _server: Server,
    pods: Api<Pod>,
    sets: Api<StatefulSet>,
    controller: JoinHandle<()>,
    kubelet: JoinHandle<()>,
    stop: oneshot::Sender<()>,
}

/// The Pods that have ended.
pub(crate) struct Ended {
    uids: mpsc::UnboundedReceiver<String>,
    _watch: AbortOnDropHandle<()>,
}

// === impl Cluster ===

impl Cluster {
    /// Deploys the demo with an image.
    pub(crate) async fn start(backend: Backend, image: &str) -> Self {
        let server = backend.start(&[]).await;
        let client = server.admin.clone();
        let objects: Vec<Value> = serde_saphyr::from_multiple(MANIFESTS).expect("it is YAML");
        for mut object in objects {
            if object["kind"] == "StatefulSet" {
                object["spec"]["template"]["spec"]["containers"][0]["image"] = image.into();
            }
            create(&client, object).await;
        }
        let (stop, stopped) = oneshot::channel();
        let (url, ca) = server.address();
        let kubelet = Kubelet {
            node: "test".into(),
            image: Image {
                name: "mcr-namespace:dev".into(),
                program: program().to_owned(),
                args: vec!["--child".into()],
            },
            access: Access {
                server: url,
                ca: ca.map(Path::to_path_buf),
                folder: server.folder.path().to_owned(),
            },
            logs: Logs::default(),
            prefix: true,
        };
        let stopped = async { drop(stopped.await) };
        Self {
            _server: server,
            pods: Api::namespaced(client.clone(), NAMESPACE),
            sets: Api::namespaced(client.clone(), NAMESPACE),
            controller: tokio::spawn(stateful_set::run(client.clone())),
            kubelet: tokio::spawn(kubelet.run(client, stopped)),
            stop,
        }
    }

    /// Ends all containers.
    pub(crate) async fn stop(self) {
        self.controller.abort();
        let _ = self.stop.send(());
        tokio::time::timeout(Duration::from_secs(20), self.kubelet)
            .await
            .expect("all containers end")
            .expect("the kubelet does not panic");
    }

    pub(crate) async fn until<T>(
        &self,
        limit: Duration,
        what: &str,
        holds: impl AsyncFnMut() -> Result<T, String>,
    ) -> T {
        eventually(limit, what, holds).await
    }

    /// Waits until exactly the first `number` replicas are there and ready, as `kubectl rollout status` does.
    pub(crate) async fn ready(&self, number: i32) {
        let what = format!("{number} replicas are ready");
        eventually(Duration::from_secs(20), &what, async || {
            let set = self.set().await;
            let status = set.status.clone().unwrap_or_default();
            let names = self
                .list()
                .await
                .iter()
                .map(ResourceExt::name_any)
                .collect::<Vec<_>>();
            let wanted: Vec<_> = (0..number).map(|i| format!("{NAME}-{i}")).collect();
            let is_current = status.observed_generation == set.metadata.generation;
            let is_ready = status.ready_replicas == Some(number) && status.replicas == number;
            (names == wanted && is_current && is_ready)
                .then_some(())
                .ok_or_else(|| format!("{names:?} {status:?}"))
        })
        .await;
    }

    pub(crate) async fn scale(&self, number: i32) {
        let scale = serde_json::json!({"spec": {"replicas": number}});
        let patch = Patch::Merge(scale);
        self.sets
            .patch_scale(NAME, &PatchParams::default(), &patch)
            .await
            .expect("scale");
    }

    pub(crate) async fn patch(&self, patch: Value) {
        self.sets
            .patch(NAME, &PatchParams::default(), &Patch::Merge(patch))
            .await
            .expect("patch");
    }

    pub(crate) async fn set(&self) -> StatefulSet {
        self.sets.get(NAME).await.expect("the StatefulSet")
    }

    pub(crate) async fn uids(&self) -> Vec<String> {
        self.list()
            .await
            .iter()
            .filter_map(ResourceExt::uid)
            .collect()
    }

    async fn list(&self) -> Vec<Pod> {
        self.pods
            .list(&ListParams::default())
            .await
            .expect("the Pods")
            .items
    }

    pub(crate) async fn delete(&self, pod: &str) {
        self.pods
            .delete(pod, &DeleteParams::default())
            .await
            .expect("delete the Pod");
    }

    /// What is said of the Pod's container; nothing while there is none.
    pub(crate) async fn container(&self, pod: &str) -> ContainerStatus {
        let pod = self.pods.get_opt(pod).await.expect("the Pod");
        let status = pod.and_then(|pod| pod.status).unwrap_or_default();
        status
            .container_statuses
            .unwrap_or_default()
            .into_iter()
            .next()
            .unwrap_or_default()
    }

    /// SIGKILL.
    pub(crate) async fn kill(&self, pod: &str) {
        let id = self.container(pod).await.container_id.expect("it runs");
        let pid = id.trim_start_matches("process://").parse().expect("a pid");
        send(pid, Signal::KILL).expect("it runs");
    }

    /// Follows the Pods from now on.
    pub(crate) async fn watch(&self) -> Ended {
        let (sender, receiver) = mpsc::unbounded_channel();
        // Without a pause between attempts it would spin once the server is gone, and keep the runtime from ending.
        let mut events = watcher(self.pods.clone(), watcher::Config::default())
            .default_backoff()
            .boxed();
        // The list comes first.
        while !matches!(events.next().await, Some(Ok(watcher::Event::InitDone))) {}
        let watch = tokio::spawn(async move {
            while let Some(event) = events.next().await {
                if let Ok(watcher::Event::Delete(pod)) = event {
                    let _ = sender.send(pod.uid().unwrap_or_default());
                }
            }
        });
        Ended {
            uids: receiver,
            _watch: AbortOnDropHandle::new(watch),
        }
    }
}

// === impl Ended ===

impl Ended {
    /// Their UIDs, in the order of their ends.
    pub(crate) async fn ended(&mut self) -> Vec<String> {
        let mut all = Vec::new();
        let within = Duration::from_secs(1);
        while let Ok(Some(uid)) = tokio::time::timeout(within, self.uids.recv()).await {
            all.push(uid);
        }
        all
    }
}

async fn create(client: &Client, object: Value) {
    let object: DynamicObject = serde_json::from_value(object).expect("an object");
    let types = object.types.clone().expect("its kind");
    let kind = GroupVersionKind::try_from(types).expect("its kind");
    let resource = ApiResource::from_gvk(&kind);
    let api: Api<DynamicObject> = match object.namespace() {
        Some(namespace) => Api::namespaced_with(client.clone(), &namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    };
    api.create(&PostParams::default(), &object)
        .await
        .expect("create an object of the manifests");
}
