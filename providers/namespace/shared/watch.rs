//! One watch over all Namespaces, from which those in one are served.
//!
//! # Flow
//! 1. [`Kind::open`] decides for a reader: it is served, it must list again, or the watch must be begun first.
//! 2. [`follow`](super::follow) reads the watch into the [`Ring`] and wakes the readers of the Namespaces that have news. Readers take
//!    from the ring what they have not seen, at their own pace.
//! 3. When the watch ends, by its time-out or by a broken connection, it is taken up where it was, and no reader notices.
//!    When that fails, readers are told, and what was retained stays for those that come back soon.
//! 4. A while after the last reader has left, the watch ends.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep},
};

use super::{
    super::lines::Line,
    Failure, Kind, Reader, Sharing,
    follow::follow,
    lock,
    ring::{Ring, Seen},
};

/// How long the watch goes on without readers.
const LINGER: Duration = Duration::from_secs(10);

/// How long retained lines are of use after the watch has failed, and the version of a list as a place to begin.
const FRESH: Duration = Duration::from_secs(60);

/// How long the lines of a Namespace are retained for a reader that may come.
const AWAITED: Duration = Duration::from_secs(5 * 60);

/// How many Namespaces are awaited before those are looked for whose time is over.
const MANY: usize = 1_024;

/// The watch over all Namespaces of one kind and selection.
pub(super) struct SharedWatch {
    state: Mutex<State>,
    /// Counts the attempts to begin.
    attempts: watch::Sender<u64>,
    reader_left: Notify,
}

#[derive(Default)]
struct State {
    phase: Phase,
    ring: Ring,
    /// Since when the ring waits for the watch to be taken up again.
    interrupted: Option<Instant>,
    /// The newest bookmark, and how far it says that everything was shown.
    bookmark: Option<(u64, Bytes)>,
    readers: HashMap<Arc<str>, Vec<(u64, Arc<Notify>)>>,
    /// Namespaces of which a list was asked for, or which a reader has left: one may come (again).
    awaited: HashMap<Arc<str>, Instant>,
    /// Counts readers.
    last_reader: u64,
    /// Counts failures.
    epoch: u64,
    end: Option<End>,
    failed_attempt: Option<(u64, Failure)>,
    /// The oldest version of a list that was answered lately, and since when: its reader is about to watch.
    listed: Option<(u64, Instant)>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Idle,
    Connecting,
    Open,
}

/// How the watch ended for its readers.
#[derive(Clone, Debug)]
pub(super) enum End {
    /// With a last line.
    Line(Bytes),
    Failed(Failure),
}

/// What one who wants to watch is told.
enum Start {
    /// It is served.
    Ready(Reader),
    /// It is served once the watch has begun.
    Wait(Reader),
    /// The same, and the watch is to be begun.
    Begin(Reader),
    /// Not everything after its version is there; the oldest that is.
    Expired(u64),
}

/// The end of waiting for a watch.
pub(in super::super) enum Opened {
    Reader(Reader),
    Expired(u64),
    Failed(Failure),
}

/// What a reader finds.
pub(super) enum Found {
    Lines(Vec<(u64, Bytes)>, Seen),
    Bookmark(u64, Bytes),
    Nothing,
    End(Option<End>),
}

// === impl SharedWatch ===

impl Default for SharedWatch {
    fn default() -> Self {
        Self {
            state: Mutex::default(),
            attempts: watch::Sender::new(0),
            reader_left: Notify::new(),
        }
    }
}

impl SharedWatch {
    /// A list of this version was answered; the one who asked is about to watch from there.
    pub(super) fn listed(&self, version: u64) {
        let mut state = self.state();
        let now = Instant::now();
        match &mut state.listed {
            Some((oldest, since)) if since.elapsed() < FRESH => *oldest = (*oldest).min(version),
            listed => *listed = Some((version, now)),
        }
    }

    /// A list in `namespace` is asked for: what changes from now on must be there for the watch that follows.
    pub(super) fn await_reader(&self, namespace: &Arc<str>) {
        self.state().await_reader(namespace);
    }

    /// What a reader finds that it has not `seen`; the bookmarks are those after `version`.
    pub(super) fn look(
        &self,
        namespace: &str,
        epoch: u64,
        (seen, version): (Seen, u64),
        limit: usize,
    ) -> Found {
        let state = self.state();
        if state.epoch != epoch {
            let told = state.epoch == epoch + 1;
            return Found::End(state.end.clone().filter(|_| told));
        }
        let Some((lines, seen)) = state.ring.after(namespace, seen, limit) else {
            return Found::End(None);
        };
        match &state.bookmark {
            _ if !lines.is_empty() => Found::Lines(lines, seen),
            Some((until, line)) if *until > version => Found::Bookmark(*until, line.clone()),
            _ => Found::Nothing,
        }
    }

    /// A reader does not read any more.
    pub(super) fn leave(&self, namespace: &Arc<str>, id: u64) {
        let mut state = self.state();
        state.await_reader(namespace);
        if let Some(readers) = state.readers.get_mut(namespace) {
            readers.retain(|(other, _)| *other != id);
            if readers.is_empty() {
                state.readers.remove(namespace);
            }
        }
        drop(state);
        self.reader_left.notify_one();
    }

    /// The version after which the watch goes on.
    pub(super) fn newest(&self) -> u64 {
        self.state().ring.newest()
    }

    /// The watch has begun.
    pub(super) fn connected(&self) {
        let mut state = self.state();
        state.phase = Phase::Open;
        state.interrupted = None;
        state.ring.resume();
        // Under the lock, so that who asks now does not take it for news.
        self.attempts.send_modify(|attempts| *attempts += 1);
    }

    /// The watch could not begin, or go on: readers are told.
    pub(super) fn failed(&self, failure: Failure) {
        let attempt = *self.attempts.borrow() + 1;
        let mut state = self.state();
        state.failed_attempt = Some((attempt, failure.clone()));
        state.interrupted = Some(Instant::now());
        state.end(End::Failed(failure));
        self.attempts.send_modify(|attempts| *attempts += 1);
    }

    /// Takes lines; says whether they end the watch.
    pub(super) fn take(&self, lines: Vec<(Line, Bytes)>) -> bool {
        let (mut state, now) = (self.state(), Instant::now());
        for (line, text) in lines {
            match line {
                Line::Change { namespace, version } => {
                    let wanted = state.wants(&namespace, now);
                    state.ring.push(&namespace, version, wanted.then_some(text));
                    if let Some(readers) = state.readers.get(namespace.as_str()) {
                        readers.iter().for_each(|(_, reader)| reader.notify_one());
                    }
                }
                Line::Bookmark(version) => {
                    state.ring.advance(version);
                    state.bookmark = Some((version, text));
                    state.wake();
                }
                Line::Error(code) => {
                    state.interrupted = (code != 410).then(Instant::now);
                    state.end(End::Line(text));
                    return true;
                }
            }
        }
        let State { ring, readers, .. } = &mut *state;
        ring.prune(|namespace| readers.contains_key(namespace));
        false
    }

    /// Ends the watch when nobody reads.
    pub(super) fn end_unused(&self) -> bool {
        let mut state = self.state();
        let unused = state.readers.is_empty();
        if unused {
            state.phase = Phase::Idle;
            state.epoch += 1;
            state.ring = Ring::default();
            state.bookmark = None;
        }
        unused
    }

    /// Completes when nobody has been reading for a while.
    pub(super) async fn unused(&self) {
        loop {
            if self.state().readers.is_empty() {
                sleep(LINGER).await;
                if self.state().readers.is_empty() {
                    return;
                }
            }
            self.reader_left.notified().await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

// === impl State ===

impl State {
    /// Ends the watch for all readers.
    fn end(&mut self, end: End) {
        self.phase = Phase::Idle;
        self.epoch += 1;
        self.end = Some(end);
        self.bookmark = None;
        self.wake();
    }

    fn wake(&self) {
        let readers = self.readers.values().flatten();
        readers.for_each(|(_, reader)| reader.notify_one());
    }

    fn await_reader(&mut self, namespace: &Arc<str>) {
        let now = Instant::now();
        if self.awaited.len() >= MANY {
            self.awaited.retain(|_, since| now - *since < AWAITED);
        }
        self.awaited.insert(namespace.clone(), now);
    }

    /// Whether somebody reads the lines of `namespace`, or may soon.
    fn wants(&self, namespace: &str, now: Instant) -> bool {
        let awaited = self.awaited.get(namespace);
        self.readers.contains_key(namespace) || awaited.is_some_and(|since| now - *since < AWAITED)
    }

    /// Adds a reader; gives its number and what wakes it.
    fn join(&mut self, namespace: &Arc<str>) -> (u64, Arc<Notify>) {
        self.last_reader += 1;
        let (id, news) = (self.last_reader, Arc::new(Notify::new()));
        let readers = self.readers.entry(namespace.clone()).or_default();
        readers.push((id, news.clone()));
        (id, news)
    }

    /// Where the watch is to begin for a reader in `namespace` that is at `version`.
    fn begin(&mut self, namespace: &str, version: u64) {
        let fresh = |since: &Instant| since.elapsed() < FRESH;
        let goes_on = self.interrupted.as_ref().is_some_and(fresh);
        if !goes_on || !self.ring.covers(namespace, version) {
            let listed = self.listed.filter(|(_, since)| fresh(since));
            let oldest = listed.map_or(version, |(listed, _)| listed.min(version));
            self.ring.restart(oldest);
        }
        self.listed = None;
        self.phase = Phase::Connecting;
    }
}

// === impl Kind ===

impl Kind {
    /// Watches `namespace` from `version` on.
    pub(in super::super) async fn open(
        self: &Arc<Self>,
        sharing: &Arc<Sharing>,
        namespace: &Arc<str>,
        version: u64,
    ) -> Opened {
        let (start, mut attempts) = self.start(sharing, namespace, version);
        let before = *attempts.borrow();
        let reader = match start {
            Start::Ready(reader) => return Opened::Reader(reader),
            Start::Expired(oldest) => return Opened::Expired(oldest),
            Start::Wait(reader) => reader,
            Start::Begin(reader) => {
                let kind = self.clone();
                let follow = follow(self.clone(), sharing.base.clone());
                sharing.spawn(follow, move || kind.watch_lost());
                reader
            }
        };
        // The sender lives as long as the kind.
        let _ = attempts.changed().await;
        let failed = self.watch.state().failed_attempt.clone();
        match failed {
            Some((attempt, failure)) if attempt > before => Opened::Failed(failure),
            // It may have ended since: that the reader will find.
            _ => Opened::Reader(reader),
        }
    }

    fn start(
        self: &Arc<Self>,
        sharing: &Arc<Sharing>,
        namespace: &Arc<str>,
        version: u64,
    ) -> (Start, watch::Receiver<u64>) {
        let mut state = self.watch.state();
        // Under the lock: what is counted later is about this.
        let attempts = self.watch.attempts.subscribe();
        let phase = state.phase;
        if phase == Phase::Idle {
            state.begin(namespace, version);
        }
        if !state.ring.covers(namespace, version) {
            return (Start::Expired(state.ring.oldest(namespace)), attempts);
        }
        let (id, news) = state.join(namespace);
        let reader = Reader {
            kind: self.clone(),
            _sharing: sharing.clone(),
            namespace: namespace.clone(),
            id,
            epoch: state.epoch,
            version,
            seen: Seen::until(version),
            news,
        };
        let start = match phase {
            Phase::Idle => Start::Begin(reader),
            Phase::Connecting => Start::Wait(reader),
            Phase::Open => Start::Ready(reader),
        };
        (start, attempts)
    }
}
