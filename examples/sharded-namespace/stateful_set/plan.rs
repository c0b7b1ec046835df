//! What is to be done for a StatefulSet, and what is said of it: the rules without the requests.
//!
//! They are those of kube-controller-manager. `OrderedReady` waits for each Pod before it touches the next one;
//! `Parallel` does not. Scaling comes before updates, and an update replaces one Pod at a time from the highest ordinal
//! down to the partition.

use std::{collections::BTreeMap, time::Duration};

use k8s_openapi::{
    api::{
        apps::v1::{StatefulSet, StatefulSetSpec, StatefulSetStatus},
        core::v1::Pod,
    },
    jiff::Timestamp,
};
use kube::ResourceExt;

use super::{pods, revisions::History};

/// Everything that counts.
pub(super) struct Input<'a> {
    pub(super) set: &'a StatefulSet,
    pub(super) history: &'a History,
    pub(super) pods: &'a [Pod],
    pub(super) now: Timestamp,
}

/// What follows from it.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) steps: Vec<Step>,
    pub(super) status: StatefulSetStatus,
    /// When time alone changes something.
    pub(super) again: Option<Duration>,
}

/// One request.
#[derive(Debug)]
pub(super) enum Step {
    Create(Box<Pod>),
    Delete { name: String, uid: Option<String> },
}

/// A StatefulSet's Pods by their ordinals, and what its spec says about them.
struct Sorted<'a> {
    input: &'a Input<'a>,
    spec: &'a StatefulSetSpec,
    /// Those that shall be.
    living: BTreeMap<i32, Option<&'a Pod>>,
    /// Those that are too many, the highest first.
    condemned: Vec<&'a Pod>,
}

/// Decides.
pub(super) fn plan(input: &Input<'_>) -> Plan {
    let sorted = Sorted::new(input);
    let mut steps = Vec::new();
    if input.set.metadata.deletion_timestamp.is_none() {
        // Whatever has to be waited for is waited for by ending here: the next change brings the next look.
        let _ = sorted.living(&mut steps)
            && sorted.condemned(&mut steps)
            && sorted.outdated(&mut steps);
    }
    Plan {
        steps,
        status: sorted.status(),
        again: sorted.next_available(),
    }
}

// === impl Sorted ===

impl<'a> Sorted<'a> {
    fn new(input: &'a Input<'a>) -> Self {
        let spec = &input.set.spec;
        let start = spec.ordinals.as_ref().and_then(|ordinals| ordinals.start);
        let start = start.unwrap_or(0);
        let end = start.saturating_add(spec.replicas.unwrap_or(1));
        let mut living: BTreeMap<_, _> = (start..end).map(|ordinal| (ordinal, None)).collect();
        let mut condemned = BTreeMap::new();
        for pod in input.pods {
            let Some(ordinal) = pods::ordinal(input.set, pod) else {
                continue;
            };
            match living.get_mut(&ordinal) {
                Some(place) => *place = Some(pod),
                None => drop(condemned.insert(ordinal, pod)),
            }
        }
        Self {
            input,
            spec,
            living,
            condemned: condemned.into_values().rev().collect(),
        }
    }

    /// Makes the Pods that are missing; says whether the next step may come.
    fn living(&self, steps: &mut Vec<Step>) -> bool {
        let mut goes_on = true;
        for (ordinal, pod) in &self.living {
            match pod {
                Some(pod) if pods::is_over(pod) => {
                    if !pods::is_terminating(pod) {
                        steps.push(delete(pod));
                    }
                    goes_on = false;
                }
                Some(pod) if self.is_ordered() && !self.is_available(pod) => return false,
                Some(_) => continue,
                None => steps.push(self.create(*ordinal)),
            }
            if self.is_ordered() {
                return false;
            }
        }
        goes_on
    }

    /// Ends the Pods that are too many.
    fn condemned(&self, steps: &mut Vec<Step>) -> bool {
        // A Pod that never becomes ready must not stand in the way of its own end.
        let pods = self.living.values().flatten();
        let mut in_order = pods.chain(self.condemned.iter().rev());
        let first_bad = in_order.find(|pod| !self.is_available(pod));
        let first_bad = first_bad.map(|pod| pod.name_any());
        let mut goes_on = true;
        for pod in &self.condemned {
            if !pods::is_terminating(pod) {
                let blocks = !self.is_available(pod) && first_bad != Some(pod.name_any());
                if self.is_ordered() && blocks {
                    return false;
                }
                steps.push(delete(pod));
                goes_on = false;
            }
            if self.is_ordered() {
                return false;
            }
        }
        goes_on
    }

    /// Ends a Pod of an old template.
    fn outdated(&self, steps: &mut Vec<Step>) -> bool {
        let strategy = self.spec.update_strategy.as_ref();
        if strategy.and_then(|strategy| strategy.type_.as_deref()) == Some("OnDelete") {
            return false;
        }
        let newest = Some(self.input.history.update.name.as_str());
        for (_, pod) in self.living.range(self.partition()..).rev() {
            let Some(pod) = pod.filter(|pod| !pods::is_terminating(pod)) else {
                return false;
            };
            if pods::revision(pod) != newest {
                steps.push(delete(pod));
                return false;
            }
            if !self.is_available(pod) {
                return false;
            }
        }
        true
    }

    fn create(&self, ordinal: i32) -> Step {
        let history = self.input.history;
        let revision = match ordinal < self.partition() {
            true => &history.current,
            false => &history.update,
        };
        let set = self.input.set;
        let pod = pods::make(set, &revision.template, &revision.name, ordinal);
        Step::Create(Box::new(pod))
    }

    fn status(&self) -> StatefulSetStatus {
        let (input, history) = (self.input, self.input.history);
        let created = input
            .pods
            .iter()
            .filter(|pod| pods::ordinal(input.set, pod).is_some());
        let count = |counts: &dyn Fn(&Pod) -> bool| {
            let number = created.clone().filter(|pod| counts(pod)).count();
            i32::try_from(number).unwrap_or(i32::MAX)
        };
        let of = |revision: &str| {
            count(&|pod| pods::revision(pod) == Some(revision) && !pods::is_terminating(pod))
        };
        let replicas = count(&|_| true);
        let ready = count(&pods::is_ready);
        let updated = of(&history.update.name);
        // The update is complete when all are of it, and nothing is on its way out.
        let wanted = self.spec.replicas.unwrap_or(1);
        let is_complete = [updated, ready, replicas] == [wanted; 3];
        let current = match is_complete {
            true => &history.update.name,
            false => &history.current.name,
        };
        StatefulSetStatus {
            observed_generation: input.set.metadata.generation,
            replicas,
            ready_replicas: Some(ready),
            available_replicas: Some(count(&|pod| self.is_available(pod))),
            current_replicas: Some(of(current)),
            updated_replicas: Some(updated),
            current_revision: Some(current.clone()),
            update_revision: Some(history.update.name.clone()),
            collision_count: Some(history.collisions),
            conditions: None,
        }
    }

    fn is_ordered(&self) -> bool {
        self.spec.pod_management_policy.as_deref() != Some("Parallel")
    }

    /// The ordinal from which on Pods are updated.
    fn partition(&self) -> i32 {
        let strategy = self.spec.update_strategy.as_ref();
        let rolling = strategy.and_then(|strategy| strategy.rolling_update.as_ref());
        let start = self.living.keys().next().copied().unwrap_or(0);
        start + rolling.and_then(|rolling| rolling.partition).unwrap_or(0)
    }

    fn is_available(&self, pod: &Pod) -> bool {
        !pods::is_terminating(pod) && pods::is_ready(pod) && self.remaining(pod).is_none()
    }

    /// How long a ready Pod must still stay so to count as available.
    fn remaining(&self, pod: &Pod) -> Option<Duration> {
        let wanted = self.spec.min_ready_seconds.unwrap_or(0);
        let wanted = Duration::from_secs(u64::try_from(wanted).unwrap_or(0));
        let so_far = self.input.now.duration_since(pods::ready_since(pod)?);
        let so_far = Duration::try_from(so_far).unwrap_or_default();
        wanted.checked_sub(so_far).filter(|rest| !rest.is_zero())
    }

    fn next_available(&self) -> Option<Duration> {
        let pods = self.input.pods.iter();
        pods.filter_map(|pod| self.remaining(pod)).min()
    }
}

fn delete(pod: &Pod) -> Step {
    Step::Delete {
        name: pod.name_any(),
        uid: pod.uid(),
    }
}

#[cfg(test)]
mod tests;
