//! `serviceaccounts/{name}/token`: credentials for a ServiceAccount.
//!
//! The token is the user name of the account, `system:serviceaccount:{namespace}:{name}`: whoever may write it may use it,
//! and it does not expire.

use http::{Response, StatusCode};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::{
    kinds::Kind,
    meta, reply,
    request::{ApiRequest, Target},
    sandbox::{self, Body, Sandbox},
    status::{ApiError, FieldError},
    store::Store,
};

const GROUP: &str = "authentication.k8s.io";
const KIND: &str = "TokenRequest";
const AUDIENCE: &str = "https://kubernetes.default.svc";

/// How long a token is said to be good, in seconds, when the client does not say.
const DEFAULT_LIFE: i64 = 60 * 60;
const SHORTEST_LIFE: i64 = 10 * 60;
const LONGEST_LIFE: i64 = 1 << 32;

/// Issues a token.
pub(super) fn issue(
    sandbox: &Sandbox,
    request: &ApiRequest,
    target: &Target,
) -> Result<Response<Body>, ApiError> {
    let mut reply = request.object(&Kind::token_request())?;
    let (name, namespace) = (target.name.as_str(), target.namespace.as_str());
    check_place(&reply, name, namespace)?;
    let store = sandbox.store();
    let account = store.get(&target.kind, namespace, name)?;
    let uid = meta::text(account.value(), "uid");
    let given = meta::text(&reply, "uid");
    if !given.is_empty() && given != uid {
        let why = format!(
            "the UID in the token request ({given}) does not match the UID of the service account ({uid})"
        );
        return Err(ApiError::foreign_conflict(GROUP, KIND, name, &why));
    }
    let now = sandbox.now();
    for (field, value) in [("name", name), ("namespace", namespace), ("uid", uid)] {
        meta::set(&mut reply, field, value);
    }
    meta::set(&mut reply, "creationTimestamp", sandbox::in_seconds(now));
    let spec = &reply["spec"];
    let life = spec["expirationSeconds"].as_i64().unwrap_or(DEFAULT_LIFE);
    check_life(life)?;
    check_bound(&store, namespace, name, &spec["boundObjectRef"])?;
    let audiences = spec["audiences"].as_array().filter(|list| !list.is_empty());
    reply["spec"] = json!({
        "audiences": audiences.map_or_else(|| json!([AUDIENCE]), |list| json!(list)),
        "expirationSeconds": life,
        "boundObjectRef": spec["boundObjectRef"],
    });
    let end = now
        .checked_add(SignedDuration::from_secs(life))
        .unwrap_or(now);
    reply["status"] = json!({
        "token": format!("system:serviceaccount:{namespace}:{name}"),
        "expirationTimestamp": sandbox::in_seconds(end),
    });
    reply["apiVersion"] = json!(format!("{GROUP}/v1"));
    reply["kind"] = json!(KIND);
    Ok(reply::json_reply(StatusCode::CREATED, &reply))
}

fn check_place(asked: &Value, name: &str, namespace: &str) -> Result<(), ApiError> {
    let given = meta::text(asked, "namespace");
    if !given.is_empty() && given != namespace {
        let message =
            "the namespace of the provided object does not match the namespace sent on the request";
        return Err(ApiError::bad_request(message));
    }
    let given = meta::text(asked, "name");
    if !given.is_empty() && given != name {
        let why = "must match the service account name if specified";
        let error = FieldError::invalid("metadata.name", &json!(given), why);
        return Err(ApiError::invalid(GROUP, KIND, name, &[error]));
    }
    Ok(())
}

fn check_life(seconds: i64) -> Result<(), ApiError> {
    let why = match seconds {
        ..SHORTEST_LIFE => "may not specify a duration less than 10 minutes",
        SHORTEST_LIFE..=LONGEST_LIFE => return Ok(()),
        _ => "may not specify a duration larger than 2^32 seconds",
    };
    let error = FieldError::invalid("spec.expirationSeconds", &json!(seconds), why);
    Err(ApiError::invalid(GROUP, KIND, "", &[error]))
}

/// Checks the object whose end is to be that of the token.
fn check_bound(
    store: &Store,
    namespace: &str,
    account: &str,
    bound: &Value,
) -> Result<(), ApiError> {
    if bound.is_null() {
        return Ok(());
    }
    let text = |field: &str| bound[field].as_str().unwrap_or_default();
    let (version, kind, name) = (text("apiVersion"), text("kind"), text("name"));
    let plural = match kind {
        "Pod" => "pods",
        "Secret" => "secrets",
        "Node" => "nodes",
        _ => "",
    };
    let (group, version) = version.split_once('/').unwrap_or(("", version));
    let Some(found) = store
        .registry()
        .find("", "v1", plural)
        .filter(|_| group.is_empty())
    else {
        let message = format!("cannot bind token to object of type {group}/{version}, Kind={kind}");
        return Err(ApiError::bad_request(message));
    };
    let namespace = if found.namespaced { namespace } else { "" };
    let object = store.get(&found, namespace, name)?;
    let user = &object.value()["spec"]["serviceAccountName"];
    if kind == "Pod" && user != account {
        return Err(ApiError::bad_request(format!(
            "cannot bind token for serviceaccount {account:?} to pod running with different serviceaccount name."
        )));
    }
    let (given, uid) = (text("uid"), meta::text(object.value(), "uid"));
    if !given.is_empty() && given != uid {
        let why = format!(
            "the UID in the bound object reference ({given}) does not match the UID in record. \
             The object might have been deleted and then recreated"
        );
        return Err(ApiError::foreign_conflict(group, kind, name, &why));
    }
    Ok(())
}
