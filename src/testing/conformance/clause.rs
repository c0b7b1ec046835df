//! What a provider promises, clause by clause.

use std::fmt;

use super::harness::Part;

/// A promise of a provider, which one check of the suite judges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Clause {
    /// Every cluster of the source is reported before the first `Synced`, which comes for an empty source too.
    FirstListing,
    /// An event is a change: an unchanged cluster is not `Applied` again, and an unknown one never `Removed`.
    OnlyChanges,
    /// The changes of a cluster are reported in their order, so that the last one is the truth.
    Order,
    /// A cluster that leaves the source is `Removed`, alone, and can come back.
    Removal,
    /// While the source cannot be read, nothing is `Removed` or `Synced`, and errors do not come in a flood.
    Outage,
    /// When the source can be read again, its clusters are reported as they are by then.
    Recovery,
    /// A second stream reports everything anew, in the same form, and nothing that was deleted meanwhile.
    Restart,
    /// Streams are independent: one that nobody polls, or that is dropped, holds up no other.
    IndependentStreams,
    /// A dropped stream leaves no task behind.
    Cancellation,
    /// The fingerprint of a cluster changes when what `connect` would use changes, and no other cluster's does.
    FingerprintChanges,
    /// The fingerprint of a cluster stays when something else about it changes.
    FingerprintStays,
    /// A cluster's labels are those that its source has.
    Labels,
    /// `connect` gives the cluster that was asked for, with a client that works, and reads the source each time.
    Connect,
    /// `connect` fails soon for a cluster that the source does not have, or not any more.
    UnknownCluster,
    /// A cluster with a broken source cannot be connected to until it heals; it stays known, and others are as before.
    BrokenCluster,
    /// A `connect` that is dropped at any await leaves no task behind, and spoils no later one.
    DroppedConnect,
    /// Connecting, and streams that are never polled, change nothing.
    Idempotence,
    /// Hundreds of clusters are listed, connected to at the same time, and removed.
    ManyClusters,
    /// After random changes, a stream has told the same as a new one tells, and both tell the truth.
    Churn,
    /// No event, error or `Debug` output contains a credential.
    NoSecrets,
    /// A manager engages every cluster, connects anew to a changed one alone, and leaves a deleted one.
    Managed,
}

// === impl Clause ===

impl Clause {
    /// Every clause, in the order in which they are judged.
    pub const ALL: &[Self] = &[
        Self::FirstListing,
        Self::OnlyChanges,
        Self::Order,
        Self::Removal,
        Self::Outage,
        Self::Recovery,
        Self::Restart,
        Self::IndependentStreams,
        Self::Cancellation,
        Self::FingerprintChanges,
        Self::FingerprintStays,
        Self::Labels,
        Self::Connect,
        Self::UnknownCluster,
        Self::BrokenCluster,
        Self::DroppedConnect,
        Self::Idempotence,
        Self::ManyClusters,
        Self::Churn,
        Self::NoSecrets,
        Self::Managed,
    ];

    /// The promise, in a sentence.
    #[must_use]
    pub fn promise(self) -> &'static str {
        match self {
            Self::FirstListing => {
                "every cluster of the source is Applied before the first Synced, which comes for an empty source too"
            }
            Self::OnlyChanges => {
                "an event is a change: an unchanged cluster is not Applied again, and an unknown one never Removed"
            }
            Self::Order => {
                "the changes of a cluster are reported in their order, so that the last one is the truth"
            }
            Self::Removal => {
                "a cluster that leaves the source is Removed, alone, and can come back"
            }
            Self::Outage => {
                "while the source cannot be read, nothing is Removed or Synced, and errors do not come in a flood"
            }
            Self::Recovery => {
                "when the source can be read again, its clusters are reported as they are by then"
            }
            Self::Restart => {
                "a second stream reports everything anew, in the same form, and nothing that was deleted meanwhile"
            }
            Self::IndependentStreams => {
                "streams are independent: one that nobody polls, or that is dropped, holds up no other"
            }
            Self::Cancellation => "a dropped stream leaves no task behind",
            Self::FingerprintChanges => {
                "a cluster's fingerprint changes when what connect would use changes, and no other cluster's does"
            }
            Self::FingerprintStays => {
                "a cluster's fingerprint stays when something else about it changes"
            }
            Self::Labels => "a cluster's labels are those that its source has",
            Self::Connect => {
                "connect gives the cluster that was asked for, with a client that works, and reads the source each time"
            }
            Self::UnknownCluster => {
                "connect fails soon for a cluster that the source does not have, or not any more"
            }
            Self::BrokenCluster => {
                "a cluster with a broken source cannot be connected to until it heals; it stays known, and others are as \
                 before"
            }
            Self::DroppedConnect => {
                "a connect that is dropped at any await leaves no task behind, and spoils no later one"
            }
            Self::Idempotence => "connecting, and streams that are never polled, change nothing",
            Self::ManyClusters => {
                "hundreds of clusters are listed, connected to at the same time, and removed"
            }
            Self::Churn => {
                "after random changes, a stream has told the same as a new one tells, and both tell the truth"
            }
            Self::NoSecrets => "no event, error or Debug output contains a credential",
            Self::Managed => {
                "a manager engages every cluster, connects anew to a changed one alone, and leaves a deleted one"
            }
        }
    }

    /// What a harness must be able to do so that the clause can be judged.
    pub(super) fn needs(self) -> &'static [Part] {
        match self {
            Self::Outage | Self::Recovery => &[Part::Outage],
            Self::FingerprintChanges => &[Part::Rotate],
            Self::FingerprintStays => &[Part::Touch],
            Self::Labels => &[Part::Labels],
            Self::BrokenCluster => &[Part::Break],
            Self::NoSecrets => &[Part::Secrets],
            _ => &[],
        }
    }
}

impl fmt::Display for Clause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?} ({})", self.promise())
    }
}
