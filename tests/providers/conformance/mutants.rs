//! Providers with one mistake each, which the suite must find and name.

use std::time::Duration;

use multicluster::testing::conformance::{self, Clause, Failure, Harness, Settings};

use super::{
    mutant::Mutant::{self, *},
    sound::Inventory,
};

/// Each mistake, and the clause that it breaks.
const MUTANTS: &[(Mutant, Clause)] = &[
    (SyncedTooEarly, Clause::FirstListing),
    (NothingForAnEmptySource, Clause::FirstListing),
    (Duplicates, Clause::OnlyChanges),
    (RemovedTwice, Clause::OnlyChanges),
    (OneChangeAtATime, Clause::Order),
    (ForgetsRemoved, Clause::Removal),
    (RemovesOthers, Clause::Removal),
    (ErrorRemoves, Clause::Outage),
    (ErrorIsSynced, Clause::Outage),
    (FloodOfErrors, Clause::Outage),
    (EndsWithAnError, Clause::Recovery),
    (BlindToDeletionsOfAnOutage, Clause::Recovery),
    (TellsOnlyOnce, Clause::Restart),
    (FingerprintOfTheStream, Clause::Restart),
    (StreamsStealFromEachOther, Clause::IndependentStreams),
    (StreamLeavesATask, Clause::Cancellation),
    (ConstantFingerprint, Clause::FingerprintChanges),
    (FingerprintOfTheWholeSource, Clause::FingerprintChanges),
    (FingerprintOfEverything, Clause::FingerprintStays),
    (NoLabels, Clause::Labels),
    (ConnectIgnoresTheName, Clause::Connect),
    (KeepsCredentials, Clause::Connect),
    (KeepsCredentials, Clause::UnknownCluster),
    (ConnectsToUnknown, Clause::UnknownCluster),
    (SlowForUnknown, Clause::UnknownCluster),
    (BrokenIsRemoved, Clause::BrokenCluster),
    (BrokenStopsAll, Clause::BrokenCluster),
    (ConnectsToBroken, Clause::BrokenCluster),
    (ConnectLeavesATask, Clause::DroppedConnect),
    (DroppedConnectSpoils, Clause::DroppedConnect),
    (ConnectRotates, Clause::Idempotence),
    (OnePage, Clause::ManyClusters),
    (RebornIsTheSame, Clause::Churn),
    (TokenInAnError, Clause::NoSecrets),
    (TokenInALabel, Clause::NoSecrets),
    (ConstantFingerprint, Clause::Managed),
    (FingerprintOfEverything, Clause::Managed),
    (ForgetsRemoved, Clause::Managed),
];

fn settings() -> Settings {
    Settings::default().quiet(Duration::from_secs(5))
}

#[tokio::test(start_paused = true)]
async fn a_sound_provider_keeps_every_clause() -> Result<(), Failure> {
    let report = conformance::run_with(&settings(), async || Ok(Inventory::new(None))).await?;
    assert_eq!(report.kept, Clause::ALL);
    Ok(())
}

#[test]
fn every_clause_is_broken_by_a_mutant() {
    for clause in Clause::ALL {
        assert!(
            MUTANTS.iter().any(|(_, breaks)| breaks == clause),
            "{clause}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn every_mutant_is_found_and_its_clause_named() {
    for (mutant, clause) in MUTANTS {
        let only = settings().only([*clause]);
        let judged = conformance::run_with(&only, async || Ok(Inventory::new(Some(*mutant))));
        let Err(failure) = judged.await else {
            panic!("{mutant:?} keeps {clause:?}");
        };
        let named: Vec<_> = failure
            .violations
            .iter()
            .map(|broken| broken.clause)
            .collect();
        assert_eq!(named, [*clause], "{mutant:?}: {failure}");
        let text = failure.to_string();
        assert!(text.contains(clause.promise()), "{text}");
        // The failure itself goes into the logs of builds.
        assert!(!text.contains("token-1"), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_does_not_list_is_judged_no_further() {
    let judged = conformance::run(async || Ok(Inventory::new(Some(SyncedTooEarly))));
    let failure = judged.await.unwrap_err();
    assert_eq!(failure.violations.len(), 1);
    assert!(failure.report.kept.is_empty());
    let history = &failure.violations[0].history;
    assert!(
        history.iter().any(|line| line.ends_with("- create zoo")),
        "{failure}"
    );
    assert!(
        history.iter().any(|line| line.ends_with("Synced")),
        "{failure}"
    );
}

/// What a harness leaves out without a word is not the provider's fault, and not passed over either.
#[tokio::test(start_paused = true)]
async fn a_harness_says_what_it_cannot_do() {
    struct Silent(Inventory);
    impl Harness for Silent {
        type Provider = <Inventory as Harness>::Provider;

        async fn provider(&self) -> Result<Self::Provider, multicluster::BoxError> {
            self.0.provider().await
        }
        async fn create(&self, key: &str) -> Result<(), multicluster::BoxError> {
            self.0.create(key).await
        }
        async fn delete(&self, key: &str) -> Result<(), multicluster::BoxError> {
            self.0.delete(key).await
        }
        async fn reaches(&self, _: &str, _: kube::Client) -> Result<(), multicluster::BoxError> {
            Ok(())
        }
    }
    let judged = conformance::run(async || Ok(Silent(Inventory::new(None))));
    let failure = judged.await.unwrap_err();
    assert!(failure.violations.is_empty(), "{failure}");
    for method in ["rotate", "touch", "label", "break_cluster", "source_down"] {
        assert!(
            failure.to_string().contains(&format!("no method {method}")),
            "{failure}"
        );
    }
}
