//! From a request to a reply.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, request::Parts};
use http_body_util::{BodyExt, StreamBody};
use tower::BoxError;

use crate::{
    apply, auth, discovery,
    kinds::{Kind, Subresource},
    openapi,
    patch::{Form, Patch},
    path::Route,
    query::{Options, Query},
    reply::{
        empty, gone, json_reply, never, no_page, object_reply, page, refuse, reply, with_type,
        written,
    },
    request::{ApiRequest, Target, read},
    sandbox::{Body, Sandbox},
    status::ApiError,
    store::{Deleted, Intent, Object},
    subresources,
    view::{self, View},
    warnings::Warnings,
    watch::{self, Horizon},
};

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
        Route::OldOpenApi if view::asks_for(&request.headers, openapi::OLD_WANTED) => {
            return Ok(reply(
                StatusCode::OK,
                openapi::OLD_TYPE,
                Bytes::from_static(openapi::OLD_DOCUMENT),
            ));
        }
        Route::OldOpenApi => openapi::old_document(),
        Route::OpenApi => {
            let index = Bytes::from(openapi::index(&registry).to_string());
            return Ok(reply(StatusCode::OK, "text/plain; charset=utf-8", index));
        }
        Route::OpenApiGroup { group, version } => {
            match openapi::document(&registry, &group, &version) {
                Some(document) => document,
                None => return Ok(empty(StatusCode::NOT_FOUND)),
            }
        }
        Route::NoOpenApi => return Ok(empty(StatusCode::NOT_FOUND)),
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
}

/// Refuses to answer for a version that does not exist yet.
fn check_reached(asked: Option<u64>, current: u64) -> Result<(), ApiError> {
    match asked.filter(|asked| *asked > current) {
        Some(asked) => Err(ApiError::too_large_version(asked, current)),
        None => Ok(()),
    }
}
