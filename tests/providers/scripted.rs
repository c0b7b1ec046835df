//! Providers that do what a test says.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::{FutureExt, StreamExt, future, future::BoxFuture, stream, stream::BoxStream};
use kube::Client;
use multicluster::{Cluster, ClusterEvent, ClusterProvider, ClusterRef, ClusterSet, Error, Report};
use tokio::{sync::watch, time::timeout};

/// What a stream does next; at its end it ends.
#[derive(Clone)]
pub(crate) enum Step {
    Shows(ClusterEvent),
    Fails,
    Panics,
    Waits(Duration),
    /// Nothing more.
    Stays,
}

/// A provider that plays one script in each of its streams; after the last one, its streams stay silent.
#[derive(Clone)]
pub(crate) struct Scripted {
    streams: Arc<Mutex<VecDeque<Vec<Step>>>>,
    client: Client,
}

/// A provider whose clusters, with their labels, can be changed without a new fingerprint.
#[derive(Clone)]
pub(crate) struct Shown {
    clusters: watch::Sender<Vec<ClusterRef>>,
    client: Client,
}

/// A cluster with labels, as in `env=prod tier=1`.
pub(crate) fn cluster(name: &str, labels: &str) -> ClusterRef {
    let pairs = labels
        .split_whitespace()
        .filter_map(|pair| pair.split_once('='));
    let labels: BTreeMap<_, _> = pairs.map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
    ClusterRef::new(name.parse().unwrap()).labels(labels)
}

pub(crate) fn applied(name: &str, labels: &str) -> Step {
    Step::Shows(ClusterEvent::Applied(cluster(name, labels)))
}

pub(crate) fn removed(name: &str) -> Step {
    Step::Shows(ClusterEvent::Removed(name.parse().unwrap()))
}

pub(crate) const SYNCED: Step = Step::Shows(ClusterEvent::Synced);

/// The next event in words: `+name labels`, `-name`, `synced` or `! error`.
pub(crate) async fn next(events: &mut BoxStream<'static, Result<ClusterEvent, Error>>) -> String {
    let event = timeout(Duration::from_secs(120), events.next()).await;
    match event
        .expect("an event within 120 s")
        .expect("the stream goes on")
    {
        Ok(ClusterEvent::Applied(cluster)) => {
            let labels = cluster.labels.iter().map(|(k, v)| format!(" {k}={v}"));
            format!("+{}{}", cluster.name, labels.collect::<String>())
        }
        Ok(ClusterEvent::Removed(name)) => format!("-{name}"),
        Ok(ClusterEvent::Synced) => "synced".to_owned(),
        Ok(other) => format!("{other:?}"),
        Err(error) => format!("! {}", Report(&error)),
    }
}

/// The next `number` events in words.
pub(crate) async fn some(
    events: &mut BoxStream<'static, Result<ClusterEvent, Error>>,
    number: usize,
) -> Vec<String> {
    let mut words = Vec::new();
    for _ in 0..number {
        words.push(next(events).await);
    }
    words
}

/// Asserts that nothing happens for a minute.
pub(crate) async fn silent(events: &mut BoxStream<'static, Result<ClusterEvent, Error>>) {
    let event = timeout(Duration::from_secs(60), events.next()).await;
    assert!(event.is_err(), "{event:?}");
}

// === impl Scripted ===

impl Scripted {
    pub(crate) fn new(client: Client, streams: impl IntoIterator<Item = Vec<Step>>) -> Self {
        Self {
            streams: Arc::new(Mutex::new(streams.into_iter().collect())),
            client,
        }
    }

    /// How many streams were begun of `all`.
    pub(crate) fn left(&self) -> usize {
        self.streams.lock().unwrap().len()
    }
}

impl ClusterProvider for Scripted {
    fn clusters(&self) -> BoxStream<'static, Result<ClusterEvent, Error>> {
        let script = self.streams.lock().unwrap().pop_front();
        let script = script.unwrap_or_else(|| vec![Step::Stays]);
        stream::iter(script)
            .filter_map(|step| async {
                match step {
                    Step::Shows(event) => Some(Ok(event)),
                    Step::Fails => {
                        let cause = "connection refused";
                        Some(Err(Error::provider("scripted", "watch the source", cause)))
                    }
                    Step::Panics => panic!("at the disco"),
                    Step::Waits(pause) => {
                        tokio::time::sleep(pause).await;
                        None
                    }
                    Step::Stays => future::pending().await,
                }
            })
            .boxed()
    }

    fn connect(&self, cluster: &ClusterRef) -> BoxFuture<'static, Result<Cluster, Error>> {
        let cluster = Cluster::new(cluster.name.clone(), self.client.clone());
        future::ready(Ok(cluster)).boxed()
    }
}

// === impl Shown ===

impl Shown {
    pub(crate) fn new(client: Client, clusters: impl IntoIterator<Item = ClusterRef>) -> Self {
        Self {
            clusters: watch::Sender::new(clusters.into_iter().collect()),
            client,
        }
    }

    /// These are the clusters from now on.
    pub(crate) fn show(&self, clusters: impl IntoIterator<Item = ClusterRef>) {
        self.clusters.send_replace(clusters.into_iter().collect());
    }
}

impl ClusterProvider for Shown {
    fn clusters(&self) -> BoxStream<'static, Result<ClusterEvent, Error>> {
        let mut changes = self.clusters.subscribe();
        changes.mark_changed();
        let listings = stream::unfold(changes, |mut changes| async move {
            changes.changed().await.ok()?;
            let clusters = changes.borrow_and_update().clone();
            Some((clusters, changes))
        });
        let mut set = ClusterSet::new();
        listings
            .flat_map(move |clusters| stream::iter(set.replace(clusters).into_iter().map(Ok)))
            .boxed()
    }

    fn connect(&self, cluster: &ClusterRef) -> BoxFuture<'static, Result<Cluster, Error>> {
        let cluster = Cluster::new(cluster.name.clone(), self.client.clone());
        future::ready(Ok(cluster)).boxed()
    }
}
