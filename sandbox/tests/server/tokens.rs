//! What a client can rely on: credentials of ServiceAccounts.

use crate::support::refusal;
use k8s_openapi::api::{
    authentication::v1::TokenRequest,
    core::v1::{Pod, ServiceAccount},
};
use kube::{Api, ResourceExt, api::PostParams};
use kube_sandbox::Sandbox;
use serde_json::{Value, json};

async fn accounts() -> Api<ServiceAccount> {
    let accounts: Api<ServiceAccount> = Api::default_namespaced(Sandbox::new().client());
    let keeper = serde_json::from_value(json!({"metadata": {"name": "keeper"}})).unwrap();
    accounts
        .create(&PostParams::default(), &keeper)
        .await
        .unwrap();
    accounts
}

fn request(spec: &Value) -> TokenRequest {
    serde_json::from_value(json!({"metadata": {}, "spec": spec})).unwrap()
}

#[tokio::test]
async fn a_token_names_its_account() {
    let accounts = accounts().await;
    let uid = accounts.get("keeper").await.unwrap().uid();
    let asked = request(&json!({"audiences": [], "expirationSeconds": 600}));
    let params = PostParams::default();
    let token = accounts.create_token_request("keeper", &params, &asked);
    let token = token.await.unwrap();
    assert_eq!((token.name_any(), token.uid()), ("keeper".to_owned(), uid));
    assert_eq!(
        token.spec.clone().unwrap().audiences.unwrap(),
        ["https://kubernetes.default.svc"]
    );
    let status = token.status.clone().unwrap();
    let expected = "system:serviceaccount:default:keeper";
    assert_eq!(status.token.as_deref(), Some(expected));
    let end = status.expiration_timestamp.unwrap().0;
    let start = token.creation_timestamp().unwrap().0;
    assert_eq!(end.as_second() - start.as_second(), 600);
}

#[tokio::test]
async fn requests_for_tokens_are_checked() {
    let accounts = accounts().await;
    let pod = |name| json!({"audiences": [], "boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": name}});
    for (name, spec, code, message) in [
        (
            "nobody",
            json!({"audiences": []}),
            404,
            "serviceaccounts \"nobody\" not found",
        ),
        (
            "keeper",
            json!({"audiences": [], "expirationSeconds": 60}),
            422,
            "may not specify a duration less than 10 minutes",
        ),
        ("keeper", pod("lion"), 404, "pods \"lion\" not found"),
        (
            "keeper",
            pod("tiger"),
            400,
            "pod running with different serviceaccount name",
        ),
        (
            "keeper",
            json!({"audiences": [], "boundObjectRef": {"kind": "ConfigMap", "apiVersion": "v1", "name": "m"}}),
            400,
            "cannot bind token to object of type /v1, Kind=ConfigMap",
        ),
    ] {
        let pods: Api<Pod> = Api::default_namespaced(accounts.clone().into_client());
        let tiger = json!({
            "metadata": {"name": "tiger"},
            "spec": {"serviceAccountName": "default", "containers": [{"name": "main", "image": "zoo:dev"}]},
        });
        // The first round makes it.
        let _ = pods
            .create(
                &PostParams::default(),
                &serde_json::from_value(tiger).unwrap(),
            )
            .await;
        let params = PostParams::default();
        let refused = accounts
            .create_token_request(name, &params, &request(&spec))
            .await;
        let status = refusal(refused);
        assert_eq!(status.code, code, "{}", status.message);
        assert!(status.message.contains(message), "{}", status.message);
    }
}
