//! Performs what the coordinator decides.

use std::{collections::HashMap, sync::Arc, time::Duration};

use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use tokio::{
    sync::mpsc::{self, UnboundedReceiver, UnboundedSender},
    task::AbortHandle,
    time::Instant,
};

use super::{
    coordinator::{self, Command, Coordinator, Input},
    fence,
    lease::{
        LeaseApi,
        watch::{self, Told},
    },
    names,
    timings::Timings,
};
use crate::{
    clock::Clock,
    cluster::ClusterName,
    error::{Error, Result},
    guard::{FencingToken, Guard, Watchdog},
    loads::Loads,
    problems::{Problems, Whose},
};

/// What the sharding of this peer says to its manager.
#[derive(Debug)]
pub(crate) enum Assignment {
    /// The API server answers: this peer takes part.
    Started,
    /// It does not answer, or refuses; this is why. Said again and again until it has started.
    NotStarted(Error),
    /// Work on this cluster, under this guard.
    Engage(ClusterName, Guard),
    /// End the work on this cluster; [`Order::Drained`] must follow.
    Drain(ClusterName),
}

/// What the manager says to sharding.
#[derive(Debug)]
pub(crate) enum Order {
    /// The provider shows this cluster.
    Applied(ClusterName),
    /// The provider does not show this cluster any more.
    Removed(ClusterName),
    /// The engagement has ended.
    Drained(ClusterName),
    /// Give everything up, then end.
    Leave,
}

/// How many orders are taken at once.
const MANY: usize = 1024;

/// One peer at work.
pub(crate) struct Driver {
    pub(crate) coordinator: Coordinator,
    pub(crate) api: LeaseApi,
    pub(crate) prefixes: [String; 2],
    pub(crate) timings: Timings,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) watchdog: Option<Watchdog>,
    pub(crate) orders: UnboundedReceiver<Order>,
    pub(crate) assignments: UnboundedSender<Assignment>,
    pub(crate) loads: Loads,
}

struct Running {
    driver: Driver,
    guards: HashMap<ClusterName, Guard>,
    requests: FuturesUnordered<BoxFuture<'static, Input>>,
    told: mpsc::Sender<Told>,
    watch: AbortHandle,
    problems: Problems,
    started: bool,
    replaced: bool,
    /// The manager is gone.
    deserted: bool,
    left: bool,
    give_up_at: Option<Instant>,
}

// === impl Driver ===

impl Driver {
    /// Takes part in the fleet until it has left.
    ///
    /// # Errors
    /// [`Error::PeerReplaced`] when another process took this peer's id.
    pub(crate) async fn run(self) -> Result<()> {
        // Bounded: a slow coordinator slows the watch, not the other way round.
        let (told, mut hears) = mpsc::channel(1024);
        let watch = self.watch(told.clone());
        let mut running = Running {
            driver: self,
            guards: HashMap::new(),
            requests: FuturesUnordered::new(),
            told,
            watch,
            problems: Problems::default(),
            started: false,
            replaced: false,
            deserted: false,
            left: false,
            give_up_at: None,
        };
        running.step(Input::Tick);
        while !running.left {
            running.turn(&mut hears).await;
        }
        if running.replaced {
            return Err(Error::PeerReplaced {
                peer: running.driver.coordinator.peer().to_string(),
            });
        }
        Ok(())
    }

    fn watch(&self, told: mpsc::Sender<Told>) -> AbortHandle {
        let follow = watch::follow(
            self.api.clone(),
            self.prefixes.clone(),
            self.clock.clone(),
            told,
        );
        tokio::spawn(follow).abort_handle()
    }
}

// === impl Running ===

impl Running {
    async fn turn(&mut self, hears: &mut mpsc::Receiver<Told>) {
        let now = self.driver.clock.now();
        let due = self.driver.coordinator.due().map(|due| due.since(now));
        // A timer is a hint: the coordinator asks its clock.
        let timer = tokio::time::sleep(due.unwrap_or(Duration::from_secs(3600)));
        let give_up = self
            .give_up_at
            .unwrap_or_else(|| Instant::now() + Duration::from_secs(3600));
        let mut orders = Vec::new();
        tokio::select! {
            count = self.driver.orders.recv_many(&mut orders, MANY), if !self.deserted => match count {
                // The manager is gone: nobody works, and nobody could be told to.
                0 => {
                    self.deserted = true;
                    self.leave();
                }
                _ => self.obey_all(orders),
            },
            Some(input) = self.requests.next() => self.step(input),
            Some(told) = hears.recv() => self.hear(told),
            reports = self.driver.loads.take() => {
                for (name, objects) in reports {
                    self.step(Input::Load(name, objects));
                }
            }
            () = timer => self.step(Input::Tick),
            () = tokio::time::sleep_until(give_up), if self.give_up_at.is_some() => {
                tracing::warn!("left without an answer from the API server: others take over when the Leases expire");
                self.left = true;
            }
        }
    }

    fn obey_all(&mut self, orders: Vec<Order>) {
        let applied = |order: &Order| match order {
            Order::Applied(name) => Some(name.clone()),
            _ => None,
        };
        let discovered: Vec<_> = orders.iter().filter_map(applied).collect();
        if discovered.len() > 1 {
            self.step(Input::Discovered(discovered));
        }
        for order in orders {
            self.obey(order);
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Applied(name) => self.step(Input::Applied(name)),
            Order::Removed(name) => self.step(Input::Removed(name)),
            Order::Drained(name) => {
                let guard = self.guards.get(&name);
                let unanswered = guard.and_then(Guard::last_unanswered_write);
                self.step(Input::Drained(name.clone(), unanswered));
                // A new tenure gets a new one.
                self.guards.remove(&name);
            }
            Order::Leave => self.leave(),
        }
    }

    fn hear(&mut self, told: Told) {
        match told {
            Told::Listed { asked, leases } => self.step(Input::Listed { asked, leases }),
            Told::Seen(lease, record) => self.step(Input::Seen(lease, record)),
            Told::Deleted(lease, last) => self.step(Input::Deleted(lease, last)),
            Told::Problem(error) => self.report_watch(error),
        }
    }

    fn leave(&mut self) {
        if self.give_up_at.is_none() {
            self.limit_leaving();
            self.step(Input::Leave);
        }
    }

    fn limit_leaving(&mut self) {
        let limit = coordinator::leave_timeout(&self.driver.timings);
        self.give_up_at.get_or_insert(Instant::now() + limit);
    }

    fn step(&mut self, input: Input) {
        let now = self.driver.clock.now();
        let wall = self.driver.clock.wall().as_microsecond();
        for command in self.driver.coordinator.step(input, now, wall) {
            self.perform(command);
        }
        if !self.started && self.driver.coordinator.has_started() {
            self.started = true;
            self.assign(Assignment::Started);
        }
    }

    fn perform(&mut self, command: Command) {
        match command {
            Command::Send { lease, request } => {
                let (api, clock) = (self.driver.api.clone(), self.driver.clock.clone());
                let request = async move {
                    let sent = clock.now();
                    let answer = api.send(&lease, request).await;
                    Input::Answer {
                        lease,
                        sent,
                        answer,
                    }
                };
                self.requests.push(request.boxed());
            }
            Command::Cluster(name, command) => self.perform_for(name, command),
            Command::RestartWatch => {
                self.report(
                    None,
                    "the watch of the Leases is silent: restarting it".into(),
                );
                self.watch.abort();
                self.watch = self.driver.watch(self.told.clone());
            }
            Command::Replaced => {
                tracing::error!("another process has taken this peer's id: giving everything up");
                self.replaced = true;
                self.limit_leaving();
            }
            Command::Left => self.left = true,
            Command::Report(cluster, text) => self.report(cluster.as_ref(), text),
        }
    }

    fn perform_for(&mut self, name: ClusterName, command: fence::Command) {
        match command {
            fence::Command::Engage { deadline, token } => {
                let guard = Guard::new(name.clone(), self.driver.clock.clone());
                guard.permit(deadline, FencingToken(token));
                if let Some(watchdog) = &self.driver.watchdog {
                    guard.watched_by(watchdog);
                }
                self.guards.insert(name.clone(), guard.clone());
                self.problems.forget(&name);
                self.assign(Assignment::Engage(name, guard));
            }
            fence::Command::Permit { deadline, token } => {
                if let Some(guard) = self.guards.get(&name) {
                    guard.permit(deadline, FencingToken(token));
                }
            }
            fence::Command::Revoke => {
                if let Some(guard) = self.guards.get(&name) {
                    guard.revoke();
                }
            }
            fence::Command::Drain => self.assign(Assignment::Drain(name)),
            fence::Command::Paused => {
                tracing::warn!(cluster = %name, "synchronization paused: the fence could not be renewed in time");
            }
            fence::Command::Resumed => tracing::info!(cluster = %name, "synchronization resumed"),
            fence::Command::Report(text) => self.report(Some(&name), text),
            fence::Command::Send(_) => {}
        }
    }

    fn assign(&self, assignment: Assignment) {
        // A manager that is gone has dropped the orders too, which ends this driver.
        let _ = self.driver.assignments.send(assignment);
    }

    fn report(&self, cluster: Option<&ClusterName>, text: String) {
        if cluster.is_none() && !self.started {
            self.assign(Assignment::NotStarted(Error::Lease(text.clone())));
        }
        let cause = self.cause(cluster, &text);
        let shared = cause.clone();
        self.problems
            .meet(cluster, cause, move |whose| match whose {
                Whose::Others(_) => tracing::warn!(
                    clusters = whose.clusters(),
                    "the same of other clusters: {shared}"
                ),
                _ => tracing::warn!(cluster = whose.cluster(), "{text}"),
            });
    }

    /// What a problem is besides the step that failed and the Lease that it was about.
    fn cause(&self, cluster: Option<&ClusterName>, text: &str) -> String {
        let cause = text.split_once(": ").map_or(text, |(_, cause)| cause);
        match cluster {
            Some(name) => {
                let lease = names::lease_name(&self.driver.prefixes[1], name.as_str());
                cause.replace(&lease, "…")
            }
            None => cause.to_owned(),
        }
    }

    fn report_watch(&self, error: Error) {
        if self.started {
            self.report(None, watch::describe(&error));
        } else {
            self.assign(Assignment::NotStarted(error));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.watch.abort();
        for guard in self.guards.values() {
            guard.revoke();
        }
    }
}
