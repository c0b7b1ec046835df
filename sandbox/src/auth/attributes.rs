//! What a request asks for, in the words of authorization.

use std::borrow::Cow;

use http::Method;

use super::user::User;
use crate::{query::Query, status::ApiError};

/// A verb and what it is applied to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attributes {
    pub verb: String,
    pub target: Target,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Resource(Resource),
    /// A path that is about no resource, such as `/version`.
    Path(String),
}

/// A resource or a part of it; empty fields are not given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Resource {
    pub group: String,
    pub resource: String,
    pub subresource: String,
    pub namespace: String,
    pub name: String,
}

// === impl Attributes ===

impl Attributes {
    /// Reads a request line; every path means something, whether it is served or not.
    pub(crate) fn of(method: &Method, path: &str, query: &Query) -> Self {
        let parts: Vec<_> = path
            .trim_matches('/')
            .split('/')
            .map(|part| percent_encoding::percent_decode_str(part).decode_utf8_lossy())
            .collect();
        let (group, rest) = match parts.as_slice() {
            [api, _, rest @ ..] if api == "api" && !rest.is_empty() => (Cow::default(), rest),
            [apis, group, _, rest @ ..] if apis == "apis" && !rest.is_empty() => {
                (group.clone(), rest)
            }
            _ => {
                let path = percent_encoding::percent_decode_str(path).decode_utf8_lossy();
                return Self {
                    verb: method.as_str().to_ascii_lowercase(),
                    target: Target::Path(path.into_owned()),
                };
            }
        };
        let mut resource = Resource::of(rest);
        resource.group = group.into_owned();
        let verb = verb(method, &mut resource, query);
        Self {
            verb: verb.to_owned(),
            target: Target::Resource(resource),
        }
    }

    /// The refusal of these to `user`; `reason` is what went wrong on the way, if something did.
    pub(super) fn refusal(&self, user: &User, reason: &str) -> ApiError {
        let mut why = format!("User {:?} cannot {}", user.name, self.describe());
        // The API server does not let messages look like HTML.
        why = why
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;");
        if !reason.is_empty() {
            why = format!("{why}: {reason}");
        }
        let (group, resource, name) = match &self.target {
            Target::Resource(target) => (&*target.group, &*target.resource, &*target.name),
            Target::Path(_) => ("", "", ""),
        };
        ApiError::denied(group, resource, name, &why)
    }

    fn describe(&self) -> String {
        let Self { verb, target } = self;
        match target {
            Target::Path(path) => format!("{verb} path {path:?}"),
            Target::Resource(target) => {
                let scope = match target.namespace.as_str() {
                    "" => "at the cluster scope".to_owned(),
                    namespace => format!("in the namespace {namespace:?}"),
                };
                let (group, resource) = (&target.group, target.combined());
                format!("{verb} resource {resource:?} in API group {group:?} {scope}")
            }
        }
    }

    /// Where they are asked for; empty for the whole cluster.
    pub(super) fn namespace(&self) -> &str {
        match &self.target {
            Target::Resource(target) => &target.namespace,
            Target::Path(_) => "",
        }
    }
}

// === impl Resource ===

impl Resource {
    /// Reads what follows the version in a path.
    fn of(mut parts: &[Cow<'_, str>]) -> Self {
        let mut found = Self::default();
        if let [first, namespace, rest @ ..] = parts
            && first == "namespaces"
        {
            found.namespace = namespace.to_string();
            let own = rest
                .first()
                .is_none_or(|part| part == "status" || part == "finalize");
            if !own {
                parts = rest;
            }
        }
        let part = |index: usize| {
            parts
                .get(index)
                .map(ToString::to_string)
                .unwrap_or_default()
        };
        (found.resource, found.name, found.subresource) = (part(0), part(1), part(2));
        found
    }

    /// The resource with its subresource, as rules name it.
    pub(super) fn combined(&self) -> String {
        match self.subresource.as_str() {
            "" => self.resource.clone(),
            subresource => format!("{}/{subresource}", self.resource),
        }
    }
}

fn verb(method: &Method, resource: &mut Resource, query: &Query) -> &'static str {
    let of_one = match *method {
        Method::POST => "create",
        Method::GET | Method::HEAD => "get",
        Method::PUT => "update",
        Method::PATCH => "patch",
        Method::DELETE => "delete",
        _ => "",
    };
    match of_one {
        "get" if resource.name.is_empty() => {
            let selected = query.get("fieldSelector").and_then(selected_name);
            resource.name = selected.unwrap_or_default().to_owned();
            if query.flag("watch").unwrap_or(false) {
                "watch"
            } else {
                "list"
            }
        }
        "delete" if resource.name.is_empty() => "deletecollection",
        verb => verb,
    }
}

/// The one name that a field selector lets through.
fn selected_name(selector: &str) -> Option<&str> {
    let values = selector.split(',').filter_map(|term| {
        let value = term.strip_prefix("metadata.name=")?;
        Some(value.strip_prefix('=').unwrap_or(value))
    });
    let name = { values }.next()?;
    let is_segment = !matches!(name, "." | "..") && !name.contains(['/', '%']);
    is_segment.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(method: &Method, path: &str) -> String {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let user = User::from_token("system:serviceaccount:zoo:bob");
        let attributes = Attributes::of(method, path, &Query::parse(query));
        let message = attributes.refusal(&user, "").message;
        message.replace("system:serviceaccount:zoo:", "")
    }

    #[test]
    fn a_refusal_says_what_was_asked_as_the_api_server_words_it() {
        for (method, path, expected) in [
            (
                Method::GET,
                "/metrics",
                r#"forbidden: User "bob" cannot get path "/metrics""#,
            ),
            (
                Method::GET,
                "/api/v1/namespaces/default/configmaps/x",
                r#"configmaps "x" is forbidden: User "bob" cannot get resource "configmaps" in API group "" in the namespace "default""#,
            ),
            (
                Method::GET,
                "/api/v1/configmaps?watch=1",
                r#"configmaps is forbidden: User "bob" cannot watch resource "configmaps" in API group "" at the cluster scope"#,
            ),
            (
                Method::GET,
                "/apis/apps/v1/namespaces/default/deployments/x/status",
                r#"deployments.apps "x" is forbidden: User "bob" cannot get resource "deployments/status" in API group "apps" in the namespace "default""#,
            ),
            (
                Method::DELETE,
                "/apis/apps/v1/namespaces/default/deployments",
                r#"deployments.apps is forbidden: User "bob" cannot deletecollection resource "deployments" in API group "apps" in the namespace "default""#,
            ),
            (
                Method::GET,
                "/api/v1/namespaces/zoo",
                r#"namespaces "zoo" is forbidden: User "bob" cannot get resource "namespaces" in API group "" in the namespace "zoo""#,
            ),
            (
                Method::PUT,
                "/api/v1/namespaces/zoo/finalize",
                r#"namespaces "zoo" is forbidden: User "bob" cannot update resource "namespaces/finalize" in API group "" in the namespace "zoo""#,
            ),
            (
                Method::GET,
                "/api/v1/configmaps?fieldSelector=metadata.name%3Dx",
                r#"configmaps "x" is forbidden: User "bob" cannot list resource "configmaps" in API group "" at the cluster scope"#,
            ),
            (
                Method::POST,
                "/api/v1/namespaces",
                r#"namespaces is forbidden: User "bob" cannot create resource "namespaces" in API group "" at the cluster scope"#,
            ),
        ] {
            assert_eq!(message(&method, path), expected);
        }
    }
}
