//! What a deletion does to one object: whether it goes now, later, or when its finalizers let it.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::isolation;
use crate::{
    deletion::{DeleteOptions, Propagation},
    kinds::Kind,
    meta,
    sandbox::in_seconds,
};

pub(super) const ORPHAN: &str = "orphan";
pub(super) const FOREGROUND: &str = "foregroundDeletion";

/// The next step of a deletion.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    /// The object goes, in this last state when it differs from the stored one.
    Remove(Option<Value>),
    /// The object stays in this state for now.
    Mark(Value),
    /// The object is being deleted already, and this deletion changes nothing.
    Pending,
}

/// How the deletion of a Pod goes on.
enum Graceful {
    /// The object does not end by itself.
    No,
    /// It ends after so many seconds, as the client sees them.
    After(i64),
    /// It is ending, and not earlier because of this deletion.
    Pending,
}

/// Decides what a deletion at `now` does.
pub(super) fn step(kind: &Kind, old: &Value, options: &DeleteOptions, now: &str) -> Step {
    let mut new = old.clone();
    let graceful = match is_pod(kind) {
        true => begin(&mut new, options.grace, now),
        false => Graceful::No,
    };
    if matches!(graceful, Graceful::Pending) {
        return Step::Pending;
    }
    keep_for_dependents(&mut new, options.propagation);
    let held = !meta::finalizers(&new).is_empty();
    match graceful {
        Graceful::After(seconds) if held || seconds > 0 => Step::Mark(new),
        Graceful::After(_) => Step::Remove(Some(new)),
        _ if held => {
            mark(&mut new, old, now);
            Step::Mark(new)
        }
        _ => Step::Remove(None),
    }
}

/// Whether the object, which is being deleted, goes as soon as it has no finalizers.
pub(super) fn is_over(object: &Value) -> bool {
    let grace = &object["metadata"]["deletionGracePeriodSeconds"];
    meta::is_deleting(object) && matches!(grace.as_i64(), None | Some(0))
}

/// Marks an object as being deleted from now on.
pub(super) fn mark(new: &mut Value, old: &Value, now: &str) {
    if !meta::is_deleting(old) {
        isolation::advance(new, old);
    }
    if !meta::is_deleting(old) || meta::text(old, "deletionTimestamp") > now {
        meta::set(new, "deletionTimestamp", now);
    }
    meta::set(new, "deletionGracePeriodSeconds", 0);
}

fn is_pod(kind: &Kind) -> bool {
    kind.group.is_empty() && kind.plural == "pods"
}

/// Begins to end a Pod, or shortens the time that it has left.
fn begin(pod: &mut Value, asked: Option<i64>, now: &str) -> Graceful {
    if !meta::is_deleting(pod) {
        let unscheduled = pod["spec"]["nodeName"]
            .as_str()
            .unwrap_or_default()
            .is_empty();
        let ended = matches!(
            pod["status"]["phase"].as_str(),
            Some("Failed" | "Succeeded")
        );
        let own = pod["spec"]["terminationGracePeriodSeconds"].as_i64();
        let seconds = match asked.or(own) {
            _ if unscheduled || ended => 0,
            None => 0,
            Some(seconds) if seconds < 0 => 1,
            Some(seconds) => seconds,
        };
        meta::set(pod, "deletionTimestamp", later(now, seconds));
        meta::set(pod, "deletionGracePeriodSeconds", seconds);
        let old = pod.clone();
        isolation::advance(pod, &old);
        return Graceful::After(seconds);
    }
    let running = pod["metadata"]["deletionGracePeriodSeconds"].as_i64();
    let (running, seconds) = match (running.unwrap_or_default(), asked) {
        (0, _) => return Graceful::No,
        (running, Some(seconds)) if seconds < running => (running, seconds),
        _ => return Graceful::Pending,
    };
    let mut end = later(meta::text(pod, "deletionTimestamp"), seconds - running);
    let mut left = seconds;
    if *end < *now {
        now.clone_into(&mut end);
        // Someone is still to see that the Pod ends, unless that is not waited for.
        left = seconds.min(1);
    }
    meta::set(pod, "deletionTimestamp", end);
    meta::set(pod, "deletionGracePeriodSeconds", left);
    Graceful::After(seconds)
}

/// Gives the object the finalizer that its dependents need.
fn keep_for_dependents(object: &mut Value, asked: Option<Propagation>) {
    let before: Vec<String> = meta::finalizers(object)
        .into_iter()
        .map(str::to_owned)
        .collect();
    let own = before
        .iter()
        .find_map(|finalizer| match finalizer.as_str() {
            ORPHAN => Some(Propagation::Orphan),
            FOREGROUND => Some(Propagation::Foreground),
            _ => None,
        });
    let mut after = before.clone();
    after.retain(|finalizer| finalizer != ORPHAN && finalizer != FOREGROUND);
    match asked.or(own) {
        Some(Propagation::Orphan) => after.push(ORPHAN.to_owned()),
        Some(Propagation::Foreground) => after.push(FOREGROUND.to_owned()),
        Some(Propagation::Background) | None => {}
    }
    let same = before.len() == after.len() && before.iter().all(|one| after.contains(one));
    if !same {
        set_finalizers(object, &after);
    }
}

pub(super) fn set_finalizers(object: &mut Value, finalizers: &[String]) {
    if finalizers.is_empty() {
        meta::remove(object, "finalizers");
    } else {
        meta::set(object, "finalizers", json!(finalizers));
    }
}

/// A time in seconds from another one; what is no time stays as it is.
fn later(time: &str, seconds: i64) -> String {
    let shifted = time
        .parse::<Timestamp>()
        .and_then(|start| start.checked_add(SignedDuration::from_secs(seconds)));
    shifted.map_or_else(|_| time.to_owned(), in_seconds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::Registry;

    const NOW: &str = "2026-01-01T00:01:00Z";

    fn seconds(object: &Value) -> (&str, i64) {
        let metadata = &object["metadata"];
        let time = metadata["deletionTimestamp"].as_str().unwrap();
        (
            time.strip_prefix("2026-01-01T00:").unwrap(),
            metadata["deletionGracePeriodSeconds"].as_i64().unwrap(),
        )
    }

    fn delete(pod: &Value, grace: Option<i64>, now: &str) -> Step {
        let kind = Registry::built_in().find("", "v1", "pods").unwrap();
        let options = DeleteOptions {
            grace,
            ..DeleteOptions::default()
        };
        step(&kind, pod, &options, now)
    }

    #[test]
    fn a_pod_on_a_node_has_its_time_to_end() {
        let pod = json!({
            "metadata": {"name": "p", "generation": 1},
            "spec": {"nodeName": "n", "terminationGracePeriodSeconds": 30},
        });
        let Step::Mark(ending) = delete(&pod, None, NOW) else {
            panic!("it is gone at once");
        };
        assert_eq!(seconds(&ending), ("01:30Z", 30));
        assert_eq!(ending["metadata"]["generation"], 2);
        for grace in [None, Some(30), Some(60)] {
            assert_eq!(delete(&ending, grace, NOW), Step::Pending, "{grace:?}");
        }
        let Step::Mark(sooner) = delete(&ending, Some(10), NOW) else {
            panic!("it is gone at once");
        };
        assert_eq!(seconds(&sooner), ("01:10Z", 10));
        assert_eq!(sooner["metadata"]["generation"], 2);
        // Ten seconds from the first deletion have passed already.
        let Step::Mark(late) = delete(&ending, Some(10), "2026-01-01T00:01:20Z") else {
            panic!("it is gone at once");
        };
        assert_eq!(seconds(&late), ("01:20Z", 1));
        assert!(matches!(
            delete(&ending, Some(0), NOW),
            Step::Remove(Some(_))
        ));
    }

    #[test]
    fn a_pod_that_runs_nowhere_goes_at_once() {
        for pod in [
            json!({"metadata": {}, "spec": {"terminationGracePeriodSeconds": 30}}),
            json!({"metadata": {}, "spec": {"nodeName": "n"}, "status": {"phase": "Succeeded"}}),
        ] {
            assert!(matches!(delete(&pod, Some(5), NOW), Step::Remove(_)));
        }
    }
}
