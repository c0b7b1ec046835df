//! A request, and what its body and headers say.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde_json::Value;
use tower::BoxError;

use crate::{
    auth::User,
    decode::{self, MediaType, Validation},
    deletion::DeleteOptions,
    kinds::Kind,
    ownership,
    query::Query,
    sandbox::Sandbox,
    status::ApiError,
    store::Call,
    view::View,
    warnings::Warnings,
    watch::Horizon,
};

/// The largest body of a request, as the API server has it.
pub(crate) const BODY_LIMIT: usize = 3 * 1024 * 1024;

/// An API request, read completely.
pub(crate) struct ApiRequest {
    pub user: User,
    pub method: Method,
    pub headers: HeaderMap,
    pub query: Query,
    pub body: Bytes,
    /// What the reader is shown, when that is not the present.
    pub horizon: Option<Horizon>,
    pub warnings: Warnings,
}

/// The object that a path names; the namespace is empty for kinds without.
pub(crate) struct Target {
    pub kind: Arc<Kind>,
    pub namespace: String,
    pub name: String,
}

/// Reads a request completely.
pub(crate) async fn read<B>(request: Request<B>) -> Result<Request<Bytes>, ApiError>
where
    B: http_body::Body,
    B::Error: Into<BoxError>,
{
    let (parts, body) = request.into_parts();
    match Limited::new(body, BODY_LIMIT).collect().await {
        Ok(body) => Ok(Request::from_parts(parts, body.to_bytes())),
        Err(error) if error.is::<LengthLimitError>() => Err(ApiError::body_too_large(BODY_LIMIT)),
        Err(error) => Err(ApiError::bad_request(format!(
            "cannot read the body: {error}"
        ))),
    }
}

// === impl ApiRequest ===

impl ApiRequest {
    /// The form in which the client wants to see objects.
    pub(crate) fn view(&self, sandbox: &Sandbox, kind: &Arc<Kind>) -> Result<View, ApiError> {
        let include = self.query.get("includeObject").unwrap_or_default();
        View::negotiate(kind, &self.headers, include, sandbox.clock())
    }

    /// The object in the body.
    pub(crate) fn object(&self, kind: &Kind) -> Result<Value, ApiError> {
        let media_type = MediaType::parse(self.content_type())?;
        let decoded = decode::object(kind, media_type, &self.body, self.validation()?)?;
        self.warnings.add(decoded.warnings);
        Ok(decoded.object)
    }

    /// The object that a patch has made; the error says why it is none.
    pub(crate) fn admit(
        &self,
        kind: &Kind,
        object: &Value,
        validation: Validation,
    ) -> Result<Value, String> {
        let decoded = decode::patched(kind, object, Vec::new(), validation)?;
        self.warnings.add(decoded.warnings);
        Ok(decoded.object)
    }

    /// What is to happen to fields that the object should not have.
    pub(crate) fn validation(&self) -> Result<Validation, ApiError> {
        let options = match self.method {
            Method::POST => "CreateOptions",
            Method::PUT => "UpdateOptions",
            _ => "PatchOptions",
        };
        Validation::parse(self.query.get("fieldValidation"), options)
    }

    fn content_type(&self) -> Option<&str> {
        let header = self.headers.get(header::CONTENT_TYPE)?;
        header.to_str().ok()
    }

    pub(crate) fn call(
        &self,
        sandbox: &Sandbox,
        kind: Arc<Kind>,
        namespace: String,
        dry_run: bool,
    ) -> Call {
        let now = sandbox.timestamp();
        Call {
            kind,
            part: None,
            namespace,
            user: self.user.clone(),
            now,
            dry_run,
            manager: self.manager(),
            decided: None,
        }
    }

    /// The name under which the client owns what it writes; most clients do not state one.
    fn manager(&self) -> String {
        let stated = self.query.get("fieldManager").unwrap_or_default();
        if !stated.is_empty() {
            return stated.to_owned();
        }
        let agent = self.headers.get(header::USER_AGENT);
        let agent = agent.map_or_else(Default::default, |agent| {
            String::from_utf8_lossy(agent.as_bytes())
        });
        ownership::manager_of(&agent)
    }

    /// The media type of the body, without parameters; none means JSON.
    pub(crate) fn media_type(&self) -> &str {
        let media_type = self
            .content_type()
            .and_then(|header| header.split(';').next());
        media_type.map_or("application/json", str::trim)
    }

    pub(crate) fn json(&self) -> Result<&[u8], ApiError> {
        match self.media_type() {
            "application/json" => Ok(&self.body),
            _ => Err(ApiError::unsupported_media_type("application/json")),
        }
    }

    /// How to delete, as the body says it, or the query where there is no body.
    pub(crate) fn delete_options(&self) -> Result<DeleteOptions, ApiError> {
        if self.body.is_empty() {
            return DeleteOptions::of_query(&self.query);
        }
        let media_type = MediaType::parse(self.content_type())?;
        DeleteOptions::read(&decode::delete_options(media_type, &self.body)?)
    }
}
