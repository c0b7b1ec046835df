//! What must hold, whatever happens.

use std::{collections::BTreeMap, time::Duration};

use crate::clock::Moment;

/// Watches all processes at once, with the real time; no process knows what it knows.
#[derive(Debug, Default)]
pub(super) struct Observer {
    clusters: BTreeMap<usize, Observed>,
    pub(super) violations: Vec<String>,
    /// Member writes that were checked.
    pub(super) writes: u64,
    /// Fences that were taken from a process that was alive and connected.
    pub(super) thefts: u64,
    /// How often work on a cluster began.
    pub(super) tenures: u64,
    /// How often it began in another process than before.
    pub(super) moves: u64,
    /// For each beginning of work after another process's: how long nobody worked.
    pub(super) gaps: Vec<Duration>,
}

#[derive(Debug, Default)]
struct Observed {
    /// The newest tenure in which work began.
    worker: u64,
    token: u64,
    process: Option<usize>,
    /// When work on it last ended or was seen.
    idle_since: Option<Duration>,
}

// === impl Observer ===

impl Observer {
    /// I2: work begins in a new tenure.
    pub(super) fn begins(
        &mut self,
        cluster: usize,
        process: usize,
        worker: u64,
        token: u64,
        now: Duration,
    ) {
        let known = self.clusters.entry(cluster).or_default();
        if token <= known.token {
            self.violations.push(format!(
                "I2: the token of cluster-{cluster} went from {} to {token}",
                known.token
            ));
        }
        self.tenures += 1;
        if let Some(before) = known.process {
            if before != process {
                self.moves += 1;
            }
            if let Some(idle_since) = known.idle_since {
                self.gaps.push(now.saturating_sub(idle_since));
            }
        }
        *known = Observed {
            worker,
            token,
            process: Some(process),
            idle_since: None,
        };
    }

    /// The process that works on each cluster, or did last.
    pub(super) fn owners(&self) -> BTreeMap<usize, usize> {
        let owners = self.clusters.iter();
        owners
            .filter_map(|(cluster, known)| Some((*cluster, known.process?)))
            .collect()
    }

    /// Work on a cluster has ended, or its process has died.
    pub(super) fn idle(&mut self, cluster: usize, worker: u64, now: Duration) {
        if let Some(known) = self.clusters.get_mut(&cluster)
            && known.worker == worker
        {
            known.idle_since.get_or_insert(now);
        }
    }

    /// I1: a write takes effect.
    pub(super) fn effect(&mut self, cluster: usize, process: usize, worker: u64, token: u64) {
        self.writes += 1;
        let known = self.clusters.entry(cluster).or_default();
        if worker != known.worker && token < known.token {
            self.violations.push(format!(
                "I1: a write of process {process} with token {token} took effect in cluster-{cluster} after the tenure \
                 with token {} had begun",
                known.token
            ));
        }
    }

    /// I3, I4: a write begins; `confirmed` is when the newest answered renewal was sent, on the process's clock.
    pub(super) fn write_begins(
        &mut self,
        cluster: usize,
        process: usize,
        now: Moment,
        confirmed: Option<Moment>,
        allows: Duration,
    ) {
        if confirmed.is_none_or(|sent| now >= sent + allows) {
            self.violations.push(format!(
                "I3: process {process} began a write in cluster-{cluster} at {now:?}, which nothing confirmed allows"
            ));
        }
    }
}
