//! The checks: one for each clause.

mod changes;
mod connect;
mod fingerprint;
mod leaks;
mod managed;
mod outage;
mod scale;
mod secrets;
mod streams;

use std::collections::BTreeSet;

use super::{case::Case, clause::Clause, harness::Harness, report::Check};
use crate::cluster::ClusterName;

/// Judges the clause of `case`.
pub(super) async fn check<H: Harness>(case: &Case<'_, H>, clause: Clause) -> Check {
    match clause {
        Clause::FirstListing => streams::first_listing(case).await,
        Clause::OnlyChanges => changes::only_changes(case).await,
        Clause::Order => changes::order(case).await,
        Clause::Removal => changes::removal(case).await,
        Clause::Outage => outage::outage(case).await,
        Clause::Recovery => outage::recovery(case).await,
        Clause::Restart => streams::restart(case).await,
        Clause::IndependentStreams => streams::independent(case).await,
        Clause::Cancellation => leaks::streams(case).await,
        Clause::FingerprintChanges => fingerprint::changes(case).await,
        Clause::FingerprintStays => fingerprint::stays(case).await,
        Clause::Labels => changes::labels(case).await,
        Clause::Connect => connect::connect(case).await,
        Clause::UnknownCluster => connect::unknown(case).await,
        Clause::BrokenCluster => connect::broken(case).await,
        Clause::DroppedConnect => leaks::connects(case).await,
        Clause::Idempotence => connect::idempotence(case).await,
        Clause::ManyClusters => scale::many(case).await,
        Clause::Churn => scale::churn(case).await,
        Clause::NoSecrets => secrets::check(case).await,
        Clause::Managed => managed::check(case).await,
    }
}

impl<H: Harness> Case<'_, H> {
    /// The names of `keys`.
    fn names<'k>(&self, keys: impl IntoIterator<Item = &'k str>) -> Check<BTreeSet<ClusterName>> {
        keys.into_iter().map(|key| self.name(key)).collect()
    }
}
