//! What is dropped must not go on.

use std::{
    future::poll_fn,
    pin::pin,
    sync::Arc,
    task::Poll,
    time::{Duration, Instant},
};

use tokio::runtime::Handle;

use super::Case;
use crate::{
    provider::{ClusterProvider, ClusterRef},
    testing::conformance::{harness::Harness, report::Check},
};

/// So many times something is begun and dropped; fewer tasks than that may be left, for what the harness itself keeps.
const TIMES: usize = 8;

/// After how many polls an attempt to connect is dropped, at most.
const AWAITS: usize = 8;

/// How long a drop may take, in real time: it must not wait for anything.
const DROP: Duration = Duration::from_secs(1);

pub(super) async fn streams<H: Harness>(case: &Case<'_, H>) -> Check {
    case.create_all(&["zoo", "reef"]).await?;
    let provider = case.provider().await?;
    drop(case.synced(&provider).await?);
    let before = settled().await;
    for i in 0..TIMES {
        let mut listed = case.synced(&provider).await?;
        // In the middle of a listing as well.
        let mut begun = case.follow(&provider);
        begun.poll(i).await?;
        listed.poll(1).await?;
        let dropping = Instant::now();
        drop((listed, begun));
        if dropping.elapsed() > DROP {
            let took = dropping.elapsed();
            return Err(case.broken(format!("dropping two streams took {took:?}")));
        }
    }
    gone(case, before, "streams").await
}

pub(super) async fn connects<H: Harness>(case: &Case<'_, H>) -> Check {
    case.create_all(&["zoo", "reef"]).await?;
    let provider = case.provider().await?;
    let stream = case.synced(&provider).await?;
    let zoo = stream.known(&case.name("zoo")?)?;
    drop(stream);
    drop(case.reach(&provider, "zoo", &zoo).await?);
    let before = settled().await;
    // Each await, as far as it is reached in so many polls.
    for polls in 0..AWAITS {
        for _ in 0..TIMES {
            begin(case, &provider, &zoo, polls).await?;
        }
        gone(
            case,
            before,
            &format!("attempts to connect, polled {polls} times,"),
        )
        .await?;
    }
    case.reach(&provider, "zoo", &zoo).await.map(drop)
}

/// Polls an attempt to connect so many times and drops it.
async fn begin<H: Harness>(
    case: &Case<'_, H>,
    provider: &Arc<dyn ClusterProvider>,
    cluster: &ClusterRef,
    polls: usize,
) -> Check {
    let mut left = polls;
    let mut connecting = pin!(provider.connect(cluster));
    let dropped = poll_fn(|context| {
        if left == 0 || connecting.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        left -= 1;
        Poll::Pending
    });
    let limit = case.settings.patience;
    let ended = tokio::time::timeout(limit, dropped).await;
    ended.map_err(|_| {
        case.broken(format!(
            "connect({}) did not end within {limit:?}",
            cluster.name
        ))
    })
}

/// The live tasks of this runtime, when those that end have ended.
async fn settled() -> usize {
    let tasks = || Handle::current().metrics().num_alive_tasks();
    let mut fewest = tasks();
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_millis(5)).await;
        fewest = fewest.min(tasks());
    }
    fewest
}

/// Waits until about as many tasks are alive as `before`.
async fn gone<H: Harness>(case: &Case<'_, H>, before: usize, what: &str) -> Check {
    let begun = tokio::time::Instant::now();
    loop {
        let now = Handle::current().metrics().num_alive_tasks();
        if now < before + TIMES {
            return Ok(());
        }
        if begun.elapsed() > case.settings.patience {
            return Err(case.broken(format!(
                "{TIMES} {what} were dropped, and {} tasks more than before are alive",
                now - before
            )));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
