//! What a coordinator learns, and who of it has to know.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    Command, Coordinator, Input, Stranger, Turn, fence, garbage::ORPHANED, membership, names,
};
use crate::{
    clock::Moment,
    cluster::ClusterName,
    sharding::{
        record::{Answer, LeaseName, Record},
        timings::LONGEST,
    },
};

// === impl Coordinator ===

impl Coordinator {
    pub(super) fn take_in(&mut self, input: Input, turn: &mut Turn) {
        match input {
            // Timers are looked at with every input.
            Input::Tick => {}
            Input::Discovered(names) => names.iter().for_each(|name| self.formulas.insert(name)),
            Input::Applied(name) => self.applied(&name, turn),
            Input::Removed(name) => {
                self.fence(&name, fence::Event::Exists(false), turn);
            }
            Input::Listed { asked, leases } => self.listed(asked, &leases, turn),
            Input::Seen(lease, record) => self.seen(&lease, &record, turn),
            Input::Deleted(lease, last) => self.deleted(&lease, &last, turn),
            Input::Answer {
                lease,
                sent,
                answer,
            } => self.answered(&lease, sent, answer, turn),
            Input::Drained(name, unanswered) => {
                self.fence(&name, fence::Event::Drained(unanswered), turn);
            }
            Input::Load(name, objects) => self.fence(&name, fence::Event::Load(objects), turn),
            Input::Weight(weight) => self.membership(membership::Event::Weight(weight), turn),
            Input::Leave => self.membership(membership::Event::Leave, turn),
        }
    }

    fn applied(&mut self, name: &ClusterName, turn: &mut Turn) {
        self.formulas.insert(name);
        if self.fences.contains_key(name) {
            self.fence(name, fence::Event::Exists(true), turn);
            return;
        }
        let lease = self.lease_of(name);
        if let Some(other) = self.clusters.get(&lease) {
            let text = format!(
                "its Lease {lease} is already used for the cluster {other}: rename one of them"
            );
            turn.out.push(Command::Report(Some(name.clone()), text));
            return;
        }
        let fence = self.new_fence(name, lease.clone());
        self.fences.insert(name.clone(), fence);
        let known = self.strangers.remove(&lease);
        self.clusters.insert(lease, name.clone());
        match known {
            Some(Stranger {
                record,
                seen,
                deleted,
            }) => {
                self.fence(name, fence::Event::Seen(&record, seen), turn);
                if record.session().is_some() {
                    self.others.wake(turn.now);
                }
                if deleted {
                    let last = Record {
                        version: record.version + 1,
                        ..(*record).clone()
                    };
                    self.fence(name, fence::Event::Deleted(&last), turn);
                }
            }
            None if self.membership.is_synced() => {
                self.fence(name, fence::Event::Unlisted(turn.now), turn);
            }
            None => {}
        }
    }

    fn seen(&mut self, lease: &LeaseName, record: &Arc<Record>, turn: &mut Turn) {
        if let Some(name) = self.clusters.get(lease).cloned() {
            self.fence(&name, fence::Event::Seen(record, turn.now), turn);
            if record.session().is_some() {
                self.others.wake(turn.now);
            }
        } else if names::under(&self.peer_prefix, lease).is_some() {
            if !self.is_peer_lease(lease, record) {
                return;
            }
            self.membership(membership::Event::Seen(lease, record), turn);
            self.seen_other(lease, record, turn);
        } else if names::under(&self.fence_prefix, lease).is_some() {
            let known = self.strangers.get(lease);
            if known.is_none_or(|known| known.record.version < record.version) {
                let stranger = Stranger {
                    record: record.clone(),
                    seen: turn.now,
                    deleted: false,
                };
                self.strangers.insert(lease.clone(), stranger);
                self.orphans_due.get_or_insert(turn.now + ORPHANED);
            }
        }
    }

    /// Whether a Lease under the peer prefix is what its name says: other fleets may have names that begin like ours.
    fn is_peer_lease(&self, lease: &LeaseName, record: &Record) -> bool {
        let named = |holder: &Arc<str>| names::lease_name(&self.peer_prefix, holder) == **lease;
        lease == self.membership.own_lease() || record.holder.as_ref().is_none_or(named)
    }

    fn seen_other(&mut self, lease: &LeaseName, record: &Arc<Record>, turn: &mut Turn) {
        if lease == self.membership.own_lease() {
            return;
        }
        let env = self.membership.env(turn.now, turn.wall, &self.timings);
        self.others.seen(lease, record, &env);
        self.look_at_those_of(record, turn);
    }

    fn deleted(&mut self, lease: &LeaseName, last: &Record, turn: &mut Turn) {
        if let Some(name) = self.clusters.get(lease).cloned() {
            self.fence(&name, fence::Event::Deleted(last), turn);
        } else if names::under(&self.peer_prefix, lease).is_some() {
            self.membership(membership::Event::Deleted(lease, last), turn);
            self.others.deleted(lease, last);
            self.look_at_sessions(turn);
        } else if let Some(stranger) = self.strangers.get_mut(lease) {
            stranger.deleted = true;
            self.forget_strangers(turn.now);
        }
    }

    /// A deleted Lease is remembered while its last holder may still be at work.
    fn forget_strangers(&mut self, now: Moment) {
        self.strangers.retain(|_, stranger| {
            let held = stranger.record.holder.is_some() && now.since(stranger.seen) < LONGEST;
            !stranger.deleted || held
        });
    }

    fn listed(&mut self, asked: Moment, leases: &[(LeaseName, Arc<Record>)], turn: &mut Turn) {
        let shown: BTreeSet<&str> = leases.iter().map(|(lease, _)| &**lease).collect();
        for (lease, stranger) in &mut self.strangers {
            stranger.deleted |= !shown.contains(lease.as_ref());
        }
        self.forget_strangers(turn.now);
        for (lease, record) in leases {
            self.seen(lease, record, turn);
        }
        let unlisted: Vec<_> = self
            .clusters
            .iter()
            .filter(|(lease, _)| !shown.contains(lease.as_ref()))
            .map(|(_, name)| name.clone())
            .collect();
        for name in unlisted {
            self.fence(&name, fence::Event::Unlisted(asked), turn);
        }
        self.others.retain(|lease| shown.contains(lease));
        self.look_at_sessions(turn);
        let shown: Vec<_> = shown.into_iter().collect();
        self.membership(membership::Event::Listed(asked, &shown), turn);
    }

    fn answered(&mut self, lease: &LeaseName, sent: Moment, answer: Answer, turn: &mut Turn) {
        if lease == self.membership.own_lease() {
            self.membership(membership::Event::Answer(sent, answer), turn);
            return;
        }
        self.in_flight = self.in_flight.saturating_sub(1);
        if names::under(&self.peer_prefix, lease).is_some() {
            let env = self.membership.env(turn.now, turn.wall, &self.timings);
            if let Some(problem) = self.others.answer(lease, sent, answer, &env) {
                turn.out.push(Command::Report(None, problem));
            }
            self.look_at_sessions(turn);
            return;
        }
        if let Some(name) = self.clusters.get(lease).cloned() {
            self.fence(&name, fence::Event::Answer(sent, answer), turn);
        }
    }
}
