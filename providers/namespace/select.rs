//! Which requests can be shared with other Namespaces.

use std::time::Duration;

use http::{HeaderName, Method, header, request::Parts};

use super::{
    path::Target,
    query::{Query, chooses_namespace},
    shared::Key,
};

/// Parameters of lists that can be shared; the limit is a wish that a server need not fulfil.
const LIST: [&str; 4] = ["limit", "labelSelector", "fieldSelector", "resourceVersion"];

/// Parameters of watches that can be shared.
const WATCH: [&str; 6] = [
    "watch",
    "resourceVersion",
    "labelSelector",
    "fieldSelector",
    "allowWatchBookmarks",
    "timeoutSeconds",
];

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// A list of what there is now.
    List(Key),
    Watch(Key, Watch),
    /// Something that is sent as it is.
    Other,
}

/// A watch from a version on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Watch {
    pub(super) version: u64,
    pub(super) bookmarks: bool,
    pub(super) timeout: Option<Duration>,
}

// === impl Wish ===

impl Wish {
    pub(super) fn of(target: &Target, parts: &Parts, query: &Query) -> Self {
        let Some(path) = &target.everywhere else {
            return Self::Other;
        };
        let accept = match parts.headers.get(header::ACCEPT) {
            Some(accept) => accept.to_str().unwrap_or_default(),
            None => "application/json",
        };
        let fields = query.get("fieldSelector").unwrap_or_default();
        // Rows of tables do not say their version; and who asks in the name of another has other rights.
        let alone = parts.method != Method::GET
            || accept.contains("as=Table")
            || parts.headers.keys().any(is_personal)
            || chooses_namespace(fields);
        if alone {
            return Self::Other;
        }
        let key = Key {
            path: path.clone(),
            labels: query.get("labelSelector").unwrap_or_default().to_owned(),
            fields: fields.to_owned(),
            accept: accept.to_owned(),
        };
        let version = query.get("resourceVersion");
        if !query.flag("watch") {
            let newest = query.has_only(&LIST) && version.is_none();
            return if newest { Self::List(key) } else { Self::Other };
        }
        let version = version.and_then(|version| version.parse().ok());
        let timeout = query
            .get("timeoutSeconds")
            .map(|timeout| timeout.parse().ok());
        match (version, timeout) {
            // Version 0 is whatever the server has at hand.
            (Some(version @ 1..), None | Some(Some(1..=86_400))) if query.has_only(&WATCH) => {
                let watch = Watch {
                    version,
                    bookmarks: query.flag("allowWatchBookmarks"),
                    timeout: timeout.flatten().map(Duration::from_secs),
                };
                Self::Watch(key, watch)
            }
            _ => Self::Other,
        }
    }
}

fn is_personal(name: &HeaderName) -> bool {
    name.as_str().starts_with("impersonate-")
        || [header::AUTHORIZATION, header::UPGRADE].contains(name)
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn wish(query: &str, headers: &[(&'static str, &'static str)]) -> Wish {
        let mut request = Request::get("/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let target = Target {
            path: "/api/v1/namespaces/zoo/pods".into(),
            resource: "pods".into(),
            raw: false,
            everywhere: Some("/api/v1/pods".into()),
        };
        let (parts, ()) = request.body(()).unwrap().into_parts();
        Wish::of(&target, &parts, &Query::parse(query))
    }

    fn key(labels: &str, fields: &str) -> Key {
        Key {
            path: "/api/v1/pods".into(),
            labels: labels.into(),
            fields: fields.into(),
            accept: "application/json".into(),
        }
    }

    #[test]
    fn lists_of_what_there_is_now_are_shared() {
        for (query, expected) in [
            ("", Wish::List(key("", ""))),
            ("&limit=500&resourceVersion=", Wish::List(key("", ""))),
            ("labelSelector=a%3Db", Wish::List(key("a=b", ""))),
            (
                "fieldSelector=metadata.name%3Da",
                Wish::List(key("", "metadata.name=a")),
            ),
            ("resourceVersion=0", Wish::Other),
            ("resourceVersion=7", Wish::Other),
            ("limit=500&continue=x", Wish::Other),
            ("fieldSelector=metadata.namespace%3Ddefault", Wish::Other),
            ("pretty=true", Wish::Other),
        ] {
            assert_eq!(wish(query, &[]), expected, "{query}");
        }
    }

    #[test]
    fn watches_from_a_version_are_shared() {
        let watch = |version, bookmarks, seconds: Option<u64>| {
            let timeout = seconds.map(Duration::from_secs);
            let watch = Watch {
                version,
                bookmarks,
                timeout,
            };
            Wish::Watch(key("", ""), watch)
        };
        for (query, expected) in [
            ("&watch=true&resourceVersion=7", watch(7, false, None)),
            (
                "watch=1&timeoutSeconds=290&allowWatchBookmarks=true&resourceVersion=7",
                watch(7, true, Some(290)),
            ),
            ("watch=1", Wish::Other),
            ("watch=1&resourceVersion=0", Wish::Other),
            ("watch=1&resourceVersion=x", Wish::Other),
            ("watch=1&resourceVersion=7&timeoutSeconds=-1", Wish::Other),
            (
                "watch=1&resourceVersion=7&sendInitialEvents=true&resourceVersionMatch=NotOlderThan",
                Wish::Other,
            ),
        ] {
            assert_eq!(wish(query, &[]), expected, "{query}");
        }
    }

    #[test]
    fn other_rights_and_other_forms_are_not_shared() {
        for header in [
            ("impersonate-user", "keeper"),
            ("authorization", "Bearer x"),
            ("accept", "application/json;as=Table;v=v1;g=meta.k8s.io"),
        ] {
            assert_eq!(wish("", &[header]), Wish::Other, "{header:?}");
        }
        let metadata = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
        assert!(
            matches!(wish("", &[("accept", metadata)]), Wish::List(key) if key.accept == metadata)
        );
    }
}
