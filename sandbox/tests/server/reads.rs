//! What a client can rely on: lists, collections, other forms of replies, discovery.

use crate::support::{config_map, names, refusal};
use k8s_openapi::api::{
    core::v1::{ConfigMap, Event, Secret},
    events::v1 as events,
};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{
        DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams, PropagationPolicy,
    },
    discovery::{self, Scope, verbs},
};
use kube_sandbox::Sandbox;
use serde_json::json;

fn create() -> PostParams {
    PostParams::default()
}

fn maps(client: &Client) -> Api<ConfigMap> {
    Api::default_namespaced(client.clone())
}

#[tokio::test]
async fn lists_select_by_labels_fields_and_namespace() {
    let client = Sandbox::new().client();
    for (name, labels) in [
        ("a", json!({"tier": "x"})),
        ("b", json!({"tier": "y"})),
        ("c", json!({})),
    ] {
        let mut map = config_map(name);
        map.meta_mut().labels = serde_json::from_value(labels).unwrap();
        maps(&client).create(&create(), &map).await.unwrap();
    }
    Api::<ConfigMap>::namespaced(client.clone(), "kube-public")
        .create(&create(), &config_map("d"))
        .await
        .unwrap();
    let (here, everywhere) = (maps(&client), Api::<ConfigMap>::all(client));
    for (selector, expected) in [
        ("tier=x", vec!["a"]),
        ("tier==y", vec!["b"]),
        ("tier!=x", vec!["b", "c"]),
        ("tier in (x, y)", vec!["a", "b"]),
        ("tier notin (x)", vec!["b", "c"]),
        ("tier", vec!["a", "b"]),
        ("!tier", vec!["c"]),
        ("tier,tier!=y", vec!["a"]),
    ] {
        let list = here
            .list(&ListParams::default().labels(selector))
            .await
            .unwrap();
        assert_eq!(names(&list), expected, "{selector}");
    }
    let all = everywhere.list(&ListParams::default()).await.unwrap();
    assert_eq!(names(&all), ["a", "b", "c", "d"]);
    let one = everywhere
        .list(&ListParams::default().fields("metadata.name=d"))
        .await
        .unwrap();
    assert_eq!(names(&one), ["d"]);
    let others = everywhere
        .list(&ListParams::default().fields("metadata.namespace!=default"))
        .await
        .unwrap();
    assert_eq!(names(&others), ["d"]);
    for refused in [
        ListParams::default().fields("spec.x=1"),
        ListParams::default().labels("tier in x"),
        ListParams::default().labels("tier=x,"),
    ] {
        assert_eq!(refusal(everywhere.list(&refused).await).code, 400);
    }
    let future = ListParams::default().at("1000");
    assert_eq!(refusal(everywhere.list(&future).await).code, 504);
}

#[tokio::test]
async fn a_collection_is_deleted_by_selector() {
    let maps = maps(&Sandbox::new().client());
    for name in ["a", "b", "c"] {
        let mut map = config_map(name);
        map.labels_mut()
            .insert("keep".to_owned(), (name == "b").to_string());
        maps.create(&create(), &map).await.unwrap();
    }
    let selected = ListParams::default().labels("keep=false");
    let deleted = maps
        .delete_collection(&DeleteParams::default(), &selected)
        .await
        .unwrap()
        .left()
        .unwrap();
    assert_eq!(names(&deleted), ["a", "c"]);
    assert_eq!(
        names(&maps.list(&ListParams::default()).await.unwrap()),
        ["b"]
    );
}

#[tokio::test]
async fn a_dry_run_checks_and_changes_nothing() {
    let maps = maps(&Sandbox::new().client());
    let dry = PostParams {
        dry_run: true,
        ..create()
    };
    maps.create(&dry, &config_map("elephant")).await.unwrap();
    assert!(refusal(maps.get("elephant").await).is_not_found());
    maps.create(&create(), &config_map("elephant"))
        .await
        .unwrap();
    assert_eq!(
        refusal(maps.create(&dry, &config_map("elephant")).await).reason,
        "AlreadyExists"
    );
    let dry = DeleteParams {
        dry_run: true,
        ..DeleteParams::default()
    };
    maps.delete("elephant", &dry).await.unwrap();
    let background = DeleteParams {
        propagation_policy: Some(PropagationPolicy::Background),
        ..DeleteParams::default()
    };
    maps.delete("elephant", &background).await.unwrap();
}

#[tokio::test]
async fn secrets_come_back_encoded() {
    let secrets: Api<Secret> = Api::default_namespaced(Sandbox::new().client());
    let sent: Secret =
        serde_json::from_value(json!({"metadata": {"name": "s"}, "stringData": {"k": "v"}}))
            .unwrap();
    let created = secrets.create(&create(), &sent).await.unwrap();
    assert_eq!(created.type_.unwrap(), "Opaque");
    assert_eq!(created.data.unwrap()["k"].0, b"v");
    assert_eq!(created.string_data, None);
    let patch = Patch::Merge(json!({"type": "kubernetes.io/tls"}));
    assert_eq!(
        refusal(secrets.patch("s", &PatchParams::default(), &patch).await).code,
        422
    );
}

#[tokio::test]
async fn both_groups_serve_the_same_events() {
    let client = Sandbox::new().client();
    let (core, newer) = (
        Api::<Event>::default_namespaced(client.clone()),
        Api::<events::Event>::default_namespaced(client),
    );
    let sent: events::Event = serde_json::from_value(json!({
        "metadata": {"name": "e"}, "eventTime": "2026-01-01T00:00:00.000000Z", "note": "hello", "regarding": {"name": "x"},
        "type": "Normal", "reason": "Greeted", "action": "Greet", "reportingController": "zoo.io/keeper", "reportingInstance": "k-0",
    }))
    .unwrap();
    newer.create(&create(), &sent).await.unwrap();
    let read = core.get("e").await.unwrap();
    assert_eq!(
        (
            read.message.as_deref(),
            read.involved_object.name.as_deref()
        ),
        (Some("hello"), Some("x"))
    );
    // What an Event says can be changed through the older group alone.
    let patch = Patch::Merge(json!({"message": "bye"}));
    core.patch("e", &PatchParams::default(), &patch)
        .await
        .unwrap();
    let changed = newer.get("e").await.unwrap();
    assert_eq!(changed.note.as_deref(), Some("bye"));
    let patch = Patch::Merge(json!({"note": "again"}));
    let refused = newer.patch("e", &PatchParams::default(), &patch).await;
    assert_eq!(refusal(refused).code, 422);
}

#[tokio::test]
async fn metadata_can_be_asked_for_alone() {
    let maps = maps(&Sandbox::new().client());
    let mut map = config_map("elephant");
    map.data = Some([("a".to_owned(), "1".to_owned())].into());
    maps.create(&create(), &map).await.unwrap();
    let list = maps.list_metadata(&ListParams::default()).await.unwrap();
    assert_eq!(list.items[0].name_any(), "elephant");
    assert_eq!(
        maps.get_metadata("elephant")
            .await
            .unwrap()
            .types
            .unwrap()
            .kind,
        "PartialObjectMetadata"
    );
}

#[tokio::test]
async fn discovery_finds_every_kind_in_both_forms() {
    let client = Sandbox::new().client();
    assert_eq!(
        client.apiserver_version().await.unwrap().git_version,
        "v1.36.3"
    );
    let one_by_one = discovery::Discovery::new(client.clone())
        .run()
        .await
        .unwrap();
    let aggregated = discovery::Discovery::new(client.clone())
        .run_aggregated()
        .await
        .unwrap();
    for found in [one_by_one, aggregated] {
        let mut groups: Vec<_> = found
            .groups()
            .map(|group| group.name().to_owned())
            .collect();
        groups.sort_unstable();
        let expected = [
            "",
            "apiextensions.k8s.io",
            "apps",
            "authentication.k8s.io",
            "authorization.k8s.io",
            "coordination.k8s.io",
            "events.k8s.io",
            "policy",
            "rbac.authorization.k8s.io",
        ];
        assert_eq!(groups, expected);
        let (lease, capabilities) = found
            .get("coordination.k8s.io")
            .unwrap()
            .recommended_kind("Lease")
            .unwrap();
        assert_eq!(capabilities.scope, Scope::Namespaced);
        assert!(capabilities.supports_operation(verbs::WATCH));
        let dynamic: Api<DynamicObject> = Api::all_with(client.clone(), &lease);
        assert!(
            dynamic
                .list(&ListParams::default())
                .await
                .unwrap()
                .items
                .is_empty()
        );
        let (_, namespace) = found
            .get("")
            .unwrap()
            .recommended_kind("Namespace")
            .unwrap();
        assert!(!namespace.supports_operation(verbs::DELETE_COLLECTION));
    }
}

#[tokio::test]
async fn nonsense_is_refused_with_a_status() {
    let client = Sandbox::new().client();
    maps(&client)
        .create(&create(), &config_map("m"))
        .await
        .unwrap();
    let here = "/api/v1/namespaces/default/configmaps";
    let there = "/api/v1/namespaces/default/configmaps/m";
    let wrong_kind = r#"{"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "x"}}"#;
    let wrong_version = r#"{"kind": "ConfigMap", "apiVersion": "v2", "metadata": {"name": "x"}}"#;
    for (method, path, body, code) in [
        ("GET", "/nothing", "", 404),
        ("GET", "/api/v1/namespaces/default/gods", "", 404),
        (
            "GET",
            "/api/v1/namespaces/default/configmaps/m/status",
            "",
            404,
        ),
        ("POST", "/version", "", 405),
        ("POST", "/api/v1/configmaps", "{}", 405),
        ("DELETE", "/api/v1/namespaces", "", 405),
        ("POST", here, "", 400),
        ("POST", here, "{", 400),
        ("POST", here, "[]", 400),
        ("POST", here, "7", 400),
        ("POST", here, r#"{"metadata": 7}"#, 400),
        ("POST", here, r#"{"metadata": {"name": 7}}"#, 400),
        (
            "POST",
            here,
            r#"{"metadata": {"name": "x", "labels": []}}"#,
            400,
        ),
        (
            "POST",
            here,
            r#"{"metadata": {"name": "x", "finalizers": "y"}}"#,
            400,
        ),
        (
            "POST",
            here,
            r#"{"metadata": {"name": "x"}, "data": "y"}"#,
            400,
        ),
        ("POST", here, r#"{"metadata": {}}"#, 422),
        ("POST", here, wrong_kind, 400),
        ("POST", here, wrong_version, 400),
        ("PUT", there, r#"{"metadata": {}}"#, 400),
        (
            "PUT",
            there,
            r#"{"metadata": {"name": "m", "resourceVersion": "x"}}"#,
            400,
        ),
        ("DELETE", there, "{", 400),
        (
            "GET",
            "/api/v1/configmaps?watch=1&resourceVersion=x",
            "",
            400,
        ),
        (
            "GET",
            "/api/v1/configmaps?watch=1&timeoutSeconds=x",
            "",
            400,
        ),
        (
            "GET",
            "/api/v1/configmaps?watch=1&sendInitialEvents=true",
            "",
            422,
        ),
        ("GET", "/api/v1/configmaps?sendInitialEvents=true", "", 422),
        ("GET", "/api/v1/configmaps?continue=x", "", 400),
        (
            "GET",
            "/api/v1/configmaps?resourceVersion=18446744073709551615",
            "",
            504,
        ),
        (
            "GET",
            "/api/v1/configmaps?resourceVersion=18446744073709551616",
            "",
            400,
        ),
        ("GET", "/api/v1/configmaps?labelSelector=%FF%00((", "", 400),
        ("GET", "/api/v1/namespaces/%FF/configmaps/%00", "", 404),
    ] {
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .body(body.as_bytes().to_vec())
            .unwrap();
        let status = refusal(client.request_text(request).await);
        assert_eq!(
            status.code, code,
            "{method} {path} {body}: {}",
            status.message
        );
        assert!(!status.reason.is_empty() && !status.message.is_empty());
    }
}
