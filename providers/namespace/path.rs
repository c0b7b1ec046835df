//! Request paths of a cluster whose only namespace is `default`.

/// The namespace that users see.
pub(super) const VISIBLE: &str = "default";

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// To the server as it is: discovery and the like.
    Unchanged,
    /// To another path.
    To(String),
    /// Nowhere: there is no such thing in this cluster.
    NotFound,
}

/// Maps the path of a request into `namespace`.
///
/// Nothing but the Namespace's own objects and read-only discovery can be reached. A list over all namespaces becomes a
/// list of the one; for a kind without namespaces that path does not exist, so the server itself answers 404.
pub(super) fn route(reads: bool, path: &str, namespace: &str) -> Route {
    let Some(segments) = segments(path) else {
        return Route::NotFound;
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
        _ => return Route::NotFound,
    };
    match rest {
        // These are parts of the Namespace object.
        ["namespaces", VISIBLE, "status" | "finalize"] => Route::NotFound,
        ["namespaces", VISIBLE, resource @ ..] if !resource.is_empty() => Route::To(format!(
            "{group}/namespaces/{namespace}/{}",
            resource.join("/")
        )),
        ["namespaces" | "watch", ..] => Route::NotFound,
        [resource] if reads => Route::To(format!("{group}/namespaces/{namespace}/{resource}")),
        _ => Route::NotFound,
    }
}

/// The parts of a path; `None` when one could be read as a step up or as several.
fn segments(path: &str) -> Option<Vec<&str>> {
    let parts: Vec<_> = path.strip_prefix('/')?.split('/').collect();
    let fine = |part: &&str| {
        let lower = part.to_ascii_lowercase();
        !matches!(*part, "" | "." | "..") && !lower.contains("%2f") && !lower.contains("%2e")
    };
    parts.iter().all(fine).then_some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(path: &str) -> Route {
        Route::To(path.into())
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
            assert_eq!(route(true, path, "zoo"), to(there));
            assert_eq!(route(false, path, "zoo"), to(there));
        }
    }

    #[test]
    fn all_namespaces_are_the_one() {
        assert_eq!(
            route(true, "/api/v1/configmaps", "zoo"),
            to("/api/v1/namespaces/zoo/configmaps")
        );
        assert_eq!(route(false, "/api/v1/configmaps", "zoo"), Route::NotFound);
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
            assert_eq!(route(false, path, "zoo"), Route::NotFound);
        }
    }

    #[test]
    fn nothing_leaves_the_namespace() {
        for path in [
            "/api/v1/namespaces",
            "/api/v1/namespaces/default",
            "/api/v1/namespaces/default/finalize",
            "/api/v1/namespaces/zoo/configmaps",
            "/api/v1/namespaces/kube-system/secrets/a",
            "/api/v1/namespaces/default/../kube-system/secrets",
            "/api/v1/namespaces/default/%2e%2e/kube-system/secrets",
            "/api/v1/namespaces/default/configmaps/..%2F..%2Fkube-system",
            "/api/v1/watch/configmaps",
            "/api/v1/nodes/a",
            "/api/v1//secrets",
            "/logs",
            "",
        ] {
            assert_eq!(route(true, path, "zoo"), Route::NotFound, "{path}");
        }
    }
}
