//! How objects are written into replies.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, header};
use serde_json::{Value, json};

use crate::{
    clock::Clock,
    kinds::Kind,
    status::ApiError,
    store::{Object, Page},
    table::TableForm,
};

/// The form in which a client wants to see objects of a kind.
#[derive(Clone, Debug)]
pub(crate) struct View {
    kind: Arc<Kind>,
    form: Form,
    /// Tables say how old their objects are.
    clock: Clock,
}

/// What becomes of an object in a reply.
#[derive(Clone, Debug)]
enum Form {
    Whole,
    /// Its metadata, as `PartialObjectMetadata`.
    Metadata,
    /// A row of a table.
    Table(TableForm),
}

/// The word for what happened, in a watch event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    Added,
    Modified,
    Deleted,
}

/// One alternative of an `Accept` header.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Accepted<'a> {
    json: bool,
    /// The kind and version of the wanted transformation, if there is one.
    transform: Option<(&'a str, &'a str)>,
}

// === impl View ===

impl View {
    /// Chooses the first form that the client accepts and this server has; `include` is a wish for tables.
    pub(crate) fn negotiate(
        kind: &Arc<Kind>,
        headers: &HeaderMap,
        include: &str,
        clock: Clock,
    ) -> Result<Self, ApiError> {
        let accepted = accepted(headers);
        if !accepted.iter().any(|accepted| accepted.json) {
            return Err(ApiError::unknown_representation());
        }
        for accepted in accepted.iter().filter(|accepted| accepted.json) {
            let form = match accepted.transform {
                None => Form::Whole,
                Some(("PartialObjectMetadata" | "PartialObjectMetadataList", "v1")) => {
                    Form::Metadata
                }
                Some(("Table", version)) => match TableForm::of(version) {
                    Some(table) => Form::Table(table.including(include)?),
                    None => continue,
                },
                Some(_) => continue,
            };
            let kind = kind.clone();
            return Ok(Self { kind, form, clock });
        }
        Err(ApiError::not_acceptable())
    }

    pub(crate) fn object(&self, object: &Object) -> Bytes {
        Bytes::from(self.typed(object))
    }

    pub(crate) fn list(&self, page: &Page) -> Bytes {
        let mut metadata = page.metadata();
        if let Form::Table(form) = &self.form {
            let objects = page.objects.iter().map(|object| object.value());
            return Bytes::from(self.table(form, &metadata, objects).to_string());
        }
        let (api_version, kind) = match self.form {
            Form::Metadata => ("meta.k8s.io/v1".to_owned(), "PartialObjectMetadataList"),
            _ => (self.kind.api_version(), &*self.kind.list_kind),
        };
        if self.kind.is_custom() && metadata["continue"].is_null() {
            metadata["continue"] = json!("");
        }
        let mut text = format!(
            r#"{{"apiVersion":"{api_version}","kind":"{kind}","metadata":{metadata},"items":["#
        );
        for (index, object) in page.objects.iter().enumerate() {
            if index > 0 {
                text.push(',');
            }
            // Items of a typed list do not repeat their type; those of a list of metadata do.
            if self.kind.is_custom() || matches!(self.form, Form::Metadata) {
                text.push_str(&self.typed(object));
            } else {
                text.push_str(&self.untyped(object));
            }
        }
        text.push_str("]}");
        Bytes::from(text)
    }

    /// A line of a watch.
    pub(crate) fn event(&mut self, word: Word, object: &Object) -> Bytes {
        let word = match word {
            Word::Added => "ADDED",
            Word::Modified => "MODIFIED",
            Word::Deleted => "DELETED",
        };
        let line = line(word, &self.typed(object));
        self.head();
        line
    }

    /// A line of a watch that says: you have seen everything up to `version`.
    pub(crate) fn bookmark(&mut self, version: u64, ends_initial_events: bool) -> Bytes {
        let mut object = json!({"metadata": {"resourceVersion": version.to_string()}});
        if ends_initial_events {
            object["metadata"]["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        let object = match &self.form {
            Form::Table(form) => {
                let metadata = json!({"resourceVersion": version.to_string()});
                let form = if ends_initial_events {
                    form.with_metadata()
                } else {
                    form.clone()
                };
                self.table(&form, &metadata, [&object].into_iter())
            }
            _ => self.with_type(object),
        };
        self.head();
        line("BOOKMARK", &object.to_string())
    }

    /// A watch defines the columns of its tables in the first line alone.
    fn head(&mut self) {
        if let Form::Table(form) = &mut self.form {
            form.head();
        }
    }

    fn table<'a>(
        &self,
        form: &TableForm,
        metadata: &Value,
        objects: impl Iterator<Item = &'a Value>,
    ) -> Value {
        let served = |object: &Value| {
            let mut object = object.clone();
            self.kind.serve(&mut object);
            self.with_type(object)
        };
        form.table(
            &self.kind.printer,
            metadata,
            objects,
            served,
            self.clock.now(),
        )
    }

    fn with_type(&self, mut object: Value) -> Value {
        let (api_version, kind) = self.types();
        object["apiVersion"] = json!(api_version);
        object["kind"] = json!(kind);
        object
    }

    fn types(&self) -> (String, &str) {
        if matches!(self.form, Form::Metadata) {
            return ("meta.k8s.io/v1".to_owned(), "PartialObjectMetadata");
        }
        (self.kind.api_version(), &self.kind.kind)
    }

    fn typed(&self, object: &Object) -> String {
        if let Form::Table(form) = &self.form {
            let value = object.value();
            let metadata = json!({"resourceVersion": value["metadata"]["resourceVersion"]});
            return self.table(form, &metadata, [value].into_iter()).to_string();
        }
        let (api_version, kind) = self.types();
        let fields = self.untyped(object);
        // The fields are a JSON object that is not empty: the types go in behind its brace.
        format!(
            r#"{{"apiVersion":"{api_version}","kind":"{kind}",{}"#,
            &fields[1..]
        )
    }

    fn untyped<'a>(&self, object: &'a Object) -> std::borrow::Cow<'a, str> {
        if matches!(self.form, Form::Metadata) {
            return json!({"metadata": object.value()["metadata"]})
                .to_string()
                .into();
        }
        if self.kind.renames.is_empty() {
            return object.json().into();
        }
        let mut value = object.value().clone();
        self.kind.serve(&mut value);
        value.to_string().into()
    }
}

/// A line of a watch that ends it with a refusal.
pub(crate) fn error_line(error: &ApiError) -> Bytes {
    line("ERROR", &error.to_json().to_string())
}

/// A stored object as its group serves it, with its type: what a patch is made for.
pub(crate) fn served(kind: &Kind, object: &Object) -> Value {
    let mut value = object.value().clone();
    kind.serve(&mut value);
    value["apiVersion"] = json!(kind.api_version());
    value["kind"] = json!(kind.kind);
    value
}

/// Whether the client wants discovery in one piece: the form is its first choice among those that are served.
pub(crate) fn prefers_aggregated(headers: &HeaderMap) -> bool {
    let form = Some(("APIGroupDiscoveryList", "v2"));
    let mut served = accepted(headers)
        .into_iter()
        .filter(|accepted| accepted.json);
    let first = served.find(|accepted| accepted.transform.is_none() || accepted.transform == form);
    first.is_some_and(|accepted| accepted.transform.is_some())
}

/// Whether the client names a media type that it takes.
pub(crate) fn asks_for(headers: &HeaderMap, media_type: &str) -> bool {
    let header = headers.get(header::ACCEPT);
    let header = header.and_then(|header| header.to_str().ok());
    header.is_some_and(|header| header.contains(media_type))
}

fn line(word: &str, object: &str) -> Bytes {
    Bytes::from(format!("{{\"type\":\"{word}\",\"object\":{object}}}\n"))
}

fn accepted(headers: &HeaderMap) -> Vec<Accepted<'_>> {
    let header = headers
        .get(header::ACCEPT)
        .and_then(|header| header.to_str().ok());
    header
        .unwrap_or("*/*")
        .split(',')
        .map(Accepted::parse)
        .collect()
}

// === impl Accepted ===

impl<'a> Accepted<'a> {
    fn parse(alternative: &'a str) -> Self {
        let (media_type, parameters) = alternative.split_once(';').unwrap_or((alternative, ""));
        let parameter = |name: &str| {
            let pairs = parameters
                .split(';')
                .filter_map(|pair| pair.trim().split_once('='));
            pairs
                .filter(|(key, _)| *key == name)
                .map(|(_, value)| value)
                .next()
        };
        let media_type = media_type.trim();
        Self {
            json: matches!(
                media_type,
                "application/json" | "application/*" | "*/*" | ""
            ),
            transform: parameter("as").map(|kind| (kind, parameter("v").unwrap_or_default())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::Registry;

    fn headers(accept: &'static str) -> HeaderMap {
        let value = header::HeaderValue::from_static(accept);
        [(header::ACCEPT, value)].into_iter().collect()
    }

    #[test]
    fn the_first_form_that_is_served_is_chosen() {
        let kind = Registry::built_in().find("", "v1", "configmaps").unwrap();
        let table = "application/json;as=Table;v=v1;g=meta.k8s.io";
        let future = "application/json;as=Table;v=v9;g=meta.k8s.io";
        let partial = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
        for (accept, expected) in [
            ("*/*".to_owned(), Some("whole")),
            ("application/json, */*".to_owned(), Some("whole")),
            (format!("{table},application/json"), Some("table")),
            (format!("{future},application/json"), Some("whole")),
            (partial.to_owned(), Some("metadata")),
            (format!("{partial},application/json"), Some("metadata")),
            (
                format!("application/vnd.kubernetes.protobuf,{partial}"),
                Some("metadata"),
            ),
            (table.to_owned(), Some("table")),
            (future.to_owned(), None),
            ("application/vnd.kubernetes.protobuf".to_owned(), None),
        ] {
            let headers = headers(accept.clone().leak());
            let view = View::negotiate(&kind, &headers, "", Clock::start()).ok();
            let form = view.map(|view| match view.form {
                Form::Whole => "whole",
                Form::Metadata => "metadata",
                Form::Table(_) => "table",
            });
            assert_eq!(form, expected, "{accept}");
        }
    }

    #[test]
    fn aggregated_discovery_is_for_those_who_put_it_first() {
        for (accept, expected) in [
            (
                "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
                true,
            ),
            (
                "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json",
                true,
            ),
            (
                "application/json,application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
                false,
            ),
            (
                "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json",
                false,
            ),
            ("application/json", false),
        ] {
            assert_eq!(prefers_aggregated(&headers(accept)), expected, "{accept}");
        }
    }
}
