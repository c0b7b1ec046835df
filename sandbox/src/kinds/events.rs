//! Events, which two groups serve.

use super::{Kind, texts};
use crate::rules::{self, MetadataRules, NameForm, Repeats};

pub(super) fn kinds() -> Vec<Kind> {
    vec![event_v1()]
}

/// Events of the core group, whose names of fields are those on the shelf.
pub(super) fn event() -> Kind {
    Kind {
        short_names: texts(["ev"]),
        create_on_update: true,
        metadata: MetadataRules::of(NameForm::Subdomain, Repeats::Nothing),
        selectable: texts([
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ]),
        validate: rules::validate_event,
        ..Kind::new("", "v1", "Event", "events")
    }
}

/// The same objects under the names of the younger group.
fn event_v1() -> Kind {
    Kind {
        short_names: texts(["ev"]),
        renames: &[
            ("involvedObject", "regarding"),
            ("message", "note"),
            ("source", "deprecatedSource"),
            ("firstTimestamp", "deprecatedFirstTimestamp"),
            ("lastTimestamp", "deprecatedLastTimestamp"),
            ("count", "deprecatedCount"),
            ("reportingComponent", "reportingController"),
        ],
        create_on_update: true,
        metadata: MetadataRules::of(NameForm::Subdomain, Repeats::Change),
        selectable: texts([
            "regarding.kind",
            "regarding.namespace",
            "regarding.name",
            "regarding.uid",
            "regarding.apiVersion",
            "regarding.resourceVersion",
            "regarding.fieldPath",
            "reason",
            "reportingController",
            "type",
        ]),
        validate: rules::validate_event_v1,
        ..Kind::new("events.k8s.io", "v1", "Event", "events")
    }
}
