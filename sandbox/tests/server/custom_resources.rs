//! What a client can rely on: custom resources.

use crate::support::refusal;
use futures_util::{StreamExt, TryStreamExt};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{
        ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams,
        WatchEvent, WatchParams,
    },
    core::GroupVersionKind,
    discovery,
};
use kube_sandbox::Sandbox;
use serde_json::{Value, json};

const NAME: &str = "lions.zoo.example.com";

/// Lions, whose `v1` has a status and a scale.
fn definition() -> Value {
    let spec = json!({"type": "object", "required": ["teeth"], "properties": {
        "teeth": {"type": "integer", "minimum": 1},
        "name": {"type": "string", "default": "Leo"},
        "cubs": {"type": "integer"},
    }});
    let status = json!({"type": "object", "properties": {"cubs": {"type": "integer"}}});
    let schema = json!({"type": "object", "properties": {"spec": spec, "status": status}});
    let scale = json!({"specReplicasPath": ".spec.cubs", "statusReplicasPath": ".status.cubs"});
    let free = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    json!({"metadata": {"name": NAME}, "spec": {
        "group": "zoo.example.com", "scope": "Namespaced",
        "names": {"plural": "lions", "kind": "Lion", "shortNames": ["li"]},
        "versions": [
            {
                "name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema},
                "subresources": {"status": {}, "scale": scale},
            },
            {"name": "v1beta1", "served": true, "storage": false, "schema": {"openAPIV3Schema": free}},
        ],
    }})
}

fn definitions(client: &Client) -> Api<CustomResourceDefinition> {
    Api::all(client.clone())
}

async fn define(client: &Client, definition: Value) -> kube::Result<CustomResourceDefinition> {
    let definition = serde_json::from_value(definition).unwrap();
    definitions(client)
        .create(&PostParams::default(), &definition)
        .await
}

fn lions(client: &Client, version: &str) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk("zoo.example.com", version, "Lion");
    Api::default_namespaced_with(client.clone(), &ApiResource::from_gvk(&kind))
}

fn lion(name: &str, spec: &Value) -> DynamicObject {
    let types = json!({"apiVersion": "zoo.example.com/v1", "kind": "Lion"});
    let mut object = json!({"metadata": {"name": name}, "spec": spec});
    object["apiVersion"] = types["apiVersion"].clone();
    object["kind"] = types["kind"].clone();
    serde_json::from_value(object).unwrap()
}

#[tokio::test]
async fn a_definition_is_served_at_once() {
    let client = Sandbox::new().client();
    assert_eq!(
        refusal(lions(&client, "v1").list(&ListParams::default()).await).code,
        404
    );
    define(&client, definition()).await.unwrap();

    let stored = definitions(&client).get(NAME).await.unwrap();
    let status = serde_json::to_value(stored.status.unwrap()).unwrap();
    let conditions = status["conditions"].as_array().unwrap();
    let types: Vec<_> = conditions
        .iter()
        .map(|one| (&one["type"], &one["status"]))
        .collect();
    assert_eq!(
        types,
        [
            (&json!("NamesAccepted"), &json!("True")),
            (&json!("Established"), &json!("True"))
        ]
    );
    assert_eq!(status["acceptedNames"]["listKind"], "LionList");
    assert_eq!(status["storedVersions"], json!(["v1"]));

    let group = discovery::group(&client, "zoo.example.com").await.unwrap();
    let versions: Vec<_> = group.versions().map(str::to_owned).collect();
    assert_eq!(versions, ["v1", "v1beta1"]);
    let (_, capabilities) = group.recommended_kind("Lion").unwrap();
    assert_eq!(capabilities.subresources.len(), 2);

    lions(&client, "v1")
        .create(&PostParams::default(), &lion("leo", &json!({"teeth": 30})))
        .await
        .unwrap();
    let list = lions(&client, "v1beta1")
        .list(&ListParams::default())
        .await
        .unwrap();
    assert_eq!(list.types.list_kind(), "LionList");
    assert_eq!(
        list.items[0].types.as_ref().unwrap().api_version,
        "zoo.example.com/v1beta1"
    );
}

trait ListKind {
    fn list_kind(&self) -> &str;
}

impl ListKind for kube::core::TypeMeta {
    fn list_kind(&self) -> &str {
        &self.kind
    }
}

#[tokio::test]
async fn an_applied_definition_is_served_too() {
    let client = Sandbox::new().client();
    let mut applied = definition();
    applied["apiVersion"] = json!("apiextensions.k8s.io/v1");
    applied["kind"] = json!("CustomResourceDefinition");
    let params = PatchParams::apply("keeper");
    definitions(&client)
        .patch(NAME, &params, &Patch::Apply(applied))
        .await
        .unwrap();
    assert!(
        lions(&client, "v1")
            .list(&ListParams::default())
            .await
            .unwrap()
            .items
            .is_empty()
    );
}

#[tokio::test]
async fn the_schema_shapes_and_checks_objects() {
    let client = Sandbox::new().client();
    define(&client, definition()).await.unwrap();
    let lions = lions(&client, "v1");
    let params = PostParams::default();
    let made = lions
        .create(&params, &lion("leo", &json!({"teeth": 30, "tail": "long"})))
        .await
        .unwrap();
    assert_eq!(made.data["spec"], json!({"teeth": 30, "name": "Leo"}));
    assert_eq!(made.metadata.generation, Some(1));
    for (spec, message) in [
        (
            json!({"teeth": 0}),
            "spec.teeth: Invalid value: 0: spec.teeth in body should be greater than or equal to 1",
        ),
        (json!({}), "spec.teeth: Required value"),
        (
            json!({"teeth": "x"}),
            "spec.teeth: Invalid value: \"string\": spec.teeth in body must be of type integer: \"string\"",
        ),
    ] {
        let status = refusal(lions.create(&params, &lion("lea", &spec)).await);
        assert_eq!(status.code, 422);
        assert_eq!(
            status.message,
            format!("Lion.zoo.example.com \"lea\" is invalid: {message}")
        );
    }
}

#[tokio::test]
async fn custom_resources_have_the_subresources_of_their_version() {
    let client = Sandbox::new().client();
    define(&client, definition()).await.unwrap();
    let lions = lions(&client, "v1");
    let leo = lion("leo", &json!({"teeth": 30, "cubs": 1}));
    lions.create(&PostParams::default(), &leo).await.unwrap();
    let both = Patch::Merge(
        json!({"metadata": {"labels": {"a": "b"}}, "spec": {"cubs": 3}, "status": {"cubs": 2}}),
    );
    let params = PatchParams::default();
    let patched = lions.patch_status("leo", &params, &both).await.unwrap();
    assert_eq!(patched.data["spec"]["cubs"], 1);
    assert_eq!(patched.data["status"]["cubs"], 2);
    assert!(patched.labels().is_empty());
    assert_eq!(patched.metadata.generation, Some(1));

    let scale = Patch::Merge(json!({"spec": {"replicas": 5}}));
    let scaled = lions.patch_scale("leo", &params, &scale).await.unwrap();
    assert_eq!(scaled.status.unwrap().replicas, 2);
    let leo = lions.get("leo").await.unwrap();
    assert_eq!(
        (&leo.data["spec"]["cubs"], leo.metadata.generation),
        (&json!(5), Some(2))
    );
    let beta = self::lions(&client, "v1beta1");
    assert_eq!(
        refusal(beta.patch_status("leo", &params, &both).await).code,
        404
    );
}

#[tokio::test]
async fn a_definition_goes_with_its_objects_and_their_finalizers() {
    let client = Sandbox::new().client();
    define(&client, definition()).await.unwrap();
    let lions = lions(&client, "v1");
    let mut held = lion("leo", &json!({"teeth": 30}));
    held.meta_mut().finalizers = Some(vec!["zoo.example.com/keeper".to_owned()]);
    lions.create(&PostParams::default(), &held).await.unwrap();
    lions
        .create(&PostParams::default(), &lion("lea", &json!({"teeth": 30})))
        .await
        .unwrap();
    let mut watch = lions
        .watch(&WatchParams::default(), "0")
        .await
        .unwrap()
        .boxed();
    for _ in 0..2 {
        assert!(matches!(
            watch.try_next().await.unwrap(),
            Some(WatchEvent::Added(_))
        ));
    }

    let deleted = definitions(&client)
        .delete(NAME, &DeleteParams::default())
        .await
        .unwrap();
    let deleted = deleted.left().unwrap();
    assert_eq!(
        deleted.finalizers(),
        ["customresourcecleanup.apiextensions.k8s.io"]
    );
    let left = lions.list(&ListParams::default()).await.unwrap();
    assert_eq!(crate::support::names(&left), ["leo"]);
    let late = lions
        .create(&PostParams::default(), &lion("late", &json!({"teeth": 30})))
        .await;
    assert_eq!(refusal(late).reason, "Forbidden");

    let released = Patch::Merge(json!({"metadata": {"finalizers": null}}));
    lions
        .patch("leo", &PatchParams::default(), &released)
        .await
        .unwrap();
    assert_eq!(refusal(definitions(&client).get(NAME).await).code, 404);
    assert_eq!(refusal(lions.list(&ListParams::default()).await).code, 404);
    let rest: Vec<_> = watch.try_collect().await.unwrap();
    let gone = |event: &&WatchEvent<DynamicObject>| matches!(event, WatchEvent::Deleted(_));
    assert_eq!(
        rest.iter().filter(gone).count(),
        2,
        "the watch ends after the last object"
    );
}

#[tokio::test]
async fn changing_a_definition_changes_what_is_served() {
    let client = Sandbox::new().client();
    define(&client, definition()).await.unwrap();
    let leo = lion("leo", &json!({"teeth": 30}));
    lions(&client, "v1")
        .create(&PostParams::default(), &leo)
        .await
        .unwrap();
    let stop = json!([{"op": "replace", "path": "/spec/versions/1/served", "value": false}]);
    let stop = Patch::<()>::Json(serde_json::from_value(stop).unwrap());
    definitions(&client)
        .patch(NAME, &PatchParams::default(), &stop)
        .await
        .unwrap();
    assert_eq!(
        refusal(lions(&client, "v1beta1").get("leo").await).code,
        404
    );
    assert_eq!(
        lions(&client, "v1").get("leo").await.unwrap().name_any(),
        "leo"
    );
}

#[tokio::test]
async fn definitions_are_checked() {
    let client = Sandbox::new().client();
    let changed = |pointer: &str, value: Value| {
        let mut definition = definition();
        *definition.pointer_mut(pointer).unwrap() = value;
        definition
    };
    for (definition, message) in [
        (
            changed("/metadata/name", json!("cats.zoo.example.com")),
            "metadata.name: Invalid value: \"cats.zoo.example.com\": must be spec.names.plural+\".\"+spec.group",
        ),
        (
            changed(
                "/spec/versions/0/schema/openAPIV3Schema/type",
                json!("string"),
            ),
            "spec.versions[0].schema.openAPIV3Schema.type: Invalid value: \"string\": must be object at the root",
        ),
        (
            changed("/spec/scope", json!("Local")),
            "spec.scope: Unsupported value: \"Local\"",
        ),
        (
            changed("/spec/versions/1/storage", json!(true)),
            "must have exactly one version marked as storage version",
        ),
    ] {
        let status = refusal(define(&client, definition).await);
        assert_eq!(status.code, 422);
        assert!(status.message.contains(message), "{}", status.message);
    }
}

#[tokio::test]
async fn names_that_are_taken_are_not_accepted() {
    let client = Sandbox::new().client();
    define(&client, definition()).await.unwrap();
    let mut other = definition();
    other["metadata"]["name"] = json!("cats.zoo.example.com");
    other["spec"]["names"] =
        json!({"plural": "cats", "singular": "cat", "kind": "Lion", "listKind": "Cats"});
    define(&client, other).await.unwrap();
    let stored = definitions(&client)
        .get("cats.zoo.example.com")
        .await
        .unwrap();
    let status = serde_json::to_value(stored.status.unwrap()).unwrap();
    assert_eq!(status["conditions"][0]["reason"], "KindConflict");
    assert_eq!(status["conditions"][1]["status"], "False");
    let group = discovery::group(&client, "zoo.example.com").await.unwrap();
    assert!(
        group
            .recommended_resources()
            .iter()
            .all(|(resource, _)| resource.plural == "lions")
    );
}
