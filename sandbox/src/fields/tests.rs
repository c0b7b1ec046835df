//! What sets, comparisons and merges make of objects; the expectations are answers of kube-apiserver 1.36.

use serde_json::{Value, json};

use super::*;

fn pod() -> TypeRef<'static> {
    Model::kubernetes("io.k8s.api.core.v1.Pod").unwrap()
}

fn deployment() -> TypeRef<'static> {
    Model::kubernetes("io.k8s.api.apps.v1.Deployment").unwrap()
}

/// A set of a few random fields, some of them below others.
fn random_set(random: &mut fastrand::Rng) -> Set {
    let mut set = Set::default();
    for _ in 0..random.usize(0..12) {
        let path: Vec<_> = (0..random.usize(1..4)).map(|_| element(random)).collect();
        set.insert(&path);
    }
    set
}

fn element(random: &mut fastrand::Rng) -> Element {
    let number = random.i64(0..3);
    match random.u8(0..4) {
        0 => Element::Key(vec![
            ("port".to_owned(), json!(number)),
            ("protocol".to_owned(), json!("TCP")),
        ]),
        1 => Element::Value(json!(format!("a\"{number}"))),
        2 => Element::Index(number),
        _ => Element::field(&format!("a.b:{number}")),
    }
}

#[test]
fn a_set_survives_its_written_form() {
    let mut random = fastrand::Rng::with_seed(1);
    for _ in 0..2_000 {
        let set = random_set(&mut random);
        assert_eq!(Set::from_json(&set.to_json()), Ok(set));
    }
}

#[test]
fn sets_follow_the_rules_of_sets() {
    let mut random = fastrand::Rng::with_seed(2);
    for _ in 0..2_000 {
        let (one, two) = (random_set(&mut random), random_set(&mut random));
        let (both, either) = (one.intersection(&two), one.union(&two));
        assert_eq!(both, two.intersection(&one));
        assert_eq!(either, two.union(&one));
        assert_eq!(one.difference(&two).union(&both), one);
        assert_eq!(one.difference(&two), either.difference(&two));
        assert!(either.covers(&one) && one.covers(&both));
        assert_eq!(one.is_disjoint(&two), both.is_empty());
        assert!(one.difference(&two).covers(&one.without(&two)));
    }
}

#[test]
fn a_new_container_owns_what_is_in_it() {
    let old =
        json!({"spec": {"selector": {"matchLabels": {"a": "b"}}, "template": {}, "strategy": {}}});
    let mut new = old.clone();
    new["spec"]["template"] = json!({
        "metadata": {"labels": {"a": "b"}},
        "spec": {"containers": [{"name": "x", "ports": [{"containerPort": 80, "protocol": "TCP"}], "args": ["1"]}]},
    });
    let found = compare(deployment(), &old, &new).unwrap();
    assert_eq!(
        (&found.modified, &found.removed),
        (&Set::default(), &Set::default())
    );
    // The list of containers is always there in Go, and so are the resources of a container.
    assert_eq!(
        found.added.to_json(),
        json!({"f:spec": {"f:template": {
            "f:metadata": {"f:labels": {".": {}, "f:a": {}}},
            "f:spec": {"f:containers": {"k:{\"name\":\"x\"}": {
                ".": {}, "f:args": {}, "f:name": {}, "f:resources": {},
                "f:ports": {".": {}, "k:{\"containerPort\":80,\"protocol\":\"TCP\"}": {
                    ".": {}, "f:containerPort": {}, "f:protocol": {},
                }},
            }}},
        }}})
    );
}

#[test]
fn a_missing_key_has_its_default() {
    let port = |protocol: Value| {
        let mut port = json!({"containerPort": 80});
        if protocol.is_string() {
            port["protocol"] = protocol;
        }
        json!({"spec": {"containers": [{"name": "x", "ports": [port]}]}})
    };
    let merged = merge(pod(), &port(json!("TCP")), &port(Value::Null)).unwrap();
    assert_eq!(merged, port(json!("TCP")));
    let merged = merge(pod(), &port(json!("TCP")), &port(json!("UDP"))).unwrap();
    let ports = merged["spec"]["containers"][0]["ports"].as_array();
    assert_eq!(ports.map(Vec::len), Some(2));
}

#[test]
fn merged_items_come_in_the_order_of_the_new_list() {
    let object = |names: &str| {
        let items: Vec<_> = names
            .chars()
            .map(|name| json!({"name": name.to_string()}))
            .collect();
        json!({"spec": {"containers": items}})
    };
    for (old, new, expected) in [
        ("abc", "c", "abc"),
        ("abc", "ca", "bca"),
        ("abc", "xb", "axbc"),
        ("ab", "ba", "ba"),
        ("", "ab", "ab"),
    ] {
        let merged = merge(pod(), &object(old), &object(new)).unwrap();
        assert_eq!(merged, object(expected), "{old} and {new}");
    }
}

#[test]
fn an_atomic_map_is_one_field() {
    let selecting = |value: &str| json!({"spec": {"nodeSelector": {"a": value, "b": "1"}}});
    let found = compare(pod(), &selecting("1"), &selecting("2")).unwrap();
    assert_eq!(
        found.modified.to_json(),
        json!({"f:spec": {"f:nodeSelector": {}}})
    );
}

#[test]
fn removing_what_an_object_has_leaves_nothing() {
    let object = json!({"metadata": {"labels": {"a": "1"}}, "spec": {"containers": [{"name": "x", "image": "i"}]}});
    let all = collect(pod(), &object).unwrap();
    let rest = remove(pod(), &object, &all.with_structs(pod()));
    assert_eq!(rest, Value::Null);
    assert_eq!(remove(pod(), &object, &Set::default()), object);
}

#[test]
fn what_does_not_fit_its_type_is_named() {
    for (object, message) in [
        (
            json!({"spec": {"nodeName": 5}}),
            ".spec.nodeName: expected string, got &value.valueUnstructured{Value:5}",
        ),
        (
            json!({"spec": {"priority": "x"}}),
            ".spec.priority: expected numeric (int or float), got string",
        ),
        (
            json!({"spec": {"hostPID": "x"}}),
            ".spec.hostPID: expected boolean, got &{x}",
        ),
        (json!({"spec": "x"}), ".spec: expected map, got &{x}"),
        (
            json!({"spec": {"containers": "x"}}),
            ".spec.containers: expected list, got &{x}",
        ),
        (
            json!({"spec": {"none": 1}}),
            ".spec.none: field not declared in schema",
        ),
        (
            json!({"spec": {"containers": [{"name": "x"}, {"name": "x"}]}}),
            ".spec.containers: duplicate entries for key [name=\"x\"]",
        ),
    ] {
        assert_eq!(check(pod(), &object), Err(message.to_owned()), "{object}");
    }
}
