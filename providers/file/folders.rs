//! Folders whose changes are noticed.

use std::{
    collections::{BTreeSet, HashMap},
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use notify::{
    Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher,
    event::{AccessKind, AccessMode, ModifyKind},
};
use tokio::sync::Notify;

use super::problems::Problem;

/// Watches folders, not files: a file that is replaced by a rename is another one, and a watch of it would see nothing.
pub(super) struct Folders {
    watcher: Option<RecommendedWatcher>,
    watched: Watched,
    notice: Arc<Notify>,
}

/// The folders with a watch, and which folder it was: device and inode.
#[derive(Clone, Default)]
struct Watched(Arc<Mutex<HashMap<PathBuf, (u64, u64)>>>);

// === impl Folders ===

impl Folders {
    /// Nothing is watched; `notice` is told of changes.
    pub(super) fn new(notice: Arc<Notify>) -> Self {
        Self {
            watcher: None,
            watched: Watched::default(),
            notice,
        }
    }

    /// Watches `wanted` and nothing else; true when one was not watched before, so that changes of it may have been missed.
    ///
    /// In place of a folder that is not there, the nearest one above it is watched.
    pub(super) fn watch(&mut self, wanted: &BTreeSet<PathBuf>) -> (bool, Option<Problem>) {
        let wanted: HashMap<_, _> = wanted.iter().filter_map(|path| existing(path)).collect();
        let stale = self.watched.stale(&wanted);
        let fresh = {
            let watched = self.watched.lock();
            let fresh = wanted
                .iter()
                .filter(|(path, _)| !watched.contains_key(*path));
            fresh
                .map(|(path, id)| (path.clone(), *id))
                .collect::<Vec<_>>()
        };
        let watcher = match self.watcher(fresh.first()) {
            Ok(Some(watcher)) => watcher,
            Ok(None) => return (false, None),
            Err(problem) => return (false, Some(problem)),
        };
        for path in stale {
            // Its folder may be gone, and the watch with it.
            drop(watcher.unwatch(&path));
        }
        // Without the lock: the watcher's thread takes it before it answers.
        let mut added = Vec::new();
        let mut problem = None;
        for (path, id) in fresh {
            match watcher.watch(&path, RecursiveMode::NonRecursive) {
                Ok(()) => added.push((path, id)),
                Err(error) => {
                    problem.get_or_insert_with(|| cannot_watch(&path, error));
                }
            }
        }
        let any = !added.is_empty();
        self.watched.lock().extend(added);
        (any, problem)
    }

    fn watcher(
        &mut self,
        first: Option<&(PathBuf, (u64, u64))>,
    ) -> Result<Option<&mut RecommendedWatcher>, Problem> {
        if self.watcher.is_none()
            && let Some((path, _)) = first
        {
            let (watched, notice) = (self.watched.clone(), self.notice.clone());
            let watcher = notify::recommended_watcher(move |event| {
                if watched.see(event) {
                    notice.notify_one();
                }
            });
            self.watcher = Some(watcher.map_err(|error| cannot_watch(path, error))?);
        }
        Ok(self.watcher.as_mut())
    }
}

fn cannot_watch(folder: &Path, error: notify::Error) -> Problem {
    let step = format!(
        "watch {}, which is looked at from time to time now",
        folder.display()
    );
    Problem::new(step, error)
}

/// The folder itself without links, or the nearest one above it that exists.
fn existing(path: &Path) -> Option<(PathBuf, (u64, u64))> {
    path.ancestors().find_map(|path| {
        let path = match path.as_os_str().is_empty() {
            true => Path::new("."),
            false => path,
        };
        let path = fs::canonicalize(path).ok()?;
        let metadata = fs::metadata(&path).ok().filter(fs::Metadata::is_dir)?;
        Some((path, (metadata.dev(), metadata.ino())))
    })
}

// === impl Watched ===

impl Watched {
    fn lock(&self) -> MutexGuard<'_, HashMap<PathBuf, (u64, u64)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets those that are not wanted, or have become other folders.
    fn stale(&self, wanted: &HashMap<PathBuf, (u64, u64)>) -> Vec<PathBuf> {
        let mut watched = self.lock();
        let stale = watched
            .iter()
            .filter(|(path, id)| wanted.get(*path) != Some(id));
        let stale: Vec<_> = stale.map(|(path, _)| path.clone()).collect();
        for path in &stale {
            watched.remove(path);
        }
        stale
    }

    /// Whether an event is to be noticed: reading, which we do ourselves, is not.
    fn see(&self, event: notify::Result<Event>) -> bool {
        let Ok(event) = event else {
            return true;
        };
        match event.kind {
            EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
            EventKind::Access(_) => false,
            EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_)) => {
                // A folder that is gone has no watch any more, even if another one has its name.
                let mut watched = self.lock();
                for path in &event.paths {
                    watched.remove(path);
                }
                true
            }
            _ => true,
        }
    }
}
