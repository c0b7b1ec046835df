//! Clusters that kubeconfigs are about.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use kube::{Api, Client};
use kube_sandbox::{Sandbox, Server};
use multicluster::BoxError;
use serde_json::json;

/// Who makes kubeconfigs.
pub(crate) trait Members {
    /// A new one for the cluster `key`, beside those that there are.
    async fn issue(&self, key: &str) -> Result<Issued, BoxError>;
}

/// A kubeconfig, and what is known of it.
#[derive(Clone)]
pub(crate) struct Issued {
    pub(crate) server: String,
    /// In base64; `None` where there is no TLS.
    pub(crate) authority: Option<String>,
    pub(crate) token: String,
    /// Whom the cluster takes its bearer for.
    pub(crate) user: String,
}

/// Users of one server in memory, on a socket.
pub(crate) struct Users {
    server: Server,
    issued: AtomicUsize,
}

/// What was issued for which cluster.
#[derive(Default)]
pub(crate) struct Ledger {
    newest: Mutex<BTreeMap<String, Issued>>,
    tokens: Mutex<Vec<String>>,
}

// === impl Issued ===

impl Issued {
    /// The kubeconfig, whose only context is called `name`.
    pub(crate) fn kubeconfig(&self, name: &str) -> serde_json::Value {
        let mut cluster = json!({"server": self.server});
        if let Some(authority) = &self.authority {
            cluster["certificate-authority-data"] = authority.as_str().into();
        }
        json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": name, "cluster": cluster}],
            "users": [{"name": name, "user": {"token": self.token}}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        })
    }
}

// === impl Users ===

impl Users {
    pub(crate) async fn start() -> Result<Self, BoxError> {
        Ok(Self {
            server: Sandbox::new().listen("127.0.0.1:0").await?,
            issued: AtomicUsize::new(0),
        })
    }
}

impl Members for Users {
    async fn issue(&self, key: &str) -> Result<Issued, BoxError> {
        let number = self.issued.fetch_add(1, Ordering::Relaxed);
        // The server takes the bearer of any token for the user of this name.
        let token = format!("hunter2-{key}-{number}");
        Ok(Issued {
            server: self.server.url(),
            authority: None,
            user: token.clone(),
            token,
        })
    }
}

// === impl Ledger ===

impl Ledger {
    pub(crate) fn enter(&self, key: &str, issued: &Issued) {
        self.newest
            .lock()
            .unwrap()
            .insert(key.into(), issued.clone());
        self.tokens.lock().unwrap().push(issued.token.clone());
    }

    pub(crate) fn newest(&self, key: &str) -> Result<Issued, BoxError> {
        let newest = self.newest.lock().unwrap().get(key).cloned();
        newest.ok_or_else(|| "it was never created".into())
    }

    pub(crate) fn tokens(&self) -> Vec<String> {
        self.tokens.lock().unwrap().clone()
    }

    /// Whether a client has the newest credentials of the cluster `key`.
    pub(crate) async fn reaches(&self, key: &str, client: Client) -> Result<(), BoxError> {
        let reviews: Api<SelfSubjectReview> = Api::all(client);
        let asked = SelfSubjectReview::default();
        let review = reviews.create(&Default::default(), &asked).await?;
        let user = review.status.and_then(|status| status.user_info?.username);
        let expected = self.newest(key)?.user;
        match user {
            Some(user) if user == expected => Ok(()),
            other => Err(format!("it is taken for {other:?} in place of {expected}").into()),
        }
    }
}
