//! Follows the sources.

use std::{sync::Arc, time::Duration};

use futures_util::{Stream, StreamExt, future, stream};
use multicluster::{ClusterEvent, ClusterSet, Error};
use tokio::{
    sync::Notify,
    task::{JoinError, JoinHandle, spawn_blocking},
    time::{Instant, sleep, timeout, timeout_at},
};

use super::{
    Known, NAME, Settings,
    problems::Problems,
    reader::{Reader, Reading},
};

/// The sources are read when nothing has changed for so long: a burst of changes is one.
const QUIET: Duration = Duration::from_millis(100);

/// The longest wait for quiet.
const BURST: Duration = Duration::from_secs(1);

/// Reading that takes longer than this is reported: a file system may not answer.
const SLOW: Duration = Duration::from_secs(30);

/// The state of one stream.
struct Follower {
    settings: Arc<Settings>,
    known: Known,
    notice: Arc<Notify>,
    /// `None` while it reads.
    reader: Option<Reader>,
    reading: Option<JoinHandle<(Reader, Reading)>>,
    fresh: bool,
    problems: Problems,
    clusters: ClusterSet,
}

/// The changes of the clusters of all sources; each reading ends with [`ClusterEvent::Synced`] when all could be listed.
pub(super) fn follow(
    settings: Arc<Settings>,
    known: Known,
) -> impl Stream<Item = Result<ClusterEvent, Error>> + Send + 'static {
    let notice = Arc::new(Notify::new());
    let follower = Follower {
        reader: Some(Reader::new(settings.clone(), notice.clone())),
        settings,
        known,
        notice,
        reading: None,
        fresh: true,
        problems: Problems::default(),
        clusters: ClusterSet::new(),
    };
    stream::unfold(follower, |mut follower| async move {
        let events = follower.next().await;
        Some((stream::iter(events), follower))
    })
    .flatten()
}

// === impl Follower ===

impl Follower {
    /// Waits for a change or for the next poll, reads, and says what is new.
    async fn next(&mut self) -> Vec<Result<ClusterEvent, Error>> {
        if let Some(mut reader) = self.reader.take() {
            if !std::mem::take(&mut self.fresh) {
                self.wait().await;
            }
            let mut reading = spawn_blocking(move || {
                let reading = reader.read();
                (reader, reading)
            });
            match timeout(SLOW, &mut reading).await {
                Ok(done) => return self.take(done).await,
                Err(_) => self.reading = Some(reading),
            }
            let step = "wait for the file system".into();
            let late = Error::Timeout { step, limit: SLOW };
            return vec![Err(Error::provider(NAME, "read the sources", late))];
        }
        match self.reading.take() {
            Some(reading) => self.take(reading.await).await,
            None => future::pending().await,
        }
    }

    /// Ends when the sources may have changed and are quiet, or when the next poll is due.
    async fn wait(&self) {
        let poll = sleep(self.settings.poll);
        tokio::select! {
            () = self.notice.notified() => {}
            () = poll => return,
        }
        let end = Instant::now() + BURST;
        let quiet = async { while timeout(QUIET, self.notice.notified()).await.is_ok() {} };
        // It goes on changing: the next look is soon.
        let _ = timeout_at(end, quiet).await;
    }

    async fn take(
        &mut self,
        done: Result<(Reader, Reading), JoinError>,
    ) -> Vec<Result<ClusterEvent, Error>> {
        let (reader, reading) = match done {
            Ok(done) => done,
            Err(error) => match error.try_into_panic() {
                // As if it had not been another thread.
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime ends.
                Err(_) => future::pending().await,
            },
        };
        self.reader = Some(reader);
        self.known.set(reading.places);
        let problems = self.problems.news(&reading.problems);
        let mut events: Vec<_> = problems.into_iter().map(Err).collect();
        let changes = self.clusters.replace(reading.clusters);
        let complete = reading.complete;
        events.extend(
            changes
                .into_iter()
                .filter(|event| complete || *event != ClusterEvent::Synced)
                .map(Ok),
        );
        events
    }
}
