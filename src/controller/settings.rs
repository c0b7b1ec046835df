//! What can be set about controllers without code.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    error::{Error, Result},
    setting::{Broken, duration, holds, not_zero, some_at_a_time},
};

/// How much a controller does at a time, and for how long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Settings {
    /// How many reconciles of one controller run at a time, over all clusters, a number. 16 keep a fleet busy without
    /// flooding one API server.
    pub concurrency: usize,
    /// How many of them may be of one cluster, a number up to the one above. By default half of them when there are other
    /// clusters, so that one that hangs does not stop the rest.
    pub per_cluster_concurrency: Option<usize>,
    /// How long one reconcile may take before it is dropped and tried again. Without a limit by default: what is a long
    /// time is known by the reconciler alone.
    #[serde(with = "duration::optional")]
    pub reconcile_timeout: Option<Duration>,
}

// === impl Settings ===

impl Default for Settings {
    fn default() -> Self {
        Self {
            concurrency: 16,
            per_cluster_concurrency: None,
            reconcile_timeout: None,
        }
    }
}

impl Settings {
    /// Checks each setting, and what they have to do with each other.
    pub(crate) fn validate(&self) -> Result<(), Broken> {
        holds(
            &["concurrency"],
            some_at_a_time("concurrency", self.concurrency),
        )?;
        if let Some(limit) = self.reconcile_timeout {
            holds(&["reconcile_timeout"], not_zero("reconcile timeout", limit))?;
        }
        let Some(share) = self.per_cluster_concurrency else {
            return Ok(());
        };
        holds(
            &["per_cluster_concurrency"],
            some_at_a_time("concurrency per cluster", share),
        )?;
        holds(
            &["per_cluster_concurrency", "concurrency"],
            self.check_share(share),
        )
    }

    fn check_share(&self, share: usize) -> Result<()> {
        if share > self.concurrency {
            return Err(Error::setting(format!(
                "the concurrency per cluster ({share}) must be at most the concurrency ({}): lower the one or raise the \
                 other",
                self.concurrency
            )));
        }
        Ok(())
    }
}
