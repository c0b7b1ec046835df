//! What a replica says: one JSON object per line on its stdout.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};

/// One line.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) time: Timestamp,
    pub(crate) level: String,
    pub(crate) what: What,
    pub(crate) fields: BTreeMap<String, Value>,
}

/// The messages that the tests rely on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Start { cluster: String },
    Stop { cluster: String },
    Reconcile { cluster: String, name: String },
    Other(String),
}

/// All lines of one process so far; clones see the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    lines: Arc<Mutex<Lines>>,
}

#[derive(Debug, Default)]
struct Lines {
    events: Vec<Arc<Event>>,
    /// Lines that are no events.
    strange: Vec<String>,
    closed: bool,
}

// === impl Event ===

impl Event {
    /// Reads one line.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub(crate) fn parse(line: &str) -> Result<Self, String> {
        let wrong = |what: &str| format!("{what}: {line}");
        let mut fields: BTreeMap<String, Value> =
            serde_json::from_str(line).map_err(|error| wrong(&error.to_string()))?;
        let mut take = |key: &str| match fields.remove(key) {
            Some(Value::String(text)) => Ok(text),
            _ => Err(wrong(&format!("no {key:?}"))),
        };
        let (time, level, message) = (take("time")?, take("level")?, take("message")?);
        let time = time.parse().map_err(|_| wrong("no RFC 3339 time"))?;
        let text = |key: &str| {
            let text = fields.get(key).and_then(Value::as_str).map(str::to_owned);
            text.ok_or_else(|| wrong(&format!("no {key:?}")))
        };
        let what = match message.as_str() {
            "synchronization start" => What::Start {
                cluster: text("cluster")?,
            },
            "synchronization stop" => What::Stop {
                cluster: text("cluster")?,
            },
            "Reconciling ConfigMap" => What::Reconcile {
                cluster: text("cluster")?,
                name: text("name")?,
            },
            _ => What::Other(message),
        };
        Ok(Self {
            time,
            level,
            what,
            fields,
        })
    }
}

// === impl Log ===

impl Log {
    /// Collects the lines of `stream` until it ends.
    pub(crate) fn follow(stream: impl AsyncRead + Send + Unpin + 'static) -> Self {
        let log = Self::default();
        let writer = log.clone();
        tokio::spawn(async move {
            let mut lines = BufReader::new(stream).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                writer.push(&line);
            }
            writer.lock().closed = true;
        });
        log
    }

    /// Takes one line in.
    pub(crate) fn push(&self, line: &str) {
        let event = Event::parse(line);
        let mut lines = self.lock();
        match event {
            Ok(event) => lines.events.push(Arc::new(event)),
            Err(problem) => lines.strange.push(problem),
        }
    }

    /// All events so far, oldest first.
    pub(crate) fn events(&self) -> Vec<Arc<Event>> {
        self.lock().events.clone()
    }

    /// Lines that are not in the promised form.
    pub(crate) fn strange(&self) -> Vec<String> {
        self.lock().strange.clone()
    }

    /// Whether the process has closed its stdout, so that nothing follows.
    pub(crate) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
