//! The fleet as one fence sees it.

use super::others::{Others, fate};
use crate::{
    cluster::ClusterName,
    sharding::{
        claim::{Env, Fate},
        fence::View,
        membership::Membership,
        names,
        peer::PeerId,
        placement::Sharder,
        record::Record,
    },
};

/// Membership and placement at one time.
pub(super) struct FleetView<'a> {
    pub(super) env: Env<'a>,
    pub(super) membership: &'a Membership,
    pub(super) sharder: &'a dyn Sharder,
    pub(super) others: &'a Others,
    pub(super) peer_prefix: &'a str,
}

// === impl FleetView ===

impl View for FleetView<'_> {
    fn env(&self) -> &Env<'_> {
        &self.env
    }

    fn competes(&self) -> bool {
        self.membership.competes(self.env.now, self.env.timings)
    }

    fn leaves(&self) -> bool {
        self.membership.leaves()
    }

    fn may_release(&self) -> bool {
        self.membership.may_release(self.env.now, self.env.timings)
    }

    fn rank(&self, cluster: &ClusterName, without: Option<&str>) -> Option<u32> {
        let own = self.membership.own();
        let without = without.and_then(|id| PeerId::new(id).ok());
        self.sharder
            .rank(cluster, own, without.as_ref().filter(|id| *id != own))
    }

    fn other_winner(&self, cluster: &ClusterName) -> Option<(&PeerId, bool)> {
        let winner = self.sharder.owner(cluster)?;
        (winner != self.membership.own()).then(|| (winner, self.membership.is_ready(winner)))
    }

    fn last_sign_of(&self, peer: &PeerId) -> Option<u64> {
        let lease = names::lease_name(self.peer_prefix, peer.as_str());
        self.others.version(&lease)
    }

    fn session(&self, fence: &Record) -> Fate {
        let holder = fence.holder.as_deref().unwrap_or_default();
        let lease = names::lease_name(self.peer_prefix, holder);
        if *lease == **self.membership.own_lease() {
            return fate(self.membership.own_record().map(|record| &**record), fence);
        }
        self.others.fate(&lease, fence)
    }
}
