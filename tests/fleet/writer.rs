//! Somebody who changes the ConfigMaps all the time, so that there is work.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::{StreamExt, stream};
use kube::Client;
use tokio::{
    sync::{Mutex, OwnedMutexGuard},
    task::JoinHandle,
    time::{MissedTickBehavior, interval},
};

use super::change;

/// Changes the ConfigMap of every cluster again and again; ends when dropped.
#[derive(Debug)]
pub(crate) struct Writer {
    rounds: Arc<AtomicUsize>,
    turn: Arc<Mutex<()>>,
    task: JoinHandle<()>,
}

// === impl Writer ===

impl Writer {
    /// One round of changes every `period`, or as fast as the server takes them.
    pub(crate) fn start(client: Client, clusters: BTreeSet<String>, period: Duration) -> Self {
        let rounds = Arc::new(AtomicUsize::new(0));
        let turn: Arc<Mutex<()>> = Arc::default();
        let (counter, turns) = (rounds.clone(), turn.clone());
        let task = tokio::spawn(async move {
            let mut clock = interval(period);
            clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                clock.tick().await;
                let _turn = turns.lock().await;
                let changes = clusters.clone().into_iter().map(|cluster| {
                    let client = client.clone();
                    async move { change(&client, &cluster).await }
                });
                stream::iter(changes)
                    .buffer_unordered(8)
                    .for_each(async |changed| changed.expect("change a ConfigMap"))
                    .await;
                counter.fetch_add(1, Ordering::Relaxed);
            }
        });
        Self { rounds, turn, task }
    }

    /// Holds the writer up between two rounds, for as long as the result lives.
    pub(crate) async fn pause(&self) -> OwnedMutexGuard<()> {
        self.turn.clone().lock_owned().await
    }

    /// How many rounds are complete.
    pub(crate) fn rounds(&self) -> usize {
        self.rounds.load(Ordering::Relaxed)
    }

    /// Whether it still writes: a refused change ends it.
    pub(crate) fn is_alive(&self) -> bool {
        !self.task.is_finished()
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.task.abort();
    }
}
