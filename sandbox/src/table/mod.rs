//! Tables: the columns and cells that `kubectl get` shows, which the server makes.
//!
//! A [`Printer`] knows the columns of one kind and the cells of one object. The cells are a pure function of the object
//! and the time.

mod age;
mod cells;
mod column;
mod core;
mod custom;
mod event;
mod node;
mod pod;
mod rbac;
mod reply;
mod workload;

use jiff::Timestamp;
use serde_json::{Value, json};

use self::column::Column;
pub(crate) use self::{custom::Custom, reply::TableForm};
use crate::meta;

/// How the objects of a kind become rows.
#[derive(Clone, Debug)]
pub(crate) enum Printer {
    /// Columns of the kind's own.
    Own(&'static Own),
    /// Name and time of creation, for kinds about which nobody thought.
    Plain,
    /// Columns that a CustomResourceDefinition declares.
    Custom(Custom),
}

/// The columns of a kind of Kubernetes.
#[derive(Debug)]
pub(crate) struct Own {
    columns: &'static [Column],
    /// One cell for each column.
    cells: fn(&Value, Timestamp) -> Vec<Value>,
    /// What a client may show in another style, like Pods that have ended.
    conditions: fn(&Value) -> Option<Value>,
}

// === impl Printer ===

impl Printer {
    /// The printer of a kind of Kubernetes.
    pub(crate) fn of(group: &str, plural: &str) -> Self {
        let own = match (group, plural) {
            ("", "pods") => &pod::POD,
            ("", "nodes") => &node::NODE,
            ("", "events") | ("events.k8s.io", "events") => &event::EVENT,
            ("", "namespaces") => &core::NAMESPACE,
            ("", "configmaps") => &core::CONFIG_MAP,
            ("", "secrets") => &core::SECRET,
            ("", "services") => &core::SERVICE,
            ("", "serviceaccounts") => &core::SERVICE_ACCOUNT,
            ("apps", "statefulsets") => &workload::STATEFUL_SET,
            ("apps", "deployments") => &workload::DEPLOYMENT,
            ("apps", "controllerrevisions") => &workload::CONTROLLER_REVISION,
            ("autoscaling", "scale") => &workload::SCALE,
            ("policy", "poddisruptionbudgets") => &workload::POD_DISRUPTION_BUDGET,
            ("coordination.k8s.io", "leases") => &core::LEASE,
            ("rbac.authorization.k8s.io", "rolebindings") => &rbac::ROLE_BINDING,
            ("rbac.authorization.k8s.io", "clusterrolebindings") => &rbac::CLUSTER_ROLE_BINDING,
            _ => return Self::Plain,
        };
        Self::Own(own)
    }

    /// The definitions of the columns.
    pub(crate) fn columns(&self) -> Vec<Value> {
        match self {
            Self::Own(own) => own.columns.iter().map(Column::to_json).collect(),
            Self::Plain => vec![column::NAME.to_json(), column::CREATED_AT.to_json()],
            Self::Custom(custom) => custom.columns(),
        }
    }

    /// The rows of a table; a plain one without rows has none at all.
    fn rows(&self, rows: &[Value]) -> Value {
        if matches!(self, Self::Plain) && rows.is_empty() {
            return Value::Null;
        }
        json!(rows)
    }

    /// The row of an object, which shows `shown` of it.
    pub(crate) fn row(&self, object: &Value, shown: &Value, now: Timestamp) -> Value {
        let cells = match self {
            Self::Own(own) => (own.cells)(object, now),
            Self::Plain => {
                let created = object["metadata"]["creationTimestamp"].as_str();
                let created = created.unwrap_or("0001-01-01T00:00:00Z");
                vec![json!(meta::text(object, "name")), json!(created)]
            }
            Self::Custom(custom) => custom.cells(object, now),
        };
        let mut row = json!({"cells": cells, "object": shown});
        if let Self::Own(own) = self
            && let Some(conditions) = (own.conditions)(object)
        {
            row["conditions"] = conditions;
        }
        row
    }
}
