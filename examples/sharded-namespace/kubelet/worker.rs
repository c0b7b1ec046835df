//! Looks after one Pod from its binding to its removal.

use std::{ops::ControlFlow, sync::Arc, time::Duration};

use k8s_openapi::{
    api::core::v1::{Binding, ObjectReference, Pod},
    apimachinery::pkg::apis::meta::v1::Status,
    jiff::Timestamp,
};
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, ObjectMeta, Patch, PatchParams, PostParams, Preconditions},
};
use serde_json::json;
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};

use super::{
    Node, Seen,
    container::{self, Container, Order, Report},
    credentials::Credentials,
    status::{self, Record},
};

/// The pause before a request is tried again.
const PAUSE: Duration = Duration::from_millis(500);

struct Worker {
    node: Arc<Node>,
    api: Api<Pod>,
    pods: watch::Receiver<Seen>,
    /// The newest version, also after the Pod is gone.
    pod: Arc<Pod>,
    containers: Vec<Record>,
    orders: watch::Sender<Order>,
}

/// Runs a Pod until it is gone, or the kubelet stops.
pub(super) async fn run(node: Arc<Node>, mut pods: watch::Receiver<Seen>) {
    let Some(pod) = pods.borrow_and_update().clone() else {
        return;
    };
    let namespace = pod.namespace().unwrap_or_default();
    let mut worker = Worker {
        api: Api::namespaced(node.client.clone(), &namespace),
        node,
        pods,
        containers: status::records(&pod),
        pod,
        orders: watch::Sender::new(Order::Run),
    };
    let stop = worker.node.stop.clone();
    let bound = tokio::select! {
        () = stop.cancelled() => return,
        bound = worker.bind() => bound,
    };
    if bound.is_continue() {
        worker.work().await;
    }
    let name = worker.pod.name_any();
    worker
        .node
        .settings
        .logs
        .forget(&namespace, &name, &worker.pod.uid().unwrap_or_default());
}

// === impl Worker ===

impl Worker {
    /// Puts the Pod on this node, unless it is there.
    async fn bind(&mut self) -> ControlFlow<()> {
        while self.place().is_none() {
            let name = self.pod.name_any();
            let node = self.node.settings.node.clone();
            let binding = Binding {
                metadata: ObjectMeta {
                    name: Some(name.clone()),
                    uid: self.pod.uid(),
                    ..ObjectMeta::default()
                },
                target: ObjectReference {
                    kind: Some("Node".into()),
                    name: Some(node),
                    ..ObjectReference::default()
                },
            };
            let params = PostParams::default();
            let request = self
                .api
                .create_subresource::<_, Status>("binding", &name, &params, &binding);
            if let Err(error) = request.await {
                tracing::debug!(pod = name, %error, "the Pod cannot be bound");
                let _ = tokio::time::timeout(PAUSE, self.pods.changed()).await;
            } else if self.pods.changed().await.is_err() {
                return ControlFlow::Break(());
            }
            match self.pods.borrow_and_update().clone() {
                Some(pod) => self.pod = pod,
                None => return ControlFlow::Break(()),
            }
        }
        match self.place() == Some(&self.node.settings.node) {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        }
    }

    /// Starts the containers and reports on them, until all have ended.
    async fn work(&mut self) {
        if status::is_over(&self.pod) {
            self.end().await;
            return;
        }
        let (reports, mut reported) = mpsc::channel(16);
        let credentials = Arc::new(Credentials::new(&self.node.settings.access, &self.pod));
        let mut tasks = JoinSet::new();
        let spec = self.pod.spec.clone().unwrap_or_default();
        for (index, spec) in spec.containers.into_iter().enumerate() {
            let container = Container {
                index,
                spec,
                pod: self.pod.clone(),
                node: self.node.clone(),
                credentials: credentials.clone(),
                reports: reports.clone(),
                waits_for: String::new(),
            };
            tasks.spawn(container::run(
                container,
                self.orders.subscribe(),
                self.pods.clone(),
            ));
        }
        drop(reports);
        let stop = self.node.stop.clone();
        let (mut is_stopping, mut is_gone) = (false, false);
        self.obey();
        self.tell().await;
        loop {
            tokio::select! {
                () = stop.cancelled(), if !is_stopping => {
                    is_stopping = true;
                    let grace = status::grace_of(&self.pod);
                    self.orders.send_if_modified(|order| order.tighten(Order::Stop(grace)));
                }
                // After the Pod is gone nothing changes any more.
                changed = self.pods.changed(), if !is_gone => {
                    is_gone = changed.is_err();
                    self.obey();
                }
                report = reported.recv() => match report {
                    Some(report) => {
                        self.take(report);
                        while let Ok(report) = reported.try_recv() {
                            self.take(report);
                        }
                        self.tell().await;
                    }
                    None => break,
                },
            }
        }
        while tasks.join_next().await.is_some() {}
        while let Ok(report) = reported.try_recv() {
            self.take(report);
        }
        if !is_stopping {
            self.end().await;
        }
    }

    /// Does what the newest version asks for.
    fn obey(&mut self) {
        let seen = self.pods.borrow_and_update().clone();
        let order = match seen {
            // It was removed by force, which its processes do not have to suffer from.
            None => Order::Stop(status::grace_of(&self.pod)),
            Some(pod) => {
                self.pod = pod;
                match self.pod.metadata.deletion_timestamp {
                    None => return,
                    Some(_) => Order::Stop(status::grace_of(&self.pod)),
                }
            }
        };
        self.orders.send_if_modified(|now| now.tighten(order));
    }

    fn take(&mut self, (index, report): (usize, Report)) {
        if let Some(record) = self.containers.get_mut(index) {
            record.take(report);
        }
    }

    /// Writes the status; a failure is made good by the next one.
    async fn tell(&mut self) {
        let name = self.pod.name_any();
        let status = status::status(&self.pod, &self.containers, Timestamp::now());
        if self.pods.borrow().is_none() || self.pod.status.as_ref() == Some(&status) {
            return;
        }
        let patch = Patch::Merge(json!({"metadata": {"uid": self.pod.uid()}, "status": status}));
        match self
            .api
            .patch_status(&name, &PatchParams::default(), &patch)
            .await
        {
            // The next status starts from this one, wherever the watch is.
            Ok(pod) => Arc::make_mut(&mut self.pod).status = pod.status,
            Err(error) => tracing::debug!(pod = name, %error, "the status cannot be written"),
        }
    }

    /// Says how the Pod ended, and removes it when it is being deleted.
    async fn end(&mut self) {
        loop {
            self.tell().await;
            if self.pods.borrow().is_none() {
                return;
            }
            if self.pod.metadata.deletion_timestamp.is_some() {
                let params = DeleteParams {
                    grace_period_seconds: Some(0),
                    ..DeleteParams::default()
                }
                .preconditions(Preconditions {
                    uid: self.pod.uid(),
                    resource_version: None,
                });
                match self.api.delete(&self.pod.name_any(), &params).await {
                    Ok(_) => return,
                    Err(kube::Error::Api(status))
                        if status.is_not_found() || status.is_conflict() =>
                    {
                        return;
                    }
                    Err(_) => tokio::time::sleep(PAUSE).await,
                }
            } else {
                // It has ended by itself, and stays until somebody deletes it.
                tokio::select! {
                    () = self.node.stop.cancelled() => return,
                    changed = self.pods.changed() => if changed.is_err() { return },
                }
            }
            if let Some(pod) = self.pods.borrow_and_update().clone() {
                self.pod = pod;
            }
        }
    }

    fn place(&self) -> Option<&String> {
        self.pod.spec.as_ref()?.node_name.as_ref()
    }
}
