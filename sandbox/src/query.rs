//! Query parameters.

use std::{
    num::{IntErrorKind, ParseIntError},
    time::Duration,
};

use serde_json::{Value, json};

use crate::{
    continuation::Continuation,
    ownership,
    selector::Selection,
    status::{ApiError, FieldError},
};

/// The decoded parameters of a request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query {
    pairs: Vec<(String, String)>,
}

/// What a list or a watch asks for.
#[derive(Clone, Debug)]
pub(crate) struct ListOptions {
    pub selection: Selection,
    pub watch: bool,
    pub at: At,
    /// How many objects fill a page.
    pub limit: Option<usize>,
    /// The first key of the page.
    pub start: Option<String>,
    pub bookmarks: bool,
    pub timeout: Option<Duration>,
    /// Whether a watch starts with the present objects; unset leaves it to the version.
    pub send_initial_events: Option<bool>,
}

/// The version that a list shows, or at which a watch starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum At {
    Newest,
    NotOlderThan(u64),
    Exactly(u64),
}

/// The options of a write, as the API server calls them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Options {
    Create,
    Update,
    Patch,
    Apply,
}

/// The longest name of a field manager.
const MANAGER_LIMIT: usize = 128;

// === impl Query ===

impl Query {
    /// Reads a query string; empty parameters, as in `?&watch=true`, are skipped.
    pub(crate) fn parse(text: &str) -> Self {
        let pairs = form_urlencoded::parse(text.as_bytes()).into_owned();
        let pairs = pairs.filter(|(key, _)| !key.is_empty()).collect();
        Self { pairs }
    }

    /// The first value of a parameter.
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        let mut values = self.pairs.iter().filter(|(other, _)| other == key);
        values.next().map(|(_, value)| value.as_str())
    }

    /// All values of a parameter.
    pub(crate) fn all(&self, key: &str) -> impl Iterator<Item = &str> {
        let values = self.pairs.iter().filter(move |(other, _)| other == key);
        values.map(|(_, value)| value.as_str())
    }

    /// A switch, as Go reads one: anything but `0` and `false` turns it on.
    pub(crate) fn flag(&self, key: &str) -> Option<bool> {
        self.get(key)
            .map(|value| !matches!(value, "0" | "false" | "False" | "FALSE"))
    }

    /// A whole number; the words of its refusal are those of Go.
    pub(crate) fn integer(&self, key: &str) -> Result<Option<i64>, ApiError> {
        let Some(text) = self.get(key) else {
            return Ok(None);
        };
        text.parse().map(Some).map_err(|error: ParseIntError| {
            ApiError::bad_request(number_error("ParseInt", text, &error))
        })
    }

    /// Whether to check a write only; `All` is the one stage that can be left out.
    pub(crate) fn dry_run(&self) -> Result<bool, ApiError> {
        let stages = self.dry_run_stages();
        check_dry_run(&json!(stages))
    }

    fn dry_run_stages(&self) -> Vec<&str> {
        let stages = self.pairs.iter().filter(|(key, _)| key == "dryRun");
        stages.map(|(_, stage)| stage.as_str()).collect()
    }

    /// Checks what a write says about itself.
    pub(crate) fn check_write(&self, options: Options) -> Result<(), ApiError> {
        let manager = self.get("fieldManager").unwrap_or_default();
        let mut errors = Vec::new();
        match options {
            Options::Apply if manager.is_empty() => {
                let why = "is required for apply patch";
                errors.push(FieldError::required("fieldManager", why));
            }
            Options::Patch if self.flag("force").is_some() => {
                let why = "may not be specified for non-apply patch";
                errors.push(FieldError::forbidden("force", why));
            }
            _ => {}
        }
        if manager.len() > MANAGER_LIMIT {
            errors.push(FieldError::too_long("fieldManager", MANAGER_LIMIT));
        }
        for (place, letter) in manager.char_indices() {
            if !ownership::is_printable(letter) {
                let code = u32::from(letter);
                let why = format!("invalid character U+{code:04X} (at position {place})");
                errors.push(FieldError::invalid("fieldManager", &manager.into(), &why));
            }
        }
        errors.extend(unknown_stage(&json!(self.dry_run_stages())));
        if errors.is_empty() {
            return Ok(());
        }
        let kind = match options {
            Options::Create => "CreateOptions",
            Options::Update => "UpdateOptions",
            Options::Patch | Options::Apply => "PatchOptions",
        };
        Err(ApiError::invalid("meta.k8s.io", kind, "", &errors))
    }

    /// The version that a get needs to see.
    pub(crate) fn version(&self) -> Result<Option<u64>, ApiError> {
        version(self.get("resourceVersion").unwrap_or_default()).map_err(ApiError::bad_request)
    }

    /// The parameters of a list or watch in `namespace`, or in all of them.
    pub(crate) fn list_options(&self, namespace: Option<String>) -> Result<ListOptions, ApiError> {
        let text = |key| self.get(key).unwrap_or_default();
        let mut options = ListOptions {
            selection: Selection::parse(namespace, text("labelSelector"), text("fieldSelector"))?,
            watch: self.flag("watch").unwrap_or(false),
            at: At::Newest,
            limit: positive(self.integer("limit")?),
            start: None,
            bookmarks: self.flag("allowWatchBookmarks").unwrap_or(false),
            timeout: positive(self.integer("timeoutSeconds")?).map(Duration::from_secs),
            send_initial_events: self.flag("sendInitialEvents"),
        };
        let asked = Asked {
            version: text("resourceVersion"),
            version_match: text("resourceVersionMatch"),
            token: text("continue"),
        };
        let errors = asked.check(&options);
        if !errors.is_empty() {
            return Err(ApiError::invalid("meta.k8s.io", "ListOptions", "", &errors));
        }
        if !asked.token.is_empty() && !options.watch {
            let continuation = Continuation::decode(asked.token)?;
            if !matches!(asked.version, "" | "0") {
                let message = "specifying resource version is not allowed when using continue";
                return Err(ApiError::bad_request(message));
            }
            options.at = continuation.version.map_or(At::Newest, At::Exactly);
            options.start = Some(continuation.start);
        } else {
            options.at = asked.at(&options)?;
        }
        if asked.version == "0" {
            options.limit = None;
        }
        Ok(options)
    }
}

/// What a request says about versions.
struct Asked<'a> {
    version: &'a str,
    version_match: &'a str,
    /// The token of the page before.
    token: &'a str,
}

// === impl Asked ===

impl Asked<'_> {
    fn at(&self, options: &ListOptions) -> Result<At, ApiError> {
        let version = version(self.version).map_err(|why| {
            let context = if options.watch {
                ""
            } else {
                "invalid resource version: "
            };
            ApiError::bad_request(format!("{context}{why}"))
        })?;
        Ok(match (version, self.version_match) {
            (None, _) => At::Newest,
            (Some(version), "Exact") => At::Exactly(version),
            // What a list with a limit has always meant.
            (Some(version), "") if options.limit.is_some() && version > 0 && !options.watch => {
                At::Exactly(version)
            }
            (Some(version), _) => At::NotOlderThan(version),
        })
    }

    /// The combinations that the API server refuses.
    fn check(&self, options: &ListOptions) -> Vec<FieldError> {
        let mut errors = Vec::new();
        if options.watch {
            self.check_watch(options, &mut errors);
        } else {
            self.check_list(options, &mut errors);
        }
        errors
    }

    fn check_list(&self, options: &ListOptions, errors: &mut Vec<FieldError>) {
        let mut refuse = |why| errors.push(FieldError::forbidden(MATCH, why));
        if !self.version_match.is_empty() {
            if self.version.is_empty() {
                refuse("resourceVersionMatch is forbidden unless resourceVersion is provided");
            }
            if !self.token.is_empty() {
                refuse("resourceVersionMatch is forbidden when continue is provided");
            }
            if !matches!(self.version_match, "Exact" | "NotOlderThan") {
                let known = ["Exact", "NotOlderThan", ""];
                errors.push(FieldError::unsupported(
                    MATCH,
                    &json!(self.version_match),
                    &known,
                ));
            } else if self.version_match == "Exact" && self.version == "0" {
                refuse("resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"");
            }
        }
        if options.send_initial_events.is_some() {
            let why = "sendInitialEvents is forbidden for list";
            errors.push(FieldError::forbidden("sendInitialEvents", why));
        }
    }

    fn check_watch(&self, options: &ListOptions, errors: &mut Vec<FieldError>) {
        let mut refuse = |why| errors.push(FieldError::forbidden(MATCH, why));
        let given = options.send_initial_events.is_some();
        // A watch from now asks for the present objects without saying so.
        let implied = !given && self.version_match.is_empty() && matches!(self.version, "" | "0");
        if given && self.version_match != "NotOlderThan" {
            refuse("sendInitialEvents requires setting resourceVersionMatch to NotOlderThan");
        }
        if self.version_match.is_empty() && !implied {
            return;
        }
        if !given && !implied {
            refuse(
                "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
            );
        }
        let unknown = !matches!(self.version_match, "" | "NotOlderThan");
        if unknown {
            let known = ["NotOlderThan"];
            errors.push(FieldError::unsupported(
                MATCH,
                &json!(self.version_match),
                &known,
            ));
        }
        if !self.token.is_empty() {
            let why = "resourceVersionMatch is forbidden when continue is provided";
            errors.push(FieldError::forbidden(MATCH, why));
        }
    }
}

/// Whether the stages that `DeleteOptions` leave out are all of them; `All` is the one that there is.
fn check_dry_run(stages: &Value) -> Result<bool, ApiError> {
    match unknown_stage(stages) {
        Some(error) => Err(ApiError::invalid(
            "meta.k8s.io",
            "DeleteOptions",
            "",
            &[error],
        )),
        None => Ok(stages.as_array().is_some_and(|stages| !stages.is_empty())),
    }
}

fn unknown_stage(stages: &Value) -> Option<FieldError> {
    let mut each = stages.as_array().into_iter().flatten();
    each.any(|stage| stage != "All")
        .then(|| FieldError::unsupported("dryRun", stages, &["All"]))
}

const MATCH: &str = "resourceVersionMatch";

/// Reads a version; none is none.
fn version(text: &str) -> Result<Option<u64>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|error: ParseIntError| {
        let why = number_error("ParseUint", text, &error);
        format!("resourceVersion: Invalid value: {text:?}: {why}")
    })
}

fn number_error(function: &str, text: &str, error: &ParseIntError) -> String {
    let why = match error.kind() {
        IntErrorKind::PosOverflow | IntErrorKind::NegOverflow => "value out of range",
        _ => "invalid syntax",
    };
    format!("strconv.{function}: parsing {text:?}: {why}")
}

fn positive<T: TryFrom<i64>>(number: Option<i64>) -> Option<T> {
    number
        .filter(|number| *number > 0)
        .and_then(|number| T::try_from(number).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_read_as_clients_write_them() {
        let query = Query::parse("&watch=true&labelSelector=a+in+%28b%2Cc%29&timeoutSeconds=290");
        let options = query.list_options(None).unwrap();
        assert!(options.watch);
        assert_eq!(options.timeout, Some(Duration::from_secs(290)));
        assert_eq!(
            options.selection,
            Selection::parse(None, "a in (b,c)", "").unwrap()
        );
    }

    #[test]
    fn switches_follow_go() {
        for (text, expected) in [
            ("", None),
            ("watch", Some(true)),
            ("watch=", Some(true)),
            ("watch=1", Some(true)),
            ("watch=yes", Some(true)),
            ("watch=0", Some(false)),
            ("watch=false", Some(false)),
        ] {
            assert_eq!(Query::parse(text).flag("watch"), expected, "{text:?}");
        }
    }

    #[test]
    fn combinations_without_meaning_are_refused() {
        for (text, accepted) in [
            (
                "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan",
                true,
            ),
            ("watch=1&sendInitialEvents=true", false),
            (
                "watch=1&resourceVersionMatch=NotOlderThan&resourceVersion=1",
                false,
            ),
            ("resourceVersionMatch=NotOlderThan&resourceVersion=1", true),
            ("resourceVersionMatch=NotOlderThan", false),
            ("sendInitialEvents=true", false),
            ("resourceVersion=-1", false),
            ("timeoutSeconds=1.5", false),
            ("limit=500", true),
            ("limit=-1", true),
            ("limit=", false),
            ("limit=x", false),
            ("continue=abc", false),
            ("resourceVersion=0&resourceVersionMatch=Exact", false),
            ("resourceVersion=1&resourceVersionMatch=Exact", true),
            ("resourceVersion=1&resourceVersionMatch=Other", false),
            ("watch=1&continue=abc", false),
            ("watch=1&continue=abc&resourceVersion=5", true),
        ] {
            assert_eq!(
                Query::parse(text).list_options(None).is_ok(),
                accepted,
                "{text}"
            );
        }
    }
}
