//! Reads all sources, and of their files only those that have changed.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet, hash_map::Entry},
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use multicluster::{ClusterName, ClusterRef};
use tokio::sync::Notify;

use super::{Settings, content::Content, folders::Folders, problems::Problem, source::Source};

/// How often the sources are read in a row because folders that were not watched turned up.
const LOOKS: usize = 4;

/// The label with the name of a cluster's file.
const FILE: &str = "file";

/// What is known of the sources. Everything here blocks.
pub(super) struct Reader {
    settings: Arc<Settings>,
    /// The files of each source, once it could be listed.
    listed: Vec<Option<Vec<Arc<Path>>>>,
    contents: HashMap<Arc<Path>, Content>,
    folders: Folders,
    /// Whether the newest look could list all sources.
    complete: bool,
}

/// What the sources say together.
#[derive(Debug, Default)]
pub(super) struct Reading {
    pub(super) clusters: Vec<ClusterRef>,
    pub(super) places: Places,
    pub(super) problems: Vec<Problem>,
    /// Whether each source could be listed; what could not is shown as it was before.
    pub(super) complete: bool,
}

/// Where each cluster is found.
pub(super) type Places = HashMap<ClusterName, Place>;

/// Where a cluster is found.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) file: Arc<Path>,
    /// Its context; `None` when the file is the cluster.
    pub(super) context: Option<Arc<str>>,
}

// === impl Reader ===

impl Reader {
    /// Nothing is known yet; `notice` is told when reading again is worth it.
    pub(super) fn new(settings: Arc<Settings>, notice: Arc<Notify>) -> Self {
        Self {
            listed: vec![None; settings.sources.len()],
            settings,
            contents: HashMap::new(),
            folders: Folders::new(notice),
            complete: false,
        }
    }

    /// Reads what has changed since the last time.
    pub(super) fn read(&mut self) -> Reading {
        let mut problems = Vec::new();
        for _ in 0..LOOKS {
            problems = self.look();
            let (fresh, unwatched) = self.folders.watch(&self.interesting());
            problems.extend(unwatched);
            // What changed before a folder was watched is seen by looking once more.
            if !fresh {
                break;
            }
        }
        self.collect(problems)
    }

    /// Reads without watching, once.
    pub(super) fn read_once(mut self) -> Reading {
        let problems = self.look();
        self.collect(problems)
    }

    /// Lists all sources and reads the files that have changed; what cannot be listed stays as it is.
    fn look(&mut self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut looked = HashSet::new();
        let settings = self.settings.clone();
        for (n, source) in settings.sources.iter().enumerate() {
            match source.list() {
                Ok(files) => {
                    let files: Vec<Arc<Path>> = files.into_iter().map(Arc::from).collect();
                    for file in &files {
                        if looked.insert(file.clone()) {
                            self.look_at(file, matches!(source, Source::File(_)));
                        }
                    }
                    self.listed[n] = Some(files);
                }
                Err(problem) => problems.push(problem),
            }
        }
        self.complete = problems.is_empty();
        let listed = self.listed.iter().flatten().flatten();
        let listed: HashSet<_> = listed.collect();
        self.contents.retain(|file, _| listed.contains(file));
        problems
    }

    fn look_at(&mut self, file: &Arc<Path>, wanted: bool) {
        let there = fs::metadata(file);
        let skip = match &there {
            // Folders and sockets among the files.
            Ok(metadata) => !metadata.is_file() && !wanted,
            // Deleted since it was listed; a link without a target stays.
            Err(_) => fs::symlink_metadata(file).is_err(),
        };
        if skip {
            self.contents.remove(file);
            return;
        }
        let before = self.contents.get(file);
        if !before.is_some_and(Content::is_current) {
            let content = Content::read(file, &self.settings, before);
            self.contents.insert(file.clone(), content);
        }
    }

    /// The folders in which changes matter.
    fn interesting(&self) -> BTreeSet<PathBuf> {
        let sources = self.settings.sources.iter().flat_map(Source::folders);
        let contents = self.contents.values().flat_map(|content| &content.folders);
        sources.chain(contents.cloned()).collect()
    }

    /// The clusters of all files; of two with the same name, the first one stays.
    fn collect(&self, problems: Vec<Problem>) -> Reading {
        let mut reading = Reading {
            problems,
            complete: self.complete,
            ..Reading::default()
        };
        let mut seen = HashSet::new();
        for file in self.listed.iter().flatten().flatten() {
            let Some(content) = self.contents.get(file).filter(|_| seen.insert(file)) else {
                continue;
            };
            let label = file.file_name().unwrap_or_default().to_string_lossy();
            reading.problems.extend(content.problems.iter().cloned());
            for found in &content.clusters {
                match reading.places.entry(found.name.clone()) {
                    Entry::Vacant(free) => {
                        free.insert(Place {
                            file: file.clone(),
                            context: found.context.clone(),
                        });
                        let labels =
                            BTreeMap::from([(FILE.to_owned(), label.clone().into_owned())]);
                        let mut cluster = ClusterRef::new(found.name.clone()).labels(labels);
                        cluster.fingerprint = found.fingerprint;
                        reading.clusters.push(cluster);
                    }
                    Entry::Occupied(taken) => {
                        let step = format!("use the cluster {} of {}", found.name, file.display());
                        let first = taken.get().file.display();
                        let cause = format!("{first} has a cluster of this name");
                        reading.problems.push(Problem::new(step, cause));
                    }
                }
            }
        }
        reading
    }
}
