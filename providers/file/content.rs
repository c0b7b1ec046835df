//! What one file says.

use std::{
    collections::{BTreeSet, HashSet},
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use multicluster::{
    BoxError, ClusterName, ClusterRef,
    kube::config::{Context, Kubeconfig},
};

use super::{
    Settings,
    digest::Entries,
    load::{context_of_file, load},
    problems::Problem,
    source::parent,
    stamp::Stamp,
};

/// The clusters of a file; holds no credentials.
#[derive(Debug, Default)]
pub(super) struct Content {
    /// The clusters, in the file's order.
    pub(super) clusters: Vec<Found>,
    /// What in the file cannot be used.
    pub(super) problems: Vec<Problem>,
    /// The folders in which a change can be one of the content.
    pub(super) folders: Vec<PathBuf>,
    /// The file and those that it refers to, as they were before they were read.
    stamps: Vec<(PathBuf, Option<Stamp>)>,
    settled: bool,
}

/// A cluster in a file.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) name: ClusterName,
    /// Its context; `None` when the file is the cluster.
    pub(super) context: Option<Arc<str>>,
    pub(super) fingerprint: u64,
}

// === impl Content ===

impl Content {
    /// Reads `file`; what `before` has of it is kept where it cannot be read now.
    pub(super) fn read(file: &Path, settings: &Settings, before: Option<&Self>) -> Self {
        let now = SystemTime::now();
        let stamp = stamp(file);
        let mut content = Self::default();
        let mut others = Vec::new();
        match load(file) {
            Ok(kubeconfig) => {
                let mut entries = Entries::new(&kubeconfig, settings.allowed.files);
                if settings.file_is_cluster {
                    content.add_file(file, &kubeconfig, &mut entries, before);
                } else {
                    content.add_contexts(file, &kubeconfig, &mut entries, before);
                }
                others.extend(entries.into_files());
            }
            Err(error) => {
                content.clusters = before.map_or_else(Vec::new, |before| before.clusters.clone());
                let step = format!("read {}", file.display());
                content.problems.push(Problem::new(step, error));
            }
        }
        content.remember(file, stamp, others, now);
        content
    }

    /// Whether reading the file anew would yield the same.
    pub(super) fn is_current(&self) -> bool {
        self.settled && self.stamps.iter().all(|(file, was)| stamp(file) == *was)
    }

    /// The file is a cluster, whose name is that of the file.
    fn add_file(
        &mut self,
        file: &Path,
        kubeconfig: &Kubeconfig,
        entries: &mut Entries<'_>,
        before: Option<&Self>,
    ) {
        let stem = file.file_stem().unwrap_or_default().to_string_lossy();
        let added = context_of_file(kubeconfig).and_then(|chosen| {
            let contexts = &kubeconfig.contexts;
            let found = contexts.iter().find(|named| named.name == chosen);
            let context = found.and_then(|named| named.context.as_ref());
            found_cluster(&stem, None, context, entries)
        });
        let kept = || before.and_then(|before| before.clusters.first());
        self.add(added, kept, || format!("use {}", file.display()));
    }

    /// Each context is a cluster, with its name.
    fn add_contexts(
        &mut self,
        file: &Path,
        kubeconfig: &Kubeconfig,
        entries: &mut Entries<'_>,
        before: Option<&Self>,
    ) {
        let mut names = HashSet::new();
        for named in &kubeconfig.contexts {
            let name = &*named.name;
            let first = names.insert(name);
            let added = if first {
                let context = named.context.as_ref();
                found_cluster(name, Some(name.into()), context, entries)
            } else {
                Err("another context of the file has this name".into())
            };
            let mut known = before.into_iter().flat_map(|before| &before.clusters);
            let kept = || known.find(|found| first && found.context.as_deref() == Some(name));
            self.add(added, kept, || {
                let short: String = name.chars().take(64).collect();
                format!("use the context {short:?} of {}", file.display())
            });
        }
    }

    /// Adds a cluster, or what is kept of one that cannot be used now.
    fn add<'a>(
        &mut self,
        added: Result<Found, BoxError>,
        kept: impl FnOnce() -> Option<&'a Found>,
        step: impl FnOnce() -> String,
    ) {
        match added {
            Ok(found) => self.clusters.push(found),
            Err(error) => {
                self.clusters.extend(kept().cloned());
                self.problems.push(Problem::new(step(), error));
            }
        }
    }

    fn remember(
        &mut self,
        file: &Path,
        read: Option<Stamp>,
        others: Vec<PathBuf>,
        now: SystemTime,
    ) {
        self.stamps = vec![(file.to_path_buf(), read)];
        self.stamps.extend(others.into_iter().map(|other| {
            let stamp = stamp(&other);
            (other, stamp)
        }));
        // What is wrong may heal without a trace, as when too many files were open.
        self.settled = self.problems.is_empty()
            && self
                .stamps
                .iter()
                .all(|(_, stamp)| stamp.is_some_and(|stamp| stamp.is_settled(now)));
        let mut folders = BTreeSet::new();
        for (file, _) in &self.stamps {
            folders.extend(parent(file));
            // A link to another folder does not change when its target does.
            let target = fs::canonicalize(file).ok();
            folders.extend(target.and_then(|file| parent(&file)));
        }
        self.folders = folders.into_iter().collect();
    }
}

fn found_cluster(
    name: &str,
    context_name: Option<Arc<str>>,
    context: Option<&Context>,
    entries: &mut Entries<'_>,
) -> Result<Found, BoxError> {
    let name = ClusterName::new(name)?;
    let context = context.ok_or("it has no such context")?;
    let bytes = entries.bytes(context)?;
    let fingerprint = ClusterRef::new(name.clone())
        .fingerprint_of(bytes)
        .fingerprint;
    Ok(Found {
        name,
        context: context_name,
        fingerprint,
    })
}

/// The stamp of a file, through links; `None` when it cannot be seen.
fn stamp(file: &Path) -> Option<Stamp> {
    fs::metadata(file).ok().map(|metadata| Stamp::of(&metadata))
}
