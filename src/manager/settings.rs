//! What can be set about the manager without code.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    error::Result,
    setting::{Broken, some_at_a_time, duration, holds, not_zero},
};

/// How a manager starts and connects; see [`ManagerBuilder::settings`](crate::ManagerBuilder::settings).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Settings {
    /// How long to try to join the fleet and to list the clusters before the manager ends with an error. By default it
    /// tries for ever: an outage ends, and a restart heals nothing.
    #[serde(with = "duration::optional")]
    pub startup_timeout: Option<Duration>,
    /// How long one attempt to connect to a cluster may take. 30 s are enough for far clusters and for plugins that log
    /// in.
    #[serde(with = "duration")]
    pub connect_timeout: Duration,
    /// How many clusters are connected to at a time, a number; those that take more than 2 s do not count. 32 start a
    /// large fleet in seconds without flooding the network.
    pub concurrent_connections: usize,
}

// === impl Settings ===

impl Default for Settings {
    fn default() -> Self {
        Self {
            startup_timeout: None,
            connect_timeout: Duration::from_secs(30),
            concurrent_connections: 32,
        }
    }
}

impl Settings {
    /// Checks each setting.
    pub(crate) fn validate(&self) -> Result<(), Broken> {
        if let Some(limit) = self.startup_timeout {
            holds(&["startup_timeout"], not_zero("start-up timeout", limit))?;
        }
        holds(&["connect_timeout"], not_zero("connect timeout", self.connect_timeout))?;
        holds(
            &["concurrent_connections"],
            some_at_a_time("number of concurrent connections", self.concurrent_connections),
        )
    }
}
