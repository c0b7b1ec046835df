//! Nothing leaves the Namespace.

use http::Method;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use serde_json::{Value, json};

use super::{Place, get, parsed, raw};

const JSON: &str = "application/json";

/// Everything that lives outside of `zoo`, as the server has it.
async fn outside(place: &Place) -> Value {
    let client = place.sandbox.client();
    let mut all = Vec::new();
    for path in [
        "/api/v1/configmaps",
        "/api/v1/secrets",
        "/api/v1/pods",
        "/api/v1/services",
        "/api/v1/serviceaccounts",
        "/api/v1/events",
        "/api/v1/namespaces",
        "/api/v1/nodes",
        "/apis/coordination.k8s.io/v1/leases",
        "/apis/apps/v1/deployments",
        "/apis/rbac.authorization.k8s.io/v1/roles",
        "/apis/rbac.authorization.k8s.io/v1/clusterroles",
        "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    ] {
        let (code, list) = get(&client, path, JSON).await;
        assert_eq!(code, 200, "{path}");
        let mut list = parsed(&list);
        let items = list["items"].take();
        all.extend(
            items
                .as_array()
                .into_iter()
                .flatten()
                .filter(|item| item["metadata"]["namespace"] != "zoo")
                .cloned(),
        );
    }
    all.into()
}

fn map(namespace: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "escape", "namespace": namespace}})
}

#[tokio::test(start_paused = true)]
async fn no_request_changes_anything_outside() {
    let place = Place::new(&["zoo", "jungle"]);
    place.create("jungle", "monkey").await;
    place.create("zoo", "lion").await;
    let zoo = place.connect("zoo").await;
    let before = outside(&place).await;
    let maps = "/api/v1/namespaces/default/configmaps";
    let lion = "/api/v1/namespaces/default/configmaps/lion";
    let merge = "application/merge-patch+json";
    let patch = "application/json-patch+json";
    let apply = "application/apply-patch+yaml";
    let moves = |to: &str| json!({"metadata": {"namespace": to}});
    let event = json!({
        "apiVersion": "v1", "kind": "Event", "metadata": {"name": "e", "namespace": "default"},
        "involvedObject": {"namespace": "jungle", "name": "monkey", "kind": "ConfigMap"}, "type": "Normal",
    });
    let review = json!({
        "apiVersion": "authorization.k8s.io/v1", "kind": "LocalSubjectAccessReview", "metadata": {"namespace": "default"},
        "spec": {"user": "a", "resourceAttributes": {"namespace": "jungle", "verb": "get", "resource": "secrets"}},
    });
    let self_review = json!({
        "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {"namespace": "jungle", "verb": "get", "resource": "secrets"}},
    });
    let (post, put, patched, delete) = (Method::POST, Method::PUT, Method::PATCH, Method::DELETE);
    let none = Value::Null;
    for (method, path, media_type, body, code) in [
        // Other namespaces in paths.
        (
            &post,
            "/api/v1/namespaces/jungle/configmaps",
            JSON,
            map("jungle"),
            404,
        ),
        (
            &post,
            "/api/v1/namespaces/zoo/configmaps",
            JSON,
            map("zoo"),
            404,
        ),
        (
            &delete,
            "/api/v1/namespaces/jungle/configmaps/monkey",
            JSON,
            none.clone(),
            404,
        ),
        (
            &delete,
            "/api/v1/namespaces/jungle/configmaps",
            JSON,
            none.clone(),
            404,
        ),
        (
            &delete,
            "/api/v1/namespaces/default/../jungle/configmaps/monkey",
            JSON,
            none.clone(),
            404,
        ),
        (
            &delete,
            "/api/v1/namespaces/default/%2e%2e/jungle/configmaps/monkey",
            JSON,
            none.clone(),
            404,
        ),
        (
            &delete,
            "/api/v1/namespaces/default/configmaps/..%2f..%2fjungle%2fconfigmaps%2fmonkey",
            JSON,
            none.clone(),
            404,
        ),
        (
            &delete,
            "/api/v1/namespaces/default/configmaps/%252e%252e%252fmonkey",
            JSON,
            none.clone(),
            404,
        ),
        (
            &delete,
            "/api/v1/namespaces//jungle/configmaps/monkey",
            JSON,
            none.clone(),
            404,
        ),
        (&delete, "/api/v1/configmaps", JSON, none.clone(), 404),
        (
            &patched,
            "/api/v1/n%61mespaces/jungle/configmaps/monkey",
            merge,
            json!({"data": {"a": "b"}}),
            404,
        ),
        // Kinds without namespaces.
        (
            &post,
            "/api/v1/namespaces",
            JSON,
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "new"}}),
            404,
        ),
        (
            &delete,
            "/api/v1/namespaces/jungle",
            JSON,
            none.clone(),
            404,
        ),
        (
            &delete,
            "/api/v1/namespaces/default",
            JSON,
            none.clone(),
            404,
        ),
        (
            &patched,
            "/api/v1/namespaces/default",
            merge,
            json!({"metadata": {"labels": {"a": "b"}}}),
            404,
        ),
        (
            &put,
            "/api/v1/namespaces/default/finalize",
            JSON,
            json!({}),
            404,
        ),
        (
            &patched,
            "/api/v1/namespaces/default/status",
            merge,
            json!({"status": {}}),
            404,
        ),
        (
            &post,
            "/api/v1/nodes",
            JSON,
            json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}}),
            404,
        ),
        (
            &post,
            "/apis/rbac.authorization.k8s.io/v1/clusterroles",
            JSON,
            json!({"metadata": {"name": "all"}}),
            404,
        ),
        (
            &post,
            "/api/v1/namespaces/default/nodes",
            JSON,
            json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}}),
            404,
        ),
        (
            &post,
            "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
            JSON,
            self_review,
            404,
        ),
        (
            &post,
            "/apis/authorization.k8s.io/v1/namespaces/default/localsubjectaccessreviews",
            JSON,
            review,
            422,
        ),
        (&post, "/openapi/v3", JSON, none.clone(), 404),
        // Other namespaces in bodies: the words are the server's.
        (&post, maps, JSON, map("jungle"), 400),
        (&post, maps, JSON, map("zoo"), 400),
        (
            &put,
            lion,
            JSON,
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "lion", "namespace": "jungle"}}),
            400,
        ),
        (&patched, lion, merge, moves("jungle"), 400),
        (&patched, lion, merge, moves("zoo"), 400),
        (
            &patched,
            lion,
            "application/strategic-merge-patch+json",
            moves("jungle"),
            400,
        ),
        (
            &patched,
            lion,
            patch,
            json!([{"op": "replace", "path": "/metadata/namespace", "value": "jungle"}]),
            400,
        ),
        (
            &patched,
            lion,
            patch,
            json!([{"op": "replace", "path": "/metadata", "value": {"name": "lion", "namespace": "zoo"}}]),
            400,
        ),
        (
            &patched,
            lion,
            patch,
            json!([{"op": "test", "path": "/metadata/namespace", "value": "zoo"}]),
            422,
        ),
        (
            &patched,
            "/api/v1/namespaces/default/configmaps/lion?fieldManager=a",
            apply,
            json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "lion", "namespace": "jungle"}}),
            400,
        ),
        (&post, "/api/v1/namespaces/default/events", JSON, event, 422),
        (
            &post,
            maps,
            "application/vnd.kubernetes.protobuf",
            json!("k8s"),
            415,
        ),
    ] {
        let body = if body.is_null() {
            Vec::new()
        } else {
            body.to_string().into_bytes()
        };
        let (answer, text) = raw(&zoo, method.clone(), path, media_type, body).await;
        assert_eq!(answer, code, "{method} {path}: {text}");
        let status = parsed(&text);
        assert_eq!(
            (&status["kind"], &status["code"]),
            (&json!("Status"), &json!(code)),
            "{text}"
        );
    }
    assert_eq!(outside(&place).await, before);
    // And inside, nothing was made of it.
    let inside: Api<ConfigMap> = Api::namespaced(place.sandbox.client(), "zoo");
    let names = inside.list_metadata(&Default::default()).await.unwrap();
    let names: Vec<_> = names.iter().map(kube::ResourceExt::name_any).collect();
    assert_eq!(names, ["lion"]);
}

#[tokio::test(start_paused = true)]
async fn nothing_outside_can_be_read() {
    let place = Place::new(&["zoo", "jungle"]);
    place.create("jungle", "monkey").await;
    let zoo = place.connect("zoo").await;
    for path in [
        "/api/v1/namespaces/jungle/configmaps/monkey",
        "/api/v1/namespaces/jungle/configmaps",
        "/api/v1/namespaces/zoo/configmaps",
        "/api/v1/watch/configmaps",
        "/api/v1/watch/namespaces/jungle/configmaps",
        "/api/v1/namespaces",
        "/api/v1/namespaces/default",
        "/api/v1/nodes",
        "/api/v1/nodes?watch=true&resourceVersion=1",
        "/api/v1/namespaces/default/nodes",
        "/apis/rbac.authorization.k8s.io/v1/clusterroles",
        "/metrics",
        "/logs/",
        "/debug/pprof/heap",
        "/api/v1/namespaces/default/pods/a/proxy/../../../../jungle/configmaps",
    ] {
        let (code, text) = get(&zoo, path, JSON).await;
        assert_eq!(code, 404, "{path}: {text}");
        assert!(!text.contains("monkey\",\"namespace"), "{text}");
    }
    for query in [
        "fieldSelector=metadata.namespace%3Djungle",
        "fieldSelector=metadata.namespace%3Dzoo",
        "fieldSelector=metadata.namespace!%3Ddefault",
        "limit=1",
        "resourceVersion=0",
    ] {
        let path = format!("/api/v1/configmaps?{query}");
        let (code, text) = get(&zoo, &path, JSON).await;
        assert_eq!(code, 200, "{text}");
        assert_eq!(parsed(&text)["items"], json!([]), "{path}");
    }
    let (code, text) = get(
        &zoo,
        "/api/v1/configmaps",
        "application/vnd.kubernetes.protobuf",
    )
    .await;
    assert_eq!(
        (code, &parsed(&text)["reason"]),
        (406, &json!("NotAcceptable"))
    );
}

#[tokio::test(start_paused = true)]
async fn an_owner_is_looked_for_where_the_object_is() {
    let place = Place::new(&["zoo", "jungle"]);
    let monkey = place.create("jungle", "monkey").await;
    let zoo = place.connect("zoo").await;
    let owner = json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "monkey", "uid": monkey.metadata.uid});
    let mut object = map("default");
    object["metadata"]["ownerReferences"] = json!([owner]);
    let path = "/api/v1/namespaces/default/configmaps";
    let (code, text) = raw(&zoo, Method::POST, path, JSON, object.to_string()).await;
    assert_eq!(code, 201, "{text}");
    // A foreground deletion inside does not reach the owner outside.
    let delete = json!({"propagationPolicy": "Foreground"}).to_string();
    raw(
        &zoo,
        Method::DELETE,
        &format!("{path}/escape"),
        JSON,
        delete,
    )
    .await;
    let there: Api<ConfigMap> = Api::namespaced(place.sandbox.client(), "jungle");
    assert!(there.get("monkey").await.is_ok());
}
