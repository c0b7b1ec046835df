//! A kubelet whose containers are processes of this program: an ordinary client of the API server.
//!
//! It binds Pods to its node, starts their containers, keeps their status and what they print, ends them gracefully when
//! they are deleted, and removes them at the end. It is its own scheduler, since there is one node.
//!
//! # Not done
//! Volumes, probes, init and ephemeral containers, limits of resources, security contexts, and environment variables from
//! ConfigMaps and Secrets. A container gets the credentials of its Pod's service account as a kubeconfig.

mod container;
mod credentials;
mod environment;
mod logs;
mod node;
mod status;
mod worker;

use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
    path::PathBuf,
    sync::Arc,
};

use futures_util::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, Client, ResourceExt,
    runtime::{WatchStreamExt, watcher, watcher::Event},
};
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub(crate) use self::{credentials::Access, logs::Logs};

/// The settings of a kubelet.
#[derive(Clone)]
pub(crate) struct Kubelet {
    /// The name of its node.
    pub(crate) node: String,
    /// The only image that it has.
    pub(crate) image: Image,
    /// How containers reach the API server.
    pub(crate) access: Access,
    pub(crate) logs: Logs,
    /// Whether the name of the Pod stands before each line on the terminal.
    pub(crate) prefix: bool,
}

/// What an image's name stands for.
#[derive(Clone, Debug)]
pub(crate) struct Image {
    pub(crate) name: String,
    pub(crate) program: PathBuf,
    /// What comes before the arguments of the container, besides `--kubeconfig`.
    pub(crate) args: Vec<String>,
}

/// What all Pods share.
struct Node {
    settings: Kubelet,
    client: Client,
    /// All containers shall end; their Pods stay.
    stop: CancellationToken,
}

/// The newest version of a Pod; `None` when it is gone.
type Seen = Option<Arc<Pod>>;

/// The Pods that are looked after, by their UIDs.
#[derive(Default)]
struct Workers {
    pods: BTreeMap<String, watch::Sender<Seen>>,
    tasks: TaskTracker,
}

// === impl Kubelet ===

impl Kubelet {
    /// Runs Pods until `stop`; then ends their containers gracefully, and returns when they have ended.
    pub(crate) async fn run(self, client: Client, stop: impl Future<Output = ()>) {
        let node = Arc::new(Node {
            settings: self,
            client: client.clone(),
            stop: CancellationToken::new(),
        });
        node::register(&client, &node.settings.node).await;
        let pods = watcher(Api::<Pod>::all(client), watcher::Config::default());
        let mut events = std::pin::pin!(pods.default_backoff());
        let mut stop = std::pin::pin!(stop);
        let mut workers = Workers::default();
        let mut listed = BTreeSet::new();
        loop {
            let event = tokio::select! {
                () = &mut stop => break,
                Some(event) = events.next() => event,
            };
            match event {
                Ok(Event::Init) => listed.clear(),
                Ok(Event::InitApply(pod)) => {
                    listed.extend(pod.uid());
                    workers.show(&node, pod);
                }
                Ok(Event::InitDone) => workers.keep(&listed),
                Ok(Event::Apply(pod)) => workers.show(&node, pod),
                Ok(Event::Delete(pod)) => workers.end(&pod.uid().unwrap_or_default()),
                Err(error) => tracing::warn!(%error, "the Pods cannot be watched"),
            }
        }
        node.stop.cancel();
        workers.tasks.close();
        workers.tasks.wait().await;
    }
}

// === impl Workers ===

impl Workers {
    fn show(&mut self, node: &Arc<Node>, pod: Pod) {
        let place = pod.spec.as_ref().and_then(|spec| spec.node_name.as_ref());
        let Some(uid) = pod.uid() else { return };
        if place.is_some_and(|place| *place != node.settings.node) {
            return;
        }
        let seen = Some(Arc::new(pod));
        if let Some(worker) = self.pods.get(&uid) {
            worker.send_replace(seen);
            return;
        }
        let (sender, receiver) = watch::channel(seen);
        self.pods.insert(uid, sender);
        self.tasks.spawn(worker::run(node.clone(), receiver));
    }

    fn end(&mut self, uid: &str) {
        if let Some(worker) = self.pods.remove(uid) {
            worker.send_replace(None);
        }
    }

    /// Ends those that a complete list does not have.
    fn keep(&mut self, listed: &BTreeSet<String>) {
        let gone: Vec<_> = self
            .pods
            .keys()
            .filter(|uid| !listed.contains(*uid))
            .cloned()
            .collect();
        for uid in gone {
            self.end(&uid);
        }
    }
}
