//! What is said of a Pod: the rules without the requests.

use std::{process::ExitStatus, time::Duration};

use std::os::unix::process::ExitStatusExt;

use k8s_openapi::{
    api::core::v1::{
        ContainerState, ContainerStateRunning, ContainerStateTerminated, ContainerStateWaiting,
        ContainerStatus, HostIP, Pod, PodCondition, PodIP, PodStatus,
    },
    apimachinery::pkg::apis::meta::v1::Time,
    jiff::Timestamp,
};

use super::{container::Report, environment::ADDRESS};

/// What is known of a container.
#[derive(Clone, Debug)]
pub(super) struct Record {
    name: String,
    image: String,
    id: Option<String>,
    state: State,
    /// How the process before this one ended.
    last: Option<ContainerStateTerminated>,
    restarts: i32,
}

#[derive(Clone, Debug)]
enum State {
    Waits {
        reason: &'static str,
        message: Option<String>,
    },
    Runs {
        since: Timestamp,
    },
    Ended(ContainerStateTerminated),
}

/// Those of a Pod that nothing was done for yet.
pub(super) fn records(pod: &Pod) -> Vec<Record> {
    let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    let record = containers.map(|container| Record {
        name: container.name.clone(),
        image: container.image.clone().unwrap_or_default(),
        id: None,
        state: State::Waits {
            reason: "ContainerCreating",
            message: None,
        },
        last: None,
        restarts: 0,
    });
    record.collect()
}

/// How long the Pod's processes have to end.
pub(super) fn grace_of(pod: &Pod) -> Duration {
    let spec = pod.spec.as_ref();
    let own = spec.and_then(|spec| spec.termination_grace_period_seconds);
    let asked = pod.metadata.deletion_grace_period_seconds;
    let seconds = asked.or(own).unwrap_or(30);
    Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
}

/// Whether the Pod has ended for good.
pub(super) fn is_over(pod: &Pod) -> bool {
    let phase = pod
        .status
        .as_ref()
        .and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Succeeded" | "Failed"))
}

// === impl Record ===

impl Record {
    /// Takes in what the container has done.
    pub(super) fn take(&mut self, report: Report) {
        match report {
            Report::Started { image, pid, at } => {
                self.last = self.ended().or(self.last.take());
                if self.id.is_some() {
                    self.restarts += 1;
                }
                self.image = image;
                self.id = Some(format!("process://{pid}"));
                self.state = State::Runs { since: at };
            }
            Report::Ended { status, at } => {
                let since = match &self.state {
                    State::Runs { since } => *since,
                    _ => at,
                };
                self.state = State::Ended(terminated(status, since, at, self.id.clone()));
            }
            Report::Waits { reason, message } => {
                self.last = self.ended().or(self.last.take());
                self.state = State::Waits {
                    reason,
                    message: Some(message),
                };
            }
        }
    }

    fn ended(&self) -> Option<ContainerStateTerminated> {
        match &self.state {
            State::Ended(how) => Some(how.clone()),
            _ => None,
        }
    }

    fn is_running(&self) -> bool {
        matches!(self.state, State::Runs { .. })
    }

    fn status(&self) -> ContainerStatus {
        let mut state = ContainerState::default();
        match &self.state {
            State::Waits { reason, message } => {
                state.waiting = Some(ContainerStateWaiting {
                    reason: Some((*reason).into()),
                    message: message.clone(),
                });
            }
            State::Runs { since } => {
                state.running = Some(ContainerStateRunning {
                    started_at: Some(seconds(*since)),
                });
            }
            State::Ended(how) => state.terminated = Some(how.clone()),
        }
        ContainerStatus {
            name: self.name.clone(),
            image: self.image.clone(),
            image_id: match &self.id {
                Some(_) => format!("process://{}", self.image),
                None => String::new(),
            },
            container_id: self.id.clone(),
            ready: self.is_running(),
            started: Some(self.is_running()),
            restart_count: self.restarts,
            state: Some(state),
            last_state: Some(ContainerState {
                terminated: self.last.clone(),
                ..ContainerState::default()
            }),
            ..ContainerStatus::default()
        }
    }
}

/// How a process ended; a signal counts as 128 and its number, as in a shell.
fn terminated(
    status: ExitStatus,
    since: Timestamp,
    at: Timestamp,
    id: Option<String>,
) -> ContainerStateTerminated {
    let signal = status.signal();
    let code = status.code().or(signal.map(|signal| 128 + signal));
    let reason = match status.success() {
        true => "Completed",
        false => "Error",
    };
    ContainerStateTerminated {
        exit_code: code.unwrap_or(-1),
        reason: Some(reason.into()),
        started_at: Some(seconds(since)),
        finished_at: Some(seconds(at)),
        container_id: id,
        ..ContainerStateTerminated::default()
    }
}

/// The status of the Pod at `now`; what has not changed keeps its times.
pub(super) fn status(pod: &Pod, containers: &[Record], now: Timestamp) -> PodStatus {
    let old = pod.status.clone().unwrap_or_default();
    let phase = phase(pod, containers);
    let is_over = matches!(phase, "Succeeded" | "Failed");
    let unready = containers
        .iter()
        .filter(|container| !container.is_running());
    let unready: Vec<_> = unready.map(|container| container.name.as_str()).collect();
    let problem = match (unready.is_empty(), phase) {
        (true, _) => None,
        (false, "Succeeded") => Some(("PodCompleted", None)),
        (false, "Failed") => Some(("PodFailed", None)),
        (false, _) => {
            let names = unready.join(" ");
            let message = format!("containers with unready status: [{names}]");
            Some(("ContainersNotReady", Some(message)))
        }
    };
    let generation = pod.metadata.generation;
    let condition = |type_: &str, problem: Option<(&str, Option<String>)>| {
        let status = if problem.is_none() { "True" } else { "False" };
        let before = old
            .conditions
            .iter()
            .flatten()
            .find(|old| old.type_ == type_);
        let same = before.filter(|old| old.status == status);
        let since = same.and_then(|old| old.last_transition_time.clone());
        let (reason, message) = problem.unzip();
        PodCondition {
            type_: type_.into(),
            status: status.into(),
            reason: reason.map(str::to_owned),
            message: message.flatten(),
            last_transition_time: Some(since.unwrap_or_else(|| seconds(now))),
            observed_generation: generation,
            ..PodCondition::default()
        }
    };
    let ended = is_over
        .then_some(("PodCompleted", None))
        .filter(|_| phase == "Succeeded");
    PodStatus {
        phase: Some(phase.into()),
        conditions: Some(vec![
            condition("PodReadyToStartContainers", None),
            condition("Initialized", ended),
            condition("Ready", problem.clone()),
            condition("ContainersReady", problem),
            condition("PodScheduled", None),
        ]),
        container_statuses: Some(containers.iter().map(Record::status).collect()),
        host_ip: Some(ADDRESS.into()),
        host_ips: Some(vec![HostIP { ip: ADDRESS.into() }]),
        pod_ip: Some(ADDRESS.into()),
        pod_ips: Some(vec![PodIP { ip: ADDRESS.into() }]),
        start_time: old.start_time.clone().or_else(|| Some(seconds(now))),
        observed_generation: generation,
        ..old
    }
}

fn phase(pod: &Pod, containers: &[Record]) -> &'static str {
    let how = containers.iter().map(Record::ended);
    let Some(ended) = how
        .collect::<Option<Vec<_>>>()
        .filter(|ended| !ended.is_empty())
    else {
        let has_started = containers.iter().all(|container| container.id.is_some());
        return if has_started { "Running" } else { "Pending" };
    };
    let is_good = ended.iter().all(|how| how.exit_code == 0);
    let spec = pod.spec.as_ref();
    let policy = spec
        .and_then(|spec| spec.restart_policy.as_deref())
        .unwrap_or("Always");
    let leaves = pod.metadata.deletion_timestamp.is_some();
    match (is_good, policy, leaves) {
        (_, "Always", false) | (false, "OnFailure", false) => "Running",
        (true, ..) => "Succeeded",
        (false, ..) => "Failed",
    }
}

/// Times of a status have no fractions.
fn seconds(time: Timestamp) -> Time {
    Time(Timestamp::from_second(time.as_second()).unwrap_or(time))
}
