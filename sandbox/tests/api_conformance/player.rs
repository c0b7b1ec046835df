//! Plays a case on a server.

use std::{collections::HashMap, time::Duration};

use bytes::Bytes;
use futures_util::{StreamExt, stream::BoxStream};
use http::{HeaderMap, Response};
use http_body_util::{BodyExt, BodyStream};
use kube::{Client, client::Body};
use serde_json::{Value, json};

use crate::{
    normal::Symbols,
    script::{Case, Only, Request, Step},
    template::Variables,
};

/// How long an answer, an event or the end of a watch may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// One of the servers.
pub(crate) struct Player {
    client: Client,
    played: usize,
}

/// A case that is being played.
struct Play<'a> {
    client: &'a Client,
    variables: Variables,
    symbols: Symbols,
    watches: HashMap<String, Events>,
}

/// The events of a watch, as they come.
struct Events {
    frames: BoxStream<'static, Bytes>,
    buffer: Vec<u8>,
}

// === impl Player ===

impl Player {
    pub(crate) fn new(client: Client) -> Self {
        Self { client, played: 0 }
    }

    /// Plays a case in a fresh namespace: the answers to its steps, in a form that can be compared.
    pub(crate) async fn play(&mut self, case: &Case) -> Vec<Value> {
        self.played += 1;
        let namespace = format!("conformance-{:05}", self.played);
        let mut play = Play {
            client: &self.client,
            variables: Variables::new(&namespace),
            symbols: Symbols::new(&namespace),
            watches: HashMap::new(),
        };
        play.make_namespace(&namespace).await;
        let mut answers = Vec::new();
        for step in &case.steps {
            answers.push(play.step(step).await);
        }
        answers
    }
}

// === impl Play ===

impl Play<'_> {
    async fn make_namespace(&mut self, name: &str) {
        let body = json!({"metadata": {"name": name}}).to_string();
        let request = Request {
            method: "POST".to_owned(),
            path: "/api/v1/namespaces".to_owned(),
            body,
            ..Request::default()
        };
        let response = self.send(&request).await;
        assert_eq!(response.status(), 201, "the namespace {name}");
    }

    async fn step(&mut self, step: &Step) -> Value {
        match step {
            Step::Request(request) => self.request(request).await,
            Step::Read { watch, events } => {
                let Some(stream) = self.watches.get_mut(watch) else {
                    return json!("no such watch is open");
                };
                let events = stream.read(Some(*events), None).await;
                self.symbols.apply(json!({"events": events}))
            }
        }
    }

    async fn request(&mut self, request: &Request) -> Value {
        let mut tries = 0;
        let response = loop {
            let response = self.send(request).await;
            let reached = request.until.is_none_or(|code| response.status() == code);
            if reached || tries == 200 {
                break response;
            }
            tries += 1;
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        let mut answer = json!({"status": response.status().as_u16()});
        describe(response.headers(), &mut answer);
        let watch = request.events.is_some() || request.path.contains("watch=");
        if watch && response.status() == 200 {
            let mut events = Events::new(response);
            if let Some(name) = &request.open {
                self.watches.insert(name.clone(), events);
            } else {
                let last = request.through.as_deref();
                answer["events"] = events.read(request.events, last).await.into();
            }
        } else {
            let body = tokio::time::timeout(PATIENCE, response.into_body().collect()).await;
            answer["body"] = match body {
                Ok(Ok(body)) => read(&body.to_bytes()),
                Ok(Err(error)) => json!(format!("broken: {error}")),
                Err(_) => json!("endless"),
            };
        }
        for (name, pointer) in &request.keep {
            let value = answer["body"].pointer(pointer);
            if let Some(text) = value.and_then(Value::as_str) {
                self.variables.set(name, text.to_owned());
            }
        }
        for pointer in &request.ignore {
            remove(&mut answer["body"], pointer);
        }
        for only in &request.only {
            select(
                &mut answer["body"],
                only.pointer.trim_start_matches('/'),
                only,
            );
        }
        self.symbols.apply(answer)
    }

    async fn send(&self, request: &Request) -> Response<Body> {
        let path = self.variables.fill(&request.path);
        let mut builder = http::Request::builder()
            .method(request.method.as_str())
            .uri(&path);
        let defaults = [("User-Agent", "suite/1"), ("Accept", "application/json")];
        for (name, value) in defaults {
            let given = |(given, _): &(String, String)| given.eq_ignore_ascii_case(name);
            if !request.headers.iter().any(given) {
                builder = builder.header(name, value);
            }
        }
        let typed = |(name, _): &(String, String)| name.eq_ignore_ascii_case("Content-Type");
        if !request.body.is_empty() && !request.headers.iter().any(typed) {
            builder = builder.header("Content-Type", "application/json");
        }
        for (name, value) in &request.headers {
            builder = builder.header(name, self.variables.fill(value));
        }
        let body = self.variables.body(&request.body);
        let request = builder.body(Body::from(body)).expect("a request");
        let response = tokio::time::timeout(PATIENCE, self.client.send(request)).await;
        let response = response.expect("an answer in time");
        response.unwrap_or_else(|error| panic!("no answer to {path}: {error:?}"))
    }
}

// === impl Events ===

impl Events {
    fn new(response: Response<Body>) -> Self {
        let frames = BodyStream::new(response.into_body());
        let frames = frames.filter_map(async |frame| frame.ok()?.into_data().ok());
        Self {
            frames: frames.boxed(),
            buffer: Vec::new(),
        }
    }

    /// So many events, or those up to one about an object named `last`, or all until the end of the watch, which is then an event too.
    async fn read(&mut self, count: Option<usize>, last: Option<&str>) -> Vec<Value> {
        let mut events = Vec::new();
        while count.is_none_or(|count| events.len() < count) {
            match tokio::time::timeout(PATIENCE, self.next()).await {
                Ok(Some(event)) => {
                    let name = event.pointer("/object/metadata/name");
                    let is_last = last.is_some() && name.and_then(Value::as_str) == last;
                    events.push(event);
                    if is_last {
                        break;
                    }
                }
                Ok(None) => {
                    events.push(json!("the end"));
                    break;
                }
                Err(_) => {
                    events.push(json!("silence"));
                    break;
                }
            }
        }
        events
    }

    async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                return Some(read(&line));
            }
            self.buffer.extend(self.frames.next().await?);
        }
    }
}

/// The headers that are compared.
fn describe(headers: &HeaderMap, answer: &mut Value) {
    for name in ["content-type", "warning", "retry-after"] {
        let values = headers.get_all(name).iter();
        let values: Vec<_> = values
            .map(|value| String::from_utf8_lossy(value.as_bytes()))
            .collect();
        match values.as_slice() {
            [] => {}
            [one] => answer[name] = json!(one),
            many => answer[name] = json!(many),
        }
    }
}

fn read(bytes: &[u8]) -> Value {
    let text = || Value::String(String::from_utf8_lossy(bytes).into_owned());
    serde_json::from_slice(bytes).unwrap_or_else(|_| text())
}

fn remove(value: &mut Value, pointer: &str) {
    let parts = pointer.rsplit_once('/');
    let Some((parent, name)) =
        parts.and_then(|(parent, name)| Some((value.pointer_mut(parent)?, name)))
    else {
        return;
    };
    if let Some(fields) = parent.as_object_mut() {
        fields.remove(name);
    }
}

/// Leaves only the wanted items in the list or map at a pointer.
fn select(value: &mut Value, pointer: &str, only: &Only) {
    let (part, rest) = pointer.split_once('/').unwrap_or((pointer, ""));
    match (part, value) {
        ("", Value::Array(items)) => {
            let wanted = |item: &Value| {
                let field = item.pointer(&format!("/{}", only.key));
                let field = field.and_then(Value::as_str).unwrap_or_default();
                only.values.iter().any(|value| value == field)
            };
            items.retain(wanted);
        }
        ("", Value::Object(fields)) => fields.retain(|name, _| only.values.contains(name)),
        ("*", Value::Array(items)) => {
            items.iter_mut().for_each(|item| select(item, rest, only));
        }
        ("*", Value::Object(fields)) => {
            fields
                .values_mut()
                .for_each(|field| select(field, rest, only));
        }
        (part, value) => {
            if let Some(inner) = value.get_mut(part) {
                select(inner, rest, only);
            }
        }
    }
}
