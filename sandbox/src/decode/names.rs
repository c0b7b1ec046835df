//! What an object says it is.

use std::sync::LazyLock;

use serde_json::Value;

use super::Expected;
use crate::{
    schema::{Reader, json},
    status::ApiError,
};

/// Every kind of Kubernetes by group and version; see `openapi/README.md`.
static KNOWN: LazyLock<Value> = LazyLock::new(|| {
    let text = include_str!("../../openapi/kinds.json");
    serde_json::from_str(text).unwrap_or_default()
});

/// The place that the API server names when it does not know a kind.
const SCHEME: &str = "pkg/runtime/scheme.go:111";

/// The group, version and kind that an object names; what it leaves out is what is expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) group: String,
    pub(super) version: String,
    pub(super) kind: String,
}

/// Reads `apiVersion` and `kind`, whatever the case of their letters.
pub(super) fn interpret(text: &[u8], expected: Expected<'_>) -> Result<Named, String> {
    let unreadable = |why: String| format!("couldn't get version/kind; json parse error: {why}");
    json::check(text).map_err(unreadable)?;
    let mut reader = Reader::new(text);
    let (mut version, mut kind) = (String::new(), String::new());
    let mut refused = None;
    match reader.peek() {
        b'{' => {
            reader.open();
            while let Some(key) = reader.key() {
                let (field, name) = match key.to_ascii_lowercase().as_str() {
                    "apiversion" => (&mut version, "apiVersion"),
                    "kind" => (&mut kind, "kind"),
                    _ => {
                        reader.raw();
                        continue;
                    }
                };
                match reader.peek() {
                    b'"' => *field = reader.string().into_owned(),
                    b'n' => {
                        reader.raw();
                    }
                    first => {
                        let found = json::found(first);
                        let why = format!(
                            "json: cannot unmarshal {found} into Go struct field .{name} of type string"
                        );
                        refused.get_or_insert(why);
                        reader.raw();
                    }
                }
            }
        }
        b'n' => {}
        first => {
            let found = json::found(first);
            refused = Some(format!(
                "json: cannot unmarshal {found} into Go value of type \
                 struct {{ APIVersion string \"json:\\\"apiVersion,omitempty\\\"\"; \
                 Kind string \"json:\\\"kind,omitempty\\\"\" }}"
            ));
        }
    }
    match refused {
        Some(why) => Err(unreadable(why)),
        // What a definition describes says itself what it is.
        None if kind.is_empty() && expected.custom.is_some() => Err(format!(
            "Object 'Kind' is missing in '{}'",
            String::from_utf8_lossy(text)
        )),
        None => Named::new(&version, &kind, expected),
    }
}

// === impl Named ===

impl Named {
    pub(super) fn new(
        api_version: &str,
        kind: &str,
        expected: Expected<'_>,
    ) -> Result<Self, String> {
        let (group, version) = match api_version.split_once('/') {
            None => ("", api_version),
            Some((_, version)) if version.contains('/') => {
                return Err(format!("unexpected GroupVersion string: {api_version}"));
            }
            Some(parts) => parts,
        };
        let or = |text: &str, default: &str| {
            let text = if text.is_empty() { default } else { text };
            text.to_owned()
        };
        let unnamed = group.is_empty() && version.is_empty();
        let defaults = unnamed || (version.is_empty() && group == expected.group);
        Ok(Self {
            group: or(group, if unnamed { expected.group } else { "" }),
            version: or(version, if defaults { expected.version } else { "" }),
            kind: or(kind, expected.kind),
        })
    }

    /// Whether the object is what is expected.
    pub(super) fn check(&self, expected: Expected<'_>) -> Result<(), String> {
        let Self {
            group,
            version,
            kind,
        } = self;
        if (group.as_str(), version.as_str(), kind.as_str())
            == (expected.group, expected.version, expected.kind)
        {
            return Ok(());
        }
        let api_version = api_version(group, version);
        let known = KNOWN[&api_version].as_array();
        let known = known.is_some_and(|known| known.iter().any(|other| other == kind.as_str()));
        // Options are the same in every group, and what reads them knows nothing else.
        let of_options = expected.group == "meta.k8s.io";
        if known && of_options && kind == expected.kind {
            return Ok(());
        }
        if known && !of_options {
            let (wanted, internal) = (expected.kind, internal_package(expected.group));
            return Err(format!(
                "converting ({version}.{kind}) to ({internal}.{wanted}): unknown conversion"
            ));
        }
        Err(format!(
            "no kind {kind:?} is registered for version {api_version:?} in scheme {SCHEME:?}"
        ))
    }

    /// The refusal of an object that can be read, but is of another version than the path.
    pub(super) fn other_version(&self, expected: Expected<'_>) -> Option<ApiError> {
        let (found, wanted) = (
            api_version(&self.group, &self.version),
            api_version(expected.group, expected.version),
        );
        let known = || {
            let known = KNOWN[&found].as_array();
            self.group == expected.group
                && known.is_some_and(|known| known.iter().any(|kind| kind == expected.kind))
        };
        let other = found != wanted && self.kind == expected.kind;
        (other && (expected.custom.is_some() || known())).then(|| {
            ApiError::bad_request(format!(
                "the API version in the data ({found}) does not match the expected API version ({wanted})"
            ))
        })
    }

    /// The refusal of an object that cannot be read as what is expected.
    pub(super) fn unhandled(&self, expected: Expected<'_>, why: &str) -> ApiError {
        let (kind, wanted) = (&self.kind, expected.kind);
        let version = &self.version;
        ApiError::bad_request(format!(
            "{kind} in version {version:?} cannot be handled as a {wanted}: {why}"
        ))
    }
}

fn api_version(group: &str, version: &str) -> String {
    if group.is_empty() {
        return version.to_owned();
    }
    format!("{group}/{version}")
}

/// The package that the API server converts objects of a group to.
fn internal_package(group: &str) -> &str {
    match group.split('.').next() {
        None | Some("" | "events") => "core",
        Some(package) => package,
    }
}
