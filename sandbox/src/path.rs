//! From the path of a request to what it is about.

use std::{borrow::Cow, sync::Arc};

use crate::kinds::{Kind, Registry, Subresource};

/// What a path names.
#[derive(Debug)]
pub(crate) enum Route {
    Health,
    Version,
    /// `/api`
    CoreVersions,
    /// `/apis`
    Groups,
    /// `/apis/{group}`
    Group(String),
    /// `/api/v1` or `/apis/{group}/{version}`
    Resources {
        group: String,
        version: String,
    },
    /// `/openapi/v2`
    OldOpenApi,
    /// `/openapi/v3`
    OpenApi,
    /// A path below `/openapi/v3` that no group can have.
    NoOpenApi,
    /// `/openapi/v3/{path of a group}`
    OpenApiGroup {
        group: String,
        version: String,
    },
    /// All objects of a kind in a namespace, or in all of them.
    Collection {
        kind: Arc<Kind>,
        namespace: Option<String>,
    },
    /// One object, or a part of it; the namespace is empty for kinds without.
    Item {
        kind: Arc<Kind>,
        namespace: String,
        name: String,
        subresource: Option<Subresource>,
    },
}

// === impl Route ===

impl Route {
    /// Reads a path; `None` if nothing is served there.
    pub(crate) fn parse(registry: &Registry, path: &str) -> Option<Self> {
        let path = decode(path);
        let parts: Vec<_> = path.trim_matches('/').split('/').collect();
        match parts.as_slice() {
            ["healthz" | "readyz" | "livez", ..] => Some(Self::Health),
            ["version"] => Some(Self::Version),
            ["api"] => Some(Self::CoreVersions),
            ["apis"] => Some(Self::Groups),
            ["apis", group] => Some(Self::Group((*group).to_owned())),
            ["openapi", "v2"] => Some(Self::OldOpenApi),
            ["openapi", "v3"] => Some(Self::OpenApi),
            ["openapi", "v3", "api", version] => Self::open_api("", version),
            ["openapi", "v3", "apis", group, version] => Self::open_api(group, version),
            ["openapi", "v3", ..] => Some(Self::NoOpenApi),
            ["api", version, rest @ ..] => Self::resource(registry, "", version, rest),
            ["apis", group, version, rest @ ..] => Self::resource(registry, group, version, rest),
            _ => None,
        }
    }

    /// Whether a path is within a group that is served, whatever is there.
    pub(crate) fn is_api(registry: &Registry, path: &str) -> bool {
        let path = decode(path);
        let mut parts = path.trim_start_matches('/').split('/');
        match (parts.next(), parts.next()) {
            (Some("api"), Some(_)) => true,
            (Some("apis"), Some(group)) => registry.groups().contains(&group),
            _ => false,
        }
    }

    fn open_api(group: &str, version: &str) -> Option<Self> {
        let (group, version) = (group.to_owned(), version.to_owned());
        Some(Self::OpenApiGroup { group, version })
    }

    fn resource(registry: &Registry, group: &str, version: &str, rest: &[&str]) -> Option<Self> {
        let find = |plural: &str, namespaced| {
            registry
                .find(group, version, plural)
                .filter(|kind| kind.namespaced == namespaced)
        };
        // A namespace has subresources too; no resource is called like one of them.
        if let ["namespaces", namespace, plural, rest @ ..] = rest
            && let Some(kind) = find(plural, true)
        {
            let namespace = (*namespace).to_owned();
            return match rest {
                [] => Some(Self::Collection {
                    kind,
                    namespace: Some(namespace),
                }),
                _ => Self::item(kind, namespace, rest),
            };
        }
        match rest {
            [] => {
                let served = registry.serves(group, version);
                let (group, version) = (group.to_owned(), version.to_owned());
                served.then_some(Self::Resources { group, version })
            }
            [plural] => {
                let kind = registry.find(group, version, plural)?;
                Some(Self::Collection {
                    kind,
                    namespace: None,
                })
            }
            [plural, rest @ ..] => Self::item(find(plural, false)?, String::new(), rest),
        }
    }

    fn item(kind: Arc<Kind>, namespace: String, rest: &[&str]) -> Option<Self> {
        let (name, subresource) = match rest {
            [name] => (name, None),
            [name, subresource] => (name, Some(kind.subresource(subresource)?)),
            _ => return None,
        };
        Some(Self::Item {
            kind,
            namespace,
            name: (*name).to_owned(),
            subresource,
        })
    }
}

fn decode(part: &str) -> Cow<'_, str> {
    percent_encoding::percent_decode_str(part).decode_utf8_lossy()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a path names, in short.
    fn read(path: &str) -> String {
        match Route::parse(&Registry::built_in(), path) {
            None => "nothing".to_owned(),
            Some(Route::Collection { kind, namespace }) => {
                format!(
                    "all {} in {}",
                    kind.plural,
                    namespace.as_deref().unwrap_or("*")
                )
            }
            Some(Route::Item {
                kind,
                namespace,
                name,
                subresource,
            }) => {
                let part = subresource.map_or("", Subresource::name);
                format!("{} {name} in {namespace:?} {part}", kind.singular)
                    .trim_end()
                    .to_owned()
            }
            Some(other) => format!("{other:?}"),
        }
    }

    #[test]
    fn paths_name_what_they_name_in_kubernetes() {
        for (path, expected) in [
            ("/", "nothing"),
            ("/api", "CoreVersions"),
            ("/apis/", "Groups"),
            ("/readyz/ping", "Health"),
            ("/api/v1/configmaps", "all configmaps in *"),
            ("/api/v1/namespaces/zoo/configmaps", "all configmaps in zoo"),
            (
                "/api/v1/namespaces/zoo/configmaps/a%2Db",
                "configmap a-b in \"zoo\"",
            ),
            ("/api/v1/configmaps/lion", "nothing"),
            ("/api/v1/namespaces", "all namespaces in *"),
            ("/api/v1/namespaces/zoo", "namespace zoo in \"\""),
            (
                "/api/v1/namespaces/zoo/status",
                "namespace zoo in \"\" status",
            ),
            ("/api/v1/namespaces/zoo/log", "nothing"),
            (
                "/api/v1/namespaces/zoo/pods/lion/log",
                "pod lion in \"zoo\" log",
            ),
            ("/api/v1/namespaces/zoo/pods/lion/log/x", "nothing"),
            ("/api/v1/namespaces/zoo/configmaps/m/status", "nothing"),
            ("/api/v1/namespaces/zoo/namespaces", "nothing"),
            ("/api/v2/configmaps", "nothing"),
            (
                "/apis/coordination.k8s.io/v1/namespaces/a/leases/b",
                "lease b in \"a\"",
            ),
            (
                "/apis/coordination.k8s.io/v1/namespaces/a/leases/b/status",
                "nothing",
            ),
            ("/apis/coordination.k8s.io/v1/configmaps", "nothing"),
            ("/apis/nowhere.io/v1", "nothing"),
        ] {
            assert_eq!(read(path), expected, "{path}");
        }
    }
}
