//! What the logs of a fleet must show: pure functions of what was said, so that fake logs can prove them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use serde_json::Value;

use super::{
    ANIMAL, Work,
    log::{Event, What},
};

/// The log of one process, and when it had ended for certain.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) peer: String,
    pub(crate) events: Vec<Arc<Event>>,
    pub(crate) ended: Option<Timestamp>,
}

/// A time in which one replica worked on one cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tenure {
    pub(crate) peer: String,
    pub(crate) cluster: String,
    pub(crate) start: Timestamp,
    pub(crate) end: Timestamp,
}

/// The middle and the largest of some times.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spread {
    sorted: Vec<Duration>,
}

// === impl Run ===

impl Run {
    /// The tenures of this process in the order of their starts; one without a stop lasts until the process ended.
    ///
    /// # Errors
    /// For a log that contradicts itself: two starts without a stop between, a stop without a start.
    pub(crate) fn tenures(&self) -> Result<Vec<Tenure>, String> {
        let mut tenures: Vec<Tenure> = Vec::new();
        let mut open: Vec<usize> = Vec::new();
        let last = self.ended.unwrap_or(Timestamp::MAX);
        for event in &self.events {
            let position = |cluster: &str| {
                let at = |place: &usize| tenures[*place].cluster == cluster;
                open.iter().position(at)
            };
            let wrong = |what: &str| Err(format!("{}: {what} at {}", self.peer, event.time));
            match &event.what {
                What::Start { cluster } if position(cluster).is_some() => {
                    return wrong(&format!("{cluster} starts twice"));
                }
                What::Start { cluster } => {
                    open.push(tenures.len());
                    tenures.push(Tenure {
                        peer: self.peer.clone(),
                        cluster: cluster.clone(),
                        start: event.time,
                        end: last,
                    });
                }
                What::Stop { cluster } => match position(cluster) {
                    Some(place) => tenures[open.swap_remove(place)].end = event.time,
                    None => return wrong(&format!("{cluster} stops, but did not start")),
                },
                What::Reconcile { cluster, name } if position(cluster).is_none() => {
                    return wrong(&format!(
                        "{cluster}/{name} is reconciled outside of a tenure"
                    ));
                }
                What::Reconcile { .. } | What::Other(_) => {}
            }
        }
        Ok(tenures)
    }

    /// The two lives of a process that stood still from `stopped` to `resumed`.
    ///
    /// Tenures that were open at `stopped` ended then, and their late stops are left out of the second life: whatever
    /// else is done under them is done outside of a tenure.
    pub(crate) fn split(self, stopped: Timestamp, resumed: Timestamp) -> [Self; 2] {
        let Self {
            peer,
            events,
            ended,
        } = self;
        let (first, mut second): (Vec<_>, Vec<_>) =
            events.into_iter().partition(|event| event.time < resumed);
        let mut begun = BTreeSet::new();
        second.retain(|event| match &event.what {
            What::Start { cluster } => begun.insert(cluster.clone()),
            What::Stop { cluster } => begun.remove(cluster),
            _ => true,
        });
        let first = Self {
            peer: peer.clone(),
            events: first,
            ended: Some(stopped),
        };
        [
            first,
            Self {
                peer,
                events: second,
                ended,
            },
        ]
    }

    /// When this process reconciled an object, from `since` on.
    pub(crate) fn reconciled(
        &self,
        cluster: &str,
        name: &str,
        since: Timestamp,
    ) -> Option<Timestamp> {
        self.events
            .iter()
            .filter(|event| event.time >= since)
            .find(|event| {
                matches!(&event.what, What::Reconcile { cluster: c, name: n } if c == cluster && n == name)
            })
            .map(|event| event.time)
    }

    /// The engagements that began or ended from `since` on.
    pub(crate) fn turns(&self, since: Timestamp) -> Vec<(Timestamp, &What)> {
        let events = self.events.iter().filter(|event| event.time >= since);
        events
            .filter(|event| matches!(event.what, What::Start { .. } | What::Stop { .. }))
            .map(|event| (event.time, &event.what))
            .collect()
    }

    /// What was said, beginning with `words`, from `since` on: when, and of which cluster.
    pub(crate) fn said<'a>(
        &'a self,
        words: &'a str,
        since: Timestamp,
    ) -> impl Iterator<Item = (Timestamp, Option<&'a str>)> {
        let events = self.events.iter().filter(move |event| event.time >= since);
        events.filter_map(move |event| match &event.what {
            What::Other(text) if text.starts_with(words) => {
                let cluster = event.fields.get("cluster").and_then(|name| name.as_str());
                Some((event.time, cluster))
            }
            _ => None,
        })
    }

    /// What was said from `since` on besides the work on each cluster: problems, as a rule.
    pub(crate) fn remarks(&self, since: Timestamp) -> impl Iterator<Item = &str> {
        let events = self.events.iter().filter(move |event| event.time >= since);
        events.filter_map(|event| match &event.what {
            What::Other(text) if !text.starts_with("synchronization ") => Some(text.as_str()),
            _ => None,
        })
    }

    /// Problems that were reported twice within a minute, in the same words and of the same cluster.
    pub(crate) fn repeated(&self) -> Vec<String> {
        let mut last = BTreeMap::new();
        let mut repeated = Vec::new();
        for event in self.events.iter().filter(|event| event.level == "WARN") {
            let field = |name: &str| event.fields.get(name).map(Value::to_string);
            let whose = (field("cluster"), field("clusters"));
            let words = (&event.what, whose, field("error"));
            let before = last.insert(format!("{words:?}"), event.time);
            let soon = |before| between(before, event.time) < Duration::from_secs(60);
            if before.is_some_and(soon) {
                repeated.push(format!("{}: {words:?}", self.peer));
            }
        }
        repeated
    }

    /// The clusters that this process started and reconciled, from `since` on, with the first time of each.
    pub(crate) fn work(&self, since: Timestamp) -> BTreeMap<String, Work> {
        let mut started = BTreeMap::new();
        let mut work = BTreeMap::new();
        for event in self.events.iter().filter(|event| event.time >= since) {
            match &event.what {
                What::Start { cluster } => {
                    started.entry(cluster).or_insert(event.time);
                }
                What::Reconcile { cluster, name } if name == ANIMAL => {
                    if let Some(started) = started.get(cluster) {
                        work.entry(cluster.clone()).or_insert_with(|| Work {
                            started: *started,
                            reconciled: event.time,
                        });
                    }
                }
                _ => {}
            }
        }
        work
    }
}

/// At no time do two replicas work on one cluster, and nobody reconciles what it does not work on.
///
/// # Errors
/// The first violation.
pub(crate) fn check_exclusive(runs: &[Run]) -> Result<(), String> {
    let mut all = Vec::new();
    for run in runs {
        all.extend(run.tenures()?);
    }
    all.sort_by(|a, b| (&a.cluster, a.start).cmp(&(&b.cluster, b.start)));
    for pair in all.windows(2) {
        let [first, second] = pair else { continue };
        if first.cluster == second.cluster && second.start < first.end {
            return Err(format!(
                "two replicas work on {}: {} from {} to {}, {} from {}",
                first.cluster, first.peer, first.start, first.end, second.peer, second.start
            ));
        }
    }
    // Reconciles lie inside the tenures of their own process, see `tenures`, and those are apart.
    Ok(())
}

/// Who reconciled an object, from `since` on.
pub(crate) fn reconcilers(
    runs: &[Run],
    cluster: &str,
    name: &str,
    since: Timestamp,
) -> BTreeSet<String> {
    let who = runs
        .iter()
        .filter(|run| run.reconciled(cluster, name, since).is_some());
    who.map(|run| run.peer.clone()).collect()
}

/// The time from `earlier` to `later`, zero if that is negative.
pub(crate) fn between(earlier: Timestamp, later: Timestamp) -> Duration {
    Duration::try_from(later.duration_since(earlier)).unwrap_or_default()
}

// === impl Spread ===

impl Spread {
    pub(crate) fn of(times: impl IntoIterator<Item = Duration>) -> Self {
        let mut sorted: Vec<_> = times.into_iter().collect();
        sorted.sort();
        Self { sorted }
    }

    pub(crate) fn max(&self) -> Duration {
        self.sorted.last().copied().unwrap_or_default()
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let middle = self
            .sorted
            .get(self.sorted.len() / 2)
            .copied()
            .unwrap_or_default();
        let (count, max) = (self.sorted.len(), self.max());
        write!(f, "p50 {middle:.3?}, max {max:.3?} of {count}")
    }
}

#[cfg(test)]
mod tests;
