//! What containers print, for `kubectl logs`.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use k8s_openapi::{api::core::v1::Pod, jiff::Timestamp};
use kube::ResourceExt;
use tokio::sync::watch;

/// How much of an instance's output is kept, in bytes: the newest.
const KEPT: usize = 8 << 20;

/// The output of all containers; clones share it.
#[derive(Clone, Default)]
pub(crate) struct Logs {
    containers: Arc<Mutex<BTreeMap<Key, Kept>>>,
}

/// The newest process of a container, and the one before it.
struct Kept {
    pod_uid: String,
    current: Instance,
    previous: Option<Instance>,
}

/// Namespace, Pod and container.
type Key = (String, String, String);

/// The output of one process of a container; clones share it.
#[derive(Clone)]
pub(crate) struct Instance {
    lines: Arc<Mutex<Lines>>,
    /// Told of every change.
    changed: watch::Sender<()>,
}

#[derive(Default)]
struct Lines {
    lines: VecDeque<(Timestamp, Arc<str>)>,
    bytes: usize,
    /// How many lines are not kept any more.
    dropped: usize,
    closed: bool,
}

// === impl Logs ===

impl Logs {
    /// Begins the output of a new process.
    pub(super) fn open(&self, pod: &Pod, container: &str) -> Instance {
        let key = (
            pod.namespace().unwrap_or_default(),
            pod.name_any(),
            container.to_owned(),
        );
        let instance = Instance::new();
        let mut containers = self.lock();
        let pod_uid = pod.uid().unwrap_or_default();
        let before = containers
            .remove(&key)
            .filter(|kept| kept.pod_uid == pod_uid);
        let kept = Kept {
            pod_uid,
            current: instance.clone(),
            previous: before.map(|kept| kept.current),
        };
        containers.insert(key, kept);
        instance
    }

    /// Drops the output of a Pod that is gone.
    pub(super) fn forget(&self, namespace: &str, pod: &str, uid: &str) {
        self.lock().retain(|(of, name, _), kept| {
            (of.as_str(), name.as_str(), kept.pod_uid.as_str()) != (namespace, pod, uid)
        });
    }

    /// The output of a container's newest process, or of the one before it.
    pub(crate) fn get(
        &self,
        namespace: &str,
        pod: &str,
        container: &str,
        previous: bool,
    ) -> Option<Instance> {
        let key = (namespace.to_owned(), pod.to_owned(), container.to_owned());
        let containers = self.lock();
        let kept = containers.get(&key)?;
        match previous {
            true => kept.previous.clone(),
            false => Some(kept.current.clone()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Key, Kept>> {
        self.containers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Instance ===

impl Instance {
    fn new() -> Self {
        Self {
            lines: Arc::default(),
            changed: watch::Sender::new(()),
        }
    }

    pub(super) fn push(&self, line: &str) {
        let mut lines = self.lock();
        lines.bytes += line.len();
        lines.lines.push_back((Timestamp::now(), line.into()));
        while lines.bytes > KEPT
            && let Some((_, oldest)) = lines.lines.pop_front()
        {
            lines.bytes -= oldest.len();
            lines.dropped += 1;
        }
        drop(lines);
        self.changed.send_replace(());
    }

    /// Nothing follows.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.send_replace(());
    }

    /// The lines from number `from` on, and the number of the next one; waits for one if there is none yet.
    ///
    /// `None` when the process has ended, and there are no more.
    pub(crate) async fn next(&self, from: usize) -> Option<(Vec<(Timestamp, Arc<str>)>, usize)> {
        let mut changed = self.changed.subscribe();
        loop {
            changed.borrow_and_update();
            let (lines, next, closed) = self.after(from);
            if !lines.is_empty() {
                return Some((lines, next));
            }
            if closed || changed.changed().await.is_err() {
                return None;
            }
        }
    }

    /// The lines from number `from` on, the number of the next one, and whether it is the last.
    pub(crate) fn after(&self, from: usize) -> (Vec<(Timestamp, Arc<str>)>, usize, bool) {
        let lines = self.lock();
        let kept = lines.lines.iter().skip(from.saturating_sub(lines.dropped));
        let next = lines.dropped + lines.lines.len();
        (kept.cloned().collect(), next, lines.closed)
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
