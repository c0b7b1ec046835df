//! The table of Pods.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    Own, age,
    cells::{self, NONE, items, number, or_none, text},
    column::{self, AGE, NAME},
};

const SPEC: &str = "api.core.v1.PodSpec";
const STATUS: &str = "api.core.v1.PodStatus";

pub(super) static POD: Own = Own {
    columns: &[
        NAME,
        column::text("Ready")
            .about("The aggregate readiness state of this pod for accepting traffic."),
        column::text("Status").about("The aggregate status of the containers in this pod."),
        column::text("Restarts").about(
            "The number of times the containers in this pod have been restarted and when the last container \
             in this pod has restarted.",
        ),
        AGE,
        column::text("IP").field(STATUS, "podIP").wide(),
        column::text("Node").field(SPEC, "nodeName").wide(),
        column::text("Nominated Node")
            .field(STATUS, "nominatedNodeName")
            .wide(),
        column::text("Readiness Gates")
            .field(SPEC, "readinessGates")
            .wide(),
    ],
    cells: row,
    conditions: |pod| match text(&pod["status"]["phase"]) {
        "Succeeded" => Some(completed("Succeeded", "The pod has completed successfully.")),
        "Failed" => Some(completed("Failed", "The pod failed.")),
        _ => None,
    },
};

/// What the containers of a Pod amount to.
#[derive(Debug, Default)]
struct Summary {
    status: String,
    ready: usize,
    restarts: i64,
    /// When a container ended last before it was restarted.
    last_restart: Option<String>,
}

fn completed(reason: &str, message: &str) -> Value {
    json!([{"type": "Completed", "status": "True", "reason": reason, "message": message}])
}

fn row(pod: &Value, now: Timestamp) -> Vec<Value> {
    let (spec, status) = (&pod["spec"], &pod["status"]);
    let summary = Summary::of(pod);
    let restarts = match summary.last_restart.map(|time| json!(time)) {
        Some(time) if summary.restarts != 0 => {
            format!("{} ({} ago)", summary.restarts, age::since(&time, now))
        }
        _ => summary.restarts.to_string(),
    };
    let sidecars = items(&spec["initContainers"]).iter().filter(restartable);
    let total = items(&spec["containers"]).len() + sidecars.count();
    let address = items(&status["podIPs"])
        .first()
        .map_or(NONE, |first| or_none(text(&first["ip"])));
    vec![
        cells::name(pod),
        json!(format!("{}/{total}", summary.ready)),
        json!(summary.status),
        json!(restarts),
        cells::age(pod, now),
        json!(address),
        json!(or_none(text(&spec["nodeName"]))),
        json!(or_none(text(&status["nominatedNodeName"]))),
        json!(gates(pod)),
    ]
}

/// How many of the readiness gates are open.
fn gates(pod: &Value) -> String {
    let gates = items(&pod["spec"]["readinessGates"]);
    if gates.is_empty() {
        return NONE.to_owned();
    }
    let open = gates
        .iter()
        .filter(|gate| is_true(pod, text(&gate["conditionType"])));
    format!("{}/{}", open.count(), gates.len())
}

// === impl Summary ===

impl Summary {
    fn of(pod: &Value) -> Self {
        let status = &pod["status"];
        let phase = text(&status["phase"]);
        let mut summary = Self {
            status: cells::or(text(&status["reason"]), phase).to_owned(),
            ..Self::default()
        };
        let gated = |condition: &Value| {
            text(&condition["type"]) == "PodScheduled"
                && text(&condition["reason"]) == "SchedulingGated"
        };
        if items(&status["conditions"]).iter().any(gated) {
            "SchedulingGated".clone_into(&mut summary.status);
        }
        let initializing = summary.init_containers(pod);
        if !initializing || is_true(pod, "Initialized") {
            summary.containers(pod);
        }
        let ended = matches!(phase, "Succeeded" | "Failed");
        if pod["metadata"].get("deletionTimestamp").is_some() {
            if text(&status["reason"]) == "NodeLost" {
                "Unknown".clone_into(&mut summary.status);
            } else if !ended {
                "Terminating".clone_into(&mut summary.status);
            }
        }
        summary
    }

    /// Goes through the init containers up to the first that is not done; whether there is one.
    fn init_containers(&mut self, pod: &Value) -> bool {
        let specs = items(&pod["spec"]["initContainers"]);
        let statuses = items(&pod["status"]["initContainerStatuses"]);
        for (index, container) in statuses.iter().enumerate() {
            self.count_restarts(container);
            let sidecar = is_sidecar(specs, container);
            let (ended, waiting) = (
                &container["state"]["terminated"],
                &container["state"]["waiting"],
            );
            if !ended.is_null() && number(&ended["exitCode"]) == 0 {
                continue;
            }
            if sidecar && container["started"] == json!(true) {
                self.ready += usize::from(container["ready"] == json!(true));
                continue;
            }
            let why = if !ended.is_null() {
                end(ended)
            } else if !matches!(text(&waiting["reason"]), "" | "PodInitializing") {
                text(&waiting["reason"]).to_owned()
            } else {
                format!("{index}/{}", specs.len())
            };
            self.status = format!("Init:{why}");
            return true;
        }
        false
    }

    /// Goes through the containers; of the init containers only the restarts of sidecars count from here on.
    fn containers(&mut self, pod: &Value) {
        (self.restarts, self.last_restart) = (0, None);
        let specs = items(&pod["spec"]["initContainers"]);
        for container in items(&pod["status"]["initContainerStatuses"]) {
            if is_sidecar(specs, container) {
                self.count_restarts(container);
            }
        }
        let (mut running, mut failure) = (false, None);
        for container in items(&pod["status"]["containerStatuses"]).iter().rev() {
            self.count_restarts(container);
            let state = &container["state"];
            let ended = &state["terminated"];
            if !text(&state["waiting"]["reason"]).is_empty() {
                text(&state["waiting"]["reason"]).clone_into(&mut self.status);
            } else if !ended.is_null() {
                self.status = end(ended);
                if number(&ended["exitCode"]) != 0 {
                    failure = Some(self.status.clone());
                }
            } else if container["ready"] == json!(true) && !state["running"].is_null() {
                running = true;
                self.ready += 1;
            }
        }
        if self.status != "Completed" {
            return;
        }
        if running && is_true(pod, "Ready") {
            "Running".clone_into(&mut self.status);
        } else if let Some(failure) = failure {
            self.status = failure;
        } else if running {
            "NotReady".clone_into(&mut self.status);
        }
    }

    fn count_restarts(&mut self, container: &Value) {
        self.restarts += number(&container["restartCount"]);
        let time = container["lastState"]["terminated"]["finishedAt"].as_str();
        // Times in UTC and seconds are in the order of their texts.
        self.last_restart = self.last_restart.take().max(time.map(str::to_owned));
    }
}

/// How a container ended.
fn end(terminated: &Value) -> String {
    match (
        text(&terminated["reason"]),
        number(&terminated["signal"]),
        number(&terminated["exitCode"]),
    ) {
        ("", 0, code) => format!("ExitCode:{code}"),
        ("", signal, _) => format!("Signal:{signal}"),
        (reason, ..) => reason.to_owned(),
    }
}

fn is_sidecar(specs: &[Value], status: &Value) -> bool {
    let same = |spec: &&Value| spec["name"] == status["name"];
    specs
        .iter()
        .find(same)
        .is_some_and(|spec| restartable(&spec))
}

fn restartable(container: &&Value) -> bool {
    text(&container["restartPolicy"]) == "Always"
}

fn is_true(pod: &Value, condition: &str) -> bool {
    let mut conditions = items(&pod["status"]["conditions"]).iter();
    let found = conditions.find(|one| text(&one["type"]) == condition);
    found.is_some_and(|found| text(&found["status"]) == "True")
}
