//! One line for each thing that happens, to be read by people.

use crate::sharding::internals::{Answer, Command, FenceCommand, Input, Record, Request};

/// What a coordinator is told.
pub(super) fn input(input: &Input) -> String {
    match input {
        Input::Tick => "tick".into(),
        Input::Discovered(names) => format!("{} clusters are discovered", names.len()),
        Input::Applied(name) => format!("{name} exists"),
        Input::Removed(name) => format!("{name} is gone"),
        Input::Listed { leases, .. } => {
            let shown: Vec<_> = leases
                .iter()
                .map(|(lease, known)| format!("{lease} {}", record(known)))
                .collect();
            format!("list: {}", shown.join(", "))
        }
        Input::Seen(lease, known) => format!("sees {lease} {}", record(known)),
        Input::Deleted(lease, last) => format!("sees {lease} deleted in {}", record(last)),
        Input::Answer { lease, answer, .. } => {
            format!("answer for {lease}: {}", self::answer(answer))
        }
        Input::Drained(name, unanswered) => match unanswered {
            Some(at) => format!("{name} is drained, a write was given up at {:?}", at.0),
            None => format!("{name} is drained"),
        },
        Input::Load(name, objects) => format!("{name} has {objects} objects"),
        Input::Weight(weight) => format!("weight {weight}"),
        Input::Leave => "is to leave".into(),
    }
}

/// What a coordinator wants done.
pub(super) fn command(command: &Command) -> String {
    match command {
        Command::Send { lease, request } => format!("{} {lease}", self::request(request)),
        Command::Cluster(name, FenceCommand::Engage { token, deadline }) => {
            format!("engages {name} until {:?}, token {token}", deadline.0)
        }
        Command::Cluster(name, FenceCommand::Permit { deadline, .. }) => {
            format!("may work on {name} until {:?}", deadline.0)
        }
        Command::Cluster(name, command) => format!("{command:?} {name}"),
        Command::Report(Some(name), text) => format!("reports {name}: {text}"),
        Command::Report(None, text) => format!("reports: {text}"),
        other => format!("{other:?}"),
    }
}

fn request(request: &Request) -> String {
    match request {
        Request::Get => "GET".into(),
        Request::Create(_) => "POST".into(),
        Request::Replace {
            version, content, ..
        } if content.holder.is_empty() => format!("PUT free on {version}"),
        Request::Replace {
            version, content, ..
        } => format!("PUT tenure {} on {version}", content.transitions),
        Request::Delete { version, .. } => format!("DELETE {version} of"),
    }
}

fn answer(answer: &Answer) -> String {
    match answer {
        Answer::Record(known) => record(known),
        other => format!("{other:?}"),
    }
}

fn record(record: &Record) -> String {
    let holder = record.holder.as_deref().unwrap_or("nobody");
    let process = record
        .incarnation()
        .unwrap_or("-")
        .trim_start_matches("incarnation-");
    let draining = if record.marks.draining {
        " draining"
    } else {
        ""
    };
    format!(
        "v{} {holder}/p{process}/{}{draining}",
        record.version, record.transitions
    )
}
