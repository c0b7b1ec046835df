//! A node of a real cluster: the kubelet of the demo, whose containers are processes of the example's program.

use std::time::Duration;

use k8s_openapi::api::core::v1::Node as Object;
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use serde_json::json;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{
    container_logs::ContainerLogs,
    fleet::{backend::Server, eventually::eventually, program::program},
    kubelet::{Access, Image, Kubelet, Logs},
};

const NAME: &str = "node-0";

/// A running kubelet; its containers end with this.
pub(crate) struct Node {
    stop: CancellationToken,
    task: JoinHandle<()>,
    _logs: ContainerLogs,
}

// === impl Node ===

impl Node {
    /// Starts the kubelet, whose one image is `mcr-namespace:dev`, and lets the API server ask it for logs.
    pub(crate) async fn start(server: &mut Server) -> Self {
        let client = server.admin.clone();
        let (folder, plane) = (server.folder.path().to_owned(), server.plane());
        let logs = Logs::default();
        let endpoint = ContainerLogs::serve(logs.clone(), &plane.ca).await;
        let kubelet = Kubelet {
            node: NAME.into(),
            image: Image {
                name: "mcr-namespace:dev".into(),
                program: program().to_owned(),
                args: vec!["--child".into()],
            },
            access: Access {
                server: plane.url.clone(),
                ca: Some(plane.ca.clone()),
                folder,
            },
            logs,
            prefix: true,
        };
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        let task = tokio::spawn(kubelet.run(client.clone(), stopped));
        let nodes: Api<Object> = Api::all(client);
        let ports = json!({"daemonEndpoints": {"kubeletEndpoint": {"Port": endpoint.port()}}});
        let patch = Patch::Merge(json!({"status": ports}));
        eventually(Duration::from_secs(10), "there is a node", async || {
            let params = PatchParams::default();
            let patched = nodes.patch_status(NAME, &params, &patch).await;
            patched.map(drop).map_err(|error| error.to_string())
        })
        .await;
        Self {
            stop,
            task,
            _logs: endpoint,
        }
    }

    /// Ends the kubelet, and fails if it has failed.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.task.await.expect("the kubelet works to its end");
    }
}
