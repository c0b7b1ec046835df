//! `pods/{name}/log`: what a container has written.
//!
//! kube-apiserver finds the Pod and the container, and asks the kubelet of the Pod's node, which looks at the status of
//! the container. Both happen here; behind that stands [`ContainerLogs`](crate::ContainerLogs).

use http::{Response, StatusCode};
use http_body_util::{BodyExt, StreamBody};
use serde_json::Value;

use crate::{
    logs::{LogOptions, LogSource, chunks},
    reply,
    request::{ApiRequest, Target},
    sandbox::{Body, Sandbox},
    status::ApiError,
};

/// The lists of containers in a spec, with those of their states.
const CONTAINERS: [(&str, &str); 3] = [
    ("containers", "containerStatuses"),
    ("initContainers", "initContainerStatuses"),
    ("ephemeralContainers", "ephemeralContainerStatuses"),
];

/// Answers a request for a log.
pub(super) fn read(
    sandbox: &Sandbox,
    request: &ApiRequest,
    target: &Target,
) -> Result<Response<Body>, ApiError> {
    let options = LogOptions::parse(&request.query, &target.name)?;
    let pod = sandbox
        .store()
        .get(&target.kind, &target.namespace, &target.name)?;
    let container = choose(pod.value(), &target.name, &options.container)?;
    if pod.value()["spec"]["nodeName"]
        .as_str()
        .is_none_or(str::is_empty)
    {
        return Ok(reply::empty(StatusCode::NO_CONTENT));
    }
    check_state(pod.value(), &target.name, &container, options.previous)?;
    let source = LogSource {
        namespace: target.namespace.clone(),
        pod: target.name.clone(),
        container,
        previous: options.previous,
    };
    let log = sandbox.logs().open(source);
    let log = log.ok_or_else(|| ApiError::unknown_part("pods/log", &target.name))?;
    let body = StreamBody::new(chunks(log, &options, sandbox.now()));
    let body = body.map_err(|never| match never {}).boxed_unsync();
    Ok(reply::with_type(StatusCode::OK, "text/plain", body))
}

/// The container that is meant: the given one, or the only one.
fn choose(pod: &Value, name: &str, given: &str) -> Result<String, ApiError> {
    let list = |field: &str| pod["spec"][field].as_array().into_iter().flatten();
    let all = CONTAINERS
        .iter()
        .rev()
        .flat_map(|(containers, _)| list(containers));
    let names: Vec<_> = all
        .filter_map(|container| container["name"].as_str())
        .collect();
    let main: Vec<_> = list("containers").collect();
    let message = match (given, main.as_slice()) {
        ("", [only]) => return Ok(only["name"].as_str().unwrap_or_default().to_owned()),
        ("", []) => format!("a container name must be specified for pod {name}"),
        ("", _) => format!(
            "a container name must be specified for pod {name}, choose one of: [{}]",
            names.join(" ")
        ),
        (given, _) if names.contains(&given) => return Ok(given.to_owned()),
        (given, _) => format!("container {given} is not valid for pod {name}"),
    };
    Err(ApiError::bad_request(message))
}

/// Refuses containers that have written nothing yet, as a kubelet does.
fn check_state(pod: &Value, name: &str, container: &str, previous: bool) -> Result<(), ApiError> {
    let states = CONTAINERS
        .iter()
        .flat_map(|(_, states)| pod["status"][states].as_array());
    let found = states.flatten().find(|state| state["name"] == container);
    let subject = format!("container {container:?} in pod {name:?}");
    let Some(found) = found else {
        return Err(ApiError::bad_request(format!("{subject} is not available")));
    };
    let state = &found["state"];
    let has_run = |terminated: &Value| {
        let id = terminated["containerID"].as_str();
        id.is_some_and(|id| !id.is_empty())
    };
    let last = &found["lastState"]["terminated"];
    let message = if previous {
        if has_run(last) {
            return Ok(());
        }
        format!("previous terminated {subject} not found")
    } else if state["running"].is_object() || has_run(&state["terminated"]) || has_run(last) {
        return Ok(());
    } else if state["terminated"].is_object() || last.is_object() {
        format!("{subject} is terminated")
    } else if let Some(waiting) = state["waiting"].as_object() {
        let reason = waiting
            .get("reason")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let why = match reason {
            "ErrImagePull" => "image can't be pulled",
            "ImagePullBackOff" => "trying and failing to pull image",
            other => other,
        };
        format!("{subject} is waiting to start: {why}")
    } else {
        format!("{subject} is waiting to start - no logs yet")
    };
    Err(ApiError::bad_request(message))
}
