//! The hub: a kube-apiserver with the Secrets and the Leases of the fleet.

use std::collections::BTreeSet;

use data_encoding::BASE64;
use k8s_openapi::api::{coordination::v1::Lease, core::v1::Secret};
use kube::{
    Api, Client, Config, ResourceExt,
    api::{ListParams, Patch, PatchParams},
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::json;

use crate::fleet::{
    backend::{Backend, Server},
    rights::{Account, Rights},
};

/// Where everything of the fleet is.
pub(crate) const NAMESPACE: &str = "fleet";

/// The label of Secrets with kubeconfigs.
const LABEL: &str = "sigs.k8s.io/multicluster-runtime-kubeconfig";

/// A running hub.
pub(crate) struct Hub {
    pub(crate) server: Server,
    /// With the rights of a replica.
    pub(crate) config: Config,
}

// === impl Hub ===

impl Hub {
    pub(crate) async fn start() -> Self {
        let server = Backend::Real.start(&[]).await;
        let rights = [
            (
                "coordination.k8s.io",
                "leases",
                "get list watch create update delete",
            ),
            ("", "secrets", "get list watch"),
        ];
        let rights = Rights::new(&rights, &[]);
        let account = Account::create(&server.admin, NAMESPACE.to_owned(), &rights).await;
        let (url, token) = (server.address().0, account.token().await);
        let config = server.config_over(&url, &token).await;
        Self { server, config }
    }

    /// Creates or changes the Secret of a member.
    pub(crate) async fn store(&self, member: &str, kubeconfig: &str) {
        let secret = json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": member, "labels": {LABEL: "true"}},
            "data": {"kubeconfig": BASE64.encode(kubeconfig.as_bytes())},
        });
        let (params, secret) = (PatchParams::apply("tests").force(), Patch::Apply(secret));
        let stored = self.secrets().patch(member, &params, &secret).await;
        stored.expect("store a Secret");
    }

    /// A client of a member, by its Secret.
    pub(crate) async fn client_of(&self, member: &str) -> Client {
        let secret = self.secrets().get(member).await.expect("get a Secret");
        let data = secret.data.unwrap_or_default();
        let kubeconfig = data.get("kubeconfig").expect("it has a kubeconfig");
        let kubeconfig = String::from_utf8_lossy(&kubeconfig.0);
        let kubeconfig = Kubeconfig::from_yaml(&kubeconfig).expect("a kubeconfig");
        let options = KubeConfigOptions::default();
        let config = Config::from_custom_kubeconfig(kubeconfig, &options).await;
        Client::try_from(config.expect("a usable kubeconfig")).expect("a client")
    }

    /// Deletes the Secret of a member.
    pub(crate) async fn delete(&self, member: &str) {
        let deleted = self.secrets().delete(member, &Default::default()).await;
        deleted.expect("delete a Secret");
    }

    /// The names of all Leases of the fleet.
    pub(crate) async fn leases(&self) -> BTreeSet<String> {
        let leases: Api<Lease> = Api::namespaced(self.server.admin.clone(), NAMESPACE);
        let leases = leases.list(&ListParams::default()).await;
        let leases = leases.expect("list the Leases");
        leases.iter().map(ResourceExt::name_any).collect()
    }

    fn secrets(&self) -> Api<Secret> {
        Api::namespaced(self.server.admin.clone(), NAMESPACE)
    }
}
