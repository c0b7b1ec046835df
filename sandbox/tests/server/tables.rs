//! Tables: what `kubectl get` shows, for lists, single objects and watches.

use crate::support::ask;
use futures_util::{AsyncBufReadExt, TryStreamExt};
use kube::Client;
use kube_sandbox::Sandbox;
use serde_json::{Value, json};

const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";

fn request(path: &str) -> http::Request<Vec<u8>> {
    let request = http::Request::builder().uri(path).header("accept", TABLE);
    request.body(Vec::new()).unwrap()
}

async fn table(client: &Client, path: &str) -> Value {
    let table = client.request::<Value>(request(path)).await.unwrap();
    assert_eq!(table["kind"], "Table", "{path}");
    table
}

/// The cells of the first row. An age of some seconds is none: the second may have ended since the object was made.
fn cells(table: &Value) -> Vec<Value> {
    let cells = table["rows"][0]["cells"].as_array().unwrap().iter();
    cells.map(unaged).collect()
}

fn unaged(cell: &Value) -> Value {
    let seconds = cell.as_str().and_then(|text| text.strip_suffix('s'));
    match seconds.map(str::parse::<u8>) {
        Some(Ok(_)) => json!("0s"),
        _ => cell.clone(),
    }
}

#[tokio::test]
async fn every_kind_has_its_columns() {
    let client = Sandbox::new().client();
    let spec = json!({
        "replicas": 2,
        "selector": {"matchLabels": {"app": "a"}},
        "template": {"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [
            {"name": "c", "image": "x:1"}, {"name": "d", "image": "y"},
        ]}},
    });
    let meta = json!({"name": "o"});
    let (core, apps) = (
        "/api/v1/namespaces/default",
        "/apis/apps/v1/namespaces/default",
    );
    for (path, object, expected) in [
        (
            format!("{core}/configmaps"),
            json!({"metadata": meta, "data": {"a": ""}, "binaryData": {"b": ""}}),
            vec![json!("o"), json!(2), json!("0s")],
        ),
        (
            format!("{core}/secrets"),
            json!({"metadata": meta, "stringData": {"a": ""}}),
            vec![json!("o"), json!("Opaque"), json!(1), json!("0s")],
        ),
        (
            format!("{core}/serviceaccounts"),
            json!({"metadata": meta}),
            vec![json!("o"), json!("0s")],
        ),
        (
            format!("{core}/services"),
            json!({"metadata": meta, "spec": {"clusterIP": "10.0.0.9", "selector": {"b": "2", "a": "1"}, "ports": [{"port": 80}]}}),
            vec![
                json!("o"),
                json!("ClusterIP"),
                json!("10.0.0.9"),
                json!("<none>"),
                json!("80/TCP"),
                json!("0s"),
                json!("a=1,b=2"),
            ],
        ),
        (
            format!("{apps}/statefulsets"),
            json!({"metadata": meta, "spec": spec}),
            vec![
                json!("o"),
                json!("0/2"),
                json!("0s"),
                json!("c,d"),
                json!("x:1,y"),
            ],
        ),
        (
            format!("{apps}/deployments"),
            json!({"metadata": meta, "spec": spec}),
            vec![
                json!("o"),
                json!("0/2"),
                json!(0),
                json!(0),
                json!("0s"),
                json!("c,d"),
                json!("x:1,y"),
                json!("app=a"),
            ],
        ),
        (
            "/apis/policy/v1/namespaces/default/poddisruptionbudgets".to_owned(),
            json!({"metadata": meta, "spec": {"minAvailable": "50%"}}),
            vec![
                json!("o"),
                json!("50%"),
                json!("N/A"),
                json!(0),
                json!("0s"),
            ],
        ),
        (
            "/apis/coordination.k8s.io/v1/namespaces/default/leases".to_owned(),
            json!({"metadata": meta, "spec": {"holderIdentity": "me"}}),
            vec![json!("o"), json!("me"), json!("0s")],
        ),
        (
            "/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings".to_owned(),
            json!({"metadata": meta, "roleRef": {"kind": "Role", "name": "r"}, "subjects": [
                {"kind": "ServiceAccount", "name": "s", "namespace": "n"}, {"kind": "User", "name": "u"}, {"kind": "User", "name": "v"},
            ]}),
            vec![
                json!("o"),
                json!("Role/r"),
                json!("0s"),
                json!("u, v"),
                json!(""),
                json!("n/s"),
            ],
        ),
    ] {
        let (code, created) = ask(&client, "POST", &path, &object).await;
        assert_eq!(code, 201, "{created}");
        let list = table(&client, &path).await;
        assert_eq!(cells(&list), expected, "{path}");
        let columns = list["columnDefinitions"].as_array().unwrap();
        assert_eq!(columns.len(), expected.len(), "{path}");
        let described = |column: &Value| !column["description"].as_str().unwrap().is_empty();
        assert!(columns.iter().all(described), "{path}: {columns:?}");
        let one = table(&client, &format!("{path}/o")).await;
        assert_eq!(cells(&one), expected, "{path}/o");
    }
}

#[tokio::test]
async fn the_status_of_a_pod_is_in_one_word() {
    let client = Sandbox::new().client();
    let pods = "/api/v1/namespaces/default/pods";
    let pod = json!({"metadata": {"name": "p"}, "spec": {
        "initContainers": [{"name": "i", "image": "x"}],
        "containers": [{"name": "c", "image": "x"}, {"name": "d", "image": "x"}],
    }});
    let (_, mut pod) = ask(&client, "POST", pods, &pod).await;
    let state = |name: &str, state: Value, ready: bool, restarts: i32| json!({"name": name, "image": "x", "imageID": "", "ready": ready, "restartCount": restarts, "state": state});
    let running = json!({"running": {}});
    for (phase, init, containers, expected) in [
        ("Pending", vec![], vec![], ["0/2", "Pending", "0"]),
        (
            "Pending",
            vec![state(
                "i",
                json!({"waiting": {"reason": "CrashLoopBackOff"}}),
                false,
                4,
            )],
            vec![],
            ["0/2", "Init:CrashLoopBackOff", "4"],
        ),
        (
            "Pending",
            vec![state("i", running.clone(), false, 0)],
            vec![],
            ["0/2", "Init:0/1", "0"],
        ),
        (
            "Running",
            vec![],
            vec![
                state("c", running.clone(), true, 1),
                state("d", running.clone(), true, 2),
            ],
            ["2/2", "Running", "3"],
        ),
        (
            "Running",
            vec![],
            vec![
                state("c", running.clone(), true, 0),
                state(
                    "d",
                    json!({"waiting": {"reason": "ErrImagePull"}}),
                    false,
                    0,
                ),
            ],
            ["1/2", "ErrImagePull", "0"],
        ),
        (
            "Failed",
            vec![],
            vec![state("c", json!({"terminated": {"exitCode": 3}}), false, 0)],
            ["0/2", "ExitCode:3", "0"],
        ),
        (
            "Succeeded",
            vec![],
            vec![state(
                "c",
                json!({"terminated": {"exitCode": 0, "reason": "Completed"}}),
                false,
                0,
            )],
            ["0/2", "Completed", "0"],
        ),
    ] {
        pod["status"]["phase"] = json!(phase);
        pod["status"]["initContainerStatuses"] = json!(init);
        pod["status"]["containerStatuses"] = json!(containers);
        pod["metadata"]["resourceVersion"] = Value::Null;
        let (code, answer) = ask(&client, "PUT", &format!("{pods}/p/status"), &pod).await;
        assert_eq!(code, 200, "{answer}");
        let table = table(&client, pods).await;
        assert_eq!(cells(&table)[1..4], expected.map(Value::from), "{phase}");
        let ended = matches!(phase, "Failed" | "Succeeded");
        assert_eq!(table["rows"][0]["conditions"].is_array(), ended, "{phase}");
    }
}

#[tokio::test]
async fn a_row_has_as_much_of_its_object_as_is_asked_for() {
    let client = Sandbox::new().client();
    for (include, kind) in [
        ("", json!("PartialObjectMetadata")),
        ("?includeObject=Metadata", json!("PartialObjectMetadata")),
        ("?includeObject=Object", json!("Namespace")),
        ("?includeObject=None", Value::Null),
    ] {
        let table = table(&client, &format!("/api/v1/namespaces/default{include}")).await;
        assert_eq!(table["rows"][0]["object"]["kind"], kind, "{include}");
    }
    let wrong = request("/api/v1/namespaces?includeObject=Some");
    let refused = client.request::<Value>(wrong).await;
    assert_eq!(crate::support::refusal(refused).code, 400);
}

#[tokio::test]
async fn a_watch_defines_the_columns_once() {
    let client = Sandbox::new().client();
    let request = request("/api/v1/namespaces?watch=1&timeoutSeconds=1");
    let lines = client.request_stream(request).await.unwrap().lines();
    let lines: Vec<String> = lines.try_collect().await.unwrap();
    let columns = lines.iter().map(|line| {
        let event: Value = serde_json::from_str(line).unwrap();
        event["object"]["columnDefinitions"].is_array()
    });
    assert_eq!(columns.collect::<Vec<_>>(), [true, false, false, false]);
}
