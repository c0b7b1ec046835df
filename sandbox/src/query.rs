//! Query parameters.

use std::time::Duration;

use crate::{
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
    /// The version to start from, or the oldest one that will do; `None` for the newest state.
    pub version: Option<u64>,
    pub bookmarks: bool,
    pub timeout: Option<Duration>,
    /// Whether a watch starts with the present objects; unset leaves it to the version.
    pub send_initial_events: Option<bool>,
}

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

    /// A switch, as Go reads one: anything but `0` and `false` turns it on.
    pub(crate) fn flag(&self, key: &str) -> Option<bool> {
        self.get(key)
            .map(|value| !matches!(value, "0" | "false" | "False" | "FALSE"))
    }

    fn number(&self, key: &str) -> Result<Option<u64>, ApiError> {
        let Some(text) = self.get(key).filter(|text| !text.is_empty()) else {
            return Ok(None);
        };
        let number = text
            .parse()
            .map_err(|_| ApiError::bad_request(format!("invalid {key}: {text:?}")))?;
        Ok(Some(number))
    }

    /// Whether to check a write only; `All` is the one stage that can be left out.
    pub(crate) fn dry_run(&self) -> Result<bool, ApiError> {
        let mut stages = self
            .pairs
            .iter()
            .filter(|(key, _)| key == "dryRun")
            .map(|(_, stage)| stage.as_str());
        let first = stages.next();
        check_dry_run(first)
    }

    /// The version that a get needs to see.
    pub(crate) fn version(&self) -> Result<Option<u64>, ApiError> {
        self.number("resourceVersion")
    }

    /// The parameters of a list or watch in `namespace`, or in all of them.
    pub(crate) fn list_options(&self, namespace: Option<String>) -> Result<ListOptions, ApiError> {
        let text = |key| self.get(key).unwrap_or_default();
        if !text("continue").is_empty() {
            return Err(ApiError::bad_request(
                "continue key is not valid: this server never hands one out",
            ));
        }
        let options = ListOptions {
            selection: Selection::parse(namespace, text("labelSelector"), text("fieldSelector"))?,
            watch: self.flag("watch").unwrap_or(false),
            version: self.version()?,
            bookmarks: self.flag("allowWatchBookmarks").unwrap_or(false),
            timeout: self
                .number("timeoutSeconds")?
                .filter(|seconds| *seconds > 0)
                .map(Duration::from_secs),
            send_initial_events: self.flag("sendInitialEvents"),
        };
        let errors = options.check(text("resourceVersionMatch"));
        if errors.is_empty() {
            return Ok(options);
        }
        Err(ApiError::invalid("meta.k8s.io", "ListOptions", "", &errors))
    }
}

/// Reads one stage of a `dryRun`.
pub(crate) fn check_dry_run(stage: Option<&str>) -> Result<bool, ApiError> {
    match stage {
        None | Some("") => Ok(false),
        Some("All") => Ok(true),
        Some(other) => Err(ApiError::bad_request(format!(
            "dryRun: Unsupported value: {other:?}: supported values: \"All\""
        ))),
    }
}

// === impl ListOptions ===

impl ListOptions {
    /// The combinations that the API server refuses.
    fn check(&self, version_match: &str) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let mut refuse = |field, why| errors.push(FieldError::forbidden(field, why));
        let field = "resourceVersionMatch";
        if !self.watch {
            if self.send_initial_events.is_some() {
                refuse(
                    "sendInitialEvents",
                    "sendInitialEvents is forbidden for list",
                );
            }
            if !version_match.is_empty() && self.version.is_none() {
                refuse(
                    field,
                    "resourceVersionMatch is forbidden unless resourceVersion is provided",
                );
            }
            return errors;
        }
        if self.send_initial_events.is_some() && version_match != "NotOlderThan" {
            refuse(
                field,
                "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
            );
        }
        if self.send_initial_events.is_none() && !version_match.is_empty() {
            refuse(
                field,
                "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
            );
        }
        errors
    }
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
            ("continue=abc", false),
        ] {
            assert_eq!(
                Query::parse(text).list_options(None).is_ok(),
                accepted,
                "{text}"
            );
        }
    }
}
