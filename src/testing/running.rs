//! A manager in a test.

use std::time::Duration;

use tokio::{
    sync::oneshot,
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};

use crate::{
    engage::OwnedClusters,
    error::{Error, Result},
    manager::{Manager, ManagerBuilder},
};

/// How often a condition is looked at, at most.
const STEP: Duration = Duration::from_millis(5);

/// A manager that runs in a task of its own; dropped, it dies as in a crash.
#[derive(Debug)]
pub struct Running {
    shutdown: Option<oneshot::Sender<()>>,
    task: JoinHandle<Result<()>>,
    owned: OwnedClusters,
}

/// Waits until `condition` holds; with paused time, that takes no time.
///
/// It is looked at every 5 ms, and less often where `limit` is longer than 5 s: about a thousand times in all, and the last
/// time when `limit` is over.
///
/// # Panics
/// When it does not hold within `limit`, or does not answer for so long; `what` says what was waited for.
pub async fn eventually(limit: Duration, what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let (start, step) = (Instant::now(), STEP.max(limit / 1_000));
    while !timeout(limit, condition()).await.unwrap_or(false) {
        let left = limit.saturating_sub(start.elapsed());
        assert!(!left.is_zero(), "not within {limit:?}: {what}");
        sleep(step.min(left)).await;
    }
}

// === impl Running ===

impl Running {
    /// Runs a manager; without [sharding](ManagerBuilder::sharding) it owns all clusters.
    ///
    /// # Errors
    /// As [`ManagerBuilder::build`].
    pub fn start(manager: ManagerBuilder) -> Result<Self> {
        let manager: Manager = manager.build()?;
        let owned = manager.owned_clusters();
        let (shutdown, asked) = oneshot::channel();
        let task = tokio::spawn(manager.run(async move {
            // Also when `Running` is dropped.
            let _ = asked.await;
        }));
        Ok(Self {
            shutdown: Some(shutdown),
            task,
            owned,
        })
    }

    /// The clusters that it works on, and how they are doing.
    #[must_use]
    pub fn owned_clusters(&self) -> &OwnedClusters {
        &self.owned
    }

    /// Shuts it down, and waits until everything is drained and released.
    ///
    /// # Errors
    /// Those of [`Manager::run`], and [`Error::Panic`].
    pub async fn stop(mut self) -> Result<()> {
        drop(self.shutdown.take());
        (&mut self.task).await.unwrap_or_else(|error| {
            Err(Error::Panic {
                part: "the manager".into(),
                message: error.to_string(),
            })
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}
