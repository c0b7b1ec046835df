//! What a client can rely on: deletions, dependents, and namespaces that go.

use crate::support::ask;
use kube::Client;
use kube_sandbox::Sandbox;
use serde_json::{Value, json};

const MAPS: &str = "/api/v1/namespaces/zoo/configmaps";
const PODS: &str = "/api/v1/namespaces/zoo/pods";

/// A server with the namespace `zoo`.
async fn zoo(controllers: bool) -> Client {
    let client = Sandbox::builder().controllers(controllers).build().client();
    post(
        &client,
        "/api/v1/namespaces",
        json!({"metadata": {"name": "zoo"}}),
    )
    .await;
    client
}

async fn post(client: &Client, path: &str, body: Value) -> Value {
    let (code, reply) = ask(client, "POST", path, &body).await;
    assert_eq!(code, 201, "{reply}");
    reply
}

async fn get(client: &Client, path: &str) -> (u16, Value) {
    ask(client, "GET", path, &Value::Null).await
}

async fn delete(client: &Client, path: &str, options: Value) -> (u16, Value) {
    ask(client, "DELETE", path, &options).await
}

/// Creates a ConfigMap with an owner.
async fn dependent(client: &Client, name: &str, owner: &Value, blocks: bool) {
    let reference = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"], "blockOwnerDeletion": blocks,
    });
    let metadata = json!({"name": name, "ownerReferences": [reference]});
    post(client, MAPS, json!({"metadata": metadata})).await;
}

async fn map(client: &Client, name: &str) -> Value {
    post(client, MAPS, json!({"metadata": {"name": name}})).await
}

async fn names(client: &Client) -> Vec<String> {
    let (_, list) = get(client, MAPS).await;
    let items = list["items"].as_array().unwrap().iter();
    items
        .map(|item| item["metadata"]["name"].as_str().unwrap().to_owned())
        .collect()
}

/// A chain: `owner`, `child`, `grandchild`.
async fn family(client: &Client) {
    let owner = map(client, "owner").await;
    dependent(client, "child", &owner, true).await;
    let (_, child) = get(client, &format!("{MAPS}/child")).await;
    dependent(client, "grandchild", &child, true).await;
}

#[tokio::test]
async fn dependents_go_with_their_owner() {
    for policy in ["Background", "Foreground"] {
        let client = zoo(true).await;
        family(&client).await;
        let options = json!({"propagationPolicy": policy});
        assert_eq!(
            delete(&client, &format!("{MAPS}/owner"), options).await.0,
            200
        );
        assert!(names(&client).await.is_empty(), "{policy}");
    }
}

#[tokio::test]
async fn an_owner_in_the_foreground_waits_for_what_blocks_it() {
    let client = zoo(true).await;
    let owner = map(&client, "owner").await;
    dependent(&client, "child", &owner, true).await;
    let held = json!({"metadata": {"finalizers": ["example.com/hold"]}});
    let patch = json!([{"op": "add", "path": "/metadata/finalizers", "value": held["metadata"]["finalizers"]}]);
    let child = format!("{MAPS}/child");
    patch_json(&client, &child, &patch).await;

    let options = json!({"propagationPolicy": "Foreground"});
    let (_, marked) = delete(&client, &format!("{MAPS}/owner"), options).await;
    assert_eq!(
        marked["metadata"]["finalizers"],
        json!(["foregroundDeletion"])
    );
    assert_eq!(names(&client).await, ["child", "owner"]);
    let (_, child_now) = get(&client, &child).await;
    assert!(child_now["metadata"]["deletionTimestamp"].is_string());
    let release = json!([{"op": "remove", "path": "/metadata/finalizers"}]);
    patch_json(&client, &child, &release).await;
    assert!(names(&client).await.is_empty());
}

async fn patch_json(client: &Client, path: &str, patch: &Value) {
    let request = http::Request::patch(path)
        .header("content-type", "application/json-patch+json")
        .body(patch.to_string().into_bytes().into())
        .unwrap();
    assert_eq!(client.send(request).await.unwrap().status(), 200);
}

#[tokio::test]
async fn orphans_stay_without_their_owner() {
    for options in [
        json!({"propagationPolicy": "Orphan"}),
        json!({"orphanDependents": true}),
    ] {
        let client = zoo(true).await;
        family(&client).await;
        delete(&client, &format!("{MAPS}/owner"), options).await;
        assert_eq!(names(&client).await, ["child", "grandchild"]);
        let (_, child) = get(&client, &format!("{MAPS}/child")).await;
        assert_eq!(child["metadata"].get("ownerReferences"), None);
    }
}

#[tokio::test]
async fn an_object_whose_owner_is_not_there_goes_at_once() {
    let client = zoo(true).await;
    let mut stranger = map(&client, "owner").await;
    dependent(&client, "right", &stranger, false).await;
    stranger["metadata"]["uid"] = json!("another");
    dependent(&client, "wrong", &stranger, false).await;
    assert_eq!(names(&client).await, ["owner", "right"]);
}

#[tokio::test]
async fn one_owner_is_enough_to_stay() {
    let client = zoo(true).await;
    let (first, second) = (map(&client, "first").await, map(&client, "second").await);
    let reference = |owner: &Value| {
        json!({
            "apiVersion": "v1", "kind": "ConfigMap", "name": owner["metadata"]["name"],
            "uid": owner["metadata"]["uid"],
        })
    };
    let owners = [reference(&first), reference(&second)];
    let child = json!({"metadata": {"name": "child", "ownerReferences": owners}});
    post(&client, MAPS, child).await;
    delete(&client, &format!("{MAPS}/first"), Value::Null).await;
    let (_, child) = get(&client, &format!("{MAPS}/child")).await;
    assert_eq!(
        child["metadata"]["ownerReferences"],
        json!([reference(&second)])
    );
    delete(&client, &format!("{MAPS}/second"), Value::Null).await;
    assert!(names(&client).await.is_empty());
}

#[tokio::test]
async fn without_controllers_nothing_follows_from_a_deletion() {
    let client = zoo(false).await;
    family(&client).await;
    delete(&client, &format!("{MAPS}/owner"), Value::Null).await;
    assert_eq!(names(&client).await, ["child", "grandchild"]);

    let path = "/api/v1/namespaces/zoo";
    let (code, marked) = delete(&client, path, Value::Null).await;
    assert_eq!(
        (code, &marked["status"]["phase"]),
        (200, &json!("Terminating"))
    );
    assert_eq!(names(&client).await, ["child", "grandchild"]);
    let (_, mut zoo) = get(&client, path).await;
    zoo["spec"]["finalizers"] = json!([]);
    let (code, _) = ask(&client, "PUT", &format!("{path}/finalize"), &zoo).await;
    assert_eq!(code, 200);
    assert_eq!(get(&client, path).await.0, 404);
}

#[tokio::test]
async fn a_pod_on_a_node_is_deleted_when_the_kubelet_says_so() {
    let client = zoo(true).await;
    let pod = |name: &str, node: Value| {
        let containers = json!([{"name": "c", "image": "i"}]);
        let spec = json!({"containers": containers, "nodeName": node});
        json!({"metadata": {"name": name}, "spec": spec})
    };
    post(&client, PODS, pod("placed", json!("n"))).await;
    post(&client, PODS, pod("waiting", Value::Null)).await;

    let (_, gone) = delete(&client, &format!("{PODS}/waiting"), Value::Null).await;
    assert_eq!(gone["kind"], "Pod");
    assert_eq!(get(&client, &format!("{PODS}/waiting")).await.0, 404);

    let placed = format!("{PODS}/placed");
    let (_, ending) = delete(&client, &placed, Value::Null).await;
    assert_eq!(ending["metadata"]["deletionGracePeriodSeconds"], 30);
    // The kubelet reports, and the Pod stays.
    let (_, mut now) = get(&client, &placed).await;
    now["status"]["phase"] = json!("Running");
    let (code, _) = ask(&client, "PUT", &format!("{placed}/status"), &now).await;
    assert_eq!(code, 200);
    let (_, sooner) = delete(&client, &placed, json!({"gracePeriodSeconds": 5})).await;
    assert_eq!(sooner["metadata"]["deletionGracePeriodSeconds"], 5);
    delete(&client, &placed, json!({"gracePeriodSeconds": 0})).await;
    assert_eq!(get(&client, &placed).await.0, 404);
}

#[tokio::test]
async fn a_namespace_says_what_it_waits_for_and_goes_when_it_is_empty() {
    let client = zoo(true).await;
    map(&client, "plain").await;
    let held = json!({"metadata": {"name": "held", "finalizers": ["example.com/hold"]}});
    post(&client, MAPS, held).await;
    let path = "/api/v1/namespaces/zoo";
    delete(&client, path, Value::Null).await;
    assert_eq!(names(&client).await, ["held"]);

    let (_, zoo) = get(&client, path).await;
    let conditions = zoo["status"]["conditions"].as_array().unwrap();
    let message = |kind: &str| {
        let mut found = conditions
            .iter()
            .filter(|condition| condition["type"] == kind);
        found.next().unwrap()["message"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(
        message("NamespaceContentRemaining"),
        "Some resources are remaining: configmaps. has 1 resource instances"
    );
    assert_eq!(
        message("NamespaceFinalizersRemaining"),
        "Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances"
    );
    let new = json!({"metadata": {"name": "new"}});
    let (code, refused) = ask(&client, "POST", MAPS, &new).await;
    assert_eq!((code, &refused["reason"]), (403, &json!("Forbidden")));

    let release = json!([{"op": "remove", "path": "/metadata/finalizers"}]);
    patch_json(&client, &format!("{MAPS}/held"), &release).await;
    assert_eq!(get(&client, path).await.0, 404);
}

#[tokio::test]
async fn a_rehearsed_deletion_deletes_nothing() {
    let client = zoo(true).await;
    map(&client, "m").await;
    for path in [format!("{MAPS}/m?dryRun=All"), format!("{MAPS}?dryRun=All")] {
        assert_eq!(delete(&client, &path, Value::Null).await.0, 200);
    }
    let body = json!({"dryRun": ["All"], "propagationPolicy": "Foreground"});
    let (_, marked) = delete(&client, &format!("{MAPS}/m"), body).await;
    assert_eq!(
        marked["metadata"]["finalizers"],
        json!(["foregroundDeletion"])
    );
    assert_eq!(names(&client).await, ["m"]);
}

#[tokio::test]
async fn a_collection_is_deleted_page_by_page() {
    let client = zoo(true).await;
    for name in ["a", "b", "c"] {
        map(&client, name).await;
    }
    let (code, page) = delete(&client, &format!("{MAPS}?limit=2"), Value::Null).await;
    assert_eq!((code, page["items"].as_array().unwrap().len()), (200, 2));
    assert_eq!(names(&client).await, ["c"]);
}
