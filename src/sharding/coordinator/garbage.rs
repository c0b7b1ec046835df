//! Leases that nobody needs any more (P11), and sessions that nobody renews.

use std::{collections::BTreeMap, time::Duration};

use super::{Coordinator, Stranger, Turn, fence, others::seed_of};
use crate::{
    cluster::ClusterName,
    sharding::{
        fence::Fence,
        names,
        record::{LeaseName, Record},
    },
};

/// After how long without a change the fence of a cluster that nobody knows is deleted.
pub(super) const ORPHANED: Duration = Duration::from_secs(3600);

// === impl Coordinator ===

impl Coordinator {
    /// Looks after what others have left behind.
    pub(super) fn clean_up(&mut self, turn: &mut Turn) {
        self.look_at_others(turn);
        if self.orphans_due.is_some_and(|due| due <= turn.now) {
            self.adopt_orphans(turn);
        }
    }

    fn look_at_others(&mut self, turn: &mut Turn) {
        if self.others.due().is_none_or(|due| turn.now < due) {
            return;
        }
        let own = self.membership.own();
        let place = self.placed.iter().position(|peer| peer.id == *own);
        let Some(rank) = place.and_then(|place| u32::try_from(place).ok()) else {
            // Who is no peer itself has no say.
            self.others.postpone(turn.now + self.timings.lease());
            return;
        };
        let fences = &self.fences;
        let needed = |peer: &Record| {
            let mut waited_for = fences.values().filter_map(Fence::waits_for);
            waited_for.any(|uid| *peer.uid == *uid)
        };
        let env = self.membership.env(turn.now, turn.wall, &self.timings);
        let requests = self.others.advance(rank, needed, &env);
        self.queue.extend(requests);
    }

    /// A peer Lease has changed, or is gone: sessions may be over.
    pub(super) fn look_at_sessions(&mut self, turn: &mut Turn) {
        self.fences_where(Fence::is_held_through_session, &fence::Event::Tick, turn);
    }

    /// A version of a peer Lease: sessions may be over, and what was taken from a peer that stood still goes back.
    pub(super) fn look_at_those_of(&mut self, peer: &Record, turn: &mut Turn) {
        let kept = |fence: &Fence| {
            let holder = peer.holder.as_deref();
            holder.is_some_and(|holder| fence.is_kept_from(holder))
        };
        let concerned = |fence: &Fence| fence.is_held_through_session() || kept(fence);
        self.fences_where(concerned, &fence::Event::Tick, turn);
    }

    /// Fences that bear our mark and have not changed for an hour, of clusters that are not known: they are deleted as
    /// those of removed clusters are, by the placement's first candidate or whoever comes next.
    fn adopt_orphans(&mut self, turn: &mut Turn) {
        let orphaned = |stranger: &Stranger| turn.now.since(stranger.seen) >= ORPHANED;
        let orphans: BTreeMap<LeaseName, ClusterName> = self
            .strangers
            .iter()
            .filter(|(_, stranger)| orphaned(stranger) && !stranger.deleted)
            .filter_map(|(lease, stranger)| {
                Some((lease.clone(), self.cluster_of(lease, stranger)?))
            })
            .collect();
        for (lease, name) in orphans {
            if let Some(stranger) = self.strangers.remove(&lease) {
                self.formulas.insert(&name);
                let mut fence = self.new_fence(&name, lease.clone());
                fence.forget_cluster();
                self.clusters.insert(lease, name.clone());
                self.fences.insert(name.clone(), fence);
                // From now, so that the first candidate comes first.
                let seen = fence::Event::Seen(&stranger.record, turn.now);
                self.fence(&name, seen, turn);
            }
        }
        let later = |stranger: &Stranger| {
            let due = stranger.seen + ORPHANED;
            (due > turn.now).then_some(due)
        };
        self.orphans_due = self.strangers.values().filter_map(later).min();
    }

    /// The cluster whose fence this surely is.
    fn cluster_of(&self, lease: &LeaseName, stranger: &Stranger) -> Option<ClusterName> {
        stranger.record.marks.incarnation.as_ref()?;
        let name = stranger.record.marks.cluster.as_deref()?;
        let name = ClusterName::new(name).ok()?;
        let own = self.lease_of(&name);
        (own == *lease && !self.fences.contains_key(&name)).then_some(name)
    }

    pub(super) fn lease_of(&self, name: &ClusterName) -> LeaseName {
        names::fence_name(&self.fence_prefix, name.as_str(), self.membership.mutants()).into()
    }

    pub(super) fn new_fence(&self, name: &ClusterName, lease: LeaseName) -> Fence {
        let seed = seed_of(&lease, self.seed);
        Fence::new(name.clone(), lease, names::is_plain(name.as_str()), seed)
    }
}
