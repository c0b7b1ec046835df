//! Refusals, as the API server words them.

mod field;

use http::StatusCode;
use serde_json::{Value, json};

pub(crate) use self::field::FieldError;
use crate::{continuation::Continuation, kinds::Kind};

/// The media types of kube-apiserver, as it names them in refusals.
const MEDIA_TYPES: &str = "application/json, application/yaml, application/vnd.kubernetes.protobuf";

/// A refused request: the code, reason and text that go into a `Status` object.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ApiError {
    pub code: StatusCode,
    pub reason: &'static str,
    pub message: String,
    details: Option<Value>,
    metadata: Value,
}

// === impl ApiError ===

impl ApiError {
    fn new(code: StatusCode, reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            reason,
            message: message.into(),
            details: None,
            metadata: json!({}),
        }
    }

    /// The same refusal about a resource; Go leaves empty fields out.
    fn about(mut self, group: &str, kind: &str, name: &str) -> Self {
        let fields = [("name", name), ("group", group), ("kind", kind)];
        let filled = fields.iter().filter(|(_, text)| !text.is_empty());
        self.details = Some(
            filled
                .map(|(key, text)| ((*key).to_owned(), json!(text)))
                .collect(),
        );
        self
    }

    fn with_causes(mut self, causes: Vec<Value>) -> Self {
        if let Some(details) = self.details.as_mut() {
            details["causes"] = Value::Array(causes);
        }
        self
    }

    pub(crate) fn not_found(kind: &Kind, name: &str) -> Self {
        let message = format!("{} {name:?} not found", kind.resource());
        Self::new(StatusCode::NOT_FOUND, "NotFound", message).about(&kind.group, &kind.plural, name)
    }

    pub(crate) fn unknown_path() -> Self {
        let message = "the server could not find the requested resource";
        Self::new(StatusCode::NOT_FOUND, "NotFound", message).about("", "", "")
    }

    /// What a kubelet does not know; it answers by itself, so the words are those of a client.
    pub(crate) fn unknown_part(resource: &str, name: &str) -> Self {
        let message =
            format!("the server could not find the requested resource ( {resource} {name})");
        Self::new(StatusCode::NOT_FOUND, "NotFound", message).about("", resource, name)
    }

    pub(crate) fn method_not_allowed() -> Self {
        let message = "the server does not allow this method on the requested resource";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", message).about("", "", "")
    }

    pub(crate) fn already_exists(kind: &Kind, name: &str) -> Self {
        let message = format!("{} {name:?} already exists", kind.resource());
        Self::new(StatusCode::CONFLICT, "AlreadyExists", message).about(
            &kind.group,
            &kind.plural,
            name,
        )
    }

    /// The name is taken by an object that is on its way out.
    pub(crate) fn still_exists(kind: &Kind, name: &str) -> Self {
        let mut error = Self::already_exists(kind, name);
        error.message.insert_str(0, "object is being deleted: ");
        error
    }

    /// A write that was prepared against another state of the object.
    pub(crate) fn conflict(kind: &Kind, name: &str, why: &str) -> Self {
        let message = format!(
            "Operation cannot be fulfilled on {} {name:?}: {why}",
            kind.resource()
        );
        Self::new(StatusCode::CONFLICT, "Conflict", message).about(&kind.group, &kind.plural, name)
    }

    /// A Pod that cannot be put on a node.
    pub(crate) fn cannot_bind(name: &str, why: &str) -> Self {
        let resource = "pods/binding";
        let message = format!("Operation cannot be fulfilled on {resource} {name:?}: {why}");
        Self::new(StatusCode::CONFLICT, "Conflict", message).about("", resource, name)
    }

    /// A failed delete precondition, which the API server reports by kind rather than by resource.
    pub(crate) fn precondition(kind: &Kind, name: &str, why: &str) -> Self {
        let message = format!(
            "Operation cannot be fulfilled on {} {name:?}: {why}",
            kind.qualified()
        );
        Self::new(StatusCode::CONFLICT, "Conflict", message).about(&kind.group, &kind.kind, name)
    }

    /// A conflict over something that is not a served kind.
    pub(crate) fn foreign_conflict(group: &str, kind: &str, name: &str, why: &str) -> Self {
        let resource = match group {
            "" => kind.to_owned(),
            group => format!("{kind}.{group}"),
        };
        let message = format!("Operation cannot be fulfilled on {resource} {name:?}: {why}");
        Self::new(StatusCode::CONFLICT, "Conflict", message).about(group, kind, name)
    }

    pub(crate) fn stale(kind: &Kind, name: &str) -> Self {
        let why = "the object has been modified; please apply your changes to the latest version and try again";
        Self::conflict(kind, name, why)
    }

    pub(crate) fn forbidden(kind: &Kind, name: &str, why: &str) -> Self {
        let message = format!("{} {name:?} is forbidden: {why}", kind.resource());
        Self::new(StatusCode::FORBIDDEN, "Forbidden", message).about(
            &kind.group,
            &kind.plural,
            name,
        )
    }

    pub(crate) fn terminating(kind: &Kind, name: &str, namespace: &str) -> Self {
        let why = format!(
            "unable to create new content in namespace {namespace} because it is being terminated"
        );
        Self::forbidden(kind, name, &why).with_causes(vec![json!({
            "reason": "NamespaceTerminating",
            "message": format!("namespace {namespace} is being terminated"),
            "field": "metadata.namespace",
        })])
    }

    /// A user has no right to do something; names that are not given are empty.
    pub(crate) fn denied(group: &str, resource: &str, name: &str, why: &str) -> Self {
        let what = match (resource, group, name) {
            ("", "", _) => String::new(),
            (_, "", "") => format!("{resource} is "),
            (_, "", _) => format!("{resource} {name:?} is "),
            (_, _, "") => format!("{resource}.{group} is "),
            _ => format!("{resource}.{group} {name:?} is "),
        };
        let message = format!("{what}forbidden: {why}");
        Self::new(StatusCode::FORBIDDEN, "Forbidden", message).about(group, resource, name)
    }

    pub(crate) fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "Unauthorized", "Unauthorized")
    }

    /// An apply that would change what others own.
    pub(crate) fn apply_conflict(message: String, causes: Vec<Value>) -> Self {
        let error = Self::new(StatusCode::CONFLICT, "Conflict", message);
        error.about("", "", "").with_causes(causes)
    }

    /// Fields that the rules of the kind refuse.
    pub(crate) fn invalid(group: &str, kind: &str, name: &str, errors: &[FieldError]) -> Self {
        // The text says everything once; the causes repeat what several rules found.
        let mut texts = Vec::new();
        for error in errors {
            let text = error.to_string();
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
        let all = match texts.as_slice() {
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        };
        let qualified = if group.is_empty() {
            kind.to_owned()
        } else {
            format!("{kind}.{group}")
        };
        let message = format!("{qualified} {name:?} is invalid: {all}");
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "Invalid", message)
            .about(group, kind, name)
            .with_causes(errors.iter().map(FieldError::to_json).collect())
    }

    /// A patch that makes something else of the object than its kind allows.
    pub(crate) fn spoiling_patch(shown: String, why: &str) -> Self {
        Self::invalid(
            "",
            "",
            "",
            &[FieldError::invalid("patch", &Value::String(shown), why)],
        )
    }

    /// A patch that does not fit the object.
    pub(crate) fn unprocessable() -> Self {
        let message = "the server rejected our request due to an error in our request";
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "Invalid", message).about("", "", "")
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "BadRequest", message)
    }

    /// The history from `asked` on is gone; `oldest` is the first version that can still be asked for.
    pub(crate) fn expired(asked: u64, oldest: u64) -> Self {
        Self::new(
            StatusCode::GONE,
            "Expired",
            format!("too old resource version: {asked} ({oldest})"),
        )
    }

    /// The version of a list is no longer kept.
    pub(crate) fn expired_list() -> Self {
        let message = "The resourceVersion for the provided list is too old.";
        Self::new(StatusCode::GONE, "Expired", message)
    }

    /// The version of the pages before is no longer kept: the client may go on at `start` with the present objects.
    pub(crate) fn expired_continuation(start: &str) -> Self {
        let message = "The provided continue parameter is too old to display a consistent list result. \
            You can start a new list without the continue parameter, or use the continue token in this response to \
            retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list \
            - objects that were created, modified, or deleted between the time the first chunk was returned and now \
            may show up in the list.";
        let mut error = Self::new(StatusCode::GONE, "Expired", message);
        let (version, start) = (None, start.to_owned());
        error.metadata = json!({"continue": Continuation { version, start }.encode()});
        error
    }

    /// The version that was asked for does not exist yet.
    pub(crate) fn too_large_version(asked: u64, current: u64) -> Self {
        let message = format!("Timeout: Too large resource version: {asked}, current: {current}");
        let mut error = Self::new(StatusCode::GATEWAY_TIMEOUT, "Timeout", message);
        error.details = Some(json!({
            "causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}],
            "retryAfterSeconds": 1,
        }));
        error
    }

    /// The server is too busy; the client should come again after some seconds.
    pub(crate) fn throttled(retry_after: u32) -> Self {
        let message = "Too many requests, please try again later.";
        let mut error = Self::new(StatusCode::TOO_MANY_REQUESTS, "TooManyRequests", message);
        error.details = Some(json!({"retryAfterSeconds": retry_after}));
        error
    }

    /// An eviction that a PodDisruptionBudget does not allow.
    pub(crate) fn budget(why: &str, retry_after: u32) -> Self {
        let message = "Cannot evict pod as it would violate the pod's disruption budget.";
        let mut error = Self::new(StatusCode::TOO_MANY_REQUESTS, "TooManyRequests", message);
        let cause = json!({"reason": "DisruptionBudget", "message": why});
        let mut details = json!({"causes": [cause]});
        if retry_after > 0 {
            details["retryAfterSeconds"] = json!(retry_after);
        }
        error.details = Some(details);
        error
    }

    /// A refusal with a code of one's own; Kubernetes has a reason for most.
    pub(crate) fn with_code(code: StatusCode) -> Self {
        let (reason, message) = match code.as_u16() {
            401 => ("Unauthorized", "Unauthorized"),
            403 => ("Forbidden", "forbidden: the user has no right to do this"),
            500 => (
                "InternalError",
                "Internal error occurred: etcdserver: no leader",
            ),
            503 => (
                "ServiceUnavailable",
                "the server is currently unable to handle the request",
            ),
            504 => (
                "Timeout",
                "the server was unable to return a response in the time allotted",
            ),
            _ => ("", "the server has refused the request"),
        };
        Self::new(code, reason, message)
    }

    pub(crate) fn unsupported_media_type(accepted: &str) -> Self {
        let message = format!(
            "the body of the request was in an unknown format - accepted media types include: {accepted}"
        );
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "UnsupportedMediaType",
            message,
        )
    }

    /// A patch in a form that the kinds of Kubernetes do not take.
    pub(crate) fn unsupported_patch() -> Self {
        let message = "415: Unsupported Media Type";
        let code = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        Self::new(code, "UnsupportedMediaType", message).about("", "", "")
    }

    /// The client accepts the media types of this server in forms alone that it does not have.
    pub(crate) fn not_acceptable() -> Self {
        let message = format!("only the following media types are accepted: {MEDIA_TYPES}");
        Self::new(StatusCode::NOT_ACCEPTABLE, "NotAcceptable", message)
    }

    /// The client accepts no media type of this server.
    pub(crate) fn unknown_representation() -> Self {
        let message = format!(
            "406: Not Acceptable\n\nAvailable representations: {MEDIA_TYPES}, \
             application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch"
        );
        Self::new(StatusCode::NOT_ACCEPTABLE, "NotAcceptable", message).about("", "", "")
    }

    pub(crate) fn too_many_operations(count: usize, limit: usize) -> Self {
        let message = format!(
            "Request entity too large: The allowed maximum operations in a JSON patch is {limit}, got {count}"
        );
        let code = StatusCode::PAYLOAD_TOO_LARGE;
        Self::new(code, "RequestEntityTooLarge", message)
    }

    pub(crate) fn body_too_large(limit: usize) -> Self {
        let message = format!("Request entity too large: limit is {limit}");
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "RequestEntityTooLarge",
            message,
        )
    }

    /// After how many seconds a client should come again, if it should.
    pub(crate) fn retry_after(&self) -> Option<u64> {
        self.details.as_ref()?["retryAfterSeconds"].as_u64()
    }

    /// The `Status` object.
    pub(crate) fn to_json(&self) -> Value {
        let mut status = json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": self.metadata,
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "code": self.code.as_u16(),
        });
        if let Some(details) = &self.details {
            status["details"] = details.clone();
        }
        status
    }
}
