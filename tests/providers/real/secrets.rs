//! Secrets of a real API server as the source of clusters.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard},
};

use data_encoding::BASE64;
use k8s_openapi::api::{
    authentication::v1::SelfSubjectReview,
    core::v1::{Secret, ServiceAccount},
};
use kube::{Api, Client, api::Patch};
use multicluster::{
    BoxError, cluster_client, providers::KubeconfigProvider, testing::conformance::Harness,
};
use serde_json::{Value, json};

use super::link::Link;
use crate::fleet::{
    backend::Server,
    rights::{self, Account, Rights},
};

/// Where the accounts are, one for each cluster: all clusters are this server, and differ in who is asking.
const ACCOUNTS: &str = "default";

/// The Secrets of one namespace.
pub(crate) struct Secrets<'a> {
    server: &'a Server,
    link: Link,
    namespace: String,
    /// What the provider is permitted.
    token: String,
    issued: Mutex<Issued>,
}

#[derive(Default)]
struct Issued {
    accounts: BTreeSet<String>,
    tokens: Vec<String>,
    /// The newest kubeconfig of each cluster.
    kubeconfigs: BTreeMap<String, String>,
}

// === impl Secrets ===

impl<'a> Secrets<'a> {
    pub(crate) async fn new(server: &'a Server, link: Link, number: usize) -> Self {
        let namespace = format!("check-{number}");
        let rights = Rights::new(&[("", "secrets", "get list watch")], &[]);
        let account = Account::create(&server.admin, namespace.clone(), &rights).await;
        Self {
            server,
            link,
            namespace,
            token: account.token().await,
            issued: Mutex::default(),
        }
    }

    fn api(&self) -> Api<Secret> {
        Api::namespaced(self.server.admin.clone(), &self.namespace)
    }

    /// A new kubeconfig for a cluster.
    async fn issue(&self, key: &str) -> Result<String, BoxError> {
        let admin = &self.server.admin;
        let is_new = self.issued().accounts.insert(key.to_owned());
        if is_new {
            let account = json!({"metadata": {"name": key}});
            let account: ServiceAccount = serde_json::from_value(account)?;
            let accounts = Api::namespaced(admin.clone(), ACCOUNTS);
            match accounts.create(&Default::default(), &account).await {
                // An earlier check has made it.
                Err(kube::Error::Api(status)) if status.code == 409 => {}
                created => drop(created?),
            }
        }
        let token = rights::token(admin, ACCOUNTS, key, None).await;
        let kubeconfig = self.server.inline_kubeconfig(&token);
        let mut issued = self.issued();
        issued.tokens.push(token);
        issued
            .kubeconfigs
            .insert(key.to_owned(), kubeconfig.clone());
        Ok(kubeconfig)
    }

    async fn store(&self, key: &str, kubeconfig: &str) -> Result<(), BoxError> {
        let kubeconfig = BASE64.encode(kubeconfig.as_bytes());
        self.merge(key, json!({"data": {"kubeconfig": kubeconfig}}))
            .await
    }

    async fn merge(&self, key: &str, patch: Value) -> Result<(), BoxError> {
        let (params, patch) = (Default::default(), Patch::Merge(patch));
        self.api().patch(key, &params, &patch).await?;
        Ok(())
    }

    fn issued(&self) -> MutexGuard<'_, Issued> {
        self.issued.lock().unwrap()
    }
}

impl Harness for Secrets<'_> {
    type Provider = KubeconfigProvider;

    async fn provider(&self) -> Result<KubeconfigProvider, BoxError> {
        let config = self.server.config_over(&self.link.url(), &self.token).await;
        Ok(KubeconfigProvider::new(
            cluster_client(config)?,
            &self.namespace,
        ))
    }

    async fn create(&self, key: &str) -> Result<(), BoxError> {
        let kubeconfig = self.issue(key).await?;
        let secret = json!({
            "metadata": {
                "name": key,
                "labels": {"sigs.k8s.io/multicluster-runtime-kubeconfig": "true"},
            },
            "stringData": {"kubeconfig": kubeconfig},
        });
        let secret = serde_json::from_value(secret)?;
        self.api().create(&Default::default(), &secret).await?;
        Ok(())
    }

    async fn delete(&self, key: &str) -> Result<(), BoxError> {
        self.api().delete(key, &Default::default()).await?;
        Ok(())
    }

    async fn rotate(&self, key: &str) -> Result<(), BoxError> {
        let kubeconfig = self.issue(key).await?;
        self.store(key, &kubeconfig).await
    }

    async fn touch(&self, key: &str) -> Result<(), BoxError> {
        let now = jiff::Timestamp::now();
        let metadata = json!({"annotations": {"touched": now}});
        self.merge(key, json!({"metadata": metadata})).await
    }

    async fn label(&self, key: &str, labels: &BTreeMap<String, String>) -> Result<(), BoxError> {
        self.merge(key, json!({"metadata": {"labels": labels}}))
            .await
    }

    async fn break_cluster(&self, key: &str) -> Result<(), BoxError> {
        let kubeconfig = self.issued().kubeconfigs[key].clone();
        // Half of it.
        self.store(key, &kubeconfig[..kubeconfig.len() / 2]).await
    }

    async fn heal_cluster(&self, key: &str) -> Result<(), BoxError> {
        let kubeconfig = self.issued().kubeconfigs[key].clone();
        self.store(key, &kubeconfig).await
    }

    async fn source_down(&self) -> Result<(), BoxError> {
        self.link.cut().await;
        Ok(())
    }

    async fn source_up(&self) -> Result<(), BoxError> {
        self.link.restore();
        Ok(())
    }

    fn secrets(&self) -> Vec<String> {
        self.issued().tokens.clone()
    }

    async fn reaches(&self, key: &str, client: Client) -> Result<(), BoxError> {
        let reviews: Api<SelfSubjectReview> = Api::all(client);
        let review = reviews
            .create(&Default::default(), &SelfSubjectReview::default())
            .await?;
        let user = review.status.and_then(|status| status.user_info?.username);
        let expected = format!("system:serviceaccount:{ACCOUNTS}:{key}");
        (user.as_deref() == Some(expected.as_str()))
            .then_some(())
            .ok_or_else(|| format!("it is asked as {user:?}").into())
    }
}
