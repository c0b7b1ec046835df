//! Every Secret with a kubeconfig is a cluster.

use std::{fmt, sync::Arc};

use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream::BoxStream};
use multicluster::{
    Cluster, ClusterEvent, ClusterName, ClusterProvider, ClusterRef, ClusterSet, Error, bounded,
    cluster_client,
    k8s_openapi::api::core::v1::Secret,
    kube::{Api, Client, Config, Resource, ResourceExt, runtime::watcher},
};

use super::credentials::{self, Allowed};

const NAME: &str = "kubeconfig";

/// The label and the key that multicluster-runtime uses too.
const LABEL: (&str, &str) = ("sigs.k8s.io/multicluster-runtime-kubeconfig", "true");
const KEY: &str = "kubeconfig";

/// Every Secret of one namespace that has a label, and holds a kubeconfig, is a cluster.
///
/// The Secret's name is the cluster's name, and its labels are the cluster's labels, which controllers can select by. It
/// must have the label `sigs.k8s.io/multicluster-runtime-kubeconfig: "true"` and the kubeconfig under the key
/// `kubeconfig`; its current context is used, or its only one. The account of `client` needs `get`, `list` and `watch`
/// for Secrets in that namespace, and nothing else.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use multicluster::{kube::Config, providers::KubeconfigProvider};
///
/// // The namespace is that of the Pod.
/// let provider = KubeconfigProvider::try_from(Config::incluster()?)?;
/// # Ok(()) }
/// ```
///
/// # What connects anew
/// A change of the kubeconfig's bytes makes the owner connect anew, to that cluster alone; other keys, labels and
/// annotations do not. A Secret that is deleted, or loses the label, takes its cluster out of the fleet.
///
/// # What is refused
/// A Secret is not trusted: whoever may write one must not run programs in this process's Pod, read its files, or see
/// the requests to other clusters. So `exec`, `auth-provider`, `proxy-url`, every path of a local file
/// (`certificate-authority`, `client-certificate`, `client-key`, `tokenFile`) and `insecure-skip-tls-verify` are refused,
/// unless [`allow`](Self::allow) says otherwise. What is left are a token, a name with a password, and certificates that
/// stand in the kubeconfig. A user that the context names but the kubeconfig does not have is refused too.
///
/// Beyond that, a Secret says which server is asked, by whatever credentials it holds: requests to any address that this
/// process can reach, over `http` in clear where the kubeconfig says so. Let only those write Secrets in the namespace who
/// may add clusters to the fleet.
///
/// # What is broken
/// A Secret without the key, or with a kubeconfig that cannot be used, is a cluster of the fleet that cannot be connected
/// to: its owner reports why, shows that in [`OwnedClusters::health`](multicluster::OwnedClusters::health), and tries again with
/// back-off and when the Secret changes. No other cluster is disturbed. Connecting includes one request for the server's
/// version, so a wrong port, an untrusted certificate and credentials that are not accepted are found then.
///
/// # What is kept
/// No credentials: the watch takes a digest of a kubeconfig and drops it, and connecting reads the Secret again. Only the
/// client of a cluster that this peer owns holds them. No error, log line or `Debug` output shows a value of a Secret;
/// names of contexts, clusters and users, and the host and port of a server, may be shown.
#[derive(Clone)]
pub struct KubeconfigProvider {
    client: Client,
    source: Arc<Source>,
}

/// Which Secrets, and what of them.
#[derive(Clone, Debug)]
struct Source {
    namespace: String,
    label: (String, String),
    key: String,
    allowed: Allowed,
}

// === impl KubeconfigProvider ===

impl KubeconfigProvider {
    /// The Secrets of `namespace` that `client` sees; it should not retry on its own, see [`ClusterProvider`].
    #[must_use]
    pub fn new(client: Client, namespace: impl Into<String>) -> Self {
        let source = Source {
            namespace: namespace.into(),
            label: (LABEL.0.to_owned(), LABEL.1.to_owned()),
            key: KEY.to_owned(),
            allowed: Allowed::NOTHING,
        };
        Self {
            client,
            source: Arc::new(source),
        }
    }

    /// Secrets with this label instead of `sigs.k8s.io/multicluster-runtime-kubeconfig: "true"`.
    #[must_use]
    pub fn label(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        Arc::make_mut(&mut self.source).label = (key.into(), value.into());
        self
    }

    /// The kubeconfig stands under this key of a Secret instead of `kubeconfig`; Cluster API uses `value`.
    #[must_use]
    pub fn key(mut self, key: impl Into<String>) -> Self {
        Arc::make_mut(&mut self.source).key = key.into();
        self
    }

    /// What kubeconfigs may contain beside credentials. Whoever can write a Secret in the namespace can do what is
    /// allowed here; by default that is nothing.
    #[must_use]
    pub fn allow(mut self, allowed: Allowed) -> Self {
        Arc::make_mut(&mut self.source).allowed = allowed;
        self
    }
}

/// A provider for the Secrets in the namespace of a [`Config`], with timeouts and without retries.
impl TryFrom<Config> for KubeconfigProvider {
    type Error = Error;

    fn try_from(config: Config) -> Result<Self, Error> {
        let namespace = config.default_namespace.clone();
        let client = cluster_client(config)
            .map_err(|error| Error::provider(NAME, "use the config of the host", error))?;
        Ok(Self::new(client, namespace))
    }
}

impl ClusterProvider for KubeconfigProvider {
    fn clusters(&self) -> BoxStream<'static, Result<ClusterEvent, Error>> {
        let client = bounded(self.client.clone());
        let secrets = Api::<Secret>::namespaced(client, &self.source.namespace);
        let watch = watcher(
            secrets,
            watcher::Config::default().labels(&self.source.selector()),
        );
        let source = self.source.clone();
        let name_of = |secret: &Secret| ClusterName::new(secret.name_any());
        ClusterSet::follow(watch, NAME, name_of, move |secret, name| {
            Ok(source
                .includes(secret)
                .then(|| source.to_cluster(secret, name)))
        })
        .boxed()
    }

    fn connect(&self, cluster: &ClusterRef) -> BoxFuture<'static, Result<Cluster, Error>> {
        let (client, source, name) = (
            self.client.clone(),
            self.source.clone(),
            cluster.name.clone(),
        );
        async move {
            let place = format!("{}/{name}", source.namespace);
            let secrets = Api::<Secret>::namespaced(client, &source.namespace);
            let secret = secrets
                .get(name.as_str())
                .await
                .map_err(|error| Error::provider(NAME, format!("get the Secret {place}"), error))?;
            let step = || format!("use the kubeconfig of the Secret {place}");
            let bytes = source.kubeconfig(&secret);
            let bytes = bytes.map_err(|why| Error::provider(NAME, step(), why))?;
            let connected = async {
                let kubeconfig = credentials::parse(bytes)?;
                credentials::connect(name, kubeconfig, None, source.allowed).await
            };
            let connected = connected.await;
            connected.map_err(|error| Error::provider(NAME, step(), error))
        }
        .boxed()
    }
}

impl fmt::Debug for KubeconfigProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KubeconfigProvider")
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}

// === impl Source ===

impl Source {
    fn selector(&self) -> String {
        format!("{}={}", self.label.0, self.label.1)
    }

    /// Whether a Secret stands for a cluster: it has the label, and is not being deleted.
    fn includes(&self, secret: &Secret) -> bool {
        let value = secret.labels().get(&self.label.0);
        value == Some(&self.label.1) && secret.meta().deletion_timestamp.is_none()
    }

    /// The fingerprint is that of the kubeconfig alone; one that is missing is an error of connecting.
    fn to_cluster(&self, secret: &Secret, name: ClusterName) -> ClusterRef {
        let cluster = ClusterRef::new(name).labels(secret.labels().clone());
        match self.kubeconfig(secret) {
            Ok(bytes) => cluster.fingerprint_of(bytes),
            Err(_) => cluster,
        }
    }

    fn kubeconfig<'a>(&self, secret: &'a Secret) -> Result<&'a [u8], String> {
        if !self.includes(secret) {
            return Err(format!(
                "it does not have the label {} any more",
                self.selector()
            ));
        }
        let data = secret.data.as_ref().and_then(|data| data.get(&self.key));
        match data {
            Some(bytes) if !bytes.0.is_empty() => Ok(&bytes.0),
            Some(_) => Err(format!("its key {:?} is empty", self.key)),
            None => Err(format!("it has no key {:?}", self.key)),
        }
    }
}
