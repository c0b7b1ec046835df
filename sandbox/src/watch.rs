//! Watches: a reader that follows the log of one shelf.
//!
//! A watch keeps the version up to which it has seen everything. It asks the store for the events after it, sends those
//! that concern its selection, and waits for news when there are none; nothing is queued for it.

use std::{collections::VecDeque, convert::Infallible, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::stream::{self, Stream};
use http_body::Frame;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

use crate::{
    kinds::Kind,
    query::{At, ListOptions},
    sandbox::Sandbox,
    selector::Selection,
    status::ApiError,
    store::{Change, Event, Forgotten, Object, Since},
    view::{self, View, Word},
};

/// How often a quiet watch says how far it is.
const BOOKMARK_PERIOD: Duration = Duration::from_secs(60);

/// How long a watch lasts when the client does not say.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30 * 60);

/// The longest time that a client can ask for; the clock would overflow on much more.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// How many events are taken from the store at once.
const BATCH: usize = 256;

/// The newest version that a reader is shown, while there is one; it may change under an open watch.
pub(crate) type Horizon = watch::Receiver<Option<u64>>;

/// An open watch.
#[derive(Debug)]
struct Watch {
    sandbox: Sandbox,
    kind: Arc<Kind>,
    view: View,
    selection: Selection,
    /// Everything up to this version has been seen.
    version: u64,
    /// What is to be sent next, in order.
    ready: VecDeque<Outgoing>,
    news: watch::Receiver<u64>,
    horizon: Option<Horizon>,
    bookmarks: bool,
    next_bookmark: Instant,
    end: Instant,
    ended: bool,
}

/// Something to send, which is written out only when the client reads it.
#[derive(Debug)]
enum Outgoing {
    Event(Word, Arc<Object>),
    /// How far the watch is, and whether it has caught up with the present just now.
    Bookmark(u64, bool),
    Line(Bytes),
}

/// Opens a watch: the lines of its reply.
pub(crate) fn open(
    sandbox: &Sandbox,
    kind: Arc<Kind>,
    view: View,
    options: ListOptions,
    horizon: Option<Horizon>,
) -> impl Stream<Item = Result<Frame<Bytes>, Infallible>> + Send + use<> {
    let watch = Watch::open(sandbox, kind, view, options, horizon);
    stream::unfold(watch, async |mut watch| {
        let line = watch.next().await?;
        Some((Ok(Frame::data(line)), watch))
    })
}

// === impl Watch ===

impl Watch {
    fn open(
        sandbox: &Sandbox,
        kind: Arc<Kind>,
        view: View,
        options: ListOptions,
        horizon: Option<Horizon>,
    ) -> Self {
        let from = match options.at {
            At::NotOlderThan(version) | At::Exactly(version) if version > 0 => Some(version),
            _ => None,
        };
        let initial = options.send_initial_events.unwrap_or(from.is_none());

        // One lock for the present objects, their version and the signal: nothing falls between them.
        let mut store = sandbox.store();
        let current = store.version().min(limit(horizon.as_ref()));
        let mut version = from.unwrap_or(current);
        let mut ready = VecDeque::new();
        // Once a watch is understood, the API server refuses it inside of the stream.
        let mut refusal = None;
        let oldest = store.oldest(&kind);
        if initial && version > current {
            refusal = Some(ApiError::too_large_version(version, current));
        } else if initial {
            match store.list_at(&kind, &options.selection, current) {
                Ok(objects) => {
                    let events = objects.into_iter();
                    ready.extend(events.map(|object| Outgoing::Event(Word::Added, object)));
                    version = current;
                    if options.bookmarks {
                        ready.push_back(Outgoing::Bookmark(version, true));
                    }
                }
                Err(Forgotten { oldest }) => refusal = Some(ApiError::expired(current, oldest)),
            }
        } else if version < oldest {
            refusal = Some(ApiError::expired(version, oldest));
        }
        let refused = refusal.is_some();
        let lines = refusal.map(|error| Outgoing::Line(view::error_line(&error)));
        ready.extend(lines);
        let news = store.news(&kind);
        drop(store);

        let now = Instant::now();
        Self {
            sandbox: sandbox.clone(),
            kind,
            view,
            selection: options.selection,
            version,
            ready,
            news,
            horizon,
            bookmarks: options.bookmarks,
            next_bookmark: now + BOOKMARK_PERIOD,
            end: now
                + options
                    .timeout
                    .map_or(DEFAULT_TIMEOUT, |timeout| timeout.min(LONGEST_TIMEOUT)),
            ended: refused,
        }
    }

    /// The next line; `None` when the watch is over.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(outgoing) = self.ready.pop_front() {
                return Some(match outgoing {
                    Outgoing::Event(word, object) => self.view.event(word, &object),
                    Outgoing::Bookmark(version, caught_up) => {
                        self.view.bookmark(version, caught_up)
                    }
                    Outgoing::Line(line) => line,
                });
            }
            if self.ended {
                return None;
            }
            // Time first, then the signal, then the events: what comes later is news for the next round.
            let now = Instant::now();
            self.news.borrow_and_update();
            if let Some(horizon) = &mut self.horizon {
                horizon.borrow_and_update();
            }
            self.pull();
            if self.ended {
                // The history was lost, and a refusal is the last word.
            } else if now >= self.end {
                self.ended = true;
                self.bookmark();
            } else if self.ready.is_empty() && now >= self.next_bookmark {
                self.bookmark();
            } else if self.ready.is_empty() {
                self.wait().await;
            }
        }
    }

    /// Takes events from the store until some concern this watch or there are no more.
    fn pull(&mut self) {
        let until = limit(self.horizon.as_ref());
        while self.ready.is_empty() {
            let since = self
                .sandbox
                .store()
                .since(&self.kind, self.version, until, BATCH);
            match since {
                Since::Events { events, version } => {
                    let complete = events.is_empty();
                    self.ready.extend(
                        events
                            .iter()
                            .filter_map(|event| select(&self.selection, event)),
                    );
                    self.version = version;
                    if complete {
                        let registry = self.sandbox.registry();
                        self.ended = !registry.serves_still(&self.kind);
                        return;
                    }
                }
                Since::Forgotten { oldest } => {
                    let error = ApiError::expired(self.version, oldest);
                    self.ready
                        .push_back(Outgoing::Line(view::error_line(&error)));
                    self.ended = true;
                }
            }
        }
    }

    /// Waits for news, for the next bookmark, or for the end.
    async fn wait(&mut self) {
        let alarm = if self.bookmarks {
            self.end.min(self.next_bookmark)
        } else {
            self.end
        };
        tokio::select! {
            _ = self.news.changed() => {}
            () = moved(self.horizon.as_mut()) => {}
            () = sleep_until(alarm) => {}
        }
    }

    fn bookmark(&mut self) {
        self.next_bookmark = Instant::now() + BOOKMARK_PERIOD;
        if self.bookmarks {
            self.ready
                .push_back(Outgoing::Bookmark(self.version, false));
        }
    }
}

/// The newest version that may be shown.
pub(crate) fn limit(horizon: Option<&Horizon>) -> u64 {
    horizon
        .and_then(|horizon| *horizon.borrow())
        .unwrap_or(u64::MAX)
}

/// Completes when the horizon moves; never when nobody can move it.
async fn moved(horizon: Option<&mut Horizon>) {
    if let Some(horizon) = horizon
        && horizon.changed().await.is_ok()
    {
        return;
    }
    std::future::pending().await
}

/// What an event means to a client that sees only the selected objects.
fn select(selection: &Selection, event: &Event) -> Option<Outgoing> {
    let now = selection.matches(event.object.value());
    let before = event
        .before
        .as_ref()
        .is_some_and(|before| selection.matches(before.value()));
    let (word, object) = match (event.change, before, now) {
        (Change::Added, _, true) | (Change::Modified, false, true) => {
            (Word::Added, event.object.clone())
        }
        (Change::Modified, true, true) => (Word::Modified, event.object.clone()),
        (Change::Deleted, _, true) => (Word::Deleted, event.object.clone()),
        // It left the selection: the client gets the state that it knew, under the version of the event.
        (Change::Modified, true, false) => (
            Word::Deleted,
            Arc::new(event.before.as_ref()?.at(event.version)),
        ),
        (_, _, false) => return None,
    };
    Some(Outgoing::Event(word, object))
}
