//! Server-side apply, from the request to the store.

use std::sync::Arc;

use serde_json::Value;

use crate::{
    decode::{self, Decoded, Validation},
    kinds::Kind,
    meta,
    ownership::{Owners, apply::Apply},
    status::ApiError,
    store::{Call, Intent, Object, Store},
    view,
};

/// The media type of what is applied; JSON is YAML too.
pub(crate) const MEDIA_TYPE: &str = "application/apply-patch+yaml";

/// Brings an object to what `config` states, or creates it; the flag says which.
pub(crate) fn apply(
    store: &mut Store,
    mut call: Call,
    name: &str,
    config: &Value,
    force: bool,
) -> Result<(Arc<Object>, bool), ApiError> {
    let kind = call.kind.clone();
    check_type(&kind, config)?;
    let stored = store.get(&kind, &call.namespace, name).ok();
    let live = match &stored {
        Some(object) => view::served(&kind, object),
        None => Value::Object(Default::default()),
    };
    let mut owners = stored
        .as_ref()
        .map_or_else(Owners::default, |object| Owners::clone(object.owners()));
    let (api_version, reset) = (kind.api_version(), call.reset());
    let run = Apply {
        kind: kind.model(),
        live: &live,
        config,
        by: call.circumstances(&api_version, &reset),
        force,
    };
    let object = run.run(&mut owners)?.unwrap_or(live);
    let new = decode::patched(&kind, &object, Vec::new(), Validation::Ignore);
    let new = new.map_err(ApiError::bad_request)?.object;
    let uid = meta::text(&new, "uid");
    if stored.is_none() && !uid.is_empty() {
        let why = format!(
            "uid mismatch: the provided object specified uid {uid}, and no existing object was found"
        );
        return Err(ApiError::conflict(&kind, name, &why));
    }
    call.decided = Some(Arc::new(owners));
    store.update(&call, name, new, Intent::Apply)
}

/// Reads what is applied.
pub(crate) fn read(body: &[u8], validation: Validation) -> Result<Decoded, ApiError> {
    let refused = |why: String| ApiError::bad_request(format!("error decoding YAML: {why}"));
    let (config, doubled) = decode::yaml(body).map_err(refused)?;
    let object = match config {
        Value::Object(_) => config,
        Value::Null => Value::Object(Default::default()),
        other => {
            return Err(refused(format!(
                "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {} into Go value \
                 of type map[string]interface {{}}",
                crate::patch::json_type(&other)
            )));
        }
    };
    match (validation, doubled.as_slice()) {
        (Validation::Strict, [first, ..]) => Err(ApiError::bad_request(format!(
            "error strict decoding YAML: error converting YAML to JSON: yaml: unmarshal errors:\n  {first}"
        ))),
        (Validation::Warn, _) => Ok(Decoded {
            object,
            warnings: doubled,
        }),
        _ => Ok(Decoded {
            object,
            warnings: Vec::new(),
        }),
    }
}

/// What is applied says which type it has.
fn check_type(kind: &Kind, config: &Value) -> Result<(), ApiError> {
    let text = |field: &str| config[field].as_str().unwrap_or_default();
    let (api_version, name) = (text("apiVersion"), text("kind"));
    if api_version == kind.api_version() && name == kind.kind {
        return Ok(());
    }
    let (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
    let version = if group.contains('/') { "" } else { version };
    let group = if group.contains('/') { "" } else { group };
    Err(ApiError::bad_request(format!(
        "invalid object type: {group}/{version}, Kind={name}"
    )))
}
