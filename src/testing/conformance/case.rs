//! One check at work: its source, and the history of what was done and seen.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, sleep, timeout};

use super::{
    clause::Clause,
    follower::Follower,
    harness::{Harness, Part},
    report::{Check, Stop, Violation},
    settings::Settings,
};
use crate::{
    cluster::{Cluster, ClusterName},
    error::{BoxError, Error, Report},
    provider::{ClusterProvider, ClusterRef},
};

/// How many lines of the history a violation shows.
const SHOWN: usize = 40;

/// How soon `connect` must fail where there is nothing to connect to.
const SOON: Duration = Duration::from_secs(10);

/// One check at work.
pub(super) struct Case<'a, H> {
    pub(super) settings: &'a Settings,
    pub(super) harness: H,
    pub(super) log: Log,
}

/// What was done and seen, and what follows from it; clones are one.
#[derive(Clone)]
pub(super) struct Log {
    clause: Clause,
    secrets: Arc<Mutex<Vec<String>>>,
    start: Instant,
    lines: Arc<Mutex<Vec<String>>>,
}

// === impl Case ===

impl<'a, H: Harness> Case<'a, H> {
    pub(super) fn new(settings: &'a Settings, harness: H, clause: Clause) -> Self {
        Self {
            settings,
            harness,
            log: Log {
                clause,
                secrets: Arc::default(),
                start: Instant::now(),
                lines: Arc::default(),
            },
        }
    }

    pub(super) fn can(&self, part: Part) -> bool {
        !self.harness.cannot().contains(&part)
    }

    pub(super) fn broken(&self, what: impl Into<String>) -> Stop {
        self.log.broken(self.log.clause, what)
    }

    /// The name of the cluster `key`.
    pub(super) fn name(&self, key: &str) -> Check<ClusterName> {
        let name = self.harness.name(key);
        name.map_err(|error| Stop::Harness(format!("the name of {key}: {error}")))
    }

    pub(super) async fn provider(&self) -> Check<Arc<dyn ClusterProvider>> {
        Ok(Arc::new(self.own_provider().await?))
    }

    pub(super) async fn own_provider(&self) -> Check<H::Provider> {
        self.act("make a provider".into(), self.harness.provider())
            .await
    }

    pub(super) fn follow(&self, provider: &Arc<dyn ClusterProvider>) -> Follower {
        Follower::new(provider.clone(), self.settings, self.log.clone())
    }

    /// A stream that has been listed completely.
    pub(super) async fn synced(&self, provider: &Arc<dyn ClusterProvider>) -> Check<Follower> {
        let mut follower = self.follow(provider);
        follower.until("Synced", |seen| seen.syncs > 0).await?;
        Ok(follower)
    }

    pub(super) async fn create(&self, key: &str) -> Check {
        self.act(format!("create {key}"), self.harness.create(key))
            .await
    }

    pub(super) async fn create_all(&self, keys: &[&str]) -> Check {
        for key in keys {
            self.create(key).await?;
        }
        Ok(())
    }

    pub(super) async fn delete(&self, key: &str) -> Check {
        self.act(format!("delete {key}"), self.harness.delete(key))
            .await
    }

    pub(super) async fn rotate(&self, key: &str) -> Check {
        self.act(format!("rotate {key}"), self.harness.rotate(key))
            .await
    }

    pub(super) async fn touch(&self, key: &str) -> Check {
        self.act(format!("touch {key}"), self.harness.touch(key))
            .await
    }

    pub(super) async fn label(&self, key: &str, labels: &BTreeMap<String, String>) -> Check {
        let label = self.harness.label(key, labels);
        self.act(format!("label {key}"), label).await
    }

    pub(super) async fn break_cluster(&self, key: &str) -> Check {
        let breaks = self.harness.break_cluster(key);
        self.act(format!("break {key}"), breaks).await
    }

    pub(super) async fn heal_cluster(&self, key: &str) -> Check {
        let heals = self.harness.heal_cluster(key);
        self.act(format!("heal {key}"), heals).await
    }

    pub(super) async fn source_down(&self) -> Check {
        self.act("source down".into(), self.harness.source_down())
            .await
    }

    pub(super) async fn source_up(&self) -> Check {
        self.act("source up".into(), self.harness.source_up()).await
    }

    /// Connects once, within the patience of the suite.
    pub(super) async fn connect(
        &self,
        provider: &Arc<dyn ClusterProvider>,
        cluster: &ClusterRef,
    ) -> Check<Result<Cluster, Error>> {
        let name = &cluster.name;
        let connecting = timeout(self.settings.patience, provider.connect(cluster));
        let Ok(connected) = connecting.await else {
            let limit = self.settings.patience;
            return Err(self.broken(format!("connect({name}) did not end within {limit:?}")));
        };
        match &connected {
            Ok(cluster) => {
                self.log.note(format!("connect({name}): ok"));
                self.log.inspect("the connected cluster", cluster)?;
            }
            Err(error) => {
                self.log.note(format!("connect({name}): {}", Report(error)));
                self.log.inspect_error("an error of connect", error)?;
            }
        }
        Ok(connected)
    }

    /// Connects to a cluster that must work, as `key` says it.
    pub(super) async fn reach(
        &self,
        provider: &Arc<dyn ClusterProvider>,
        key: &str,
        cluster: &ClusterRef,
    ) -> Check<Cluster> {
        let connected = self.connect(provider, cluster).await?;
        let connected = connected
            .map_err(|error| self.broken(format!("connect({key}) failed: {}", Report(&error))))?;
        if connected.name() != &cluster.name {
            let name = connected.name();
            return Err(self.broken(format!("connect({key}) gave a cluster called {name}")));
        }
        let reaches = self.harness.reaches(key, connected.client().clone());
        match timeout(self.settings.patience, reaches).await {
            Ok(Ok(())) => Ok(connected),
            Ok(Err(error)) => {
                Err(self.broken(format!("the client of {key} does not reach it: {error}")))
            }
            Err(_) => Err(self.broken(format!("the client of {key} gets no answer"))),
        }
    }

    /// Connects to a cluster with which that must fail.
    pub(super) async fn fails(
        &self,
        provider: &Arc<dyn ClusterProvider>,
        cluster: &ClusterRef,
        why: &str,
    ) -> Check {
        let begun = Instant::now();
        if self.connect(provider, cluster).await?.is_ok() {
            let name = &cluster.name;
            return Err(self.broken(format!("connect({name}) succeeded, although {why}")));
        }
        let took = begun.elapsed();
        if took > SOON {
            let name = &cluster.name;
            return Err(self.broken(format!("connect({name}) failed after {took:?} only")));
        }
        Ok(())
    }

    /// Waits until `condition` holds.
    pub(super) async fn until(&self, what: &str, condition: impl AsyncFn() -> bool) -> Check {
        let start = Instant::now();
        while !condition().await {
            if start.elapsed() > self.settings.patience {
                let limit = self.settings.patience;
                return Err(self.broken(format!("not within {limit:?}: {what}")));
            }
            sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    /// Lets the harness do something.
    async fn act<T>(
        &self,
        what: String,
        action: impl Future<Output = Result<T, BoxError>>,
    ) -> Check<T> {
        self.log.note(format!("- {what}"));
        let done = timeout(self.settings.patience, action).await;
        self.log.learn(self.harness.secrets());
        match done {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(error)) => Err(Stop::Harness(format!("{what}: {error}"))),
            Err(_) => {
                let limit = self.settings.patience;
                Err(Stop::Harness(format!("{what}: not done within {limit:?}")))
            }
        }
    }
}

// === impl Log ===

impl Log {
    pub(super) fn note(&self, line: impl fmt::Display) {
        let line = format!("{:>9.3} s  {line}", self.start.elapsed().as_secs_f64());
        lock(&self.lines).push(line);
    }

    /// A violation of the clause under judgement.
    pub(super) fn fault(&self, what: impl Into<String>) -> Stop {
        self.broken(self.clause, what)
    }

    /// A violation with the newest part of the history.
    pub(super) fn broken(&self, clause: Clause, what: impl Into<String>) -> Stop {
        let lines = lock(&self.lines);
        let hidden = lines.len().saturating_sub(SHOWN);
        let mut history = Vec::new();
        if hidden > 0 {
            history.push(format!("({hidden} lines before)"));
        }
        history.extend(
            lines[hidden..]
                .iter()
                .map(|line| self.without_secrets(line)),
        );
        Stop::Broken(Violation {
            clause,
            what: self.without_secrets(&what.into()),
            history,
        })
    }

    /// Texts that must not be seen.
    fn learn(&self, secrets: Vec<String>) {
        let mut known = lock(&self.secrets);
        for secret in secrets {
            if !secret.is_empty() && !known.contains(&secret) {
                known.push(secret);
            }
        }
    }

    /// Looks for secrets in what something prints for programmers.
    pub(super) fn inspect(&self, what: &str, value: &dyn fmt::Debug) -> Check {
        self.inspect_text(what, &format!("{value:?} {value:#?}"))
    }

    /// Looks for secrets in everything that an error prints.
    pub(super) fn inspect_error(&self, what: &str, error: &Error) -> Check {
        let mut text = format!("{error} {error:?} {error:#?} {}", Report(error));
        let mut next = std::error::Error::source(error);
        while let Some(cause) = next {
            text += &format!(" {cause} {cause:?}");
            next = cause.source();
        }
        self.inspect_text(what, &text)
    }

    fn inspect_text(&self, what: &str, text: &str) -> Check {
        let found = lock(&self.secrets)
            .iter()
            .any(|secret| text.contains(secret));
        if found {
            return Err(self.broken(Clause::NoSecrets, format!("{what} shows a secret: {text}")));
        }
        Ok(())
    }

    /// A failure ends up in the logs of builds.
    fn without_secrets(&self, text: &str) -> String {
        let secrets = lock(&self.secrets);
        let mut text = text.to_owned();
        for secret in &*secrets {
            text = text.replace(secret, "<secret>");
        }
        text
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No change of these lists can panic half way.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
