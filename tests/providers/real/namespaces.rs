//! Namespaces of a real API server as the source of clusters.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::{Api, Client, api::Patch};
use multicluster::{
    BoxError, ClusterName, Error,
    providers::NamespaceProvider,
    testing::conformance::{Harness, Part},
};
use serde_json::{Value, json};

use super::link::Link;
use crate::fleet::backend::{ADMIN, Server};

/// A ConfigMap that says in which Namespace it is.
const SIGN: &str = "sign";

/// The Namespaces with one label.
pub(crate) struct Namespaces<'a> {
    server: &'a Server,
    link: Link,
    number: usize,
}

// === impl Namespaces ===

impl<'a> Namespaces<'a> {
    pub(crate) async fn new(server: &'a Server, link: Link, number: usize) -> Self {
        Self {
            server,
            link,
            number,
        }
    }

    fn full_name(&self, key: &str) -> String {
        format!("check-{}-{key}", self.number)
    }

    fn api(&self) -> Api<Namespace> {
        Api::all(self.server.admin.clone())
    }

    async fn merge(&self, key: &str, metadata: Value) -> Result<(), BoxError> {
        let patch = Patch::Merge(json!({"metadata": metadata}));
        let name = self.full_name(key);
        let params = Default::default();
        self.api().patch(&name, &params, &patch).await?;
        Ok(())
    }
}

impl Harness for Namespaces<'_> {
    type Provider = NamespaceProvider;

    fn cannot(&self) -> Vec<Part> {
        vec![Part::Rotate, Part::Break, Part::Secrets]
    }

    async fn provider(&self) -> Result<NamespaceProvider, BoxError> {
        let config = self
            .server
            .config_over(&self.link.url(), &ADMIN.token())
            .await;
        let provider = NamespaceProvider::try_from(config)?;
        Ok(provider.labels(format!("check={}", self.number)))
    }

    fn name(&self, key: &str) -> Result<ClusterName, Error> {
        ClusterName::new(self.full_name(key))
    }

    async fn create(&self, key: &str) -> Result<(), BoxError> {
        let name = self.full_name(key);
        let labels = json!({"check": self.number.to_string()});
        let namespace = json!({"metadata": {"name": name, "labels": labels}});
        let namespace = serde_json::from_value(namespace)?;
        self.api().create(&Default::default(), &namespace).await?;
        let sign = json!({"metadata": {"name": SIGN}, "data": {"namespace": name}});
        let sign: ConfigMap = serde_json::from_value(sign)?;
        let maps = Api::namespaced(self.server.admin.clone(), &name);
        maps.create(&Default::default(), &sign).await?;
        Ok(())
    }

    async fn delete(&self, key: &str) -> Result<(), BoxError> {
        self.server.delete_namespace(&self.full_name(key)).await;
        Ok(())
    }

    async fn touch(&self, key: &str) -> Result<(), BoxError> {
        let now = jiff::Timestamp::now();
        self.merge(key, json!({"annotations": {"touched": now}}))
            .await
    }

    async fn label(&self, key: &str, labels: &BTreeMap<String, String>) -> Result<(), BoxError> {
        self.merge(key, json!({"labels": labels})).await
    }

    async fn source_down(&self) -> Result<(), BoxError> {
        self.link.cut().await;
        Ok(())
    }

    async fn source_up(&self) -> Result<(), BoxError> {
        self.link.restore();
        Ok(())
    }

    async fn reaches(&self, key: &str, client: Client) -> Result<(), BoxError> {
        let maps: Api<ConfigMap> = Api::namespaced(client, "default");
        let data = maps.get(SIGN).await?.data.unwrap_or_default();
        let (found, expected) = (data.get("namespace"), self.full_name(key));
        (found == Some(&expected))
            .then_some(())
            .ok_or_else(|| format!("it is in {found:?}").into())
    }
}
