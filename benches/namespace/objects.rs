//! The namespace in an object is exchanged: by a walk over its bytes, by a tree, and beside the decoding that follows.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use criterion::{Criterion, Throughput};
use k8s_openapi::{
    List,
    api::core::v1::{ConfigMap, Pod},
};
use serde_json::{Value, json};

use super::layer;

pub(crate) fn bench(criterion: &mut Criterion, quick: bool) {
    for (name, text, _) in texts() {
        let mut group = criterion.benchmark_group(format!("objects/{name}"));
        group.warm_up_time(Duration::from_millis(if quick { 1 } else { 200 }));
        group.measurement_time(Duration::from_secs(if quick { 1 } else { 2 }));
        group.sample_size(10);
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function("received", |bencher| {
            bencher.iter(|| layer::received(black_box(&text)))
        });
        group.bench_function("sent", |bencher| {
            bencher.iter(|| layer::sent(black_box(&text)))
        });
        group.bench_function("tree", |bencher| bencher.iter(|| tree(black_box(&text))));
        group.finish();
    }
}

/// One line for each form of object, all ways in the same run.
pub(crate) fn measure(rounds: u32) -> Vec<String> {
    let mut lines = Vec::new();
    for (name, text, decode) in texts() {
        let objects = if name.contains("500") { 500 } else { 1 };
        let rounds = (rounds / objects).max(2);
        let each = |act: &dyn Fn()| {
            let start = Instant::now();
            (0..rounds).for_each(|_| act());
            start.elapsed() / rounds / objects
        };
        let received = each(&|| drop(black_box(layer::received(black_box(&text)))));
        let sent = each(&|| drop(black_box(layer::sent(black_box(&text)))));
        let by_tree = each(&|| drop(black_box(tree(black_box(&text)))));
        let decoded = each(&|| decode(black_box(&text)));
        lines.push(format!(
            "{name}, {} bytes: received {received:?}, sent {sent:?}, by a tree {by_tree:?}, typed decoding {decoded:?}, per object",
            text.len() / objects as usize
        ));
    }
    lines
}

fn tree(text: &[u8]) -> Vec<u8> {
    let mut value: Value = serde_json::from_slice(text).expect("JSON");
    let rename = |object: &mut Value| object["metadata"]["namespace"] = "default".into();
    match value["items"].as_array_mut() {
        Some(items) => items.iter_mut().for_each(rename),
        None => rename(&mut value),
    }
    value.to_string().into_bytes()
}

type Text = (&'static str, Vec<u8>, fn(&[u8]));

fn texts() -> Vec<Text> {
    let pods = vec![pod(); 500];
    let list = format!(
        r#"{{"kind":"PodList","apiVersion":"v1","metadata":{{"resourceVersion":"7"}},"items":[{}]}}"#,
        pods.join(",")
    );
    vec![
        (
            "a ConfigMap of 1 kB",
            config_map().into_bytes(),
            decode::<ConfigMap>,
        ),
        ("a Pod of 5 kB", pod().into_bytes(), decode::<Pod>),
        ("a list of 500 Pods", list.into_bytes(), decode::<List<Pod>>),
    ]
}

fn decode<K: serde::de::DeserializeOwned>(text: &[u8]) {
    let object: K = serde_json::from_slice(text).expect("an object");
    drop(black_box(object));
}

/// As a server writes it: kind and metadata first.
fn object(kind: &str, rest: &Value) -> String {
    let metadata = json!({
        "name": "lion", "namespace": "zoo", "uid": "0b2f5d4e-3c0c-4f3d-9c0e-6f3a3a5a2a11", "resourceVersion": "4711",
        "creationTimestamp": "2026-01-01T00:00:00Z", "labels": {"app.kubernetes.io/name": "lion"},
    });
    let rest = rest.to_string();
    format!(
        r#"{{"kind":"{kind}","apiVersion":"v1","metadata":{metadata},{}"#,
        &rest[1..]
    )
}

fn config_map() -> String {
    let data: Value = (0..8)
        .map(|key| {
            (
                format!("key-{key}"),
                Value::from("some text of a value ".repeat(3)),
            )
        })
        .collect();
    object("ConfigMap", &json!({"data": data}))
}

fn pod() -> String {
    let env: Vec<_> = (0..12)
        .map(|number| json!({"name": format!("VARIABLE_{number}"), "value": format!("value-{number}")}))
        .collect();
    let containers: Vec<_> = (0..4)
        .map(|number| {
            json!({
                "name": format!("container-{number}"), "image": "registry.example.com/team/program:1.2.3", "env": env,
                "resources": {"limits": {"cpu": "500m", "memory": "128Mi"}, "requests": {"cpu": "100m", "memory": "64Mi"}},
                "ports": [{"containerPort": 8080, "name": "http", "protocol": "TCP"}],
                "volumeMounts": [{"mountPath": "/var/run/secrets", "name": "token", "readOnly": true}],
            })
        })
        .collect();
    object(
        "Pod",
        &json!({"spec": {"containers": containers, "nodeName": "node-1"}, "status": {"phase": "Running"}}),
    )
}
