//! Pods are put on nodes once.

use k8s_openapi::{
    api::core::v1::{Binding, ObjectReference, Pod},
    apimachinery::pkg::apis::meta::v1::Status,
};
use kube::{
    Api,
    api::{ObjectMeta, PostParams},
};
use kube_sandbox::Sandbox;
use serde_json::json;

#[tokio::test]
async fn a_pod_is_bound_once() {
    let sandbox = Sandbox::new();
    let pods: Api<Pod> = Api::default_namespaced(sandbox.client());
    let params = PostParams::default();
    let lion = json!({"metadata": {"name": "lion"}, "spec": {"containers": [{"name": "main", "image": "lion"}]}});
    let lion = serde_json::from_value(lion).unwrap();
    let lion = pods.create(&params, &lion).await.unwrap();
    let bind = async |pod: &str, uid: Option<&str>, node: &str| {
        let binding = Binding {
            metadata: ObjectMeta {
                name: Some(pod.into()),
                uid: uid.map(str::to_owned),
                ..ObjectMeta::default()
            },
            target: ObjectReference {
                kind: Some("Node".into()),
                name: Some(node.into()),
                ..ObjectReference::default()
            },
        };
        let bound = pods.create_subresource::<_, Status>("binding", pod, &params, &binding);
        match bound.await {
            Ok(_) => String::new(),
            Err(kube::Error::Api(status)) => status.message,
            Err(error) => error.to_string(),
        }
    };
    let (uid, other) = (lion.metadata.uid.as_deref(), Some("other"));
    assert_eq!(
        bind("tiger", None, "savanna").await,
        "pods \"tiger\" not found"
    );
    assert_eq!(bind("lion", None, "").await, "target.name: Required value");
    assert!(
        bind("lion", other, "savanna")
            .await
            .contains("UID in precondition: other")
    );
    assert_eq!(bind("lion", uid, "savanna").await, "");
    let already = "Operation cannot be fulfilled on pods/binding \"lion\": \
                   pod lion is already assigned to node \"savanna\"";
    assert_eq!(bind("lion", uid, "zoo").await, already);
    let bound = pods.get("lion").await.unwrap();
    assert_eq!(bound.spec.unwrap().node_name.as_deref(), Some("savanna"));
    assert_eq!(bound.metadata.generation, lion.metadata.generation);
    let conditions = bound.status.unwrap().conditions.unwrap();
    assert_eq!(
        (conditions[0].type_.as_str(), conditions[0].status.as_str()),
        ("PodScheduled", "True")
    );
}
