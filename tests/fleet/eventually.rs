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
    mut state: impl AsyncFnMut() -> Result<T, String>,
) -> T {
    let end = Instant::now() + limit;
    let mut last = "it was never answered".to_owned();
    loop {
        match timeout_at(end, state()).await {
            Ok(Ok(value)) => return value,
            Ok(Err(missing)) => last = missing,
            Err(_) => {}
        }
        assert!(
            Instant::now() < end,
            "not within {limit:?}: {what}; last seen: {last}"
        );
        sleep(TICK).await;
    }
}
