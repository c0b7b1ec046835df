//! What a strategic merge patch makes of objects; the expectations are answers of kube-apiserver 1.36.

use serde_json::json;

use super::*;
use crate::schema::Schemas;

fn patched(kind: &str, object: Value, patch: Value) -> Result<Value, ApiError> {
    let (Value::Object(object), Value::Object(patch)) = (object, patch) else {
        panic!("both are objects");
    };
    let kind = Schemas::kubernetes().get(kind).unwrap();
    merge(object, patch, kind).map(Value::Object)
}

fn pod(object: Value, patch: Value) -> Result<Value, ApiError> {
    patched("io.k8s.api.core.v1.Pod", object, patch)
}

/// The names of the containers after a patch of the containers `a`, `b` and `c`.
fn containers(patch: &Value) -> String {
    let named = |name: &str| json!({"name": name, "image": "old"});
    let object = json!({"spec": {"containers": [named("a"), named("b"), named("c")]}});
    let object = pod(object, json!({"spec": patch})).unwrap();
    let items = object["spec"]["containers"].as_array().unwrap();
    let names = items.iter().map(|item| item["name"].as_str().unwrap());
    names.collect::<Vec<_>>().join("")
}

#[test]
fn containers_merge_by_their_names() {
    let object = json!({"spec": {"containers": [{"name": "a", "image": "1", "args": ["x"]}]}});
    let patch =
        json!({"spec": {"containers": [{"name": "a", "image": "2"}, {"name": "b", "image": "3"}]}});
    assert_eq!(
        pod(object, patch).unwrap()["spec"]["containers"],
        json!([{"name": "a", "image": "2", "args": ["x"]}, {"name": "b", "image": "3"}])
    );
}

#[test]
fn items_of_the_patch_come_in_its_order() {
    for (patch, expected) in [
        (json!({"containers": [{"name": "c"}, {"name": "a"}]}), "bca"),
        (json!({"containers": [{"name": "d"}]}), "dabc"),
        (
            json!({"containers": [{"name": "b"}, {"name": "d"}]}),
            "abdc",
        ),
        (
            json!({"containers": [{"name": "a", "$patch": "delete"}]}),
            "bc",
        ),
        (
            json!({"containers": [{"$patch": "replace"}, {"name": "z"}]}),
            "z",
        ),
        (
            json!({"$setElementOrder/containers": [{"name": "c"}, {"name": "b"}, {"name": "a"}]}),
            "cba",
        ),
        (
            json!({"$setElementOrder/containers": [{"name": "d"}, {"name": "a"}], "containers": [{"name": "d"}]}),
            "dabc",
        ),
        (
            json!({
                "$setElementOrder/containers": [{"name": "b"}, {"name": "c"}],
                "containers": [{"name": "a", "$patch": "delete"}],
            }),
            "bc",
        ),
    ] {
        assert_eq!(containers(&patch), expected, "{patch}");
    }
}

#[test]
fn lists_of_texts_unite_where_the_field_says_so() {
    let object = json!({"metadata": {"finalizers": ["a/b", "c/d"]}, "spec": {"containers": [{"name": "a", "args": ["x"]}]}});
    for (patch, expected) in [
        (json!({"finalizers": ["e/f"]}), json!(["e/f", "a/b", "c/d"])),
        (json!({"finalizers": ["c/d"]}), json!(["a/b", "c/d"])),
        (
            json!({"$deleteFromPrimitiveList/finalizers": ["a/b"]}),
            json!(["c/d"]),
        ),
        (
            json!({"$setElementOrder/finalizers": ["c/d", "a/b"]}),
            json!(["c/d", "a/b"]),
        ),
        (json!({"finalizers": null}), Value::Null),
    ] {
        let result = pod(object.clone(), json!({"metadata": patch})).unwrap();
        assert_eq!(result["metadata"]["finalizers"], expected, "{patch}");
    }
    let patch = json!({"spec": {"containers": [{"name": "a", "args": ["y"]}]}});
    assert_eq!(
        pod(object, patch).unwrap()["spec"]["containers"][0]["args"],
        json!(["y"])
    );
}

#[test]
fn retained_keys_are_the_only_ones_left() {
    let object =
        json!({"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}});
    let strategy = json!({"$retainKeys": ["type"], "type": "Recreate"});
    let result = patched(
        "io.k8s.api.apps.v1.Deployment",
        object,
        json!({"spec": {"strategy": strategy}}),
    );
    assert_eq!(
        result.unwrap()["spec"]["strategy"],
        json!({"type": "Recreate"})
    );
}

#[test]
fn structs_are_replaced_or_deleted_on_demand() {
    let object = json!({"metadata": {"labels": {"a": "1"}, "annotations": {"b": "2"}}});
    let patch = json!({"metadata": {"labels": {"$patch": "replace", "c": "3"}, "annotations": {"$patch": "delete"}}});
    assert_eq!(
        pod(object, patch).unwrap(),
        json!({"metadata": {"labels": {"c": "3"}, "annotations": {}}})
    );
}

#[test]
fn malformed_patches_are_refused() {
    let object =
        json!({"metadata": {"finalizers": ["a/b"]}, "spec": {"containers": [{"name": "a"}]}});
    for (patch, code, message) in [
        (
            json!({"spec": {"containers": [{"image": "x", "tty": true}]}}),
            400,
            "map: map[image:x tty:true] does not contain declared merge key: name",
        ),
        (
            json!({"spec": {"containers": [{"$patch": "delete"}]}}),
            400,
            "map: map[$patch:delete] does not contain declared merge key: name",
        ),
        (
            json!({"spec": {"containers": [{"$patch": "merge"}]}}),
            400,
            "merging lists cannot yet be specified in the patch",
        ),
        (
            json!({"metadata": {"$patch": "foo"}}),
            400,
            "unknown patch type: foo in map: map[$patch:foo]",
        ),
        (
            json!({"metadata": {"$setElementOrder/finalizers": 5}}),
            400,
            "expected a []interface {}, but received a int64",
        ),
        (
            json!({"metadata": {"$setElementOrderX/finalizers": []}}),
            400,
            "invalid patch format of setElementOrder list",
        ),
        (
            json!({"metadata": {"$deleteFromPrimitiveList": []}}),
            400,
            "invalid patch format of primitive list",
        ),
        (
            json!({"metadata": {"$retainKeys": ["x"], "name": "y"}}),
            400,
            "invalid patch format of retainKeys",
        ),
        (
            json!({"spec": {"containers": ["x"]}}),
            400,
            "list element types are not identical: [[map[name:a]] [x]]",
        ),
        (
            json!({"spec": {"$setElementOrder/containers": [{"name": "a"}], "containers": [{"name": "b"}]}}),
            400,
            "The order in patch list:\n[map[name:b]]\n doesn't match $setElementOrder list:\n[map[name:a]]\n",
        ),
        (
            json!({"metadata": {"finalizers": [["x"]]}}),
            400,
            "list element types are not identical: [[a/b] [[x]]]",
        ),
    ] {
        let error = pod(object.clone(), patch.clone()).unwrap_err();
        assert_eq!(
            (error.code.as_u16(), error.message.as_str()),
            (code, message),
            "{patch}"
        );
    }
}
