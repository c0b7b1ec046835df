//! What is made of a provider that keeps the contract keeps it too.

use std::collections::BTreeMap;

use kube::Client;
use multicluster::{
    BoxError, ClusterProvider, ClusterProviderExt,
    testing::conformance::{self, Clause, Failure, Harness},
};

use super::sound::Inventory;

/// An inventory behind all adapters, with a cluster that they hide.
struct Adapted(Inventory);

impl Adapted {
    async fn new() -> Result<Self, BoxError> {
        let inventory = Inventory::new(None);
        inventory.create("hidden").await?;
        Ok(Self(inventory))
    }
}

impl Harness for Adapted {
    type Provider = Box<dyn ClusterProvider>;

    async fn provider(&self) -> Result<Self::Provider, BoxError> {
        let provider = self.0.provider().await?;
        let provider = provider
            .filter(|cluster| cluster.name.as_str() != "hidden")
            .with_labels([("tier", "test")])
            .map_client(|_, client| client);
        Ok(provider.boxed())
    }

    async fn create(&self, key: &str) -> Result<(), BoxError> {
        self.0.create(key).await
    }

    async fn delete(&self, key: &str) -> Result<(), BoxError> {
        self.0.delete(key).await
    }

    async fn rotate(&self, key: &str) -> Result<(), BoxError> {
        self.0.rotate("hidden").await?;
        self.0.rotate(key).await
    }

    async fn touch(&self, key: &str) -> Result<(), BoxError> {
        self.0.touch(key).await
    }

    async fn label(&self, key: &str, labels: &BTreeMap<String, String>) -> Result<(), BoxError> {
        self.0.label(key, labels).await
    }

    async fn break_cluster(&self, key: &str) -> Result<(), BoxError> {
        self.0.break_cluster(key).await
    }

    async fn heal_cluster(&self, key: &str) -> Result<(), BoxError> {
        self.0.heal_cluster(key).await
    }

    async fn source_down(&self) -> Result<(), BoxError> {
        self.0.source_down().await
    }

    async fn source_up(&self) -> Result<(), BoxError> {
        self.0.source_up().await
    }

    fn secrets(&self) -> Vec<String> {
        self.0.secrets()
    }

    async fn reaches(&self, key: &str, client: Client) -> Result<(), BoxError> {
        self.0.reaches(key, client).await
    }
}

#[tokio::test(start_paused = true)]
async fn adapted_providers_keep_the_contract() -> Result<(), Failure> {
    let report = conformance::run(Adapted::new).await?;
    assert_eq!(report.kept, Clause::ALL);
    Ok(())
}
