//! What a client can rely on: single requests.

use crate::support::{config_map, lease, names, refusal};
use k8s_openapi::api::{
    coordination::v1::Lease,
    core::v1::{ConfigMap, Namespace},
};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams, Preconditions},
};
use kube_sandbox::Sandbox;
use serde_json::json;

fn create() -> PostParams {
    PostParams::default()
}

fn leases(client: &Client) -> Api<Lease> {
    Api::namespaced(client.clone(), "kube-system")
}

fn maps(client: &Client) -> Api<ConfigMap> {
    Api::default_namespaced(client.clone())
}

#[tokio::test]
async fn a_fresh_cluster_has_its_namespaces() {
    let namespaces: Api<Namespace> = Api::all(Sandbox::new().client());
    let list = namespaces.list(&ListParams::default()).await.unwrap();
    assert_eq!(
        names(&list),
        ["default", "kube-node-lease", "kube-public", "kube-system"]
    );
    let zoo = serde_json::from_value(json!({"metadata": {"name": "zoo"}})).unwrap();
    let zoo = namespaces.create(&create(), &zoo).await.unwrap();
    assert_eq!(zoo.labels()["kubernetes.io/metadata.name"], "zoo");
    assert_eq!(zoo.status.unwrap().phase.unwrap(), "Active");
}

#[tokio::test]
async fn the_server_names_what_it_creates() {
    let maps = maps(&Sandbox::new().client());
    let mut sent = config_map("elephant");
    sent.meta_mut().uid = Some("mine".to_owned());
    sent.meta_mut().generation = Some(7);
    let created = maps.create(&create(), &sent).await.unwrap();
    assert_ne!(created.uid().unwrap(), "mine");
    assert!(created.creation_timestamp().is_some());
    assert_eq!(
        created.metadata.generation,
        Some(7),
        "ConfigMaps have no generation of their own"
    );
    assert_eq!(maps.get("elephant").await.unwrap(), created);
}

#[tokio::test]
async fn generated_names_are_free_names() {
    let maps = maps(&Sandbox::new().client());
    let mut sent = config_map("");
    sent.meta_mut().name = None;
    sent.meta_mut().generate_name = Some("lion-".to_owned());
    let one = maps.create(&create(), &sent).await.unwrap();
    let two = maps.create(&create(), &sent).await.unwrap();
    assert!(one.name_any().starts_with("lion-") && one.name_any().len() == "lion-".len() + 5);
    assert_ne!(one.name_any(), two.name_any());
}

#[tokio::test]
async fn refusals_read_like_those_of_a_real_server() {
    let client = Sandbox::new().client();
    let (leases, nowhere) = (
        leases(&client),
        Api::<ConfigMap>::namespaced(client.clone(), "nowhere"),
    );

    let status = refusal(leases.get("x").await);
    assert_eq!((status.code, status.reason.as_str()), (404, "NotFound"));
    assert_eq!(status.message, "leases.coordination.k8s.io \"x\" not found");

    let status = refusal(nowhere.create(&create(), &config_map("x")).await);
    assert_eq!(
        (status.code, status.message.as_str()),
        (404, "namespaces \"nowhere\" not found")
    );

    leases.create(&create(), &lease("x")).await.unwrap();
    let status = refusal(leases.create(&create(), &lease("x")).await);
    assert_eq!(
        (status.code, status.reason.as_str()),
        (409, "AlreadyExists")
    );
    assert_eq!(
        status.message,
        "leases.coordination.k8s.io \"x\" already exists"
    );

    let mut stale = leases.get("x").await.unwrap();
    stale.meta_mut().resource_version = Some("1".to_owned());
    let status = refusal(leases.replace("x", &create(), &stale).await);
    assert_eq!((status.code, status.reason.as_str()), (409, "Conflict"));
    assert_eq!(
        status.message,
        "Operation cannot be fulfilled on leases.coordination.k8s.io \"x\": the object has been modified; \
         please apply your changes to the latest version and try again"
    );

    let status = refusal(leases.create(&create(), &stale).await);
    assert_eq!(status.code, 400, "{}", status.message);

    let status = refusal(leases.create(&create(), &lease("Not_A_Name")).await);
    assert_eq!((status.code, status.reason.as_str()), (422, "Invalid"));
    assert_eq!(status.details.unwrap().causes[0].field, "metadata.name");

    let mut zero = lease("zero");
    zero.spec.as_mut().unwrap().lease_duration_seconds = Some(0);
    let status = refusal(leases.create(&create(), &zero).await);
    assert_eq!(
        status.message,
        "Lease.coordination.k8s.io \"zero\" is invalid: \
         spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0"
    );

    let status = refusal(leases.replace("y", &create(), &lease("x")).await);
    assert_eq!(
        status.message,
        "the name of the object (x) does not match the name on the URL (y)"
    );
    let mut elsewhere = lease("z");
    elsewhere.meta_mut().namespace = Some("default".to_owned());
    assert_eq!(
        refusal(leases.create(&create(), &elsewhere).await).code,
        400
    );
}

#[tokio::test]
async fn of_two_writers_with_the_same_version_one_wins() {
    let maps = maps(&Sandbox::new().client());
    let read = maps
        .create(&create(), &config_map("elephant"))
        .await
        .unwrap();
    let (mut one, mut two) = (read.clone(), read);
    one.data = Some([("by".to_owned(), "one".to_owned())].into());
    two.data = Some([("by".to_owned(), "two".to_owned())].into());
    let params = create();
    let (one, two) = tokio::join!(
        maps.replace("elephant", &params, &one),
        maps.replace("elephant", &params, &two),
    );
    assert_ne!(one.is_ok(), two.is_ok());
    let loser = if one.is_ok() { two } else { one };
    assert!(refusal(loser).is_conflict());
}

#[tokio::test]
async fn a_write_without_a_change_keeps_the_version() {
    let client = Sandbox::new().client();
    let created = leases(&client)
        .create(&create(), &lease("x"))
        .await
        .unwrap();
    let again = leases(&client)
        .replace("x", &create(), &created)
        .await
        .unwrap();
    assert_eq!(again.resource_version(), created.resource_version());
    let patch = Patch::Merge(json!({"metadata": {"labels": {}}}));
    let patched = leases(&client)
        .patch("x", &PatchParams::default(), &patch)
        .await
        .unwrap();
    assert_eq!(patched.resource_version(), created.resource_version());
}

#[tokio::test]
async fn a_merge_patch_changes_fields_and_respects_the_version_in_it() {
    let maps = maps(&Sandbox::new().client());
    let created = maps
        .create(&create(), &config_map("elephant"))
        .await
        .unwrap();
    let patch = Patch::Merge(json!({"metadata": {"labels": {"big": "yes"}}, "data": {"a": "1"}}));
    let patched = maps
        .patch("elephant", &PatchParams::default(), &patch)
        .await
        .unwrap();
    assert_eq!(patched.labels()["big"], "yes");
    let patch = Patch::Merge(json!({"metadata": {"labels": {"big": null}}}));
    let patched = maps
        .patch("elephant", &PatchParams::default(), &patch)
        .await
        .unwrap();
    assert!(patched.labels().is_empty() && patched.data.is_some());

    let version = created.resource_version().unwrap();
    let patch = Patch::Merge(json!({"metadata": {"resourceVersion": version}, "data": {"a": "2"}}));
    assert!(
        refusal(
            maps.patch("elephant", &PatchParams::default(), &patch)
                .await
        )
        .is_conflict()
    );
    let patch = Patch::Merge(json!({"metadata": {"uid": "another"}}));
    assert_eq!(
        refusal(
            maps.patch("elephant", &PatchParams::default(), &patch)
                .await
        )
        .code,
        422
    );
    let patch = Patch::Merge(json!({"data": {"a": 2}}));
    assert_eq!(
        refusal(
            maps.patch("elephant", &PatchParams::default(), &patch)
                .await
        )
        .code,
        422
    );
    assert_eq!(
        refusal(maps.patch("lion", &PatchParams::default(), &patch).await).code,
        404
    );
}

#[tokio::test]
async fn a_json_patch_applies_whole_or_not_at_all() {
    let client = Sandbox::new().client();
    maps(&client)
        .create(&create(), &config_map("elephant"))
        .await
        .unwrap();
    let send = async |operations: serde_json::Value| {
        let request = http::Request::patch("/api/v1/namespaces/default/configmaps/elephant")
            .header("content-type", "application/json-patch+json")
            .body(operations.to_string().into_bytes())
            .unwrap();
        client.request::<ConfigMap>(request).await
    };
    let add = json!({"op": "add", "path": "/data", "value": {"a": "1"}});
    let failing = json!({"op": "test", "path": "/metadata/name", "value": "lion"});
    assert_eq!(refusal(send(json!([add, failing])).await).code, 422);
    assert_eq!(maps(&client).get("elephant").await.unwrap().data, None);
    assert_eq!(send(json!([add])).await.unwrap().data.unwrap()["a"], "1");
}

#[tokio::test]
async fn a_strategic_merge_patch_merges_lists_where_the_type_says_so() {
    let maps = maps(&Sandbox::new().client());
    let mut elephant = config_map("elephant");
    elephant.metadata.finalizers = Some(vec!["zoo.io/a".to_owned()]);
    maps.create(&create(), &elephant).await.unwrap();
    let patch = Patch::Strategic(json!({"metadata": {"finalizers": ["zoo.io/b"]}}));
    let patched = maps
        .patch("elephant", &PatchParams::default(), &patch)
        .await
        .unwrap();
    assert_eq!(
        patched.metadata.finalizers.unwrap(),
        ["zoo.io/b", "zoo.io/a"]
    );
}

#[tokio::test]
async fn a_deletion_can_depend_on_uid_and_version() {
    let leases = leases(&Sandbox::new().client());
    let created = leases.create(&create(), &lease("x")).await.unwrap();
    let only_if = |uid: Option<String>, resource_version: Option<String>| DeleteParams {
        preconditions: Some(Preconditions {
            uid,
            resource_version,
        }),
        ..DeleteParams::default()
    };
    let (uid, version) = (created.uid(), created.resource_version());
    let other = || Some("1".to_owned());
    assert!(refusal(leases.delete("x", &only_if(other(), None)).await).is_conflict());
    assert!(refusal(leases.delete("x", &only_if(uid.clone(), other())).await).is_conflict());
    let gone = leases
        .delete("x", &only_if(uid, version))
        .await
        .unwrap()
        .right()
        .unwrap();
    assert!(gone.is_success());
    assert_eq!(gone.details.unwrap().uid, created.uid().unwrap());
    assert!(refusal(leases.delete("x", &DeleteParams::default()).await).is_not_found());
}

#[tokio::test]
async fn a_put_creates_a_lease_only_for_no_one_in_particular() {
    let client = Sandbox::new().client();
    let leases = leases(&client);
    let created = leases.replace("x", &create(), &lease("x")).await.unwrap();
    leases.delete("x", &DeleteParams::default()).await.unwrap();

    // The uid says: that object or none.
    let status = refusal(leases.replace("x", &create(), &created).await);
    assert_eq!((status.code, status.reason.as_str()), (409, "Conflict"));
    assert!(
        status.message.ends_with("UID in object meta: "),
        "{}",
        status.message
    );

    let mut anonymous = created;
    anonymous.meta_mut().uid = None;
    let again = leases.replace("x", &create(), &anonymous).await.unwrap();
    anonymous.meta_mut().uid = Some("0f0f".to_owned());
    assert!(refusal(leases.replace("x", &create(), &anonymous).await).is_conflict());

    let mut unconditional = again;
    unconditional.meta_mut().resource_version = None;
    let status = refusal(leases.replace("x", &create(), &unconditional).await);
    assert_eq!((status.code, status.reason.as_str()), (422, "Invalid"));
    assert!(
        refusal(
            maps(&client)
                .replace("x", &create(), &config_map("x"))
                .await
        )
        .is_not_found()
    );
}

#[tokio::test]
async fn finalizers_hold_an_object_until_the_last_one_goes() {
    let maps = maps(&Sandbox::new().client());
    let mut held = config_map("held");
    held.finalizers_mut().push("example.com/hold".to_owned());
    maps.create(&create(), &held).await.unwrap();

    let marked = maps
        .delete("held", &DeleteParams::default())
        .await
        .unwrap()
        .left()
        .unwrap();
    assert!(marked.meta().deletion_timestamp.is_some());
    let again = maps
        .delete("held", &DeleteParams::default())
        .await
        .unwrap()
        .left()
        .unwrap();
    assert_eq!(again.resource_version(), marked.resource_version());

    let patch =
        Patch::Merge(json!({"metadata": {"finalizers": ["example.com/hold", "example.com/more"]}}));
    assert_eq!(
        refusal(maps.patch("held", &PatchParams::default(), &patch).await).code,
        422
    );
    let patch = Patch::Merge(json!({"metadata": {"finalizers": null}}));
    maps.patch("held", &PatchParams::default(), &patch)
        .await
        .unwrap();
    assert!(refusal(maps.get("held").await).is_not_found());
}

#[tokio::test]
async fn a_namespace_takes_its_contents_with_it() {
    let client = Sandbox::new().client();
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let zoo: Namespace = serde_json::from_value(json!({"metadata": {"name": "zoo"}})).unwrap();
    namespaces.create(&create(), &zoo).await.unwrap();
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), "zoo");
    let mut held = config_map("held");
    held.finalizers_mut().push("example.com/hold".to_owned());
    maps.create(&create(), &held).await.unwrap();
    maps.create(&create(), &config_map("free")).await.unwrap();

    let deleted = namespaces
        .delete("zoo", &DeleteParams::default())
        .await
        .unwrap()
        .left()
        .unwrap();
    assert_eq!(deleted.status.unwrap().phase.unwrap(), "Terminating");
    assert!(refusal(maps.get("free").await).is_not_found());
    let status = refusal(maps.create(&create(), &config_map("late")).await);
    assert_eq!(status.code, 403);
    assert_eq!(
        status.message,
        "configmaps \"late\" is forbidden: unable to create new content in namespace zoo because it is being terminated"
    );

    let patch = Patch::Merge(json!({"metadata": {"finalizers": null}}));
    maps.patch("held", &PatchParams::default(), &patch)
        .await
        .unwrap();
    assert!(refusal(namespaces.get("zoo").await).is_not_found());
    let status = refusal(
        namespaces
            .delete("kube-system", &DeleteParams::default())
            .await,
    );
    assert_eq!(
        status.message,
        "namespaces \"kube-system\" is forbidden: this namespace may not be deleted"
    );
}
