//! Reads the watch over all Namespaces, connection by connection.

use std::{pin::pin, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::StreamExt;
use http_body_util::BodyExt;
use multicluster::kube::{Client, client::Body};
use tokio::time::{Instant, sleep, sleep_until};

use super::{
    super::lines::{Line, Lines},
    Failure, Kind, upstream,
};

/// How much longer than it was asked to may a watch last: one that goes on is dead.
const GRACE: Duration = Duration::from_secs(5);

/// How many times in a row the watch may end at once.
const FRUITLESS: u32 = 5;

/// How one connection of the watch ended.
enum Outcome {
    /// It is taken up again; whether it was of any use.
    Resume(bool),
    /// Nobody reads any more, or everybody was told of an end.
    Over,
}

/// Keeps the watch going until it fails or nobody needs it.
pub(super) async fn follow(kind: Arc<Kind>, base: Client) {
    let shared = &kind.watch;
    let mut fruitless = 0;
    loop {
        // Short, since one that is silently dead is noticed only when it should have ended; and not always the same.
        let seconds = fastrand::u64(90..120);
        let version = shared.newest();
        let mut query = kind.selectors();
        query.set("watch", "true");
        query.set("allowWatchBookmarks", "true");
        query.set("timeoutSeconds", seconds.to_string());
        query.set("resourceVersion", version.to_string());
        let body = match upstream::get(&base, &kind, &query).await {
            Ok(body) => body,
            Err(failure) => {
                if failure.is_lasting() {
                    kind.refuse();
                }
                return shared.failed(failure);
            }
        };
        shared.connected();
        let end = Instant::now() + Duration::from_secs(seconds) + GRACE;
        match read(&kind, body, end).await {
            Outcome::Over => return,
            Outcome::Resume(true) => fruitless = 0,
            Outcome::Resume(false) if fruitless == FRUITLESS => {
                let error = "the watch over all namespaces ends at once";
                return shared.failed(Failure::Unanswered(error.into()));
            }
            Outcome::Resume(false) => {
                fruitless += 1;
                sleep(Duration::from_millis(50 << fruitless)).await;
            }
        }
    }
}

/// Reads one connection of the watch.
async fn read(kind: &Kind, body: Body, end: Instant) -> Outcome {
    let shared = &kind.watch;
    let begun = Instant::now();
    let mut useful = false;
    let mut chunks = body.into_data_stream();
    let mut lines = Lines::default();
    let mut unused = pin!(shared.unused());
    loop {
        let chunk = tokio::select! {
            chunk = chunks.next() => chunk,
            () = sleep_until(end) => None,
            () = &mut unused => {
                if shared.end_unused() {
                    return Outcome::Over;
                }
                unused.set(shared.unused());
                continue;
            }
        };
        let Some(Ok(chunk)) = chunk else {
            let useful = useful || begun.elapsed() >= Duration::from_secs(1);
            return Outcome::Resume(useful);
        };
        lines.push(&chunk);
        let mut taken = Vec::new();
        while let Some(text) = lines.next() {
            let Some(line) = Line::read(&text) else {
                shared.take(taken);
                // It would come again.
                kind.refuse();
                let error = "a line of the watch over all namespaces makes no sense";
                shared.failed(Failure::Unanswered(error.into()));
                return Outcome::Over;
            };
            // A copy of its own size: the chunk is larger.
            taken.push((line, Bytes::copy_from_slice(&text)));
        }
        useful |= !taken.is_empty();
        if shared.take(taken) {
            return Outcome::Over;
        }
    }
}
