//! A watch in one Namespace that is served from the one over all of them.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;
use futures_util::{Stream, stream};
use multicluster::BoxError;
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

use super::{
    Kind, Sharing,
    ring::Seen,
    watch::{End, Found},
};

/// How many lines are taken at once.
const BATCH: usize = 64;

/// A place in the retained lines; what it does not read in time, it misses, and its watch ends.
pub(in super::super) struct Reader {
    pub(super) kind: Arc<Kind>,
    /// What is shared lives as long as one reads.
    pub(super) _sharing: Arc<Sharing>,
    pub(super) namespace: Arc<str>,
    pub(super) id: u64,
    pub(super) epoch: u64,
    /// Everything up to this version has been seen.
    pub(super) version: u64,
    pub(super) seen: Seen,
    pub(super) news: Arc<Notify>,
}

/// A reader on its way.
struct Reading {
    reader: Reader,
    ready: VecDeque<(u64, Bytes)>,
    bookmarks: bool,
    end: Instant,
    over: bool,
}

// === impl Reader ===

impl Reader {
    /// The lines up to `end`, as the server wrote them.
    pub(in super::super) fn lines(
        self,
        bookmarks: bool,
        end: Instant,
    ) -> impl Stream<Item = Result<Bytes, BoxError>> + Send {
        let reading = Reading {
            reader: self,
            ready: VecDeque::new(),
            bookmarks,
            end,
            over: false,
        };
        stream::unfold(reading, async |mut reading| {
            let line = reading.next().await?;
            Some((line, reading))
        })
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.kind.watch.leave(&self.namespace, self.id);
    }
}

// === impl Reading ===

impl Reading {
    async fn next(&mut self) -> Option<Result<Bytes, BoxError>> {
        loop {
            if let Some((_, line)) = self.ready.pop_front() {
                return Some(Ok(line));
            }
            if self.over {
                return None;
            }
            let reader = &mut self.reader;
            let watch = &reader.kind.watch;
            match watch.look(
                &reader.namespace,
                reader.epoch,
                (reader.seen, reader.version),
                BATCH,
            ) {
                Found::Lines(lines, seen) => {
                    reader.seen = seen;
                    if let Some((version, _)) = lines.last() {
                        reader.version = *version;
                    }
                    self.ready = lines.into();
                }
                Found::Bookmark(version, line) => {
                    reader.version = version;
                    if self.bookmarks {
                        return Some(Ok(line));
                    }
                }
                Found::End(end) => {
                    self.over = true;
                    return match end? {
                        End::Line(line) => Some(Ok(line)),
                        End::Failed(failure) => Some(Err(failure.error())),
                    };
                }
                Found::Nothing => {
                    tokio::select! {
                        biased;
                        () = reader.news.notified() => {}
                        () = sleep_until(self.end) => self.over = true,
                    }
                }
            }
        }
    }
}
