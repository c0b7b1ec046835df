//! `pods/{name}/binding`: puts a Pod on a node, as a scheduler asks for.

use http::{Response, StatusCode};
use serde_json::{Value, json};

use crate::{
    reply,
    request::{ApiRequest, Target},
    sandbox::{Body, Sandbox},
    status::ApiError,
};

/// Answers a request to bind.
pub(super) fn bind(
    sandbox: &Sandbox,
    request: &ApiRequest,
    target: &Target,
) -> Result<Response<Body>, ApiError> {
    let body: Value = serde_json::from_slice(request.json()?).map_err(|error| {
        ApiError::bad_request(format!(
            "the object provided is unrecognized (must be of type Binding): {error}"
        ))
    })?;
    let (to, metadata) = (&body["target"], &body["metadata"]);
    if metadata["name"] != target.name.as_str() {
        let message = "name in URL does not match name in Binding object";
        return Err(ApiError::bad_request(message));
    }
    let mut problems = Vec::new();
    let (kind, node) = (to["kind"].as_str(), to["name"].as_str().unwrap_or_default());
    if let Some(kind) = kind.filter(|kind| !matches!(*kind, "" | "Node")) {
        let known = "supported values: \"Node\", \"<empty>\"";
        problems.push(format!("target.kind: Unsupported value: {kind:?}: {known}"));
    }
    if node.is_empty() {
        problems.push("target.name: Required value".to_owned());
    }
    match problems.as_slice() {
        [] => {}
        [one] => return Err(ApiError::bad_request(one)),
        all => return Err(ApiError::bad_request(format!("[{}]", all.join(", ")))),
    }
    let call = request.call(
        sandbox,
        target.kind.clone(),
        target.namespace.clone(),
        request.query.dry_run()?,
    );
    sandbox.store().bind(&call, &target.name, node, metadata)?;
    let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201});
    Ok(reply::json_reply(StatusCode::CREATED, &status))
}
