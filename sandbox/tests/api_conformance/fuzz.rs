//! Requests of the cases with something wrong: whatever comes, the server answers, and a refusal says why.

use http::{Method, Request as HttpRequest, Response};
use http_body_util::{BodyExt, Full};
use kube_sandbox::{Body, Sandbox};
use proptest::{
    prelude::*,
    sample::{Index, select},
};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::{
    script::{Case, Request, Step},
    template::Variables,
};

/// Texts that are known to be awkward in paths, queries, headers and bodies.
const ODD_TEXTS: [&str; 28] = [
    "",
    "0",
    "-1",
    "1.5",
    "99999999999999999999",
    "null",
    "true",
    "..",
    "a/b",
    "%",
    "%zz",
    "%00",
    "%2F",
    "a b",
    "\u{1F981}",
    "a=b",
    "!",
    "=",
    "a in (",
    "status",
    "scale",
    "namespaces",
    "v1",
    "*",
    "All",
    "k8s\0",
    "$patch",
    "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz",
];

const METHODS: [&str; 8] = [
    "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "WATCH",
];

const PARAMETERS: [&str; 16] = [
    "watch",
    "resourceVersion",
    "resourceVersionMatch",
    "limit",
    "continue",
    "labelSelector",
    "fieldSelector",
    "timeoutSeconds",
    "sendInitialEvents",
    "allowWatchBookmarks",
    "dryRun",
    "fieldManager",
    "fieldValidation",
    "force",
    "includeObject",
    "propagationPolicy",
];

const MEDIA_TYPES: [&str; 11] = [
    "application/json",
    "application/yaml",
    "application/vnd.kubernetes.protobuf",
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
    "application/json;as=Table;g=meta.k8s.io;v=v1",
    "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1",
    "text/plain",
    ";;=,",
];

/// What is wrong with a request.
#[derive(Clone, Debug)]
pub(crate) enum Flaw {
    Method(&'static str),
    /// A segment of the path is another text.
    Segment(Index, String),
    /// The path has another segment at its end.
    Longer(String),
    Parameter(&'static str, String),
    ContentType(&'static str),
    Accept(&'static str),
    /// A value somewhere in the body is another one.
    Value(Index, Value),
    /// A field somewhere in the body has another name.
    Field(Index, String),
    /// The body ends early.
    Cut(Index),
    /// A byte of the body is another one.
    Byte(Index, u8),
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => select(&ODD_TEXTS[..]).prop_map(str::to_owned),
        1 => "[ -~]{0,12}",
        1 => any::<String>(),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        Just(json!([])),
        Just(json!({})),
        Just(json!([null])),
        Just(json!({"": {"": [{}]}})),
        Just(json!(1e300)),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        text().prop_map(Value::from),
    ]
}

/// Any flaw; most requests stay almost valid.
pub(crate) fn flaw() -> impl Strategy<Value = Flaw> {
    prop_oneof![
        1 => select(&METHODS[..]).prop_map(Flaw::Method),
        2 => (any::<Index>(), text()).prop_map(|(place, text)| Flaw::Segment(place, text)),
        1 => text().prop_map(Flaw::Longer),
        3 => (select(&PARAMETERS[..]), text()).prop_map(|(name, text)| Flaw::Parameter(name, text)),
        1 => select(&MEDIA_TYPES[..]).prop_map(Flaw::ContentType),
        1 => select(&MEDIA_TYPES[..]).prop_map(Flaw::Accept),
        8 => (any::<Index>(), value()).prop_map(|(place, value)| Flaw::Value(place, value)),
        3 => (any::<Index>(), text()).prop_map(|(place, text)| Flaw::Field(place, text)),
        1 => any::<Index>().prop_map(Flaw::Cut),
        2 => (any::<Index>(), any::<u8>()).prop_map(|(place, byte)| Flaw::Byte(place, byte)),
    ]
}

/// Plays a case; the requests at the given places have flaws.
///
/// # Panics
/// When the server panics, or an answer is not what a client can rely on.
pub(crate) async fn play(case: &Case, flaws: &[Vec<Flaw>]) {
    let sandbox = Sandbox::new();
    let variables = Variables::new("default");
    for (index, step) in case.steps.iter().enumerate() {
        let Step::Request(request) = step else {
            continue;
        };
        let flaws = flaws.get(index % flaws.len().max(1));
        let Some(request) = build(request, &variables, flaws.map_or(&[], Vec::as_slice)) else {
            continue;
        };
        let asked = format!(
            "{} {} {:?}",
            request.method(),
            request.uri(),
            request.headers()
        );
        let body = request.clone().into_body().collect().await;
        let body = body.expect("it is in memory").to_bytes();
        let head = request.method() == Method::HEAD;
        let response = sandbox.clone().oneshot(request).await;
        let response = response.unwrap_or_else(|never| match never {});
        check(response, head).await.unwrap_or_else(|why| {
            panic!("{why}\n{asked}\n{}", String::from_utf8_lossy(&body));
        });
    }
}

/// Requests that no client can send are left out.
fn build(
    request: &Request,
    variables: &Variables,
    flaws: &[Flaw],
) -> Option<HttpRequest<Full<bytes::Bytes>>> {
    let mut method = request.method.clone();
    let mut uri = variables.fill(&request.path);
    let mut headers = request.headers.clone();
    let mut body = variables.body(&request.body);
    for flaw in flaws {
        match flaw {
            Flaw::Method(other) => method = (*other).to_owned(),
            Flaw::Segment(place, text) => {
                let (path, query) = uri.split_once('?').unwrap_or((&uri, ""));
                let mut segments: Vec<_> = path.split('/').collect();
                let place = place.index(segments.len());
                segments[place] = text;
                uri = format!("/{}?{query}", segments.join("/").trim_start_matches('/'));
            }
            Flaw::Longer(text) => {
                let (path, query) = uri.split_once('?').unwrap_or((&uri, ""));
                uri = format!("{path}/{text}?{query}");
            }
            Flaw::Parameter(name, text) => {
                let mark = if uri.contains('?') { '&' } else { '?' };
                let text: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
                uri = format!("{uri}{mark}{name}={text}");
            }
            Flaw::ContentType(text) => set(&mut headers, "Content-Type", text),
            Flaw::Accept(text) => set(&mut headers, "Accept", text),
            Flaw::Cut(place) => body.truncate(place.index(body.len() + 1)),
            Flaw::Byte(place, byte) if !body.is_empty() => {
                let place = place.index(body.len());
                body[place] = *byte;
            }
            Flaw::Byte(..) => {}
            Flaw::Value(place, value) => change(&mut body, *place, |old| {
                *old = value.clone();
                None
            }),
            Flaw::Field(place, text) => change(&mut body, *place, |_| Some(text.clone())),
        }
    }
    let mut builder = HttpRequest::builder().method(method.as_str()).uri(uri);
    for (name, value) in headers {
        builder = builder.header(name, variables.fill(&value));
    }
    builder.body(Full::from(body)).ok()
}

fn set(headers: &mut Vec<(String, String)>, name: &str, value: &str) {
    headers.retain(|(other, _)| other != name);
    headers.push((name.to_owned(), value.to_owned()));
}

/// Changes one of the values of a JSON body, or the name of the field that holds it.
fn change(body: &mut Vec<u8>, place: Index, change: impl Fn(&mut Value) -> Option<String>) {
    let Ok(mut value) = serde_json::from_slice::<Value>(body) else {
        return;
    };
    let count = count(&value);
    let mut left = place.index(count);
    visit(&mut value, &mut left, &change);
    *body = value.to_string().into_bytes();
}

fn count(value: &Value) -> usize {
    let inner = match value {
        Value::Object(fields) => fields.values().map(count).sum(),
        Value::Array(items) => items.iter().map(count).sum(),
        _ => 0,
    };
    inner + 1
}

fn visit(
    value: &mut Value,
    left: &mut usize,
    change: &impl Fn(&mut Value) -> Option<String>,
) -> bool {
    if *left == 0 {
        change(value);
        return true;
    }
    *left -= 1;
    match value {
        Value::Object(fields) => {
            let names: Vec<String> = fields.keys().cloned().collect();
            for name in names {
                let Some(mut field) = fields.remove(&name) else {
                    continue;
                };
                let here = *left == 0;
                let renamed = if here { change(&mut field) } else { None };
                let done = here || visit(&mut field, left, change);
                fields.insert(renamed.unwrap_or(name), field);
                if done {
                    return true;
                }
            }
            false
        }
        Value::Array(items) => items.iter_mut().any(|item| visit(item, left, change)),
        _ => false,
    }
}

/// What is wrong with an answer.
async fn check(response: Response<Body>, head: bool) -> Result<(), String> {
    let status = response.status();
    let mut body = response.into_body();
    let mut bytes = Vec::new();
    // The first events of a watch will do.
    while let (Some(frame), true) = (body.frame().await, bytes.len() < 100_000) {
        let frame = frame.map_err(|error| format!("a broken body: {error}"))?;
        bytes.extend(frame.into_data().unwrap_or_default());
    }
    if status.as_u16() >= 500 && status.as_u16() != 504 {
        let text = String::from_utf8_lossy(&bytes);
        return Err(format!("an answer {status}: {text}"));
    }
    if status.as_u16() < 400 || head {
        return Ok(());
    }
    // Outside of the API there is no page, as kube-apiserver says.
    // Where no document is, there is nothing at all.
    if status.as_u16() == 404 && (bytes.is_empty() || bytes == b"404 page not found\n") {
        return Ok(());
    }
    let refusal: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let complete = refusal["kind"] == "Status"
        && refusal["status"] == "Failure"
        && refusal["code"] == status.as_u16()
        && refusal["message"].is_string();
    if complete {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&bytes);
    Err(format!("a refusal {status} without a reason: {text}"))
}
