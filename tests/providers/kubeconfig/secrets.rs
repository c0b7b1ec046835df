//! A hub with Secrets in it.

use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client,
    api::{Patch, PatchParams, PostParams},
};
use kube_sandbox::Sandbox;
use serde_json::{Value, json};

/// The namespace of the Secrets.
pub(super) const FLEET: &str = "fleet";

pub(super) const LABEL: &str = "sigs.k8s.io/multicluster-runtime-kubeconfig";

/// A server with the namespace.
pub(super) fn hub() -> Sandbox {
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": FLEET}});
    Sandbox::new().with_objects([namespace]).unwrap()
}

/// A kubeconfig for `server` with a token.
pub(super) fn kubeconfig(server: &str, token: &str) -> String {
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "member", "cluster": {"server": server}}],
        "users": [{"name": "keeper", "user": {"token": token}}],
        "contexts": [{"name": "member", "context": {"cluster": "member", "user": "keeper"}}],
        "current-context": "member",
    });
    config.to_string()
}

/// A Secret of the fleet.
pub(super) fn secret(name: &str, kubeconfig: &str) -> Secret {
    let mut secret = Secret::default();
    secret.metadata.name = Some(name.to_owned());
    secret.metadata.namespace = Some(FLEET.to_owned());
    secret.metadata.labels = Some([(LABEL.to_owned(), "true".to_owned())].into());
    secret.string_data = Some([("kubeconfig".to_owned(), kubeconfig.to_owned())].into());
    secret
}

pub(super) async fn write(hub: &Client, secret: Secret) {
    let secrets = Api::<Secret>::namespaced(hub.clone(), FLEET);
    secrets
        .create(&PostParams::default(), &secret)
        .await
        .unwrap();
}

pub(super) async fn patch(hub: &Client, name: &str, change: Value) {
    let secrets = Api::<Secret>::namespaced(hub.clone(), FLEET);
    let change = Patch::Merge(change);
    let patched = secrets.patch(name, &PatchParams::default(), &change).await;
    patched.unwrap();
}
