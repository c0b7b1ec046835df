//! The errors of this crate.
//!
//! A variant names the step that failed; the cause is its source, which the message does not repeat. Print an error with
//! [`Report`] to see the whole chain in one line.

use std::{any::Any, error::Error as StdError, fmt, time::Duration};

use thiserror::Error;

/// A result whose error is this crate's [`enum@Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A cause from somebody else's code.
pub type BoxError = Box<dyn StdError + Send + Sync>;

/// What can go wrong between a fleet and its manager.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting cannot be used; the message says what to change.
    #[error("{0}")]
    Setting(String),

    /// A cluster's name cannot be used.
    #[error("cluster name {name:?} {reason}")]
    ClusterName {
        /// The name, cut to a printable length.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },

    /// A request to the API server failed.
    #[error("{step}")]
    Api {
        /// What the request was for, as in "list the Leases in kube-system".
        step: String,
        /// Why it failed.
        source: Box<kube::Error>,
    },

    /// A provider could not do what it was asked for.
    #[error("provider {provider}: {step}")]
    Provider {
        /// The provider's name.
        provider: &'static str,
        /// The step that failed.
        step: String,
        /// Why it failed.
        source: BoxError,
    },

    /// The API server does not do what sharding needs; the message says which request failed, and why.
    #[error("{0}")]
    Lease(String),

    /// An answer did not come in time.
    #[error("{step}: no answer within {limit:?}")]
    Timeout {
        /// What was waited for.
        step: String,
        /// How long.
        limit: Duration,
    },

    /// The manager could not start within its start-up timeout.
    #[error("not started within {limit:?}")]
    Startup {
        /// The start-up timeout.
        limit: Duration,
        /// The last failure.
        source: Box<Self>,
    },

    /// Another process runs under this peer's id.
    #[error(
        "another process took the peer id {peer:?}: give each replica an id of its own (POD_NAME or --peer)"
    )]
    PeerReplaced {
        /// The id that both use.
        peer: String,
    },

    /// A part of the manager ended by a panic.
    #[error("{part} panicked: {message}")]
    Panic {
        /// Which part.
        part: String,
        /// What the panic said.
        message: String,
    },

    /// A reconciler or another part of the user's program failed.
    #[error("{part}")]
    User {
        /// Which part.
        part: String,
        /// Why it failed.
        source: BoxError,
    },
}

/// Prints an error and its causes in one line, joined by colons; says nothing twice.
#[derive(Clone, Copy)]
pub struct Report<'a>(pub &'a (dyn StdError + 'static));

/// What a panic said.
pub(crate) fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "without a message".into())
}

// === impl Error ===

impl Error {
    /// A setting that cannot be used; `message` says what to change.
    pub fn setting(message: impl Into<String>) -> Self {
        Self::Setting(message.into())
    }

    /// A failed request; `step` says what it was for.
    pub fn api(step: impl Into<String>, source: kube::Error) -> Self {
        Self::Api {
            step: step.into(),
            source: Box::new(source),
        }
    }

    /// A provider's failure.
    pub fn provider(
        provider: &'static str,
        step: impl Into<String>,
        source: impl Into<BoxError>,
    ) -> Self {
        Self::Provider {
            provider,
            step: step.into(),
            source: source.into(),
        }
    }

    /// Whether the same call may succeed later without a change of configuration or code.
    ///
    /// A refusal by the API server (401, 403, 404) counts as transient: permissions and kinds come and go while a program runs.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        !matches!(
            self,
            Self::Setting(_) | Self::ClusterName { .. } | Self::PeerReplaced { .. }
        )
    }
}

// === impl Report ===

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = String::new();
        let mut next = Some(self.0);
        while let Some(error) = next {
            let text = own_text(error);
            if !text.is_empty() && !line.ends_with(&text) {
                if !line.is_empty() {
                    line.push_str(": ");
                }
                line.push_str(&text);
            }
            next = match as_kube(error) {
                // Its source says the same.
                Some(kube::Error::Api(_)) => None,
                _ => error.source(),
            };
        }
        f.write_str(&line.replace('\n', " "))
    }
}

fn as_kube<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a kube::Error> {
    let boxed = error.downcast_ref::<Box<kube::Error>>();
    error.downcast_ref().or(boxed.map(|error| &**error))
}

/// What an error says itself: many libraries print their source in their own message.
fn own_text(error: &(dyn StdError + 'static)) -> String {
    if let Some(kube::Error::Api(status)) = as_kube(error) {
        return format!("{} ({})", status.message.trim(), status.code);
    }
    let text = error.to_string();
    let Some(source) = error.source() else {
        return text;
    };
    match text.strip_suffix(&source.to_string()) {
        Some(own) => own.trim_end().trim_end_matches(':').to_owned(),
        None => text,
    }
}

impl fmt::Debug for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_one_line_with_every_cause_once() {
        let cause = std::io::Error::other("connection\nrefused");
        let error = Error::provider("namespace", "list the namespaces", cause);
        assert_eq!(
            Report(&error).to_string(),
            "provider namespace: list the namespaces: connection refused"
        );
    }

    #[test]
    fn an_api_error_is_its_message_and_code() {
        let status = kube::core::Status::failure("leases is forbidden", "Forbidden").with_code(403);
        let cause = kube::Error::Api(status.boxed());
        let error = Error::provider(
            "namespace",
            "watch the source",
            kube::runtime::watcher::Error::InitialListFailed(cause),
        );
        let boxed = kube::Error::Api(
            kube::core::Status::failure("no", "x")
                .with_code(404)
                .boxed(),
        );
        assert_eq!(
            Report(&Error::api("list", boxed)).to_string(),
            "list: no (404)"
        );
        assert_eq!(
            Report(&error).to_string(),
            "provider namespace: watch the source: failed to perform initial object list: leases is forbidden (403)"
        );
    }

    #[test]
    fn wrong_settings_do_not_heal() {
        assert!(!Error::setting("renew < duration").is_transient());
        let timeout = Error::Timeout {
            step: "connect".into(),
            limit: Duration::from_secs(5),
        };
        assert!(timeout.is_transient());
    }
}
