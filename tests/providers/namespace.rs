//! A Namespace as a whole cluster: what needs more than one of them.

mod escapes;
mod forms;
mod lost;
mod seam;
mod sharing;
mod verbs;

use http::{Method, Request, Response};
use http_body_util::BodyExt;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, Client, api::PostParams, client::Body};
use kube_sandbox::{Faults, Sandbox, Verb};
use multicluster::{ClusterProvider, ClusterRef, providers::NamespaceProvider};
use serde_json::{Value, json};

/// A server with some Namespaces, and the provider that takes them for clusters.
struct Place {
    sandbox: Sandbox,
    faults: Faults,
    provider: NamespaceProvider,
}

// === impl Place ===

impl Place {
    fn new(namespaces: &[&str]) -> Self {
        Self::on(Sandbox::new(), namespaces, "operator")
    }

    fn on(sandbox: Sandbox, namespaces: &[&str], user: &str) -> Self {
        let objects = namespaces.iter().map(
            |name| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}),
        );
        sandbox.load(objects).unwrap();
        let faults = Faults::new(&sandbox, 1);
        let provider = NamespaceProvider::new(faults.client(user));
        Self {
            sandbox,
            faults,
            provider,
        }
    }

    /// The client of the cluster `name`.
    async fn connect(&self, name: &str) -> Client {
        let cluster = ClusterRef::new(name.parse().unwrap());
        let cluster = self.provider.connect(&cluster).await.unwrap();
        cluster.client().clone()
    }

    /// Creates a ConfigMap past the provider.
    async fn create(&self, namespace: &str, name: &str) -> ConfigMap {
        let maps: Api<ConfigMap> = Api::namespaced(self.sandbox.client(), namespace);
        maps.create(&PostParams::default(), &config_map(name))
            .await
            .unwrap()
    }

    /// The requests for ConfigMaps of a verb since they were last forgotten, each by its namespace.
    fn calls(&self, verb: Verb) -> Vec<String> {
        let calls = self.faults.calls().into_iter();
        calls
            .filter(|call| call.verb == verb && call.kind == "ConfigMap")
            .map(|call| call.namespace)
            .collect()
    }
}

fn config_map(name: &str) -> ConfigMap {
    let mut object = ConfigMap::default();
    object.metadata.name = Some(name.to_owned());
    object
}

/// Sends a request as it is; gives the code and the text of the answer.
async fn raw(
    client: &Client,
    method: Method,
    path: &str,
    media_type: &str,
    body: impl Into<Vec<u8>>,
) -> (u16, String) {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", media_type)
        .body(Body::from(body.into()))
        .unwrap();
    text(client.send(request).await.unwrap()).await
}

async fn get(client: &Client, path: &str, accept: &str) -> (u16, String) {
    let request = Request::get(path).header("accept", accept);
    let request = request.body(Body::empty()).unwrap();
    text(client.send(request).await.unwrap()).await
}

async fn text(reply: Response<Body>) -> (u16, String) {
    let code = reply.status().as_u16();
    let bytes = reply.into_body().collect().await.unwrap().to_bytes();
    (code, String::from_utf8(bytes.to_vec()).unwrap())
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}
