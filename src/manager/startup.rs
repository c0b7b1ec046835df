//! The time before a manager has found its API server and its clusters.

use std::time::Duration;

use tokio::time::Instant;

use crate::{
    error::{Error, Report},
    problems::Problems,
};

/// Whether the manager has found its API server and its clusters yet.
pub(super) struct Startup {
    limit: Option<(Duration, Instant)>,
    pub(super) joined: bool,
    pub(super) discovered: bool,
    last: Option<Error>,
    problems: Problems,
}

// === impl Startup ===

impl Startup {
    pub(super) fn new(limit: Option<Duration>) -> Self {
        Self {
            limit: limit.map(|limit| (limit, Instant::now() + limit)),
            joined: false,
            discovered: false,
            last: None,
            problems: Problems::default(),
        }
    }

    /// What keeps this peer from joining comes first: both have the same cause, as a rule.
    pub(super) fn provider_failed(&mut self, error: Error) {
        let before = self.last.take().filter(|_| !self.joined);
        self.failed(error);
        self.last = before.or(self.last.take());
    }

    pub(super) fn failed(&mut self, error: Error) {
        let text = Report(&error).to_string();
        self.problems
            .meet(None, text.clone(), move |_| tracing::warn!("{text}"));
        self.last = Some(error);
    }

    pub(super) async fn expired(&self) {
        match self.limit {
            Some((_, end)) if !(self.joined && self.discovered) => {
                tokio::time::sleep_until(end).await;
            }
            _ => std::future::pending().await,
        }
    }

    pub(super) fn error(&mut self) -> Error {
        let limit = self.limit.map_or(Duration::ZERO, |(limit, _)| limit);
        let what = if self.joined {
            "the provider"
        } else {
            "the API server"
        };
        let source = self.last.take().unwrap_or_else(|| Error::Timeout {
            step: format!("wait for {what}"),
            limit,
        });
        Error::Startup {
            limit,
            source: Box::new(source),
        }
    }
}
