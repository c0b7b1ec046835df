//! Which names of a definition are free, and the conditions that say so.

use serde_json::{Value, json};

use crate::meta;

/// The fields whose names must differ within a group.
const RESOURCES: &[&str] = &["plural", "singular", "shortNames"];
const KINDS: &[&str] = &["kind", "listKind"];

/// The status of a definition whose names are accepted, or not because of `others` in its group.
pub(crate) fn accept<'a>(
    definition: &Value,
    others: impl Iterator<Item = &'a Value>,
    now: &str,
) -> Value {
    let (wanted, before) = (&definition["spec"]["names"], &definition["status"]);
    let taken: Vec<&Value> = others
        .filter(|other| meta::text(other, "name") != meta::text(definition, "name"))
        .filter(|other| other["spec"]["group"] == definition["spec"]["group"])
        .map(|other| &other["status"]["acceptedNames"])
        .collect();
    let (accepted, conflict) = judge(wanted, &before["acceptedNames"], &taken);
    let names = match &conflict {
        None => ("True", "NoConflicts", "no conflicts found".to_owned()),
        Some((reason, name)) => ("False", *reason, format!("{name:?} is already in use")),
    };
    let established = is_true(before, "Established") || conflict.is_none();
    let established = if established {
        let text = "the initial names have been accepted";
        ("True", "InitialNamesAccepted", text.to_owned())
    } else {
        let text = "not all names are accepted";
        ("False", "NotAccepted", text.to_owned())
    };
    let mut status = before.clone();
    status["acceptedNames"] = accepted;
    set(&mut status, "NamesAccepted", names, now);
    set(&mut status, "Established", established, now);
    status
}

/// Says in the status of a definition that its objects are being deleted.
pub(super) fn terminate(status: &mut Value, now: &str) {
    let text =
        "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon";
    set(
        status,
        "Terminating",
        ("True", "InstanceDeletionPending", text.to_owned()),
        now,
    );
}

/// Whether a condition holds.
pub(super) fn is_true(status: &Value, condition: &str) -> bool {
    let conditions = status["conditions"].as_array().into_iter().flatten();
    let mut holding = conditions.filter(|one| one["status"] == "True");
    holding.any(|one| one["type"] == condition)
}

/// The names that are accepted, and the last one that is taken with the reason that says which it is.
fn judge(
    wanted: &Value,
    before: &Value,
    taken: &[&Value],
) -> (Value, Option<(&'static str, String)>) {
    let mut accepted = match before {
        Value::Object(_) => before.clone(),
        _ => json!({}),
    };
    let mut conflict = None;
    for (field, reason, rivals) in [
        ("plural", "PluralConflict", RESOURCES),
        ("singular", "SingularConflict", RESOURCES),
        ("shortNames", "ShortNamesConflict", RESOURCES),
        ("kind", "KindConflict", KINDS),
        ("listKind", "ListKindConflict", KINDS),
    ] {
        let is_taken = |name: &&str| {
            let others = taken
                .iter()
                .flat_map(|names| rivals.iter().map(|field| &names[*field]));
            others.flat_map(texts).any(|other| other == *name)
        };
        if let Some(name) = texts(&wanted[field]).into_iter().find(is_taken) {
            conflict = Some((reason, name.to_owned()));
        } else if !wanted[field].is_null() {
            accepted[field] = wanted[field].clone();
        }
    }
    if !wanted["categories"].is_null() {
        accepted["categories"] = wanted["categories"].clone();
    }
    (accepted, conflict)
}

/// A name, or all of a list.
fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(list) => list.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// Sets a condition, whose time moves only when its status does.
fn set(status: &mut Value, name: &str, (value, reason, message): (&str, &str, String), now: &str) {
    if !status["conditions"].is_array() {
        status["conditions"] = json!([]);
    }
    let Some(list) = status["conditions"].as_array_mut() else {
        return;
    };
    let place = list.iter().position(|one| one["type"] == name);
    let since = place
        .and_then(|place| list.get(place))
        .filter(|one| one["status"] == value);
    let since = since.map_or_else(|| json!(now), |one| one["lastTransitionTime"].clone());
    let condition = json!({
        "type": name, "status": value, "reason": reason, "message": message, "lastTransitionTime": since,
    });
    match place.and_then(|place| list.get_mut(place)) {
        Some(old) => *old = condition,
        None => list.push(condition),
    }
}
