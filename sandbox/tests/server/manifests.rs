//! What a test can rely on: the objects that a server starts with.

use crate::support::{ask, config_map};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube_sandbox::Sandbox;
use serde_json::{Value, json};

#[tokio::test]
async fn a_server_starts_with_typed_objects_and_with_manifests() {
    let text = "
apiVersion: v1
kind: Namespace
metadata: {name: zoo}
---
apiVersion: v1
kind: Pod
metadata: {name: lion, namespace: zoo}
spec: {containers: [{name: c, image: i}]}
status: {phase: Running}
";
    let sandbox = Sandbox::new();
    sandbox.load([text]).unwrap();
    sandbox.load([config_map("elephant")]).unwrap();
    let maps: Api<ConfigMap> = Api::default_namespaced(sandbox.client());
    assert!(maps.get("elephant").await.is_ok());
    let lion = "/api/v1/namespaces/zoo/pods/lion";
    let (_, pod) = ask(&sandbox.client(), "GET", lion, &Value::Null).await;
    assert_eq!(pod["status"]["phase"], "Running");
}

#[tokio::test]
async fn an_object_that_does_not_fit_is_named() {
    for (object, expected) in [
        (
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m", "namespace": "zoo"}}),
            "cannot load ConfigMap m: namespaces \"zoo\" not found",
        ),
        (
            json!({"apiVersion": "v9", "kind": "ConfigMap", "metadata": {"name": "m"}}),
            "cannot load ConfigMap m: no kind \"ConfigMap\" is served in version \"v9\"",
        ),
    ] {
        let error = Sandbox::new().with_objects([object]).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
    let error = Sandbox::new().with_objects(["a: [b"]).unwrap_err();
    assert!(error.to_string().starts_with("cannot read the manifest: "));
}
