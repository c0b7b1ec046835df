//! Server-side apply and the owners of fields, as clients see them.

use crate::support::{config_map, refusal};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, ResourceExt,
    api::{Patch, PatchParams, PostParams},
};
use kube_sandbox::Sandbox;
use serde_json::{Value, json};

fn maps(sandbox: &Sandbox) -> Api<ConfigMap> {
    Api::default_namespaced(sandbox.client())
}

/// Applies `data` to the ConfigMap `elephant` as `manager`.
async fn apply(maps: &Api<ConfigMap>, manager: &str, data: Value) -> kube::Result<ConfigMap> {
    apply_with(maps, &PatchParams::apply(manager), data).await
}

async fn apply_with(
    maps: &Api<ConfigMap>,
    params: &PatchParams,
    data: Value,
) -> kube::Result<ConfigMap> {
    let config = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "elephant"}, "data": data});
    maps.patch("elephant", params, &Patch::Apply(config)).await
}

/// Who owns what, as `(manager, fields)`.
fn owners(map: &ConfigMap) -> Vec<(String, Value)> {
    let entries = map.managed_fields().iter().map(|entry| {
        let fields = entry
            .fields_v1
            .clone()
            .map_or(Value::Null, |fields| fields.0);
        (entry.manager.clone().unwrap_or_default(), fields)
    });
    entries.collect()
}

#[tokio::test]
async fn applying_creates_and_then_changes_nothing() {
    let maps = maps(&Sandbox::new());
    let first = apply(&maps, "one", json!({"a": "1"})).await.unwrap();
    let again = apply(&maps, "one", json!({"a": "1"})).await.unwrap();
    assert_eq!(first, again);
    assert_eq!(
        owners(&first),
        [("one".to_owned(), json!({"f:data": {"f:a": {}}}))]
    );
}

#[tokio::test]
async fn two_appliers_of_one_value_share_it() {
    let maps = maps(&Sandbox::new());
    apply(&maps, "one", json!({"a": "1"})).await.unwrap();
    let shared = apply(&maps, "two", json!({"a": "1"})).await.unwrap();
    let fields = json!({"f:data": {"f:a": {}}});
    let expected = [
        ("one".to_owned(), fields.clone()),
        ("two".to_owned(), fields),
    ];
    let mut found = owners(&shared);
    found.sort_by(|one, two| one.0.cmp(&two.0));
    assert_eq!(found, expected);

    // What one of them drops stays while the other one wants it.
    let dropped = apply(&maps, "one", json!({})).await.unwrap();
    assert_eq!(dropped.data.unwrap()["a"], "1");
    let dropped = apply(&maps, "two", json!({})).await.unwrap();
    assert_eq!(dropped.data, None);
}

#[tokio::test]
async fn a_conflict_names_the_owner_and_the_field_and_force_takes_it() {
    let maps = maps(&Sandbox::new());
    apply(&maps, "one", json!({"a": "1", "b": "1"}))
        .await
        .unwrap();
    let status = refusal(apply(&maps, "two", json!({"a": "2"})).await);
    assert_eq!(
        (status.code, status.message.as_str()),
        (
            409,
            "Apply failed with 1 conflict: conflict with \"one\": .data.a"
        )
    );
    let cause = &status.details.unwrap().causes[0];
    assert_eq!(
        (cause.reason.as_str(), cause.field.as_str()),
        ("FieldManagerConflict", ".data.a")
    );

    let forced = apply_with(&maps, &PatchParams::apply("two").force(), json!({"a": "2"})).await;
    let forced = forced.unwrap();
    assert_eq!(forced.data.as_ref().unwrap()["a"], "2");
    assert!(owners(&forced).contains(&("one".to_owned(), json!({"f:data": {"f:b": {}}}))));
}

#[tokio::test]
async fn what_an_applier_leaves_out_goes_unless_somebody_else_set_it() {
    let maps = maps(&Sandbox::new());
    apply(&maps, "one", json!({"a": "1", "b": "1"}))
        .await
        .unwrap();
    let patch = Patch::Merge(json!({"data": {"b": "2", "c": "3"}}));
    maps.patch("elephant", &PatchParams::default(), &patch)
        .await
        .unwrap();
    let left = apply(&maps, "one", json!({})).await.unwrap();
    let left = left.data.unwrap();
    assert_eq!(left.keys().collect::<Vec<_>>(), ["b", "c"]);
}

#[tokio::test]
async fn a_dry_apply_stores_nothing() {
    let maps = maps(&Sandbox::new());
    let params = PatchParams::apply("one").dry_run();
    apply_with(&maps, &params, json!({"a": "1"})).await.unwrap();
    assert_eq!(maps.get_opt("elephant").await.unwrap(), None);
}

#[tokio::test]
async fn a_write_that_changes_nothing_keeps_the_version() {
    let maps = maps(&Sandbox::new());
    let mut map = config_map("elephant");
    map.data = Some([("a".to_owned(), "1".to_owned())].into());
    let created = maps.create(&PostParams::default(), &map).await.unwrap();
    for manager in ["one", "two"] {
        let params = PostParams {
            field_manager: Some(manager.to_owned()),
            ..PostParams::default()
        };
        let same = maps.replace("elephant", &params, &created).await.unwrap();
        assert_eq!(same, created);
    }
}

#[tokio::test]
async fn an_empty_list_forgets_the_owners() {
    let maps = maps(&Sandbox::new());
    apply(&maps, "one", json!({"a": "1"})).await.unwrap();
    let patch = Patch::Merge(json!({"metadata": {"managedFields": [{}]}}));
    let bare = maps
        .patch("elephant", &PatchParams::default(), &patch)
        .await
        .unwrap();
    assert_eq!(owners(&bare), []);
    let status = refusal(apply(&maps, "two", json!({"a": "2"})).await);
    assert_eq!(
        status.message,
        "Apply failed with 1 conflict: conflict with \"before-first-apply\" using v1: .data.a"
    );
}

#[tokio::test]
async fn many_updaters_are_merged_into_one_entry() {
    let maps = maps(&Sandbox::new());
    let mut map = config_map("elephant");
    map.data = Some([("a".to_owned(), "1".to_owned())].into());
    maps.create(&PostParams::default(), &map).await.unwrap();
    for index in 0..15 {
        let params = PatchParams {
            field_manager: Some(format!("updater-{index:02}")),
            ..PatchParams::default()
        };
        let patch = Patch::Merge(json!({"data": {format!("key-{index:02}"): "1"}}));
        maps.patch("elephant", &params, &patch).await.unwrap();
    }
    let map = maps.get("elephant").await.unwrap();
    let names: Vec<_> = owners(&map).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names.len(), 10);
    assert!(names.contains(&"ancient-changes".to_owned()));
    assert!(names.contains(&"updater-14".to_owned()));
}

#[tokio::test]
async fn malformed_applies_are_refused() {
    let maps = maps(&Sandbox::new());
    for (params, config, code, message) in [
        (
            PatchParams::default(),
            json!({}),
            422,
            "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch",
        ),
        (
            PatchParams::apply("one"),
            json!({}),
            400,
            "invalid object type: /, Kind=",
        ),
        (
            PatchParams::apply("one"),
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "lion"}}),
            400,
            "the name of the object (lion) does not match the name on the URL (elephant)",
        ),
        (
            PatchParams::apply("one"),
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "elephant", "managedFields": []}}),
            400,
            "metadata.managedFields must be nil",
        ),
        (
            PatchParams::apply("one"),
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "elephant"}, "none": 1}),
            400,
            "failed to create typed patch object (/elephant; /v1, Kind=ConfigMap): .none: field not declared in schema",
        ),
    ] {
        let status = refusal(
            maps.patch("elephant", &params, &Patch::Apply(&config))
                .await,
        );
        assert_eq!(
            (status.code, status.message.as_str()),
            (code, message),
            "{config}"
        );
    }
}
