//! What a request asks for, as rules select it.

use bytes::Bytes;
use http::{Method, Request};
use serde_json::Value;
use tokio::time::Instant;

use crate::{
    auth,
    kinds::{Kind, Registry, Subresource},
    path::Route,
    query::Query,
};

/// What a request does, in the words of Kubernetes' rights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verb {
    /// Reads one object, or something that is none, such as the version of the server.
    Get,
    /// Reads all objects of a kind.
    List,
    /// Follows the changes of a kind.
    Watch,
    /// Creates an object.
    Create,
    /// Replaces an object.
    Update,
    /// Changes parts of an object.
    Patch,
    /// Deletes an object.
    Delete,
    /// Deletes all objects of a kind in a namespace.
    DeleteCollection,
}

/// A request that has reached the server, or that a fault has kept from it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ApiCall {
    /// When it was sent.
    pub at: Instant,
    /// Who sent it: the name of the client, or the bearer token over HTTP; may be empty.
    pub user: String,
    /// What it does.
    pub verb: Verb,
    /// The kind, such as `Lease`; empty for requests that are not about objects.
    pub kind: String,
    /// The plural, such as `leases`.
    pub resource: String,
    /// Empty for all namespaces, and for kinds without.
    pub namespace: String,
    /// Empty for lists and watches.
    pub name: String,
    /// The part or action of the object, such as `status`; empty for the object itself.
    pub subresource: String,
}

// === impl Verb ===

impl Verb {
    /// The verbs that change objects.
    pub const WRITES: [Self; 5] = [
        Self::Create,
        Self::Update,
        Self::Patch,
        Self::Delete,
        Self::DeleteCollection,
    ];

    /// Whether it changes objects.
    #[must_use]
    pub fn is_write(self) -> bool {
        Self::WRITES.contains(&self)
    }
}

// === impl ApiCall ===

impl ApiCall {
    /// Reads a request of `user`, or of whom its bearer token names.
    pub(super) fn of(registry: &Registry, request: &Request<Bytes>, user: Option<&str>) -> Self {
        let mut call = Self {
            at: Instant::now(),
            user: user
                .or_else(|| auth::bearer(request.headers()))
                .unwrap_or_default()
                .to_owned(),
            verb: Verb::Get,
            kind: String::new(),
            resource: String::new(),
            namespace: String::new(),
            name: String::new(),
            subresource: String::new(),
        };
        match Route::parse(registry, request.uri().path()) {
            Some(Route::Collection { kind, namespace }) => {
                call.about(&kind, namespace.unwrap_or_default());
                call.verb = match *request.method() {
                    Method::POST => Verb::Create,
                    Method::DELETE => Verb::DeleteCollection,
                    _ if watches(request) => Verb::Watch,
                    _ => Verb::List,
                };
                if call.verb == Verb::Create {
                    call.name = name_in(request.body());
                }
            }
            Some(Route::Item {
                kind,
                namespace,
                name,
                subresource,
            }) => {
                call.about(&kind, namespace);
                call.name = name;
                call.subresource = subresource.map_or("", Subresource::name).to_owned();
                call.verb = match *request.method() {
                    // An action, such as an eviction.
                    Method::POST => Verb::Create,
                    Method::PUT => Verb::Update,
                    Method::PATCH => Verb::Patch,
                    Method::DELETE => Verb::Delete,
                    _ => Verb::Get,
                };
            }
            _ => {}
        }
        call
    }

    fn about(&mut self, kind: &Kind, namespace: String) {
        self.kind = kind.kind.to_string();
        self.resource = kind.plural.to_string();
        self.namespace = namespace;
    }

    /// Whether it is about objects, rather than about the server.
    pub(super) fn is_about_objects(&self) -> bool {
        !self.kind.is_empty()
    }
}

fn watches(request: &Request<Bytes>) -> bool {
    let query = Query::parse(request.uri().query().unwrap_or_default());
    query.flag("watch").unwrap_or(false)
}

/// The name in the body of a POST; empty when the server is to find one.
fn name_in(body: &Bytes) -> String {
    let object: Value = serde_json::from_slice(body).unwrap_or_default();
    object["metadata"]["name"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}
