//! The table of Events.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    Own, age,
    cells::{name, number, or, text},
    column::{self, NAME},
};

const EVENT_TYPE: &str = "api.core.v1.Event";

/// Both groups that serve Events show the fields of the older one.
pub(super) static EVENT: Own = Own {
    columns: &[
        column::text("Last Seen").field(EVENT_TYPE, "lastTimestamp"),
        column::text("Type").field(EVENT_TYPE, "type"),
        column::text("Reason").field(EVENT_TYPE, "reason"),
        column::text("Object").field(EVENT_TYPE, "involvedObject"),
        column::text("Subobject")
            .field("api.core.v1.ObjectReference", "fieldPath")
            .wide(),
        column::text("Source").field(EVENT_TYPE, "source").wide(),
        column::text("Message").field(EVENT_TYPE, "message"),
        column::text("First Seen")
            .field(EVENT_TYPE, "firstTimestamp")
            .wide(),
        column::text("Count").field(EVENT_TYPE, "count").wide(),
        NAME.wide(),
    ],
    cells,
    conditions: |_| None,
};

fn cells(event: &Value, now: Timestamp) -> Vec<Value> {
    let (first, last) = (&event["firstTimestamp"], &event["lastTimestamp"]);
    let first = if first.is_null() {
        &event["eventTime"]
    } else {
        first
    };
    let series = &event["series"];
    let (last, count) = match series {
        Value::Null if last.is_null() => (first, number(&event["count"]).max(1)),
        Value::Null => (last, number(&event["count"]).max(1)),
        _ => (&series["lastObservedTime"], number(&series["count"])),
    };
    vec![
        json!(age::since(last, now)),
        json!(text(&event["type"])),
        json!(text(&event["reason"])),
        json!(target(&event["involvedObject"])),
        json!(text(&event["involvedObject"]["fieldPath"])),
        json!(source(event)),
        json!(text(&event["message"]).trim()),
        json!(age::since(first, now)),
        json!(count),
        name(event),
    ]
}

fn target(object: &Value) -> String {
    let kind = text(&object["kind"]).to_lowercase();
    match text(&object["name"]) {
        "" => kind,
        name => format!("{kind}/{name}"),
    }
}

fn source(event: &Value) -> String {
    let source = &event["source"];
    let component = or(
        text(&source["component"]),
        text(&event["reportingComponent"]),
    );
    match or(text(&source["host"]), text(&event["reportingInstance"])) {
        "" => component.to_owned(),
        instance => format!("{component}, {instance}"),
    }
}
