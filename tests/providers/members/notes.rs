//! What the replicas of a test did, and when.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::beats::Beat;

/// Something that a replica did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    pub(crate) at: Instant,
    pub(crate) peer: String,
    pub(crate) cluster: String,
    pub(crate) what: What,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Engaged,
    Ended,
    /// It reconciled the ConfigMap with this number, and the cluster answered its request.
    Reconciled(u64),
    /// It reconciled the ConfigMap, and its request failed.
    Failed(String),
}

/// All notes of all replicas, oldest first; clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notes(Arc<Mutex<Vec<Note>>>);

/// How promptly the changes of a cluster were reconciled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pace {
    /// How many changes there were.
    pub(crate) changes: usize,
    /// The longest time from a change to a reconcile that knew of it.
    pub(crate) latency: Duration,
    /// The longest time between two reconciles.
    pub(crate) gap: Duration,
}

// === impl Notes ===

impl Notes {
    pub(crate) fn push(&self, peer: &str, cluster: &str, what: What) {
        // Under the lock, so that the order is that of the times.
        let mut notes = self.lock();
        notes.push(Note {
            at: Instant::now(),
            peer: peer.to_owned(),
            cluster: cluster.to_owned(),
            what,
        });
    }

    /// What was noted of a cluster from `since` on.
    pub(crate) fn of(&self, cluster: &str, since: Instant) -> Vec<Note> {
        let notes = self.lock();
        let since = notes.partition_point(|note| note.at < since);
        let of = |note: &&Note| note.cluster == cluster;
        notes[since..].iter().filter(of).cloned().collect()
    }

    /// When the cluster was first reconciled with `beat` or a later one.
    pub(crate) fn reconciled(&self, cluster: &str, beat: Beat) -> Option<Instant> {
        let notes = self.lock();
        // The newest are few.
        let since = notes.partition_point(|note| note.at < beat.at);
        let mut later = notes[since..].iter();
        let found =
            later.find(|note| note.cluster == cluster && note.number() >= Some(beat.number));
        found.map(|note| note.at)
    }

    /// The last time that a replica took a cluster up or left it.
    pub(crate) fn last_move(&self) -> Option<Instant> {
        let notes = self.lock();
        let moves = |note: &&Note| matches!(note.what, What::Engaged | What::Ended);
        notes.iter().rev().find(moves).map(|note| note.at)
    }

    /// How promptly `beats`, which are all reconciled by now, were.
    pub(crate) fn pace(&self, cluster: &str, beats: &[Beat]) -> Pace {
        let mut pace = Pace {
            changes: beats.len(),
            ..Pace::default()
        };
        let Some(first) = beats.first() else {
            return pace;
        };
        let notes = self.of(cluster, first.at);
        let mut reconciles = notes.iter().filter(|note| note.number().is_some());
        let mut last = first.at;
        let mut current = reconciles.next();
        for beat in beats {
            while let Some(note) = current.filter(|note| note.number() < Some(beat.number)) {
                pace.gap = pace.gap.max(note.at.duration_since(last));
                (last, current) = (note.at, reconciles.next());
            }
            let note = current.expect("each change is reconciled");
            pace.latency = pace.latency.max(note.at.saturating_duration_since(beat.at));
            pace.gap = pace.gap.max(note.at.saturating_duration_since(last));
        }
        pace
    }

    /// Fails when two replicas worked on the cluster at one time.
    pub(crate) fn check_exclusive(&self, cluster: &str) {
        let mut holder: Option<String> = None;
        for note in self.lock().iter().filter(|note| note.cluster == cluster) {
            match &note.what {
                What::Engaged => {
                    assert_eq!(holder, None, "{note:?}");
                    holder = Some(note.peer.clone());
                }
                What::Ended => {
                    assert_eq!(holder.take().as_ref(), Some(&note.peer), "{note:?}");
                }
                What::Reconciled(_) | What::Failed(_) => {}
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Note>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Note ===

impl Note {
    /// The number that was reconciled.
    fn number(&self) -> Option<u64> {
        match self.what {
            What::Reconciled(number) => Some(number),
            _ => None,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_pause_shows_in_the_pace() {
    use tokio::time::sleep;
    const STEP: Duration = Duration::from_millis(50);
    let (notes, mut beats) = (Notes::default(), Vec::new());
    for number in 1..=100 {
        let at = Instant::now();
        beats.push(Beat { number, at });
        sleep(STEP / 10).await;
        notes.push("a", "other", What::Reconciled(number));
        // Nothing of 40 to 79, as if the cluster had been forgotten for 2 s.
        if !(40..80).contains(&number) {
            notes.push("a", "zoo", What::Reconciled(number));
        }
        sleep(STEP - STEP / 10).await;
    }
    let other = notes.pace("other", &beats);
    assert_eq!((other.latency, other.gap), (STEP / 10, STEP));
    let zoo = notes.pace("zoo", &beats);
    assert_eq!((zoo.latency, zoo.gap), (40 * STEP + STEP / 10, 41 * STEP));
}
