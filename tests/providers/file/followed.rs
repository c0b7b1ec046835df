//! A provider's stream, followed.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use futures_util::StreamExt;
use multicluster::{
    ClusterEvent, ClusterProvider, ClusterRef, Report, providers::FileProvider, testing::eventually,
};
use tokio::task::JoinHandle;

const LIMIT: Duration = Duration::from_secs(60);

/// What a stream has said so far.
pub(super) struct Followed {
    said: Arc<Mutex<Said>>,
    task: JoinHandle<()>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Said {
    pub(super) clusters: BTreeMap<String, ClusterRef>,
    /// `+` or `-` and a cluster's name.
    pub(super) changes: Vec<String>,
    /// Each as one line.
    pub(super) errors: Vec<String>,
    /// The `Debug` output of all errors and events.
    pub(super) debug: String,
    pub(super) synced: usize,
}

impl Followed {
    pub(super) fn new(provider: &FileProvider) -> Self {
        let said = Arc::new(Mutex::new(Said::default()));
        let (mut events, writer) = (provider.clusters(), said.clone());
        let task = tokio::spawn(async move {
            while let Some(event) = events.next().await {
                let mut said = writer.lock().unwrap();
                said.debug.push_str(&format!("{event:?}\n"));
                match event {
                    Ok(ClusterEvent::Applied(cluster)) => {
                        said.changes.push(format!("+{}", cluster.name));
                        said.clusters.insert(cluster.name.to_string(), cluster);
                    }
                    Ok(ClusterEvent::Removed(name)) => {
                        said.changes.push(format!("-{name}"));
                        said.clusters.remove(name.as_str());
                    }
                    Ok(_) => said.synced += 1,
                    Err(error) => said.errors.push(Report(&error).to_string()),
                }
            }
        });
        Self { said, task }
    }

    /// The same, when it has read everything once.
    pub(super) async fn synced(provider: &FileProvider) -> Self {
        let followed = Self::new(provider);
        followed.reads(1).await;
        followed
    }

    pub(super) fn said(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap()
    }

    pub(super) async fn until(&self, what: &str, condition: impl Fn(&Said) -> bool) {
        let what = format!("{what}; {:?}", self.said());
        eventually(LIMIT, &what, async || condition(&self.said())).await;
    }

    /// Waits until these clusters are there and no others.
    pub(super) async fn shows(&self, names: &[&str]) {
        let names: BTreeSet<_> = names.iter().copied().collect();
        self.until(&format!("clusters {names:?}"), |said| {
            said.clusters
                .keys()
                .map(String::as_str)
                .eq(names.iter().copied())
        })
        .await;
    }

    /// Waits until everything was read `times` more.
    pub(super) async fn reads(&self, times: usize) {
        let wanted = self.said().synced + times;
        self.until("read again", |said| said.synced >= wanted).await;
    }

    /// Waits until so many errors were reported in all, and yields the last one.
    pub(super) async fn error(&self, count: usize) -> String {
        self.until("an error", |said| said.errors.len() >= count)
            .await;
        let said = self.said();
        assert_eq!(said.errors.len(), count, "{:?}", said.errors);
        said.errors[count - 1].clone()
    }

    /// Waits for the next changes, which must be these, and that reading once more brings no other.
    pub(super) async fn changes(&self, after: usize, expected: &[&str]) {
        self.until(&format!("changes {expected:?}"), |said| {
            said.changes.len() >= after + expected.len()
        })
        .await;
        assert_eq!(self.said().changes[after..], *expected);
    }
}

impl Drop for Followed {
    fn drop(&mut self) {
        self.task.abort();
    }
}
