//! Users and their rights: who sends a request, and whether it may.
//!
//! Tokens of service accounts are held to the rules of the stored roles and bindings, as RBAC of Kubernetes decides;
//! all other tokens are administrators. The evaluation reads from a [`Policy`] and knows nothing of the server.

mod attributes;
pub(crate) mod bootstrap;
mod escalation;
mod impersonation;
mod rbac;
mod review;
mod rule;
#[cfg(test)]
mod tests;
mod user;

use http::{HeaderMap, header, request::Parts};

pub(crate) use self::{
    attributes::Attributes,
    escalation::check as check_escalation,
    rbac::{Policy, decide},
    review::Review,
    user::User,
};
use crate::{query::Query, status::ApiError};

/// The user that a client in the process says it is.
#[derive(Clone, Debug)]
pub(crate) struct Claimed(pub String);

/// The user as whom a request acts, once it is known that it may do what it asks for.
pub(crate) fn admit(policy: &impl Policy, parts: &Parts) -> Result<User, ApiError> {
    let user = authenticate(parts)?;
    let query = Query::parse(parts.uri.query().unwrap_or_default());
    let asked = Attributes::of(&parts.method, parts.uri.path(), &query);
    let user = impersonation::acting(policy, user, &parts.headers, &asked)?;
    let decision = decide(policy, &user, &asked);
    match decision.allowed {
        true => Ok(user),
        false => Err(asked.refusal(&user, &decision.reason)),
    }
}

/// The bearer token of a request; `None` when there is none.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let header = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = header.split_once(' ').unwrap_or((header, ""));
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

fn authenticate(parts: &Parts) -> Result<User, ApiError> {
    if let Some(Claimed(name)) = parts.extensions.get() {
        return Ok(User::from_token(name));
    }
    if !parts.headers.contains_key(header::AUTHORIZATION) {
        return Ok(User::from_token(""));
    }
    match bearer(&parts.headers) {
        Some(token) => Ok(User::from_token(token)),
        None => Err(ApiError::unauthorized()),
    }
}
