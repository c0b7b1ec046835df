//! What a container proves its identity with: a token of its Pod's service account, in a kubeconfig.

use std::{
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use k8s_openapi::api::{
    authentication::v1::{BoundObjectReference, TokenRequest, TokenRequestSpec},
    core::v1::{Pod, ServiceAccount},
};
use kube::{Api, Client, ResourceExt, api::PostParams};
use serde_json::json;

/// How long a token is good: a day, which is longer than demos and tests.
const LIFETIME: i64 = 24 * 3600;

/// How containers reach the API server.
#[derive(Clone, Debug)]
pub(crate) struct Access {
    /// Its URL.
    pub(crate) server: String,
    /// The certificates to trust.
    pub(crate) ca: Option<PathBuf>,
    /// Where kubeconfigs are written.
    pub(crate) folder: PathBuf,
}

/// The kubeconfig of one Pod; its file goes when this does.
pub(super) struct Credentials {
    access: Access,
    path: PathBuf,
    pod: Pod,
}

// === impl Credentials ===

impl Credentials {
    pub(super) fn new(access: &Access, pod: &Pod) -> Self {
        let uid = pod.uid().unwrap_or_default();
        Self {
            path: access.folder.join(format!("{uid}.kubeconfig")),
            access: access.clone(),
            pod: pod.clone(),
        }
    }

    /// Writes the file with a fresh token; an error says why the Pod cannot have one.
    pub(super) async fn file(&self, client: &Client) -> Result<&Path, String> {
        let namespace = self.pod.namespace().unwrap_or_default();
        let spec = self.pod.spec.as_ref();
        let account = spec.and_then(|spec| spec.service_account_name.as_deref());
        let account = account.unwrap_or("default");
        let request = TokenRequest {
            spec: Some(TokenRequestSpec {
                expiration_seconds: Some(LIFETIME),
                bound_object_ref: Some(BoundObjectReference {
                    api_version: Some("v1".into()),
                    kind: Some("Pod".into()),
                    name: Some(self.pod.name_any()),
                    uid: self.pod.uid(),
                }),
                ..TokenRequestSpec::default()
            }),
            ..TokenRequest::default()
        };
        let accounts = Api::<ServiceAccount>::namespaced(client.clone(), &namespace);
        let params = PostParams::default();
        let answer: TokenRequest = accounts
            .create_subresource("token", account, &params, &request)
            .await
            .map_err(|error| {
                let why = match error {
                    kube::Error::Api(status) => status.message,
                    other => other.to_string(),
                };
                format!("no token for the service account {account}: {why}")
            })?;
        let token = answer.status.map(|status| status.token).unwrap_or_default();
        let Access { server, ca, .. } = &self.access;
        let kubeconfig = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "cluster", "cluster": {"server": server, "certificate-authority": ca}}],
            "users": [{"name": account, "user": {"token": token}}],
            "contexts": [{"name": "pod", "context": {"cluster": "cluster", "user": account, "namespace": namespace}}],
            "current-context": "pod",
        });
        self.write(&kubeconfig.to_string())
            .map_err(|error| format!("cannot write {}: {error}", self.path.display()))?;
        Ok(&self.path)
    }

    fn write(&self, content: &str) -> std::io::Result<()> {
        let mut options = std::fs::OpenOptions::new();
        // The token is nobody else's business.
        let mut file = options
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&self.path)?;
        file.write_all(content.as_bytes())
    }
}

impl Drop for Credentials {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}
