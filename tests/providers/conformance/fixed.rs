//! Clusters that are given in code.

use std::collections::BTreeMap;

use kube::Client;
use kube_sandbox::Sandbox;
use multicluster::{
    BoxError, Cluster,
    providers::FixedProvider,
    testing::conformance::{self, Failure, Harness, Part},
};

#[derive(Default)]
struct Fixed {
    provider: FixedProvider,
    sandbox: Sandbox,
}

impl Harness for Fixed {
    type Provider = FixedProvider;

    fn cannot(&self) -> Vec<Part> {
        vec![Part::Touch, Part::Break, Part::Outage, Part::Secrets]
    }

    async fn provider(&self) -> Result<FixedProvider, BoxError> {
        Ok(self.provider.clone())
    }

    async fn create(&self, key: &str) -> Result<(), BoxError> {
        let client = Client::new(self.sandbox.clone(), key);
        self.provider.add(Cluster::new(key.parse()?, client));
        Ok(())
    }

    async fn rotate(&self, key: &str) -> Result<(), BoxError> {
        self.create(key).await
    }

    async fn label(&self, key: &str, labels: &BTreeMap<String, String>) -> Result<(), BoxError> {
        let known = self.provider.set_labels(&key.parse()?, labels.clone());
        known.then_some(()).ok_or_else(|| "it is not there".into())
    }

    async fn delete(&self, key: &str) -> Result<(), BoxError> {
        self.provider.remove(&key.parse()?);
        Ok(())
    }

    async fn reaches(&self, key: &str, client: Client) -> Result<(), BoxError> {
        match client.default_namespace() {
            namespace if namespace == key => Ok(()),
            other => Err(format!("it is the client of {other}").into()),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_fixed_provider_keeps_the_contract() -> Result<(), Failure> {
    let report = conformance::run(async || Ok(Fixed::default())).await?;
    assert_eq!(report.kept.len(), 16, "{report}");
    Ok(())
}
