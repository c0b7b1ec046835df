//! From a request to a reply.

use std::{convert::Infallible, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, header, request::Parts};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited, StreamBody};
use serde_json::{Value, json};
use tower::BoxError;

use crate::{
    apply,
    auth::{self, User},
    decode::{self, MediaType, Validation},
    deletion::DeleteOptions,
    discovery,
    kinds::{Kind, Subresource},
    openapi, ownership,
    patch::{Form, Patch},
    path::Route,
    query::{Options, Query},
    sandbox::{Body, Sandbox},
    status::ApiError,
    store::{Call, Deleted, Intent, Object},
    subresources,
    view::{self, View},
    warnings::Warnings,
    watch::{self, Horizon},
};

/// The largest body of a request, as the API server has it.
pub(crate) const BODY_LIMIT: usize = 3 * 1024 * 1024;

/// An API request, read completely.
pub(crate) struct ApiRequest {
    user: User,
    pub method: Method,
    pub headers: HeaderMap,
    pub query: Query,
    pub body: Bytes,
    /// What the reader is shown, when that is not the present.
    horizon: Option<Horizon>,
    warnings: Warnings,
}

/// The object that a path names; the namespace is empty for kinds without.
pub(crate) struct Target {
    pub kind: Arc<Kind>,
    pub namespace: String,
    pub name: String,
}

/// Answers a request; a refusal is a reply too.
pub(crate) async fn answer<B>(sandbox: Sandbox, request: Request<B>) -> Response<Body>
where
    B: http_body::Body,
    B::Error: Into<BoxError>,
{
    match read(request).await {
        Ok(request) => handle(&sandbox, request, None),
        Err(error) => refuse(&error),
    }
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

/// Answers a request at once; lists and watches show nothing beyond `horizon`.
pub(crate) fn handle(
    sandbox: &Sandbox,
    request: Request<Bytes>,
    horizon: Option<Horizon>,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let (method, path) = (parts.method.clone(), parts.uri.path().to_owned());
    let warnings = Warnings::default();
    let reply = route(sandbox, parts, body, horizon, warnings.clone());
    let mut reply = reply.unwrap_or_else(|error| refuse(&error));
    warnings.write(reply.headers_mut());
    tracing::debug!(%method, path, code = reply.status().as_u16(), "answered");
    reply
}

/// The reply that refuses a request.
pub(crate) fn refuse(error: &ApiError) -> Response<Body> {
    let mut reply = json_reply(error.code, &error.to_json());
    if let Some(seconds) = error.retry_after() {
        let value = header::HeaderValue::from(seconds);
        reply.headers_mut().insert(header::RETRY_AFTER, value);
    }
    reply
}

fn route(
    sandbox: &Sandbox,
    parts: Parts,
    body: Bytes,
    horizon: Option<Horizon>,
    warnings: Warnings,
) -> Result<Response<Body>, ApiError> {
    let user = auth::admit(&*sandbox.store(), &parts)?;
    let registry = sandbox.registry();
    let path = parts.uri.path();
    let Some(route) = Route::parse(&registry, path) else {
        return match Route::is_api(&registry, path) {
            true => Err(ApiError::unknown_path()),
            false => Ok(no_page()),
        };
    };
    let request = ApiRequest {
        user,
        query: Query::parse(parts.uri.query().unwrap_or_default()),
        method: parts.method,
        headers: parts.headers,
        body,
        horizon,
        warnings,
    };
    let aggregated = || view::prefers_aggregated(&request.headers);
    let about = match route {
        Route::Collection { kind, namespace } => {
            return request.collection(sandbox, &kind, namespace);
        }
        Route::Item {
            kind,
            namespace,
            name,
            subresource,
        } => {
            let target = Target {
                kind,
                namespace,
                name,
            };
            return match subresource {
                None | Some(Subresource::Status | Subresource::Finalize) => {
                    request.item(sandbox, target, subresource)
                }
                Some(other) => subresources::answer(sandbox, &request, &target, other),
            };
        }
        _ if request.method != Method::GET => return Err(ApiError::method_not_allowed()),
        Route::Health => {
            return Ok(page(StatusCode::OK, "ok"));
        }
        Route::CoreVersions | Route::Groups if aggregated() => {
            let list = discovery::aggregated(&registry, matches!(route, Route::CoreVersions));
            let media_type = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
            return Ok(reply(
                StatusCode::OK,
                media_type,
                Bytes::from(list.to_string()),
            ));
        }
        Route::Version => discovery::version(),
        Route::CoreVersions => discovery::core_versions(),
        Route::Groups => discovery::groups(&registry),
        Route::Group(name) => match discovery::group(&registry, &name) {
            Some(group) => group,
            None => return Ok(no_page()),
        },
        Route::Resources { group, version } => discovery::resources(&registry, &group, &version),
        Route::OpenApi => openapi::index(&registry),
        Route::OpenApiGroup { group, version } => {
            let document = openapi::document(&registry, &group, &version);
            document.ok_or_else(ApiError::unknown_path)?
        }
    };
    Ok(json_reply(StatusCode::OK, &about))
}

// === impl ApiRequest ===

impl ApiRequest {
    /// Verbs on a collection: list, watch, create, deletecollection.
    fn collection(
        &self,
        sandbox: &Sandbox,
        kind: &Arc<Kind>,
        namespace: Option<String>,
    ) -> Result<Response<Body>, ApiError> {
        let view = self.view(sandbox, kind)?;
        let everywhere = kind.namespaced && namespace.is_none();
        if let Some(review) = kind.review {
            if self.method != Method::POST || everywhere {
                return Err(ApiError::method_not_allowed());
            }
            let (body, now) = (self.object(kind)?, sandbox.timestamp());
            let namespace = namespace.unwrap_or_default();
            let answer = review.answer(&*sandbox.store(), &self.user, &namespace, body, &now)?;
            return Ok(object_reply(
                StatusCode::CREATED,
                view.object(&Object::new(answer)),
            ));
        }
        match self.method {
            Method::GET => self.list(sandbox, kind, namespace, view),
            Method::POST if !everywhere => {
                self.query.check_write(Options::Create)?;
                let body = self.object(kind)?;
                let call = self.call(
                    sandbox,
                    kind.clone(),
                    namespace.unwrap_or_default(),
                    self.query.dry_run()?,
                );
                let object = sandbox.store().create(&call, body)?;
                Ok(object_reply(StatusCode::CREATED, view.object(&object)))
            }
            Method::DELETE if kind.delete_collection && !everywhere => {
                let options = self.query.list_options(namespace.clone())?;
                options.selection.check(kind)?;
                let how = self.delete_options()?;
                let call = self.call(
                    sandbox,
                    kind.clone(),
                    namespace.unwrap_or_default(),
                    how.dry_run,
                );
                let mut store = sandbox.store();
                let page = store.delete_all(&call, &options, &how)?;
                Ok(object_reply(StatusCode::OK, view.list(&page)))
            }
            _ => Err(ApiError::method_not_allowed()),
        }
    }

    fn list(
        &self,
        sandbox: &Sandbox,
        kind: &Arc<Kind>,
        namespace: Option<String>,
        view: View,
    ) -> Result<Response<Body>, ApiError> {
        let options = self.query.list_options(namespace)?;
        options.selection.check(kind)?;
        if options.watch {
            let lines = watch::open(sandbox, kind.clone(), view, options, self.horizon.clone());
            let body = StreamBody::new(lines).map_err(never).boxed_unsync();
            return Ok(with_type(StatusCode::OK, "application/json", body));
        }
        let store = sandbox.store();
        let page = store.page(kind, &options, watch::limit(self.horizon.as_ref()))?;
        drop(store);
        Ok(object_reply(StatusCode::OK, view.list(&page)))
    }

    /// Verbs on one object, or on a part of it that has the form of the whole: get, replace, patch, delete.
    fn item(
        &self,
        sandbox: &Sandbox,
        target: Target,
        part: Option<Subresource>,
    ) -> Result<Response<Body>, ApiError> {
        let (kind, namespace, name) = (&target.kind, target.namespace, target.name.as_str());
        if part == Some(Subresource::Finalize) && self.method != Method::PUT {
            return Err(ApiError::method_not_allowed());
        }
        let view = self.view(sandbox, kind)?;
        match self.method {
            Method::GET => {
                let store = sandbox.store();
                check_reached(self.query.version()?, store.version())?;
                let object = store.get(kind, &namespace, name)?;
                Ok(object_reply(StatusCode::OK, view.object(&object)))
            }
            Method::PUT => {
                self.query.check_write(Options::Update)?;
                let new = self.object(kind)?;
                let mut call = self.call(sandbox, kind.clone(), namespace, self.query.dry_run()?);
                call.part = part;
                let (object, created) =
                    sandbox.store().update(&call, name, new, Intent::Replace)?;
                Ok(object_reply(written(created), view.object(&object)))
            }
            Method::PATCH if self.media_type() == apply::MEDIA_TYPE => {
                self.query.check_write(Options::Apply)?;
                let force = self.query.flag("force").unwrap_or_default();
                let mut call = self.call(sandbox, kind.clone(), namespace, self.query.dry_run()?);
                call.part = part;
                let config = apply::read(&self.body, self.validation()?)?;
                self.warnings.add(config.warnings);
                let applied = apply::apply(&mut sandbox.store(), call, name, &config.object, force);
                let (object, created) = applied?;
                Ok(object_reply(written(created), view.object(&object)))
            }
            Method::PATCH => {
                let form = Form::of(self.media_type(), kind)?;
                self.query.check_write(Options::Patch)?;
                let mut call = self.call(sandbox, kind.clone(), namespace, self.query.dry_run()?);
                call.part = part;
                let mut store = sandbox.store();
                let stored = store.get(kind, &call.namespace, name)?;
                let patch = Patch::decode(form, &self.body)?;
                let object = patch.apply(view::served(kind, &stored), kind)?;
                let new = self.admit(kind, &object, self.validation()?);
                let new = new.map_err(|why| patch.spoils(&object, &why))?;
                let (object, _) = store.update(&call, name, new, Intent::Patch)?;
                Ok(object_reply(StatusCode::OK, view.object(&object)))
            }
            Method::DELETE if part.is_none() => {
                let options = self.delete_options()?;
                let call = self.call(sandbox, kind.clone(), namespace, options.dry_run);
                match sandbox.store().delete(&call, name, &options)? {
                    Deleted::Gone(object) if kind.shows_deleted() => {
                        Ok(object_reply(StatusCode::OK, view.object(&object)))
                    }
                    Deleted::Gone(object) => Ok(json_reply(
                        StatusCode::OK,
                        &gone(kind, name, object.value()),
                    )),
                    Deleted::Marked(object) => {
                        Ok(object_reply(StatusCode::OK, view.object(&object)))
                    }
                }
            }
            _ => Err(ApiError::method_not_allowed()),
        }
    }

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
        let header = self
            .headers
            .get(header::CONTENT_TYPE)
            .and_then(|header| header.to_str().ok());
        let media_type = header.and_then(|header| header.split(';').next());
        media_type.map_or("application/json", str::trim)
    }

    pub(crate) fn json(&self) -> Result<&[u8], ApiError> {
        match self.media_type() {
            "application/json" => Ok(&self.body),
            _ => Err(ApiError::unsupported_media_type("application/json")),
        }
    }

    /// How to delete, as the body says it, or the query where there is no body.
    fn delete_options(&self) -> Result<DeleteOptions, ApiError> {
        if self.body.is_empty() {
            return DeleteOptions::of_query(&self.query);
        }
        let media_type = MediaType::parse(self.content_type())?;
        DeleteOptions::read(&decode::delete_options(media_type, &self.body)?)
    }
}

/// Refuses to answer for a version that does not exist yet.
fn check_reached(asked: Option<u64>, current: u64) -> Result<(), ApiError> {
    match asked.filter(|asked| *asked > current) {
        Some(asked) => Err(ApiError::too_large_version(asked, current)),
        None => Ok(()),
    }
}

fn written(created: bool) -> StatusCode {
    if created {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    }
}

fn gone(kind: &Kind, name: &str, object: &Value) -> Value {
    let mut details = json!({"name": name, "kind": kind.plural, "uid": object["metadata"]["uid"]});
    if !kind.group.is_empty() {
        details["group"] = json!(kind.group);
    }
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details})
}

/// A reply that has nothing to say.
pub(crate) fn empty(code: StatusCode) -> Response<Body> {
    let mut response = Response::new(Full::new(Bytes::new()).map_err(never).boxed_unsync());
    *response.status_mut() = code;
    response
}

pub(crate) fn object_reply(code: StatusCode, body: Bytes) -> Response<Body> {
    reply(code, "application/json", body)
}

/// What the server says where nothing is, outside of its API.
fn no_page() -> Response<Body> {
    page(StatusCode::NOT_FOUND, "404 page not found\n")
}

fn page(code: StatusCode, text: &'static str) -> Response<Body> {
    let text = Bytes::from_static(text.as_bytes());
    reply(code, "text/plain; charset=utf-8", text)
}

pub(crate) fn json_reply(code: StatusCode, value: &Value) -> Response<Body> {
    reply(code, "application/json", Bytes::from(value.to_string()))
}

fn reply(code: StatusCode, media_type: &'static str, body: Bytes) -> Response<Body> {
    with_type(
        code,
        media_type,
        Full::new(body).map_err(never).boxed_unsync(),
    )
}

pub(crate) fn with_type(code: StatusCode, media_type: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = code;
    let media_type = header::HeaderValue::from_static(media_type);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, media_type);
    response
}

fn never(error: Infallible) -> BoxError {
    match error {}
}
