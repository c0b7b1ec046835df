//! Clusters that are one real API server, and differ in who is asking.

use std::fs;

use data_encoding::BASE64;
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::Api;
use multicluster::BoxError;
use serde_json::json;

use crate::{
    conformance::members::{Issued, Members},
    fleet::{backend::Server, rights},
};

/// Where the accounts are.
const NAMESPACE: &str = "default";

/// A service account for each cluster.
pub(crate) struct Accounts<'a>(pub(crate) &'a Server);

impl Members for Accounts<'_> {
    async fn issue(&self, key: &str) -> Result<Issued, BoxError> {
        let admin = &self.0.admin;
        let account = json!({"metadata": {"name": key}});
        let account: ServiceAccount = serde_json::from_value(account)?;
        let accounts = Api::namespaced(admin.clone(), NAMESPACE);
        match accounts.create(&Default::default(), &account).await {
            // An earlier check has made it.
            Err(kube::Error::Api(status)) if status.code == 409 => {}
            created => drop(created?),
        }
        let (server, ca) = self.0.address();
        let ca = fs::read(ca.ok_or("it has no CA")?)?;
        Ok(Issued {
            server,
            authority: Some(BASE64.encode(&ca)),
            token: rights::token(admin, NAMESPACE, key, None).await,
            user: format!("system:serviceaccount:{NAMESPACE}:{key}"),
        })
    }
}
