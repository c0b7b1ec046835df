//! A client that takes one Namespace for a whole cluster.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use http::{Method, Request, Response, StatusCode, Uri, header, request::Parts};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use multicluster::{
    BoxError, Cluster, ClusterName,
    kube::{Client, client::Body},
};
use tokio::time::Instant;
use tower::service_fn;

use super::{
    answer::{self, ReplyBody},
    lines::{Head, Lines},
    media, path,
    path::{Route, Target, VISIBLE},
    query::Query,
    rename::Renaming,
    scan::Cursor,
    select::{Watch, Wish},
    shared::{Kind, Listed, Opened, Sharing, UNCOMPRESSED},
};

/// How long a watch lasts whose client does not say.
const WATCH_TIMEOUT: Duration = Duration::from_secs(30 * 60);

/// A cluster that is a Namespace of another.
struct Scope {
    base: Client,
    namespace: Arc<str>,
    sharing: Arc<Sharing>,
}

/// A request on its way into the Namespace.
struct Call {
    scope: Arc<Scope>,
    target: Target,
    parts: Parts,
    query: Query,
}

/// The cluster `name` that is `namespace` of the cluster of `base`.
pub(super) fn scoped(
    name: ClusterName,
    base: Client,
    namespace: &str,
    sharing: Arc<Sharing>,
) -> Cluster {
    let scope = Arc::new(Scope {
        base,
        namespace: namespace.into(),
        sharing,
    });
    let service = service_fn(move |request| send(scope.clone(), request));
    Cluster::from_service(name, service, VISIBLE)
}

async fn send(scope: Arc<Scope>, request: Request<Body>) -> Result<Response<ReplyBody>, BoxError> {
    let (mut parts, body) = request.into_parts();
    let reads = matches!(parts.method, Method::GET | Method::HEAD);
    let target = match path::route(reads, parts.uri.path(), &scope.namespace) {
        Route::Unchanged => {
            let request = Request::from_parts(parts, body);
            return Ok(scope.base.send(request).await?.map(boxed));
        }
        Route::NotFound(missing) => return Ok(answer::not_found(&missing)),
        Route::To(target) => target,
    };
    if target.raw {
        parts.uri = with_path(&parts.uri, &target.path, parts.uri.query())?;
        let request = Request::from_parts(parts, body);
        return Ok(scope.base.send(request).await?.map(boxed));
    }
    let query = Query::parse(parts.uri.query().unwrap_or_default());
    let call = Call {
        scope,
        target,
        parts,
        query,
    };
    call.send(body).await
}

// === impl Call ===

impl Call {
    async fn send(mut self, body: Body) -> Result<Response<ReplyBody>, BoxError> {
        if !media::accept_json(&mut self.parts.headers) {
            return Ok(answer::not_acceptable());
        }
        match Wish::of(&self.target, &self.parts, &self.query) {
            Wish::List(key) => {
                if let Some(kind) = self.scope.sharing.kind(key) {
                    return self.list(&kind).await;
                }
            }
            Wish::Watch(key, watch) => {
                if let Some(kind) = self.scope.sharing.kind(key)
                    && kind.is_namespaced()
                    && let Some(reply) = self.watch(&kind, &watch).await?
                {
                    return Ok(reply);
                }
            }
            Wish::Other => {}
        }
        self.alone(body).await
    }

    /// Sends the request itself.
    async fn alone(mut self, body: Body) -> Result<Response<ReplyBody>, BoxError> {
        let sent = body.collect_bytes().await?;
        let renaming = Renaming::sent(&self.scope.namespace, &self.target.resource);
        let Some(sent) = media::rename(&mut self.parts.headers, sent, &renaming) else {
            return Ok(answer::unsupported_media_type());
        };
        let collection = self.target.everywhere.is_some() && self.parts.method == Method::GET;
        let watches = collection && self.query.flag("watch");
        self.query.rename(&renaming);
        if watches {
            // Over several lines, events could not be told apart.
            self.query.remove("pretty");
            let headers = &mut self.parts.headers;
            headers
                .entry(header::ACCEPT_ENCODING)
                .or_insert(UNCOMPRESSED);
        }
        let query = self.query.encode();
        let query = (!query.is_empty()).then_some(query.as_str());
        self.parts.uri = with_path(&self.parts.uri, &self.target.path, query)?;
        self.parts.headers.remove(header::CONTENT_LENGTH);
        let request = Request::from_parts(self.parts, Body::from(sent));
        let reply = self.scope.base.send(request).await?;
        receive(reply, watches, self.scope.namespace.clone(), &self.target).await
    }

    /// Lists, by a request of its own or together with others.
    async fn list(self, kind: &Arc<Kind>) -> Result<Response<ReplyBody>, BoxError> {
        let namespace = self.scope.namespace.clone();
        match kind.list(&self.scope.sharing, &namespace).await {
            Listed::Alone(_turn) => {
                let reply = self.alone(Body::empty()).await?;
                if reply.status() != StatusCode::OK {
                    return Ok(reply);
                }
                let (parts, body) = reply.into_parts();
                let text = body.collect().await?.to_bytes();
                let head = Head::read(&mut Cursor::new(&text));
                kind.listed(head.and_then(|head| head.version));
                Ok(Response::from_parts(parts, answer::full(text)))
            }
            Listed::List(list) => {
                let renaming = Renaming::received(&namespace, &self.target.resource);
                let list = renaming.document(&list).map_or(list, Bytes::from);
                Ok(answer::json_bytes(StatusCode::OK, list))
            }
            Listed::Failed(failure) => failure.reply(),
        }
    }

    /// Watches together with others; `None` when the server does not permit that.
    async fn watch(
        &self,
        kind: &Arc<Kind>,
        watch: &Watch,
    ) -> Result<Option<Response<ReplyBody>>, BoxError> {
        let namespace = &self.scope.namespace;
        let opened = kind
            .open(&self.scope.sharing, namespace, watch.version)
            .await;
        let body = match opened {
            Opened::Reader(reader) => {
                let end = Instant::now() + watch.timeout.unwrap_or(WATCH_TIMEOUT);
                let lines = reader.lines(watch.bookmarks, end);
                renamed(lines, namespace.clone(), &self.target.resource)
            }
            Opened::Expired(oldest) => answer::full(answer::expired_line(watch.version, oldest)),
            Opened::Failed(_) if !kind.is_shared() => return Ok(None),
            Opened::Failed(failure) => return failure.reply().map(Some),
        };
        Ok(Some(answer::with_body(StatusCode::OK, body)))
    }
}

/// Renames the namespace in a reply: line by line in a watch, else as a whole.
async fn receive(
    reply: Response<Body>,
    watches: bool,
    namespace: Arc<str>,
    target: &Target,
) -> Result<Response<ReplyBody>, BoxError> {
    if !media::is_json(reply.headers()) {
        return Ok(reply.map(boxed));
    }
    let (mut parts, inner) = reply.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    let reply = if watches && parts.status.is_success() {
        renamed(lines(inner), namespace, &target.resource)
    } else {
        let bytes = inner.collect_bytes().await?;
        let renaming = Renaming::received(&namespace, &target.resource);
        answer::full(renaming.document(&bytes).map_or(bytes, Bytes::from))
    };
    Ok(Response::from_parts(parts, reply))
}

/// The body of a watch in which each line is renamed.
fn renamed(
    lines: impl Stream<Item = Result<Bytes, BoxError>> + Send + 'static,
    namespace: Arc<str>,
    resource: &str,
) -> ReplyBody {
    let resource: Box<str> = resource.into();
    let frames = lines.map(move |line| {
        let line = line?;
        let renaming = Renaming::received(&namespace, &resource);
        let line = renaming.line(&line).map_or(line, Bytes::from);
        Ok(Frame::data(line))
    });
    StreamBody::new(frames).boxed_unsync()
}

/// The lines of a body.
fn lines(body: Body) -> impl Stream<Item = Result<Bytes, BoxError>> + Send {
    let start = (body.into_data_stream(), Lines::default());
    stream::try_unfold(start, |(mut chunks, mut lines)| async move {
        loop {
            if let Some(line) = lines.next() {
                return Ok(Some((line, (chunks, lines))));
            }
            match chunks.next().await {
                Some(chunk) => lines.push(&chunk?),
                None => return Ok(None),
            }
        }
    })
}

fn with_path(uri: &Uri, path: &str, query: Option<&str>) -> Result<Uri, BoxError> {
    let path = match query {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(path.parse()?);
    Ok(Uri::from_parts(parts)?)
}

fn boxed(body: Body) -> ReplyBody {
    body.map_err(Into::into).boxed_unsync()
}
