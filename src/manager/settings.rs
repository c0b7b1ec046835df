//! What can be set about the manager without code.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    error::Result,
    setting::{Broken, duration, holds, not_zero, some_at_a_time},
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
        holds(
            &["connect_timeout"],
            not_zero("connect timeout", self.connect_timeout),
        )?;
        holds(
            &["concurrent_connections"],
            some_at_a_time(
                "number of concurrent connections",
                self.concurrent_connections,
            ),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Manager, providers::FixedProvider};

    #[tokio::test]
    async fn settings_apply_and_code_overrides_them() {
        let settings = Settings {
            startup_timeout: Some(Duration::from_secs(1)),
            connect_timeout: Duration::from_secs(2),
            concurrent_connections: 3,
        };
        let builder = || Manager::builder(FixedProvider::new()).settings(&settings);
        let manager = builder().build().unwrap();
        assert_eq!(manager.startup_timeout, settings.startup_timeout);
        assert_eq!(manager.rules.connect_timeout, settings.connect_timeout);
        assert_eq!(manager.rules.concurrent_connections, 3);

        let manager = builder().concurrent_connections(4).build().unwrap();
        assert_eq!(manager.rules.concurrent_connections, 4);
        let error = builder().concurrent_connections(0).build().unwrap_err();
        assert!(error.to_string().contains("from 1"), "{error}");
    }
}
