//! Request paths of a cluster whose only namespace is `default`.

/// The namespace that users see.
pub(super) const VISIBLE: &str = "default";

/// Parts of objects that carry bytes of a program and not objects.
const RAW: [&str; 5] = ["attach", "exec", "log", "portforward", "proxy"];

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// To the server as it is: discovery and the like.
    Unchanged,
    /// Into the Namespace.
    To(Target),
    /// Nowhere: there is no such thing in this cluster.
    NotFound(Missing),
}

/// A place in the Namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// The path on the server.
    pub(super) path: String,
    /// The plural of the kind.
    pub(super) resource: String,
    /// Whether this is about bytes of a program: they are not looked at.
    pub(super) raw: bool,
    /// For a whole collection, the path of that of all Namespaces.
    pub(super) everywhere: Option<String>,
}

/// What is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Missing {
    /// The path.
    Path,
    /// An object of a kind, by its name.
    Object(String, String),
}

/// Maps the path of a request into `namespace`.
///
/// Nothing but the Namespace's own objects and read-only discovery can be reached. A list over all namespaces becomes a
/// list of the one; for a kind without namespaces that path does not exist, so the server itself answers 404.
pub(super) fn route(reads: bool, path: &str, namespace: &str) -> Route {
    let Some(segments) = segments(path) else {
        return Route::NotFound(Missing::Path);
    };
    let (group, rest) = match segments.as_slice() {
        ["version" | "livez" | "readyz" | "healthz" | "openapi", ..]
        | ["api" | "apis"]
        | ["api", _]
        | ["apis", _]
        | ["apis", _, _]
            if reads =>
        {
            return Route::Unchanged;
        }
        ["api", version, rest @ ..] => (format!("/api/{version}"), rest),
        ["apis", group, version, rest @ ..] => (format!("/apis/{group}/{version}"), rest),
        _ => return Route::NotFound(Missing::Path),
    };
    let missing = |resource: &str, name: &str| {
        Route::NotFound(Missing::Object(resource.to_owned(), name.to_owned()))
    };
    match rest {
        // These are parts of the Namespace object.
        ["namespaces", VISIBLE, "status" | "finalize"] => missing("namespaces", VISIBLE),
        ["namespaces", VISIBLE, resource @ ..] if !resource.is_empty() => {
            Route::To(target(&group, resource, namespace))
        }
        ["namespaces", name] | ["namespaces", name, _] => missing("namespaces", name),
        ["namespaces", _, resource, name, ..] => missing(resource, name),
        ["namespaces" | "watch", ..] => Route::NotFound(Missing::Path),
        [_] if reads => Route::To(target(&group, rest, namespace)),
        _ => Route::NotFound(Missing::Path),
    }
}

fn target(group: &str, resource: &[&str], namespace: &str) -> Target {
    let (plural, rest) = resource.split_first().unwrap_or((&"", &[]));
    let part = rest.get(1);
    Target {
        path: format!("{group}/namespaces/{namespace}/{}", resource.join("/")),
        resource: (*plural).to_owned(),
        raw: part.is_some_and(|part| RAW.contains(part)),
        everywhere: rest.is_empty().then(|| format!("{group}/{plural}")),
    }
}

/// The parts of a path; `None` when one could be read as a step up, as several, or as something else than it says.
///
/// A server decodes what stands for `%..`. Only the name of an object may need that (`system%3Afoo`), and what follows a
/// proxy, which is somebody else's path.
fn segments(path: &str) -> Option<Vec<&str>> {
    let parts: Vec<_> = path.strip_prefix('/')?.split('/').collect();
    let proxy = parts.iter().position(|part| *part == "proxy");
    let name = name_at(&parts);
    let fine = |(at, part): (usize, &&str)| {
        let lower = part.to_ascii_lowercase();
        let hidden = ["%2f", "%2e", "%5c", "%25", "\\"];
        let foreign = proxy.is_some_and(|proxy| at > proxy && Some(proxy) > name);
        (!part.is_empty() || foreign)
            && !matches!(*part, "." | "..")
            && !hidden.iter().any(|hidden| lower.contains(hidden))
            && (foreign || name == Some(at) || !part.contains('%'))
    };
    parts.iter().enumerate().all(fine).then_some(parts)
}

/// Where the name of an object in a namespace stands.
fn name_at(parts: &[&str]) -> Option<usize> {
    let name = match parts {
        ["api", _, "namespaces", _, _, _, ..] => 5,
        ["apis", _, _, "namespaces", _, _, _, ..] => 6,
        _ => return None,
    };
    Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(route: Route) -> Option<String> {
        match route {
            Route::To(target) => Some(target.path),
            _ => None,
        }
    }

    #[test]
    fn the_default_namespace_is_the_one() {
        for (path, there) in [
            (
                "/api/v1/namespaces/default/configmaps",
                "/api/v1/namespaces/zoo/configmaps",
            ),
            (
                "/api/v1/namespaces/default/pods/a/status",
                "/api/v1/namespaces/zoo/pods/a/status",
            ),
            (
                "/apis/apps/v1/namespaces/default/deployments/a",
                "/apis/apps/v1/namespaces/zoo/deployments/a",
            ),
        ] {
            for reads in [true, false] {
                assert_eq!(to(route(reads, path, "zoo")).as_deref(), Some(there));
            }
        }
    }

    #[test]
    fn all_namespaces_are_the_one() {
        let Route::To(target) = route(true, "/api/v1/configmaps", "zoo") else {
            panic!("no target")
        };
        assert_eq!(target.path, "/api/v1/namespaces/zoo/configmaps");
        assert_eq!(target.everywhere.as_deref(), Some("/api/v1/configmaps"));
        assert_eq!(to(route(false, "/api/v1/configmaps", "zoo")), None);
    }

    #[test]
    fn bytes_of_programs_are_told_from_objects() {
        for (path, raw) in [
            ("/api/v1/namespaces/default/pods/a/log", true),
            ("/api/v1/namespaces/default/services/a/proxy/x/y", true),
            ("/api/v1/namespaces/default/services/a/proxy/", true),
            ("/api/v1/namespaces/default/services/a/proxy/x%20y//z", true),
            (
                "/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles/system%3Afoo",
                false,
            ),
            ("/api/v1/namespaces/default/pods/a/exec", true),
            ("/api/v1/namespaces/default/pods/a/status", false),
            ("/api/v1/namespaces/default/pods/log", false),
        ] {
            let Route::To(target) = route(true, path, "zoo") else {
                panic!("{path}")
            };
            assert_eq!((target.raw, target.everywhere), (raw, None), "{path}");
        }
    }

    #[test]
    fn discovery_is_read_only() {
        for path in [
            "/version",
            "/api",
            "/apis",
            "/api/v1",
            "/apis/apps",
            "/apis/apps/v1",
            "/openapi/v3",
        ] {
            assert_eq!(route(true, path, "zoo"), Route::Unchanged);
            assert!(matches!(route(false, path, "zoo"), Route::NotFound(_)));
        }
    }

    #[test]
    fn nothing_leaves_the_namespace() {
        for path in [
            "/api/v1/namespaces",
            "/api/v1/namespaces/default",
            "/api/v1/namespaces/default/status",
            "/api/v1/namespaces/default/finalize",
            "/api/v1/namespaces/zoo/configmaps",
            "/api/v1/namespaces/kube-system/secrets/a",
            "/api/v1/namespaces/default/../kube-system/secrets",
            "/api/v1/namespaces/default/%2e%2e/kube-system/secrets",
            "/api/v1/namespaces/default/%252e%252e/kube-system/secrets",
            "/api/v1/namespaces/default/configmaps/..%2F..%2Fkube-system",
            "/api/v1/namespaces/default/configmaps/..%5C..%5Ckube-system",
            "/api/v1/namespaces/default/services/a/proxy/../../../kube-system/secrets",
            "/api/v1/n%61mespaces/kube-system/secrets",
            "/api/v1/watch/configmaps",
            "/api/v1/watch/namespaces/kube-system/configmaps",
            "/api/v1/nodes/a",
            "/api/v1/nodes/a/proxy/pods",
            "/api/v1//secrets",
            "/api/v1/namespaces/default/fin%61lize",
            "/api/v1/namespaces/default/%73tatus",
            "/api/v1/n%61mespaces",
            "/api/v1/namespaces/default/pods/a/ex%65c",
            "/api/v1/namespaces/default/proxy//x",
            "/api/v1/namespaces/default/pods/proxy//x",
            "/api/v1/namespaces/default/services/a/proxy/..%2fb",
            "/api/v1/namespaces/default/services/a/proxy/../b",
            "/logs",
            "/metrics",
            "",
        ] {
            for reads in [true, false] {
                let there = route(reads, path, "zoo");
                assert!(matches!(there, Route::NotFound(_)), "{path}");
            }
        }
    }

    #[test]
    fn what_is_missing_has_a_name() {
        let missing = |path| match route(true, path, "zoo") {
            Route::NotFound(Missing::Object(resource, name)) => format!("{resource} {name}"),
            other => format!("{other:?}"),
        };
        assert_eq!(missing("/api/v1/namespaces/jungle/pods/a"), "pods a");
        assert_eq!(
            missing("/api/v1/namespaces/jungle/pods"),
            "namespaces jungle"
        );
    }
}
