//! Where the objects of a kind keep the number of their replicas.

use serde_json::{Map, Value, json};

use crate::{label_selector, meta};

/// The fields behind the subresource `scale`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ScaleFields {
    /// The wished number.
    pub replicas: Vec<String>,
    /// The observed number.
    pub observed: Vec<String>,
    pub selector: ScaleSelector,
}

/// Where a kind keeps what selects its Pods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ScaleSelector {
    /// A `LabelSelector` at `spec.selector`.
    OfSpec,
    /// A text; an empty path where there is none.
    Text(Vec<String>),
}

// === impl ScaleFields ===

impl ScaleFields {
    /// Those of the workloads of Kubernetes itself.
    pub(super) fn of_workloads() -> Self {
        let field = |parent: &str| vec![parent.to_owned(), "replicas".to_owned()];
        Self {
            replicas: field("spec"),
            observed: field("status"),
            selector: ScaleSelector::OfSpec,
        }
    }

    /// The `Scale` of an object, without its type.
    pub(crate) fn view(&self, object: &Value) -> Value {
        let mut metadata = Map::new();
        for field in [
            "name",
            "namespace",
            "uid",
            "resourceVersion",
            "creationTimestamp",
        ] {
            if let Some(value) = object["metadata"].get(field) {
                metadata.insert(field.to_owned(), value.clone());
            }
        }
        let mut spec = json!({});
        if let Some(replicas) = at(object, &self.replicas).filter(|count| **count != json!(0)) {
            spec["replicas"] = replicas.clone();
        }
        let mut status = json!({"replicas": at(object, &self.observed).unwrap_or(&json!(0))});
        let selector = match &self.selector {
            ScaleSelector::OfSpec => label_selector::to_text(&object["spec"]["selector"]),
            ScaleSelector::Text(path) => {
                at(object, path).and_then(Value::as_str).map(str::to_owned)
            }
        };
        if let Some(selector) = selector.filter(|text| !text.is_empty()) {
            status["selector"] = json!(selector);
        }
        json!({"metadata": metadata, "spec": spec, "status": status})
    }

    /// The object with the wish of `scale`, meant for the version and uid that it names.
    pub(crate) fn change(&self, object: &Value, scale: &Value) -> Value {
        let mut changed = object.clone();
        let count = scale["spec"]["replicas"].as_i64().unwrap_or_default();
        let mut place = &mut changed;
        for part in &self.replicas {
            if !place.is_object() {
                *place = json!({});
            }
            place = &mut place[part.as_str()];
        }
        *place = json!(count);
        for field in ["uid", "resourceVersion"] {
            meta::carry(&mut changed, field, scale);
        }
        changed
    }
}

fn at<'a>(object: &'a Value, path: &[String]) -> Option<&'a Value> {
    let found = path
        .iter()
        .try_fold(object, |value, part| value.get(part))?;
    Some(found).filter(|_| !path.is_empty())
}
