//! The other peers, by what their Leases show.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    clock::Moment,
    sharding::{
        peer::{Peer, PeerId},
        record::{LeaseName, Record},
        timings::Timings,
    },
};

/// The other peers' Leases, by name.
#[derive(Debug, Default)]
pub(super) struct Peers {
    seen: BTreeMap<LeaseName, Seen>,
}

#[derive(Debug)]
struct Seen {
    peer: Peer,
    record: Arc<Record>,
    at: Moment,
    /// How many versions of the present incarnation were seen, up to two.
    versions: u8,
    /// Judged dead while the API server answered; only a new version brings it back.
    dead: bool,
}

// === impl Peers ===

impl Peers {
    /// A version of the Lease `lease` was seen; the same or an older one is no news.
    pub(super) fn seen(&mut self, lease: &LeaseName, record: &Arc<Record>, now: Moment) {
        let known = self.seen.get(lease);
        if known.is_some_and(|seen| record.version <= seen.record.version) {
            return;
        }
        let holder = record.holder.as_deref().and_then(|id| PeerId::new(id).ok());
        let Some(id) = holder else {
            self.seen.remove(lease);
            return;
        };
        let same = known.is_some_and(|seen| {
            seen.record.uid == record.uid
                && seen.record.holder == record.holder
                && seen.record.incarnation() == record.incarnation()
        });
        let entry = Seen {
            peer: Peer {
                id,
                weight: record.marks.weight.unwrap_or(1),
            },
            record: record.clone(),
            at: now,
            versions: if same { 2 } else { 1 },
            dead: false,
        };
        self.seen.insert(lease.clone(), entry);
    }

    /// The Lease was deleted in the version `last`.
    pub(super) fn deleted(&mut self, lease: &str, last: &Record) {
        if self
            .seen
            .get(lease)
            .is_some_and(|seen| last.version > seen.record.version)
        {
            self.seen.remove(lease);
        }
    }

    /// A complete list shows these Leases and no others.
    pub(super) fn retain(&mut self, shown: &[&str]) {
        self.seen.retain(|lease, _| shown.contains(&&**lease));
    }

    /// Notes who is dead. To be asked only while the API server answers: else nobody could have renewed.
    ///
    /// A later contact gap gives the living a new window, and must not raise the dead.
    pub(super) fn bury(&mut self, now: Moment, grace: Moment, timings: &Timings) {
        for seen in self.seen.values_mut() {
            seen.dead |= now > seen.end(grace, timings);
        }
    }

    /// The peers that clusters can be placed on.
    pub(super) fn live(
        &self,
        now: Moment,
        grace: Moment,
        timings: &Timings,
    ) -> impl Iterator<Item = &Peer> {
        self.living(now, grace, timings).map(|seen| &seen.peer)
    }

    fn living(&self, now: Moment, grace: Moment, timings: &Timings) -> impl Iterator<Item = &Seen> {
        self.seen.values().filter(move |seen| {
            !seen.dead && !seen.is_draining() && now <= seen.end(grace, timings)
        })
    }

    /// The placement formulas that the live peers announce.
    pub(super) fn formulas(
        &self,
        now: Moment,
        grace: Moment,
        timings: &Timings,
    ) -> impl Iterator<Item = &str> {
        self.living(now, grace, timings).filter_map(Seen::formula)
    }

    /// The ids of the live peers.
    pub(super) fn alive(
        &self,
        now: Moment,
        grace: Moment,
        timings: &Timings,
    ) -> impl Iterator<Item = &PeerId> {
        self.live(now, grace, timings).map(|peer| &peer.id)
    }

    /// Whether a second version of the peer's present incarnation was seen: its first renewal, by which it competes.
    pub(super) fn is_ready(&self, peer: &PeerId) -> bool {
        let of = |seen: &&Seen| seen.peer.id == *peer;
        self.seen
            .values()
            .find(of)
            .is_some_and(|seen| seen.versions > 1)
    }

    /// When the next peer may turn out to be dead.
    pub(super) fn due(&self, now: Moment, grace: Moment, timings: &Timings) -> Option<Moment> {
        self.seen
            .values()
            .filter(|seen| !seen.dead)
            .map(|seen| seen.end(grace, timings))
            .filter(|end| now <= *end)
            .map(|end| end + std::time::Duration::from_nanos(1))
            .min()
    }
}

// === impl Seen ===

impl Seen {
    fn is_draining(&self) -> bool {
        self.record.marks.draining && self.record.incarnation().is_some()
    }

    /// The placement formula that it announces; replicas of other programs announce none.
    fn formula(&self) -> Option<&str> {
        self.record.incarnation()?;
        self.record.marks.placement.as_deref()
    }

    /// Until when it counts as alive.
    fn end(&self, grace: Moment, timings: &Timings) -> Moment {
        self.at.max(grace) + self.record.lasts(timings.lease())
    }
}
