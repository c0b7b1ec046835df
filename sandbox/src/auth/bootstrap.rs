//! The roles and bindings of a fresh cluster.
//!
//! `bootstrap.json` holds those that users refer to: what kube-apiserver 1.36.3 creates at its start, without the rights
//! of its own controllers, and with the rules that its role aggregation gives to `admin`, `edit` and `view`.

use std::sync::LazyLock;

use serde_json::{Map, Value};

static OBJECTS: LazyLock<Map<String, Value>> =
    LazyLock::new(|| serde_json::from_str(include_str!("bootstrap.json")).unwrap_or_default());

/// The objects, each with the plural of its kind.
pub(crate) fn objects() -> impl Iterator<Item = (&'static str, &'static Value)> {
    let lists = OBJECTS.iter();
    lists.flat_map(|(plural, objects)| {
        let objects = objects.as_array().into_iter().flatten();
        objects.map(move |object| (plural.as_str(), object))
    })
}
