//! Runs one container: starts its process, and starts it again when it ends.

use std::{process::ExitStatus, sync::Arc, time::Duration};

use k8s_openapi::{
    api::core::v1::{Container as Spec, Pod},
    jiff::Timestamp,
};
use kube::ResourceExt;
use rustix::process::Signal;
use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};

use super::{Node, Seen, credentials::Credentials, environment};
use crate::process::{Output, Process, send};

/// The pause before the second restart; it doubles with each one.
const FIRST_PAUSE: Duration = Duration::from_secs(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// A process that ran for so long starts a new count.
const GOOD_RUN: Duration = Duration::from_secs(600);

/// A container, and everything around it.
pub(super) struct Container {
    pub(super) index: usize,
    pub(super) spec: Spec,
    pub(super) pod: Arc<Pod>,
    pub(super) node: Arc<Node>,
    pub(super) credentials: Arc<Credentials>,
    pub(super) reports: mpsc::Sender<(usize, Report)>,
    /// Why it could not start the last time, which is said once.
    pub(super) waits_for: String,
}

/// What a container shall do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Run.
    Run,
    /// End within this time.
    Stop(Duration),
}

/// What a container has done.
#[derive(Clone, Debug)]
pub(super) enum Report {
    /// Its process runs.
    Started {
        image: String,
        pid: i32,
        at: Timestamp,
    },
    /// Its process has ended.
    Ended { status: ExitStatus, at: Timestamp },
    /// It cannot start now.
    Waits {
        reason: &'static str,
        message: String,
    },
}

/// Why a container cannot start.
struct Refusal {
    reason: &'static str,
    message: String,
}

/// Keeps the container running as its Pod's restart policy says, until an order ends it.
pub(super) async fn run(
    mut container: Container,
    mut orders: watch::Receiver<Order>,
    mut pods: watch::Receiver<Seen>,
) {
    let mut pause = Duration::ZERO;
    while *orders.borrow_and_update() == Order::Run {
        let begun = Instant::now();
        let status = match container.start().await {
            Ok(process) => Some(container.attend(process, &mut orders, &mut pods).await),
            Err(refusal) => {
                container.wait_with(refusal.reason, refusal.message).await;
                None
            }
        };
        if *orders.borrow() != Order::Run {
            return;
        }
        if let Some(status) = status {
            let policy = container
                .pod
                .spec
                .as_ref()
                .and_then(|spec| spec.restart_policy.as_deref());
            match policy {
                Some("Never") => return,
                Some("OnFailure") if status.success() => return,
                _ => {}
            }
            if begun.elapsed() >= GOOD_RUN {
                pause = Duration::ZERO;
            }
            if !pause.is_zero() {
                let name = &container.spec.name;
                let text = format!("back-off {pause:?} restarting failed container={name}");
                container.wait_with("CrashLoopBackOff", text).await;
            }
        }
        let refused = status.is_none();
        let rest = if refused {
            pause.max(Duration::from_secs(2))
        } else {
            pause
        };
        tokio::select! {
            () = tokio::time::sleep(rest) => {}
            _ = orders.changed() => {}
            // Another image may be there.
            () = container.changes(&mut pods) => {}
        }
        pause = (pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
    }
}

// === impl Container ===

impl Container {
    async fn start(&self) -> Result<Process, Refusal> {
        let image = &self.node.settings.image;
        let wanted = self.spec.image.as_deref().unwrap_or_default();
        if wanted != image.name {
            return Err(Refusal {
                reason: "ErrImagePull",
                message: format!(
                    "there is no image {wanted:?} here: {} is the only one",
                    image.name
                ),
            });
        }
        let refuse = |reason| move |message| Refusal { reason, message };
        let (environment, mut own) =
            environment::of(&self.spec, &self.pod, &self.node.settings.node)
                .map_err(refuse("CreateContainerConfigError"))?;
        if let Some(command) = self
            .spec
            .command
            .as_ref()
            .and_then(|command| command.first())
        {
            let message =
                format!("exec: {command:?}: the image has one program, which needs no command");
            return Err(refuse("CreateContainerError")(message));
        }
        let kubeconfig = self.credentials.file(&self.node.client).await;
        let kubeconfig = kubeconfig.map_err(refuse("CreateContainerConfigError"))?;
        let mut args = image.args.clone();
        args.push(format!("--kubeconfig={}", kubeconfig.display()));
        args.append(&mut own);
        Process::start(&image.program, &args, Some(environment)).map_err(|error| Refusal {
            reason: "CreateContainerError",
            message: format!("cannot start {}: {error}", image.program.display()),
        })
    }

    /// Reports on the process and passes its lines on, until it has ended.
    async fn attend(
        &mut self,
        mut process: Process,
        orders: &mut watch::Receiver<Order>,
        pods: &mut watch::Receiver<Seen>,
    ) -> ExitStatus {
        let (pod, pid) = (self.pod.name_any(), process.pid());
        let number = pid.as_raw_nonzero().get();
        tracing::info!(replica = pod, pid = number, "replica started");
        self.waits_for.clear();
        self.report(Report::Started {
            image: self.spec.image.clone().unwrap_or_default(),
            pid: number,
            at: Timestamp::now(),
        })
        .await;
        let log = self.node.settings.logs.open(&self.pod, &self.spec.name);
        let kept = log.clone();
        let output = Output {
            prefix: match self.node.settings.prefix {
                true => format!("{pod} | "),
                false => String::new(),
            },
            keep: Some(Arc::new(move |line| kept.push(line))),
        };
        let status = {
            let mut ended = std::pin::pin!(process.wait(&output));
            let mut deadline = None;
            let mut replaced = false;
            loop {
                match (*orders.borrow_and_update(), deadline) {
                    (Order::Stop(grace), None) => {
                        send(pid, Signal::TERM);
                        deadline = Some(Instant::now() + grace);
                    }
                    // A second request may leave less time.
                    (Order::Stop(grace), Some(old)) => {
                        deadline = Some(old.min(Instant::now() + grace))
                    }
                    (Order::Run, _) => {}
                }
                let late = async {
                    match deadline {
                        Some(deadline) => tokio::time::sleep_until(deadline).await,
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    status = &mut ended => break status,
                    _ = orders.changed() => {}
                    () = late => {
                        send(pid, Signal::KILL);
                        break ended.await;
                    }
                    () = self.changes(pods), if !replaced => {
                        replaced = true;
                        send(pid, Signal::TERM);
                    }
                }
            }
        };
        log.close();
        let expected = *orders.borrow() != Order::Run;
        match expected {
            true => tracing::info!(replica = pod, %status, "replica ended"),
            false => tracing::warn!(replica = pod, %status, "replica ended"),
        }
        let at = Timestamp::now();
        self.report(Report::Ended { status, at }).await;
        status
    }

    /// Waits until the Pod names another image for this container, and takes it over.
    async fn changes(&mut self, pods: &mut watch::Receiver<Seen>) {
        loop {
            let seen = pods.borrow_and_update().clone();
            let spec = seen.as_ref().and_then(|pod| pod.spec.as_ref());
            if let Some(spec) = spec.and_then(|spec| spec.containers.get(self.index))
                && spec.image != self.spec.image
            {
                self.spec.image.clone_from(&spec.image);
                return;
            }
            if pods.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    async fn wait_with(&mut self, reason: &'static str, message: String) {
        if self.waits_for == message {
            return;
        }
        self.waits_for.clone_from(&message);
        tracing::warn!(
            replica = self.pod.name_any(),
            reason,
            message,
            "replica waits"
        );
        self.report(Report::Waits { reason, message }).await;
    }

    async fn report(&self, report: Report) {
        // Without a listener nobody is interested any more.
        let _ = self.reports.send((self.index, report)).await;
    }
}

// === impl Order ===

impl Order {
    /// Takes the other order unless this one is stricter; says whether anything changed.
    pub(super) fn tighten(&mut self, other: Self) -> bool {
        let is_stricter = match (*self, other) {
            (Self::Stop(now), Self::Stop(then)) => then < now,
            (Self::Run, Self::Stop(_)) => true,
            (_, Self::Run) => false,
        };
        if is_stricter {
            *self = other;
        }
        is_stricter
    }
}
