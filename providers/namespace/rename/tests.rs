use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn renamed(renaming: &Renaming<'_>, value: &Value) -> Value {
    let text = value.to_string();
    match renaming.document(text.as_bytes()) {
        Some(renamed) => serde_json::from_slice(&renamed).unwrap(),
        None => value.clone(),
    }
}

/// The same, slowly: by a tree.
fn reference(mut value: Value, resource: &str) -> Value {
    fn each(value: &mut Value, field: &str, mut act: impl FnMut(&mut Value)) {
        if let Some(items) = value.get_mut(field).and_then(Value::as_array_mut) {
            items.iter_mut().for_each(&mut act);
        }
    }
    fn exchange(object: &mut Value, pointer: &str) {
        let Some(namespace) = object.pointer_mut(pointer) else {
            return;
        };
        match namespace.as_str() {
            Some("zoo") => *namespace = "default".into(),
            Some("default") => *namespace = "zoo".into(),
            _ => {}
        }
    }
    fn pointers(resource: &str) -> &'static [&'static str] {
        match resource {
            "events" => &[
                "/metadata/namespace",
                "/involvedObject/namespace",
                "/regarding/namespace",
                "/related/namespace",
            ],
            "localsubjectaccessreviews" => {
                &["/metadata/namespace", "/spec/resourceAttributes/namespace"]
            }
            _ => &["/metadata/namespace"],
        }
    }
    let object = |object: &mut Value| {
        if object.is_object() {
            pointers(resource)
                .iter()
                .for_each(|pointer| exchange(object, pointer));
        }
    };
    object(&mut value);
    let kind = value["kind"].as_str().unwrap_or_default().to_owned();
    if kind.ends_with("List") {
        each(&mut value, "items", object);
    } else if kind == "Table" {
        each(&mut value, "rows", |row| {
            if let Some(inner) = row.get_mut("object") {
                object(inner);
            }
        });
    }
    value
}

#[test]
fn objects_lists_and_tables() {
    let (before, after) = (
        json!({"metadata": {"namespace": "zoo", "name": "zoo"}, "data": {"namespace": "zoo"}}),
        json!({"metadata": {"namespace": "default", "name": "zoo"}, "data": {"namespace": "zoo"}}),
    );
    let received = Renaming::received("zoo", "configmaps");
    assert_eq!(renamed(&received, &before), after);
    for kind in ["ConfigMapList", "List"] {
        // Of a text in any order: here the items come before the kind.
        assert_eq!(
            renamed(&received, &json!({"items": [before, before], "kind": kind})),
            json!({"items": [after, after], "kind": kind})
        );
    }
    let table =
        r#"{"kind":"Table","rows":[{"cells":["zoo"],"object":{"metadata":{"namespace":"zoo"}}}]}"#;
    let expected = table.replace(r#""namespace":"zoo""#, r#""namespace":"default""#);
    assert_eq!(
        received.document(table.as_bytes()).unwrap(),
        expected.as_bytes()
    );
}

#[test]
fn a_kind_that_is_called_a_list_is_an_object_too() {
    let object = json!({"kind": "AllowList", "metadata": {"namespace": "zoo"}});
    let received = Renaming::received("zoo", "allowlists");
    assert_eq!(
        renamed(&received, &object)["metadata"]["namespace"],
        "default"
    );
}

#[test]
fn the_subjects_of_events_are_renamed_and_those_of_others_are_not() {
    let event = json!({
        "kind": "Event", "metadata": {"namespace": "zoo"}, "involvedObject": {"namespace": "zoo", "name": "zoo"},
        "related": {"namespace": "default"},
    });
    let received = Renaming::received("zoo", "events");
    assert_eq!(
        renamed(&received, &event),
        json!({
            "kind": "Event", "metadata": {"namespace": "default"}, "involvedObject": {"namespace": "default", "name": "zoo"},
            "related": {"namespace": "zoo"},
        })
    );
    let other = Renaming::received("zoo", "widgets");
    assert_eq!(
        renamed(&other, &event)["involvedObject"]["namespace"],
        "zoo"
    );
}

#[test]
fn bytes_that_are_not_a_namespace_stay() {
    let text = b"{ \"kind\" : \"Pod\",\n \"metadata\":{\"labels\":{\"a\\/b\":\"\\u00e9\"}, \"n\\u0061mespace\"\t:\"z\\u006fo\"},\"n\":1.0e400}";
    let expected = b"{ \"kind\" : \"Pod\",\n \"metadata\":{\"labels\":{\"a\\/b\":\"\\u00e9\"}, \"n\\u0061mespace\"\t:\"default\"},\"n\":1.0e400}";
    let received = Renaming::received("zoo", "pods");
    assert_eq!(received.document(text).unwrap(), expected);
    assert_eq!(received.document(b"no JSON"), None);
    assert_eq!(received.document(b""), None);
    // The Namespace `default` is the cluster whose names are the same.
    let same = Renaming::received("default", "pods");
    assert_eq!(
        same.document(br#"{"metadata":{"namespace":"default"}}"#),
        None
    );
}

#[test]
fn all_that_a_user_writes_is_seen() {
    // A server may read the first or the last of two members.
    let text = br#"{"kind":"Pod","metadata":{"namespace":"default","namespace":"zoo"},"metadata":{"namespace":"default"}}"#;
    let expected = br#"{"kind":"Pod","metadata":{"namespace":"zoo","namespace":"default"},"metadata":{"namespace":"zoo"}}"#;
    let sent = Renaming::sent("zoo", "pods");
    assert_eq!(sent.document(text).unwrap(), expected);
}

#[test]
fn operations_of_json_patches() {
    for (before, after) in [
        (
            json!({"op": "test", "path": "/metadata/namespace", "value": "default"}),
            json!({"op": "test", "path": "/metadata/namespace", "value": "zoo"}),
        ),
        (
            json!({"op": "replace", "path": "/metadata/namespace", "value": "zoo"}),
            json!({"op": "replace", "path": "/metadata/namespace", "value": "default"}),
        ),
        (
            json!({"value": {"name": "default", "namespace": "default"}, "path": "/metadata", "op": "replace"}),
            json!({"value": {"name": "default", "namespace": "zoo"}, "path": "/metadata", "op": "replace"}),
        ),
        (
            json!({"op": "replace", "path": "", "value": {"metadata": {"namespace": "default"}}}),
            json!({"op": "replace", "path": "", "value": {"metadata": {"namespace": "zoo"}}}),
        ),
        (
            json!({"op": "add", "path": "/data/namespace", "value": "default"}),
            json!({"op": "add", "path": "/data/namespace", "value": "default"}),
        ),
        (
            json!({"op": "remove", "path": "/metadata/namespace"}),
            json!({"op": "remove", "path": "/metadata/namespace"}),
        ),
    ] {
        let text = json!([before]).to_string();
        let patch = Renaming::sent("zoo", "configmaps").json_patch(text.as_bytes());
        let patch = patch.unwrap_or(text.into_bytes());
        assert_eq!(
            serde_json::from_slice::<Value>(&patch).unwrap(),
            json!([after])
        );
    }
}

#[test]
fn lines_of_watches() {
    let received = Renaming::received("zoo", "configmaps");
    let line = br#"{"type":"ADDED","object":{"kind":"ConfigMap","metadata":{"namespace":"zoo"},"data":{"a":"x\ny"}}}"#;
    let expected = br#"{"type":"ADDED","object":{"kind":"ConfigMap","metadata":{"namespace":"default"},"data":{"a":"x\ny"}}}"#;
    assert_eq!(received.line(line).unwrap(), expected);
    let bookmark =
        br#"{"type":"BOOKMARK","object":{"kind":"ConfigMap","metadata":{"resourceVersion":"7"}}}"#;
    assert_eq!(received.line(bookmark), None);
}

/// Objects that are full of what matters here.
fn documents() -> impl Strategy<Value = Value> {
    let text = prop::sample::select(vec![
        "zoo", "default", "", "List", "Table", "Pod", "PodList", "a\"b\\", "\u{e9}\n",
    ]);
    let leaf = prop_oneof![
        text.prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        Just(Value::Null),
    ];
    let key = prop::sample::select(vec![
        "kind",
        "metadata",
        "namespace",
        "items",
        "rows",
        "object",
        "involvedObject",
        "related",
        "spec",
        "resourceAttributes",
        "regarding",
        "zoo",
    ]);
    leaf.prop_recursive(6, 60, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(key.clone(), inner, 0..6)
                .prop_map(|members| members.into_iter().collect()),
        ]
    })
}

proptest! {
    #[test]
    fn a_walk_and_a_tree_agree(value in documents()) {
        for resource in ["configmaps", "events", "localsubjectaccessreviews"] {
            let expected = reference(value.clone(), resource);
            for renaming in [Renaming::sent("zoo", resource), Renaming::received("zoo", resource)] {
                prop_assert_eq!(renamed(&renaming, &value), expected.clone());
            }
        }
        let line = json!({"type": "ADDED", "object": value}).to_string();
        let renaming = Renaming::received("zoo", "events");
        let renamed = renaming.line(line.as_bytes()).unwrap_or(line.into_bytes());
        let event: Value = serde_json::from_slice(&renamed).unwrap();
        prop_assert_eq!(&event["object"], &reference(value, "events"));
    }

    #[test]
    fn broken_texts_do_not_make_it_panic(value in documents(), cut in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut text = value.to_string().into_bytes();
        let place = cut.index(text.len());
        let renaming = Renaming::received("zoo", "events");
        let _ = renaming.document(&text[..place]);
        text[place] = byte;
        for read in [Renaming::document, Renaming::line, Renaming::json_patch] {
            let _ = read(&renaming, &text);
        }
    }
}
