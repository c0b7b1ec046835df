//! Problems that many clusters share, each said once.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, sleep};

use crate::cluster::ClusterName;

/// After how long a problem that goes on is said once more.
const SAY_AGAIN: Duration = Duration::from_secs(60);

/// How long other clusters with the problem of a first one are gathered before one line names them.
const GATHER: Duration = Duration::from_secs(5);

/// How many clusters a line names at most.
const NAMED: usize = 8;

/// What was said lately, so that one outage is not said of every cluster and with every attempt; clones share it.
///
/// The first cluster with a problem is named at once, and those that follow in the next seconds together in one line.
#[derive(Clone, Debug, Default)]
pub(crate) struct Problems(Arc<Mutex<Known>>);

/// Whose problem a line is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    /// That of this process.
    Own,
    /// That of the first cluster that has it.
    First(ClusterName),
    /// That of these clusters too.
    Others(Vec<ClusterName>),
}

#[derive(Debug, Default)]
struct Known {
    causes: HashMap<String, Cause>,
}

#[derive(Debug)]
struct Cause {
    met: HashMap<Option<ClusterName>, Instant>,
    gathered: Vec<ClusterName>,
    gathers: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Silence,
    Say,
    /// Say it, and after a while of which other clusters it is true too.
    SayAndGather,
}

// === impl Problems ===

impl Problems {
    /// A problem was met, of a cluster or of this process; `cause` is what makes it the same as another's.
    ///
    /// `say` writes the line; it is called now, later with [`Whose::Others`], or never.
    pub(crate) fn meet(
        &self,
        cluster: Option<&ClusterName>,
        cause: String,
        say: impl Fn(&Whose) + Send + 'static,
    ) {
        let verdict = self.lock().meet(cluster, &cause, Instant::now());
        if verdict == Verdict::Silence {
            return;
        }
        say(&cluster.map_or(Whose::Own, |name| Whose::First(name.clone())));
        if verdict == Verdict::SayAndGather {
            let problems = self.clone();
            tokio::spawn(async move {
                sleep(GATHER).await;
                let others = problems.lock().gathered(&cause);
                if !others.is_empty() {
                    say(&Whose::Others(others));
                }
            });
        }
    }

    /// What is met of this cluster from now on is news: its work begins anew.
    pub(crate) fn forget(&self, cluster: &ClusterName) {
        let cluster = Some(cluster.clone());
        for cause in self.lock().causes.values_mut() {
            cause.met.remove(&cluster);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Known ===

impl Known {
    fn meet(&mut self, cluster: Option<&ClusterName>, cause: &str, now: Instant) -> Verdict {
        let recent = |at: &Instant| now.duration_since(*at) < SAY_AGAIN;
        let key = cluster.cloned();
        if let Some(cause) = self.causes.get_mut(cause) {
            if cause.met.get(&key).is_some_and(recent) {
                return Verdict::Silence;
            }
            if cause.gathers {
                cause.met.insert(key, now);
                let Some(name) = cluster else {
                    return Verdict::Say;
                };
                cause.gathered.push(name.clone());
                return Verdict::Silence;
            }
        }
        // Seldom enough to look at everything.
        self.causes.retain(|_, cause| {
            cause.met.retain(|_, at| recent(at));
            cause.gathers || !cause.met.is_empty()
        });
        let cause = self
            .causes
            .entry(cause.to_owned())
            .or_insert_with(|| Cause {
                met: HashMap::new(),
                gathered: Vec::new(),
                gathers: false,
            });
        cause.met.insert(key, now);
        cause.gathers = true;
        Verdict::SayAndGather
    }

    fn gathered(&mut self, cause: &str) -> Vec<ClusterName> {
        let Some(cause) = self.causes.get_mut(cause) else {
            return Vec::new();
        };
        cause.gathers = false;
        std::mem::take(&mut cause.gathered)
    }
}

// === impl Whose ===

impl Whose {
    /// The field `cluster` of a line.
    pub(crate) fn cluster(&self) -> Option<tracing::field::DisplayValue<&ClusterName>> {
        match self {
            Self::First(name) => Some(tracing::field::display(name)),
            Self::Own | Self::Others(_) => None,
        }
    }

    /// The field `clusters` of a line.
    pub(crate) fn clusters(&self) -> Option<tracing::field::DisplayValue<Names<'_>>> {
        match self {
            Self::Others(names) => Some(tracing::field::display(Names(names))),
            Self::Own | Self::First(_) => None,
        }
    }
}

/// The first names, and how many more there are.
pub(crate) struct Names<'a>(&'a [ClusterName]);

impl fmt::Display for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, name) in self.0.iter().take(NAMED).enumerate() {
            let separator = if place == 0 { "" } else { ", " };
            write!(f, "{separator}{name}")?;
        }
        match self.0.len().saturating_sub(NAMED) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Meets the same problem of these clusters, and collects what is said.
    struct Meeting {
        problems: Problems,
        said: Arc<Mutex<Vec<String>>>,
    }

    impl Meeting {
        fn new() -> Self {
            Self {
                problems: Problems::default(),
                said: Arc::default(),
            }
        }

        fn meet(&self, cluster: &str, cause: &str) {
            let said = self.said.clone();
            let name = (!cluster.is_empty()).then(|| cluster.parse().unwrap());
            let words = cause.to_owned();
            let say = move |whose: &Whose| {
                let whose = match whose {
                    Whose::Own => "own".into(),
                    Whose::First(name) => name.to_string(),
                    Whose::Others(names) => format!("also {}", Names(names)),
                };
                said.lock().unwrap().push(format!("{whose}: {words}"));
            };
            self.problems.meet(name.as_ref(), cause.into(), say);
        }

        fn said(&self) -> Vec<String> {
            std::mem::take(&mut self.said.lock().unwrap())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_cause_of_many_clusters_takes_two_lines() {
        let meeting = Meeting::new();
        for attempt in 0..3 {
            meeting.meet("", "refused");
            for cluster in 0..12 {
                meeting.meet(&format!("c{cluster}"), "refused");
            }
            let expected: &[&str] = match attempt {
                0 => &["own: refused"],
                1 => &["also c0, c1, c2, c3, c4, c5, c6, c7 and 4 more: refused"],
                _ => &[],
            };
            assert_eq!(meeting.said(), expected);
            sleep(GATHER + Duration::from_millis(1)).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_cluster_is_named_at_once_and_then_once_a_minute() {
        let meeting = Meeting::new();
        for second in 0..150 {
            meeting.meet("a", "refused");
            meeting.meet("a", "forbidden");
            let expected: &[&str] = match second % 60 {
                0 => &["a: refused", "a: forbidden"],
                _ => &[],
            };
            assert_eq!(meeting.said(), expected, "{second} s");
            sleep(Duration::from_secs(1)).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_cluster_that_fails_later_is_named_too() {
        let meeting = Meeting::new();
        meeting.meet("a", "refused");
        sleep(2 * GATHER).await;
        meeting.meet("b", "refused");
        assert_eq!(meeting.said(), ["a: refused", "b: refused"]);
        meeting.problems.forget(&"a".parse().unwrap());
        sleep(2 * GATHER).await;
        meeting.meet("a", "refused");
        meeting.meet("b", "refused");
        assert_eq!(meeting.said(), ["a: refused"]);
    }
}
