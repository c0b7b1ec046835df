//! Waiting for a condition, and saying what was seen when it does not come.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

/// How often a condition is looked at.
const TICK: Duration = Duration::from_millis(20);

/// Asks `state` until it is `Ok`; an `Err` says what is still missing.
///
/// # Panics
/// After `limit`, with the last state.
pub(crate) async fn eventually<T>(
    limit: Duration,
    what: &str,
    state: impl AsyncFnMut() -> Result<T, String>,
) -> T {
    reached(limit, state)
        .await
        .unwrap_or_else(|last| panic!("not within {limit:?}: {what}; last seen: {last}"))
}

/// Asks `state` until it is `Ok`.
///
/// # Errors
/// After `limit`, with what was still missing.
pub(crate) async fn reached<T>(
    limit: Duration,
    mut state: impl AsyncFnMut() -> Result<T, String>,
) -> Result<T, String> {
    let end = Instant::now() + limit;
    let mut last = "it was never answered".to_owned();
    loop {
        match timeout_at(end, state()).await {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(missing)) => last = missing,
            Err(_) => {}
        }
        if Instant::now() >= end {
            return Err(last);
        }
        sleep(TICK).await;
    }
}
