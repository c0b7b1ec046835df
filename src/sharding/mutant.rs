//! Rules that tests switch off, to show that a scenario fails without them.
//!
//! A program built without the feature `testing` has none of this: [`Mutants`] is empty then and every question is
//! answered with no.

/// One rule of the protocol, broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(not(feature = "testing"), allow(dead_code, unreachable_pub))]
#[non_exhaustive]
pub enum Mutant {
    /// P1: a holder's date is compared with the own one.
    WallClock,
    /// P1: a version counts as seen when its request was sent.
    SeenBeforeReceipt,
    /// P3: the version that was just read is replaced, whether it stood still or not.
    ReplaceJustRead,
    /// P3: nothing is read before a Lease is taken over.
    TakeOverUnread,
    /// P4: a deleted Lease is made anew at once.
    PostWithoutWait,
    /// P4: a Lease that is gone is judged by the last version seen.
    TrustLastSeen,
    /// P4: a PUT names no uid, and so makes a deleted Lease anew.
    PutWithoutUid,
    /// P5: an answer that shows no new version counts, under a clock of whole half minutes.
    CountNoop,
    /// P5: the deadline counts from the reply.
    DeadlineFromReply,
    /// P5: an unknown outcome counts as a success.
    UnknownIsSuccess,
    /// P5: a version that is read extends the deadline.
    AdoptionExtends,
    /// P5: a renewal allows work for a whole Lease duration.
    WorkForWholeLease,
    /// P5: who has the same id is the same process.
    IncarnationIgnored,
    /// P5: a version with the own holder and nonce is of the own tenure, whatever else it says.
    MineByName,
    /// P7: a fence is released when the drain begins.
    ReleaseBeforeDrain,
    /// P7: writes without an answer are not waited for.
    ForgetUnanswered,
    /// P7: a cluster that is wanted again is worked on under the revoked tenure.
    FlipBack,
    /// P7: a fence is released although work does not end.
    ReleaseWhileAlive,
    /// P7: a fence is not renewed while it is drained.
    DrainWithoutRenewal,
    /// P9: an outage begins no new observation.
    NoGrace,
    /// P9: a gap is an outage only when it is longer than two renew intervals.
    LongGap,
    /// P9: every answer is a contact, also one that does not need the store.
    AnyReplyIsContact,
    /// P9: the first contact of a process ends no gap.
    FirstContactWithoutGrace,
    /// P11: a removed cluster's Lease is deleted in whatever version it is.
    DeleteWithoutPreconditions,
    /// P2: a take-over needs no recent contact.
    StaleContact,
    /// P5: other Leases are asked about while the own one gets no answers.
    AskThroughOutage,
    /// P6: a write that is tried again is not checked again.
    CheckOnce,
    /// The clock stands still while the machine is suspended.
    ClockStandsStill,
    /// P10: names are not hashed.
    NoHash,
    /// P12: an earlier process in the pod is followed at once.
    RestartAtOnce,
    /// P12: a process in the pod counts as the only one without a proof.
    AloneWithoutProof,
    /// P12: a process that has not proved to be the only one says where it runs.
    PodWithoutProof,
    /// P12: the proof counts in every network.
    AnyNetwork,
    /// P13: what was let lie is offered again at once.
    PingPong,
    /// A peer that comes back keeps its draining mark.
    KeepDraining,
    /// Clusters are handed over to a peer that does not compete yet.
    HandOverEarly,
    /// A new peer competes at once.
    NoSettling,
    /// Nobody notices a silent watch.
    NoHeartbeat,
}

/// The rules that are broken in one process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mutants {
    #[cfg(feature = "testing")]
    bits: u64,
}

// === impl Mutants ===

impl Mutants {
    #[cfg(feature = "testing")]
    pub(crate) fn has(self, mutant: Mutant) -> bool {
        self.bits & (1 << mutant as u32) != 0
    }

    #[cfg(not(feature = "testing"))]
    #[expect(
        clippy::unused_self,
        clippy::needless_pass_by_value,
        reason = "as with the feature"
    )]
    pub(crate) const fn has(self, _: Mutant) -> bool {
        false
    }

    #[cfg(feature = "testing")]
    pub(crate) fn with(self, mutant: Mutant) -> Self {
        Self {
            bits: self.bits | 1 << mutant as u32,
        }
    }
}
