//! Every Namespace as a cluster.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::{
    Api, Client, Resource,
    api::{DeleteParams, Patch, PatchParams, PostParams},
    core::Request,
};
use kube_sandbox::{Fault, Faults, Outage, Rule, RuleId, Sandbox};
use multicluster::{
    BoxError,
    providers::NamespaceProvider,
    testing::conformance::{self, Failure, Harness, Part, Settings},
};
use serde_json::{Value, json};

/// The user of the provider's client.
const PROVIDER: &str = "provider";

/// The Namespaces of one API server that have a label of their own.
pub(crate) struct Namespaces {
    /// What the suite changes the source with.
    admin: Client,
    /// What the provider reads it with.
    reader: Client,
    /// The value of the label.
    source: String,
    /// What comes between `reader` and the server, where something can.
    faults: Option<Faults>,
    rules: Mutex<BTreeMap<String, RuleId>>,
    touches: AtomicU64,
}

// === impl Namespaces ===

impl Namespaces {
    /// Those of a server; `source` must be new there.
    pub(crate) fn new(admin: Client, reader: Client, source: &str) -> Self {
        Self {
            admin,
            reader,
            source: source.into(),
            faults: None,
            rules: Mutex::default(),
            touches: AtomicU64::new(0),
        }
    }

    /// Those of a new server in memory.
    fn in_memory() -> Self {
        let sandbox = Sandbox::new();
        let faults = Faults::new(&sandbox, 1);
        let mut namespaces = Self::new(sandbox.client(), faults.client(PROVIDER), "memory");
        namespaces.faults = Some(faults);
        namespaces
    }

    fn api(&self) -> Api<Namespace> {
        Api::all(self.admin.clone())
    }

    async fn patch(&self, key: &str, patch: Value) -> Result<(), BoxError> {
        let patch = Patch::Merge(patch);
        self.api()
            .patch(key, &PatchParams::default(), &patch)
            .await?;
        Ok(())
    }

    fn begin(&self, what: &str, rule: Rule) -> Result<(), BoxError> {
        let faults = self.faults.as_ref().ok_or("there are no faults")?;
        let id = faults.add(rule.user(PROVIDER));
        self.rules.lock().unwrap().insert(what.into(), id);
        Ok(())
    }

    fn end(&self, what: &str) -> Result<(), BoxError> {
        let faults = self.faults.as_ref().ok_or("there are no faults")?;
        let id = self.rules.lock().unwrap().remove(what);
        faults.remove(id.ok_or("it is not broken")?);
        Ok(())
    }
}

impl Harness for Namespaces {
    type Provider = NamespaceProvider;

    fn cannot(&self) -> Vec<Part> {
        match self.faults {
            Some(_) => vec![Part::Secrets],
            None => vec![Part::Break, Part::Outage, Part::Secrets],
        }
    }

    async fn provider(&self) -> Result<NamespaceProvider, BoxError> {
        let labels = format!("conformance={}", self.source);
        Ok(NamespaceProvider::new(self.reader.clone()).labels(labels))
    }

    async fn create(&self, key: &str) -> Result<(), BoxError> {
        let mut namespace = Namespace::default();
        namespace.metadata.name = Some(key.into());
        namespace.metadata.labels = Some([("conformance".to_owned(), self.source.clone())].into());
        self.api()
            .create(&PostParams::default(), &namespace)
            .await?;
        let identity = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "identity"}, "data": {"name": key},
        });
        let maps: Api<ConfigMap> = Api::namespaced(self.admin.clone(), key);
        let params = PatchParams::apply("conformance").force();
        maps.patch("identity", &params, &Patch::Apply(identity))
            .await?;
        Ok(())
    }

    async fn delete(&self, key: &str) -> Result<(), BoxError> {
        self.api().delete(key, &DeleteParams::default()).await?;
        // Without the controller that empties it, a Namespace stays.
        if let Some(mut namespace) = self.api().get_opt(key).await? {
            namespace.spec = None;
            let body = serde_json::to_vec(&namespace)?;
            let url = Namespace::url_path(&(), None);
            let finalize = Request::new(url).replace_subresource(
                "finalize",
                key,
                &PostParams::default(),
                body,
            )?;
            self.admin.request_text(finalize).await?;
        }
        Ok(())
    }

    /// One with the same name is another cluster.
    async fn rotate(&self, key: &str) -> Result<(), BoxError> {
        self.delete(key).await?;
        self.create(key).await
    }

    async fn touch(&self, key: &str) -> Result<(), BoxError> {
        let touches = self.touches.fetch_add(1, Ordering::Relaxed).to_string();
        self.patch(
            key,
            json!({"metadata": {"annotations": {"touched": touches}}}),
        )
        .await
    }

    async fn label(&self, key: &str, labels: &BTreeMap<String, String>) -> Result<(), BoxError> {
        self.patch(key, json!({"metadata": {"labels": labels}}))
            .await
    }

    async fn break_cluster(&self, key: &str) -> Result<(), BoxError> {
        let rule = Rule::new(Fault::Status(403)).kind("Namespace");
        self.begin(key, rule.name_prefix(key))
    }

    async fn heal_cluster(&self, key: &str) -> Result<(), BoxError> {
        self.end(key)
    }

    async fn source_down(&self) -> Result<(), BoxError> {
        self.begin("the server", Rule::new(Fault::Outage(Outage::Refuse)))
    }

    async fn source_up(&self) -> Result<(), BoxError> {
        self.end("the server")
    }

    async fn reaches(&self, key: &str, client: Client) -> Result<(), BoxError> {
        let maps: Api<ConfigMap> = Api::default_namespaced(client);
        let name = maps.get("identity").await?.data.unwrap_or_default();
        match name.get("name") {
            Some(name) if name == key => Ok(()),
            other => Err(format!("it is {other:?}").into()),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_namespace_provider_keeps_the_contract() -> Result<(), Failure> {
    // A watch that cannot be opened is tried again after up to 5 s.
    let settings = Settings::default().quiet(Duration::from_secs(20));
    let report = conformance::run_with(&settings, async || Ok(Namespaces::in_memory())).await?;
    assert_eq!(report.not_judged.len(), 1, "{report}");
    Ok(())
}

/// As on a server of which the suite knows nothing but a client.
#[tokio::test(start_paused = true)]
async fn a_harness_without_faults_can_do_less() -> Result<(), Failure> {
    let settings = Settings::default().many(40);
    let report = conformance::run_with(&settings, async || {
        let client = Sandbox::new().client();
        Ok(Namespaces::new(client.clone(), client, "real"))
    });
    let report = report.await?;
    assert_eq!(report.not_judged.len(), 4, "{report}");
    Ok(())
}
