//! Secrets with kubeconfigs.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client,
    api::{Patch, PatchParams},
};
use kube_sandbox::{Fault, Faults, Outage, Rule, RuleId, Sandbox};
use multicluster::{
    BoxError,
    providers::KubeconfigProvider,
    testing::conformance::{self, Failure, Harness, Part, Settings},
};
use serde_json::{Value, json};

use super::members::{Ledger, Members, Users};

/// The user of the provider's client.
const PROVIDER: &str = "provider";

const LABEL: &str = "sigs.k8s.io/multicluster-runtime-kubeconfig";

/// The Secrets of one namespace of a hub.
pub(crate) struct Secrets<M> {
    /// What the suite writes Secrets with.
    admin: Client,
    /// What the provider reads them with.
    reader: Client,
    namespace: String,
    members: M,
    ledger: Ledger,
    /// What comes between `reader` and the hub, where something can.
    faults: Option<Faults>,
    outage: Mutex<Option<RuleId>>,
    touches: AtomicUsize,
}

// === impl Secrets ===

impl<M: Members> Secrets<M> {
    /// Those of a namespace that has none yet.
    pub(crate) fn new(admin: Client, reader: Client, namespace: &str, members: M) -> Self {
        Self {
            admin,
            reader,
            namespace: namespace.into(),
            members,
            ledger: Ledger::default(),
            faults: None,
            outage: Mutex::default(),
            touches: AtomicUsize::new(0),
        }
    }

    fn api(&self) -> Api<Secret> {
        Api::namespaced(self.admin.clone(), &self.namespace)
    }

    async fn patch(&self, key: &str, change: Value) -> Result<(), BoxError> {
        let change = Patch::Merge(change);
        self.api()
            .patch(key, &PatchParams::default(), &change)
            .await?;
        Ok(())
    }
}

impl Secrets<Users> {
    /// Those of a new hub in memory.
    async fn in_memory() -> Result<Self, BoxError> {
        let hub = Sandbox::new();
        let faults = Faults::new(&hub, 1);
        let reader = faults.client(PROVIDER);
        let mut secrets = Self::new(hub.client(), reader, "default", Users::start().await?);
        secrets.faults = Some(faults);
        Ok(secrets)
    }
}

impl<M: Members> Harness for Secrets<M> {
    type Provider = KubeconfigProvider;

    fn cannot(&self) -> Vec<Part> {
        match self.faults {
            Some(_) => Vec::new(),
            None => vec![Part::Outage],
        }
    }

    async fn provider(&self) -> Result<KubeconfigProvider, BoxError> {
        let (reader, namespace) = (self.reader.clone(), self.namespace.clone());
        Ok(KubeconfigProvider::new(reader, namespace))
    }

    async fn create(&self, key: &str) -> Result<(), BoxError> {
        let issued = self.members.issue(key).await?;
        self.ledger.enter(key, &issued);
        let secret = serde_json::from_value(json!({
            "metadata": {"name": key, "labels": {LABEL: "true"}},
            "stringData": {"kubeconfig": issued.kubeconfig("member").to_string()},
        }))?;
        self.api().create(&Default::default(), &secret).await?;
        Ok(())
    }

    async fn delete(&self, key: &str) -> Result<(), BoxError> {
        self.api().delete(key, &Default::default()).await?;
        Ok(())
    }

    async fn rotate(&self, key: &str) -> Result<(), BoxError> {
        let issued = self.members.issue(key).await?;
        self.ledger.enter(key, &issued);
        self.heal_cluster(key).await
    }

    async fn touch(&self, key: &str) -> Result<(), BoxError> {
        let touches = self.touches.fetch_add(1, Ordering::Relaxed).to_string();
        let note = json!({"annotations": {"touched": touches}});
        self.patch(
            key,
            json!({"metadata": note, "stringData": {"other": touches}}),
        )
        .await
    }

    async fn label(&self, key: &str, labels: &BTreeMap<String, String>) -> Result<(), BoxError> {
        self.patch(key, json!({"metadata": {"labels": labels}}))
            .await
    }

    /// A parser that quotes what it cannot read would show the token.
    async fn break_cluster(&self, key: &str) -> Result<(), BoxError> {
        let token = self.ledger.newest(key)?.token;
        let nonsense = format!("users: [{{name: {token}, user: [{token}]}}]");
        self.patch(key, json!({"stringData": {"kubeconfig": nonsense}}))
            .await
    }

    async fn heal_cluster(&self, key: &str) -> Result<(), BoxError> {
        let kubeconfig = self.ledger.newest(key)?.kubeconfig("member").to_string();
        self.patch(key, json!({"stringData": {"kubeconfig": kubeconfig}}))
            .await
    }

    async fn source_down(&self) -> Result<(), BoxError> {
        let faults = self.faults.as_ref().ok_or("there are no faults")?;
        let id = faults.add(Rule::new(Fault::Outage(Outage::Refuse)).user(PROVIDER));
        *self.outage.lock().unwrap() = Some(id);
        Ok(())
    }

    async fn source_up(&self) -> Result<(), BoxError> {
        let faults = self.faults.as_ref().ok_or("there are no faults")?;
        let id = self.outage.lock().unwrap().take();
        faults.remove(id.ok_or("it is up")?);
        Ok(())
    }

    fn secrets(&self) -> Vec<String> {
        self.ledger.tokens()
    }

    async fn reaches(&self, key: &str, client: Client) -> Result<(), BoxError> {
        self.ledger.reaches(key, client).await
    }
}

/// In real time, since the clusters are on a socket.
#[tokio::test]
async fn the_kubeconfig_provider_keeps_the_contract() -> Result<(), Failure> {
    let quiet = Duration::from_millis(100);
    let settings = Settings::default().quiet(quiet).many(100).steps(120);
    let report = conformance::run_with(&settings, Secrets::in_memory).await?;
    assert_eq!(report.not_judged, [], "{report}");
    Ok(())
}
