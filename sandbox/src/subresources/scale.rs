//! `{name}/scale`: the number of replicas of an object, in a form that is the same for all kinds.

use std::sync::Arc;

use http::{Method, Response, StatusCode};
use serde_json::Value;

use crate::{
    kinds::{Kind, ScaleFields, Subresource},
    patch::{Form, Patch},
    reply,
    request::{ApiRequest, Target},
    sandbox::{Body, Sandbox},
    status::{ApiError, FieldError},
    store::{Intent, Object, Store},
    view,
};

/// Reads, replaces or patches the scale of an object.
pub(super) fn answer(
    sandbox: &Sandbox,
    request: &ApiRequest,
    target: &Target,
) -> Result<Response<Body>, ApiError> {
    let Some(fields) = &target.kind.scale else {
        return Err(ApiError::unknown_path());
    };
    let kind = Arc::new(Kind::scale());
    let view = request.view(sandbox, &kind)?;
    let found = |store: &Store| store.get(&target.kind, &target.namespace, &target.name);
    let object = match request.method {
        Method::GET => found(&sandbox.store())?,
        Method::PUT => {
            let scale = request.object(&kind)?;
            check_name(target, &scale)?;
            let mut store = sandbox.store();
            let old = found(&store)?;
            write(
                sandbox,
                &mut store,
                request,
                target,
                (fields, old.value(), &scale),
                Intent::Replace,
            )?
        }
        Method::PATCH => {
            let form = Form::of(request.media_type(), &kind)?;
            let patch = Patch::decode(form, &request.body)?;
            let mut store = sandbox.store();
            let old = found(&store)?;
            let stored = Object::new(fields.view(old.value()));
            let patched = patch.apply(view::served(&kind, &stored), &kind)?;
            let scale = request.admit(&kind, &patched, request.validation()?);
            let scale = scale.map_err(|why| patch.spoils(&patched, &why))?;
            check_name(target, &scale)?;
            write(
                sandbox,
                &mut store,
                request,
                target,
                (fields, old.value(), &scale),
                Intent::Patch,
            )?
        }
        _ => return Err(ApiError::method_not_allowed()),
    };
    let scale = Object::new(fields.view(object.value()));
    Ok(reply::object_reply(StatusCode::OK, view.object(&scale)))
}

fn write(
    sandbox: &Sandbox,
    store: &mut Store,
    request: &ApiRequest,
    target: &Target,
    (fields, old, scale): (&ScaleFields, &Value, &Value),
    intent: Intent,
) -> Result<Arc<Object>, ApiError> {
    let replicas = &scale["spec"]["replicas"];
    if replicas.as_i64().is_some_and(|count| count < 0) {
        let why = "must be greater than or equal to 0";
        let error = FieldError::invalid("spec.replicas", replicas, why);
        return Err(ApiError::invalid(
            "autoscaling",
            "Scale",
            &target.name,
            &[error],
        ));
    }
    let dry_run = request.query.dry_run()?;
    let mut call = request.call(
        sandbox,
        target.kind.clone(),
        target.namespace.clone(),
        dry_run,
    );
    call.part = Some(Subresource::Scale);
    let new = fields.change(old, scale);
    let (object, _) = store.update(&call, &target.name, new, intent)?;
    Ok(object)
}

fn check_name(target: &Target, scale: &Value) -> Result<(), ApiError> {
    let (name, given) = (
        &target.name,
        scale["metadata"]["name"].as_str().unwrap_or_default(),
    );
    let message = match given {
        "" => format!(
            "the name of the object ({name} based on URL) was undeterminable: name must be provided"
        ),
        given if given != name => {
            format!("the name of the object ({given}) does not match the name on the URL ({name})")
        }
        _ => return Ok(()),
    };
    Err(ApiError::bad_request(message))
}
