//! The tables of workloads, of what belongs to them, and of their `scale`.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    Own,
    cells::{NONE, age, items, joined, name, number, text},
    column::{self, AGE, Column, NAME},
};
use crate::label_selector;

const READY: Column = column::text("Ready").about("Number of the pod with ready state");
const CONTAINERS: Column = column::text("Containers")
    .about("Names of each container in the template.")
    .wide();
const IMAGES: Column = column::text("Images")
    .about("Images referenced by each container in the template.")
    .wide();

pub(super) static STATEFUL_SET: Own = Own {
    columns: &[NAME, READY, AGE, CONTAINERS, IMAGES],
    cells: |object, now| {
        let containers = &object["spec"]["template"]["spec"]["containers"];
        vec![
            name(object),
            ready(object),
            age(object, now),
            json!(joined(containers, "name")),
            json!(joined(containers, "image")),
        ]
    },
    conditions: |_| None,
};

pub(super) static DEPLOYMENT: Own = Own {
    columns: &[
        NAME,
        READY,
        column::text("Up-to-date").field("api.apps.v1.DeploymentStatus", "updatedReplicas"),
        column::text("Available").field("api.apps.v1.DeploymentStatus", "availableReplicas"),
        AGE,
        CONTAINERS,
        IMAGES,
        column::text("Selector")
            .field("api.apps.v1.DeploymentSpec", "selector")
            .wide(),
    ],
    cells: deployment,
    conditions: |_| None,
};

pub(super) static CONTROLLER_REVISION: Own = Own {
    columns: &[
        NAME,
        column::text("Controller").about("Controller of the object"),
        column::text("Revision").field("api.apps.v1.ControllerRevision", "revision"),
        AGE,
    ],
    cells: |object, now| {
        vec![
            name(object),
            json!(controller(object)),
            json!(number(&object["revision"])),
            age(object, now),
        ]
    },
    conditions: |_| None,
};

pub(super) static POD_DISRUPTION_BUDGET: Own = Own {
    columns: &[
        NAME,
        column::text("Min Available").about("The minimum number of pods that must be available."),
        column::text("Max Unavailable")
            .about("The maximum number of pods that may be unavailable."),
        column::number("Allowed Disruptions")
            .about("Calculated number of pods that may be disrupted at this time."),
        AGE,
    ],
    cells: |object, now| {
        vec![
            name(object),
            amount(&object["spec"]["minAvailable"]),
            amount(&object["spec"]["maxUnavailable"]),
            json!(number(&object["status"]["disruptionsAllowed"])),
            age(object, now),
        ]
    },
    conditions: |_| None,
};

pub(super) static SCALE: Own = Own {
    columns: &[
        column::text("Name").field("apimachinery.pkg.apis.meta.v1.ObjectMeta", "name"),
        column::number("Desired").field("api.autoscaling.v1.ScaleSpec", "replicas"),
        column::number("Available").field("api.autoscaling.v1.ScaleStatus", "replicas"),
        AGE,
    ],
    cells: |object, now| {
        vec![
            name(object),
            json!(number(&object["spec"]["replicas"])),
            json!(number(&object["status"]["replicas"])),
            age(object, now),
        ]
    },
    conditions: |_| None,
};

fn deployment(object: &Value, now: Timestamp) -> Vec<Value> {
    let (spec, status) = (&object["spec"], &object["status"]);
    let containers = &spec["template"]["spec"]["containers"];
    vec![
        name(object),
        ready(object),
        json!(number(&status["updatedReplicas"])),
        json!(number(&status["availableReplicas"])),
        age(object, now),
        json!(joined(containers, "name")),
        json!(joined(containers, "image")),
        json!(label_selector::to_text(&spec["selector"]).unwrap_or_default()),
    ]
}

/// How many replicas are ready, of those that are wanted.
fn ready(object: &Value) -> Value {
    let ready = number(&object["status"]["readyReplicas"]);
    json!(format!("{ready}/{}", number(&object["spec"]["replicas"])))
}

/// A number or a percentage.
fn amount(value: &Value) -> Value {
    match value {
        Value::Null => json!("N/A"),
        Value::String(text) => json!(text),
        other => json!(other.to_string()),
    }
}

/// The controller that owns an object, as `kind.group/name`.
fn controller(object: &Value) -> String {
    let owners = items(&object["metadata"]["ownerReferences"]).iter();
    let mut controllers = owners.filter(|owner| owner["controller"] == json!(true));
    let Some(owner) = controllers.next() else {
        return NONE.to_owned();
    };
    let kind = text(&owner["kind"]).to_lowercase();
    let kind = match text(&owner["apiVersion"]).split_once('/') {
        Some((group, _)) => format!("{kind}.{group}"),
        None => kind,
    };
    format!("{kind}/{}", text(&owner["name"]))
}
