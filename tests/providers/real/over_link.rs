//! A harness whose provider reaches its source over a link.

use std::collections::BTreeMap;

use kube::Client;
use multicluster::{
    BoxError, ClusterName, Error,
    testing::conformance::{Harness, Part},
};

use super::link::Link;

/// A harness, with outages.
pub(crate) struct OverLink<H> {
    pub(crate) harness: H,
    pub(crate) link: Link,
}

impl<H: Harness> Harness for OverLink<H> {
    type Provider = H::Provider;

    fn cannot(&self) -> Vec<Part> {
        let mut cannot = self.harness.cannot();
        cannot.retain(|part| *part != Part::Outage);
        cannot
    }

    async fn source_down(&self) -> Result<(), BoxError> {
        self.link.cut().await;
        Ok(())
    }

    async fn source_up(&self) -> Result<(), BoxError> {
        self.link.restore();
        Ok(())
    }

    async fn provider(&self) -> Result<H::Provider, BoxError> {
        self.harness.provider().await
    }

    fn name(&self, key: &str) -> Result<ClusterName, Error> {
        self.harness.name(key)
    }

    async fn create(&self, key: &str) -> Result<(), BoxError> {
        self.harness.create(key).await
    }

    async fn delete(&self, key: &str) -> Result<(), BoxError> {
        self.harness.delete(key).await
    }

    async fn rotate(&self, key: &str) -> Result<(), BoxError> {
        self.harness.rotate(key).await
    }

    async fn touch(&self, key: &str) -> Result<(), BoxError> {
        self.harness.touch(key).await
    }

    async fn label(&self, key: &str, labels: &BTreeMap<String, String>) -> Result<(), BoxError> {
        self.harness.label(key, labels).await
    }

    async fn break_cluster(&self, key: &str) -> Result<(), BoxError> {
        self.harness.break_cluster(key).await
    }

    async fn heal_cluster(&self, key: &str) -> Result<(), BoxError> {
        self.harness.heal_cluster(key).await
    }

    fn secrets(&self) -> Vec<String> {
        self.harness.secrets()
    }

    async fn reaches(&self, key: &str, client: Client) -> Result<(), BoxError> {
        self.harness.reaches(key, client).await
    }
}
