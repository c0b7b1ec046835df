//! The Leases of other peers that nobody renews any more.
//!
//! Whether a peer is alive is for membership to say; here is what is done about what the dead leave behind:
//! - a peer Lease that has stood still for ten Lease durations is deleted (P11);
//! - one that stands still while fences are held through its session is cleared, which ends the session for good: a
//!   renewal that is still under way then fails.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use crate::{
    clock::Moment,
    sharding::{
        claim::{Claim, Env, Fate, Goal, Step},
        record::{Answer, LeaseName, Record, Request},
        timings::RANK_STEP,
    },
};

/// After how many Lease durations a dead peer's Lease is deleted.
const KEPT: u32 = 10;

/// The other peers' Leases, by name.
#[derive(Debug, Default)]
pub(super) struct Others {
    seed: u64,
    leases: BTreeMap<LeaseName, Other>,
}

#[derive(Debug)]
struct Other {
    claim: Claim,
    due: Option<Moment>,
}

// === impl Others ===

impl Others {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            seed,
            leases: BTreeMap::new(),
        }
    }

    pub(super) fn seen(&mut self, lease: &LeaseName, record: &Arc<Record>, env: &Env<'_>) {
        let seed = self.seed;
        let other = self.leases.entry(lease.clone()).or_insert_with(|| Other {
            claim: Claim::peer(seed_of(lease, seed)),
            due: None,
        });
        if other
            .claim
            .record()
            .is_some_and(|known| known.version >= record.version)
        {
            return;
        }
        other.claim.observe(record, env);
        // It is looked at when it has stood still, and not before.
        let lasts = record.lasts(env.timings.lease());
        other.due = Some(env.now + lasts);
    }

    pub(super) fn deleted(&mut self, lease: &LeaseName, last: &Record) {
        let known = self
            .leases
            .get(lease)
            .and_then(|other| other.claim.record());
        if known.is_some_and(|known| known.version < last.version) {
            self.leases.remove(lease);
        }
    }

    /// A complete list shows these Leases and no others.
    pub(super) fn retain(&mut self, shown: impl Fn(&str) -> bool) {
        self.leases.retain(|lease, _| shown(lease));
    }

    pub(super) fn answer(
        &mut self,
        lease: &LeaseName,
        sent: Moment,
        answer: Answer,
        env: &Env<'_>,
    ) -> Option<String> {
        let gone = answer == Answer::Deleted || answer == Answer::NotFound;
        // Nothing depends on it: what cannot be done now is not asked for every few seconds.
        let pause = match &answer {
            Answer::Refused(_) => env.timings.lease() * KEPT,
            Answer::Conflict => env.timings.lease(),
            _ => Duration::ZERO,
        };
        let other = self.leases.get_mut(lease)?;
        other.claim.answer(sent, answer, env);
        other.due = Some(env.now + pause);
        let problem = other.claim.take_problem();
        if gone {
            self.leases.remove(lease);
        }
        problem
    }

    /// Looks at all of them again.
    pub(super) fn wake(&mut self, now: Moment) {
        for other in self.leases.values_mut() {
            other.due = Some(now);
        }
    }

    /// Looks at none of them before `time`.
    pub(super) fn postpone(&mut self, time: Moment) {
        for due in self
            .leases
            .values_mut()
            .filter_map(|other| other.due.as_mut())
        {
            *due = (*due).max(time);
        }
    }

    /// When one is to be looked at.
    pub(super) fn due(&self) -> Option<Moment> {
        self.leases.values().filter_map(|other| other.due).min()
    }

    /// What is to be asked about those that are due; `needed` says which Lease's session others wait for, and `rank` how
    /// many peers come first.
    pub(super) fn advance(
        &mut self,
        rank: u32,
        needed: impl Fn(&Record) -> bool,
        env: &Env<'_>,
    ) -> Vec<(LeaseName, Request)> {
        let mut out = Vec::new();
        for (lease, other) in &mut self.leases {
            if other.due.is_none_or(|due| env.now < due) {
                continue;
            }
            other.due = None;
            let Some(record) = other.claim.record() else {
                continue;
            };
            let turn = RANK_STEP * rank;
            let goal = if needed(record) {
                Goal::Clear { after: turn }
            } else if record.marks.incarnation.is_some() {
                let after = env.timings.lease() * KEPT + turn;
                Goal::Delete { after }
            } else {
                // Not written by one of us: whoever did may have rules of its own.
                continue;
            };
            match other.claim.advance(&goal, env) {
                Step::Send(request) => out.push((lease.clone(), request)),
                Step::At(at) => other.due = Some(at),
                Step::Idle if other.claim.is_asking() => {}
                // The API server does not answer now.
                Step::Idle => other.due = Some(env.now + env.timings.lease()),
            }
        }
        out
    }

    /// The newest version that was seen of a peer Lease.
    pub(super) fn version(&self, lease: &str) -> Option<u64> {
        let record = self.leases.get(lease)?.claim.record()?;
        Some(record.version)
    }

    /// What the peer Lease `lease` shows of the session through which a fence is held.
    pub(super) fn fate(&self, lease: &str, fence: &Record) -> Fate {
        let record = self
            .leases
            .get(lease)
            .and_then(|other| other.claim.record());
        fate(record.map(|record| &**record), fence)
    }
}

/// The chances of one Lease at one peer.
pub(super) fn seed_of(lease: &str, seed: u64) -> u64 {
    seed ^ xxhash_rust::xxh3::xxh3_64(lease.as_bytes())
}

/// What a version of the peer Lease shows of the session through which a fence is held.
pub(super) fn fate(peer: Option<&Record>, fence: &Record) -> Fate {
    let Some((uid, incarnation)) = fence.session() else {
        return Fate::Alive;
    };
    match peer {
        Some(peer) if *peer.uid == *uid => {
            let named = peer.holder.is_some() && peer.incarnation() == Some(incarnation);
            // An older view proves nothing: the session may have begun after it.
            match !named && peer.version > fence.version {
                true => Fate::Over,
                false => Fate::Alive,
            }
        }
        _ => Fate::Gone,
    }
}

#[cfg(test)]
mod tests;
