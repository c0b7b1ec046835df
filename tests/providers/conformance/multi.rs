//! Several providers as one.

use std::collections::BTreeMap;

use kube::Client;
use multicluster::{
    BoxError, ClusterName, Error,
    providers::MultiProvider,
    testing::conformance::{self, Clause, Failure, Harness, Settings},
};

use super::sound::Inventory;

/// Two inventories, which have every other cluster.
struct Two {
    one: Inventory,
    two: Inventory,
}

// === impl Two ===

impl Two {
    fn new() -> Self {
        Self {
            one: Inventory::new(None),
            two: Inventory::new(None),
        }
    }

    fn of(&self, key: &str) -> (&'static str, &Inventory) {
        let odd = key.bytes().map(usize::from).sum::<usize>() % 2 == 1;
        if odd {
            ("one", &self.one)
        } else {
            ("two", &self.two)
        }
    }
}

impl Harness for Two {
    type Provider = MultiProvider;

    async fn provider(&self) -> Result<MultiProvider, BoxError> {
        let provider = MultiProvider::new().provider("one", self.one.provider().await?)?;
        Ok(provider.provider("two", self.two.provider().await?)?)
    }

    fn name(&self, key: &str) -> Result<ClusterName, Error> {
        ClusterName::new(format!("{}#{key}", self.of(key).0))
    }

    async fn create(&self, key: &str) -> Result<(), BoxError> {
        self.of(key).1.create(key).await
    }

    async fn delete(&self, key: &str) -> Result<(), BoxError> {
        self.of(key).1.delete(key).await
    }

    async fn rotate(&self, key: &str) -> Result<(), BoxError> {
        self.of(key).1.rotate(key).await
    }

    async fn touch(&self, key: &str) -> Result<(), BoxError> {
        self.of(key).1.touch(key).await
    }

    async fn label(&self, key: &str, labels: &BTreeMap<String, String>) -> Result<(), BoxError> {
        self.of(key).1.label(key, labels).await
    }

    async fn break_cluster(&self, key: &str) -> Result<(), BoxError> {
        self.of(key).1.break_cluster(key).await
    }

    async fn heal_cluster(&self, key: &str) -> Result<(), BoxError> {
        self.of(key).1.heal_cluster(key).await
    }

    async fn source_down(&self) -> Result<(), BoxError> {
        self.one.source_down().await?;
        self.two.source_down().await
    }

    async fn source_up(&self) -> Result<(), BoxError> {
        self.one.source_up().await?;
        self.two.source_up().await
    }

    fn secrets(&self) -> Vec<String> {
        [self.one.secrets(), self.two.secrets()].concat()
    }

    async fn reaches(&self, key: &str, client: Client) -> Result<(), BoxError> {
        self.of(key).1.reaches(key, client).await
    }
}

#[tokio::test(start_paused = true)]
async fn the_multi_provider_keeps_the_contract() -> Result<(), Failure> {
    let report = conformance::run(async || Ok(Two::new())).await?;
    assert_eq!(report.kept, Clause::ALL);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn other_random_changes_make_no_difference() -> Result<(), Failure> {
    for seed in 2..10 {
        let settings = Settings::default().seed(seed).only([Clause::Churn]);
        conformance::run_with(&settings, async || Ok(Two::new())).await?;
    }
    Ok(())
}
