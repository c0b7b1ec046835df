//! Random sequences of requests about a few objects, by two field managers.
//!
//! A sequence is made from a number alone, as a script: what is printed of a failure can be kept as a case.

use fastrand::Rng;
use serde_json::{Value, json};

use crate::script::{self, Case};

/// How many requests a sequence has, apart from those that look at the result.
const LENGTH: usize = 20;

const KINDS: [Kind; 3] = [Kind::ConfigMap, Kind::Lease, Kind::Deployment];

/// The object whose creation is the last event of a watch.
const END: &str = "zz-end";

/// What the sequences are about.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    ConfigMap,
    Lease,
    Deployment,
}

/// The paragraphs of a script.
#[derive(Clone, Debug)]
pub(crate) struct Sequence {
    seed: u64,
    requests: Vec<String>,
}

// === impl Sequence ===

impl Sequence {
    /// The sequence of a number.
    pub(crate) fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let kinds = [KINDS[rng.usize(..KINDS.len())], Kind::ConfigMap];
        let requests = (0..LENGTH).map(|_| {
            let kind = kinds[rng.usize(..kinds.len())];
            request(&mut rng, kind)
        });
        Self {
            seed,
            requests: requests.collect(),
        }
    }

    /// The sequences that have one request less.
    pub(crate) fn shorter(&self) -> impl Iterator<Item = Self> + '_ {
        (0..self.requests.len()).rev().map(|index| {
            let mut shorter = self.clone();
            shorter.requests.remove(index);
            shorter
        })
    }

    /// The script.
    pub(crate) fn text(&self) -> String {
        let lists = KINDS.map(|kind| {
            let path = kind.path();
            format!("GET {path}\n> {kind:?}-start = /metadata/resourceVersion")
        });
        let ends = KINDS.map(|kind| {
            let path = kind.path();
            let body = whole(&mut Rng::with_seed(0), kind, END);
            format!(
                "POST {path}\n{body}\n\nGET {path}?watch=true&resourceVersion={{{{{kind:?}-start}}}}\n> through {END}\n\nGET {path}"
            )
        });
        let seed = self.seed;
        let all = [&lists[..], &self.requests, &ends].concat();
        format!("### sequence {seed}\n{}\n", all.join("\n\n"))
    }

    pub(crate) fn case(&self) -> Case {
        script::parse("random", &self.text()).remove(0)
    }
}

// === impl Kind ===

impl Kind {
    fn path(self) -> &'static str {
        match self {
            Self::ConfigMap => "{{core}}/configmaps",
            Self::Lease => "{{leases}}/leases",
            Self::Deployment => "{{apps}}/deployments",
        }
    }

    fn api_version(self) -> &'static str {
        match self {
            Self::ConfigMap => "v1",
            Self::Lease => "coordination.k8s.io/v1",
            Self::Deployment => "apps/v1",
        }
    }
}

fn request(rng: &mut Rng, kind: Kind) -> String {
    let (path, name) = (kind.path(), pick(rng, &["lion", "tiger"]));
    let manager = pick(rng, &["one", "two"]);
    let item = format!("{path}/{name}");
    let keep = format!("> {kind:?}-{name} = /metadata/resourceVersion");
    match rng.u8(..20) {
        0..4 => {
            let body = whole(rng, kind, name);
            format!("POST {path}?fieldManager={manager}\n{body}\n{keep}")
        }
        4..6 => {
            let mut body = whole(rng, kind, name);
            if rng.bool() {
                body["metadata"]["resourceVersion"] = json!(format!("{{{{{kind:?}-{name}}}}}"));
            }
            format!("PUT {item}?fieldManager={manager}\n{body}\n{keep}")
        }
        6..8 => {
            let body = part(rng, kind);
            let body = with_nulls(rng, body);
            format!(
                "PATCH {item}?fieldManager={manager}\nContent-Type: application/merge-patch+json\n{body}"
            )
        }
        8..10 => {
            let body = part(rng, kind);
            format!(
                "PATCH {item}?fieldManager={manager}\nContent-Type: application/strategic-merge-patch+json\n{body}"
            )
        }
        10..12 => {
            let body = operations(rng);
            format!(
                "PATCH {item}?fieldManager={manager}\nContent-Type: application/json-patch+json\n{body}"
            )
        }
        12..16 => {
            let mut body = if kind == Kind::Deployment && rng.u8(..3) > 0 {
                whole(rng, kind, name)
            } else {
                part(rng, kind)
            };
            body["apiVersion"] = json!(kind.api_version());
            body["kind"] = json!(format!("{kind:?}"));
            body["metadata"]["name"] = json!(name);
            let force = pick(rng, &["", "&force=true"]);
            format!(
                "PATCH {item}?fieldManager={manager}{force}\nContent-Type: application/apply-patch+yaml\n{body}\n{keep}"
            )
        }
        16 => format!("DELETE {item}"),
        17 => {
            let version = format!("{{{{{kind:?}-{name}}}}}");
            let body = json!({"preconditions": {"resourceVersion": version}});
            format!("DELETE {item}\n{body}")
        }
        18 => {
            let selector = pick(rng, &["a", "a%3D1", "a!%3D1", "!b", "b+in+(1,2)"]);
            format!("GET {path}?labelSelector={selector}")
        }
        _ => format!("GET {item}"),
    }
}

/// An object that can be created.
fn whole(rng: &mut Rng, kind: Kind, name: &str) -> Value {
    let mut object = part(rng, kind);
    object["metadata"]["name"] = json!(name);
    if kind == Kind::Deployment {
        let spec = &mut object["spec"];
        spec["selector"] = json!({"matchLabels": {"app": "zoo"}});
        spec["template"]["metadata"]["labels"] = json!({"app": "zoo"});
        let containers = &mut spec["template"]["spec"]["containers"];
        if containers.is_null() {
            *containers = json!([{"name": "main"}]);
        }
        for container in containers.as_array_mut().into_iter().flatten() {
            container["image"] = json!(format!("zoo:{}", number(rng)));
        }
    }
    object
}

/// Some fields of an object.
fn part(rng: &mut Rng, kind: Kind) -> Value {
    let mut object = json!({"metadata": {}});
    if rng.bool() {
        object["metadata"]["labels"] = map(rng);
    }
    if rng.u8(..4) == 0 {
        object["metadata"]["annotations"] = map(rng);
    }
    if rng.u8(..10) == 0 {
        object["metadata"]["finalizers"] = json!([format!("example.com/{}", number(rng))]);
    }
    match kind {
        Kind::ConfigMap => {
            if rng.u8(..4) > 0 {
                object["data"] = map(rng);
            }
        }
        Kind::Lease => {
            object["spec"] = json!({});
            if rng.bool() {
                object["spec"]["holderIdentity"] = json!(number(rng));
            }
            if rng.bool() {
                object["spec"]["leaseTransitions"] = json!(rng.u8(..3));
            }
        }
        Kind::Deployment => {
            object["spec"] = json!({});
            if rng.bool() {
                object["spec"]["replicas"] = json!(rng.u8(..3));
            }
            if rng.bool() {
                object["spec"]["template"] = json!({"spec": {"containers": containers(rng)}});
            }
        }
    }
    object
}

fn containers(rng: &mut Rng) -> Value {
    let names = [&["main"][..], &["side", "main"], &["main", "side"]];
    let names = names[rng.usize(..names.len())];
    let container = |name: &&str| {
        let mut container = json!({"name": name});
        if rng.bool() {
            let env = map(rng);
            let env = env.as_object().into_iter().flatten();
            let env: Vec<_> = env
                .map(|(name, value)| json!({"name": name, "value": value}))
                .collect();
            container["env"] = json!(env);
        }
        if rng.bool() {
            container["args"] = json!([number(rng)]);
        }
        container
    };
    names.iter().map(container).collect()
}

/// The same with some values gone.
fn with_nulls(rng: &mut Rng, mut value: Value) -> Value {
    for fields in ["data", "metadata", "spec"] {
        for field in value[fields].as_object_mut().into_iter().flatten() {
            if rng.u8(..4) == 0 {
                *field.1 = Value::Null;
            }
        }
        if value[fields].is_null() {
            value.as_object_mut().map(|object| object.remove(fields));
        }
    }
    value
}

fn operations(rng: &mut Rng) -> Value {
    let operation = |_| {
        let op = pick(rng, &["add", "replace", "remove", "test"]);
        let path = pick(rng, &["labels", "annotations", "labels/a", "labels/b"]);
        let path = format!("/metadata/{path}");
        let value = match path.ends_with("s") {
            true => map(rng),
            false => json!(number(rng)),
        };
        json!({"op": op, "path": path, "value": value})
    };
    (0..2).map(operation).collect()
}

fn map(rng: &mut Rng) -> Value {
    let mut map = json!({});
    for key in ["a", "b"] {
        if rng.u8(..3) > 0 {
            map[key] = json!(number(rng));
        }
    }
    map
}

fn number(rng: &mut Rng) -> String {
    rng.u8(1..3).to_string()
}

fn pick<'a>(rng: &mut Rng, choices: &[&'a str]) -> &'a str {
    choices[rng.usize(..choices.len())]
}
