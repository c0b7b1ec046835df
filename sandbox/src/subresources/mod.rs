//! Paths behind an object that are not the object itself: actions, and views of another kind.

mod binding;
mod eviction;
mod log;
mod scale;
mod token;

use http::{Method, Response};

use crate::{
    kinds::Subresource,
    request::{ApiRequest, Target},
    sandbox::{Body, Sandbox},
    status::ApiError,
};

/// Answers a request to a subresource.
pub(crate) fn answer(
    sandbox: &Sandbox,
    request: &ApiRequest,
    target: &Target,
    subresource: Subresource,
) -> Result<Response<Body>, ApiError> {
    match (subresource, &request.method) {
        (Subresource::Binding, &Method::POST) => binding::bind(sandbox, request, target),
        (Subresource::Eviction, &Method::POST) => eviction::evict(sandbox, request, target),
        (Subresource::Scale, _) => scale::answer(sandbox, request, target),
        (Subresource::Token, &Method::POST) => token::issue(sandbox, request, target),
        (Subresource::Log, &Method::GET) => log::read(sandbox, request, target),
        _ => Err(ApiError::method_not_allowed()),
    }
}
