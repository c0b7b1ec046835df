//! The API servers that the scenarios run against.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    time::Duration,
};

use data_encoding::BASE64;
use jiff::Timestamp;
use k8s_openapi::api::{
    coordination::v1::Lease,
    core::v1::{ConfigMap, Namespace},
    rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding},
};
use kube::{
    Api, Client, Config,
    api::{DeleteParams, ListParams, PostParams},
    config::{KubeConfigOptions, Kubeconfig},
};
use rustix::process::Signal;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::{Mutex, MutexGuard};

use super::{
    control_plane::{ControlPlane, Extent, User},
    eventually::eventually,
    in_memory::InMemory,
};

/// Who may do everything.
pub(crate) const ADMIN: User<'_> = User {
    name: "admin",
    group: "system:masters",
};

/// Where the replicas keep their Leases.
pub(crate) const LEASES: &str = "kube-system";

/// One API server at a time: a control plane and three replicas keep two cores busy.
static TURN: Mutex<()> = Mutex::const_new(());

/// Which API server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backend {
    /// The one in memory, on a loopback port.
    Sandbox,
    /// etcd and kube-apiserver.
    Real,
}

/// A running API server with nothing in it.
pub(crate) struct Server {
    /// For all files of a test; kept when it fails.
    pub(crate) folder: TempDir,
    pub(crate) admin: Client,
    kind: Kind,
    _turn: MutexGuard<'static, ()>,
}

enum Kind {
    Sandbox(InMemory),
    Real(ControlPlane),
}

// === impl Backend ===

impl Backend {
    /// Starts a server on which each of `peers` may do what a replica needs, and no more.
    pub(crate) async fn start(self, peers: &[String]) -> Server {
        let turn = TURN.lock().await;
        let folder = TempDir::with_prefix("fleet-").expect("a temporary folder");
        let kind = match self {
            Self::Sandbox => Kind::Sandbox(InMemory::start()),
            Self::Real => {
                let replica = |peer| User {
                    name: peer,
                    group: "replicas",
                };
                let users = peers.iter().map(|peer| replica(peer)).chain([ADMIN]);
                let users: Vec<_> = users.collect();
                Kind::start(folder.path(), &users, Extent::ApiServer).await
            }
        };
        let server = Server::new(folder, kind, turn).await;
        if self == Self::Real {
            for peer in peers {
                server.permit(peer).await;
            }
        }
        server
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sandbox => "sandbox",
            Self::Real => "real",
        })
    }
}

// === impl Server ===

impl Server {
    /// A cluster: etcd, kube-apiserver, and the controllers that a StatefulSet needs.
    pub(crate) async fn cluster() -> Self {
        let turn = TURN.lock().await;
        let folder = TempDir::with_prefix("cluster-").expect("a temporary folder");
        let kind = Kind::start(folder.path(), &[ADMIN], Extent::Cluster).await;
        let mut server = Self::new(folder, kind, turn).await;
        let kubeconfig = server.admin_kubeconfig();
        server.plane().start_controllers(&kubeconfig);
        server
    }

    async fn new(folder: TempDir, kind: Kind, turn: MutexGuard<'static, ()>) -> Self {
        let admin = connect(&kind.kubeconfig(ADMIN)).await;
        let mut server = Self {
            folder,
            admin,
            kind,
            _turn: turn,
        };
        server.ready().await;
        server
    }

    /// The processes of a real server.
    pub(crate) fn plane(&mut self) -> &mut ControlPlane {
        match &mut self.kind {
            Kind::Real(plane) => plane,
            Kind::Sandbox(_) => panic!("the API server in memory is no process"),
        }
    }

    /// The file with which `peer` reaches this server, as itself where the server knows users.
    pub(crate) fn kubeconfig(&self, peer: &str) -> PathBuf {
        let user = User {
            name: peer,
            group: "replicas",
        };
        self.kubeconfig_with(peer, &user.token())
    }

    /// The same for whoever has a token.
    pub(crate) fn kubeconfig_with(&self, name: &str, token: &str) -> PathBuf {
        let path = self.folder.path().join(format!("{name}.kubeconfig"));
        let (url, ca) = self.address();
        let text = kubeconfig(&url, ca, token).to_string();
        fs::write(&path, text).expect("the folder takes files");
        path
    }

    /// The configuration of a client that reaches this server at another URL.
    pub(crate) async fn config_over(&self, url: &str, token: &str) -> Config {
        config(&kubeconfig(url, self.address().1, token)).await
    }

    /// A kubeconfig without files.
    pub(crate) fn inline_kubeconfig(&self, token: &str) -> String {
        let (url, ca) = self.address();
        inline_kubeconfig(&url, ca.expect("it has a CA"), token)
    }

    /// A client with the rights of `peer`.
    pub(crate) async fn client_of(&self, peer: &str) -> Client {
        connect(&self.kind.kubeconfig(User {
            name: peer,
            group: "replicas",
        }))
        .await
    }

    /// The file for `kubectl`, with all rights.
    pub(crate) fn admin_kubeconfig(&self) -> PathBuf {
        self.kubeconfig(ADMIN.name)
    }

    /// The URL, and the certificates to trust.
    pub(crate) fn address(&self) -> (String, Option<&Path>) {
        match &self.kind {
            Kind::Sandbox(server) => (server.url(), None),
            Kind::Real(plane) => (plane.url.clone(), Some(&plane.ca)),
        }
    }

    /// Removes a Namespace with its ConfigMaps, as the controllers of a full control plane would.
    pub(crate) async fn delete_namespace(&self, name: &str) {
        let maps: Api<ConfigMap> = Api::namespaced(self.admin.clone(), name);
        let delete = DeleteParams::default();
        maps.delete_collection(&delete, &ListParams::default())
            .await
            .expect("delete the ConfigMaps");
        let namespaces: Api<Namespace> = Api::all(self.admin.clone());
        namespaces
            .delete(name, &delete)
            .await
            .expect("delete the Namespace");
        // The sandbox has removed it; a real server waits for somebody to say that nothing is left in it.
        if let Some(mut namespace) = namespaces.get_opt(name).await.expect("get the Namespace") {
            namespace.spec.get_or_insert_default().finalizers = Some(Vec::new());
            let body = serde_json::to_vec(&namespace).expect("it is JSON");
            let request = http::Request::put(format!("/api/v1/namespaces/{name}/finalize"))
                .header(http::header::CONTENT_TYPE, "application/json")
                .body(body)
                .expect("a request");
            self.admin
                .request::<Value>(request)
                .await
                .expect("finalize the Namespace");
        }
    }

    /// Stops a real API server as SIGSTOP does, or lets it go on; returns the time just before.
    pub(crate) fn signal(&self, signal: Signal) -> Timestamp {
        let Kind::Real(plane) = &self.kind else {
            panic!("the API server in memory is no process");
        };
        let before = Timestamp::now();
        plane.signal_api_server(signal);
        before
    }

    /// Ends the API server as a crash does; its store stays. Returns the time just before.
    pub(crate) fn kill(&mut self) -> Timestamp {
        let before = Timestamp::now();
        match &mut self.kind {
            Kind::Sandbox(server) => server.kill(),
            Kind::Real(plane) => plane.kill_api_server(),
        }
        before
    }

    /// Starts it again on the same port, with the same certificates; returns when it was ready.
    pub(crate) async fn start_again(&mut self) -> Timestamp {
        match &mut self.kind {
            Kind::Sandbox(server) => server.start_again(),
            Kind::Real(plane) => plane.start_api_server(),
        }
        self.ready().await;
        Timestamp::now()
    }

    async fn ready(&mut self) {
        if let Kind::Real(plane) = &mut self.kind {
            plane.ready(&self.admin).await;
        }
    }

    /// The rights of a replica: the Leases of its fleet, and reading the clusters.
    async fn permit(&self, peer: &str) {
        let metadata = json!({"name": peer, "namespace": LEASES});
        let rule = |group: &str, resource: &str, verbs: &str| {
            let verbs: Vec<_> = verbs.split(' ').collect();
            json!({"apiGroups": [group], "resources": [resource], "verbs": verbs})
        };
        let role = |kind: &str| json!({"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": peer});
        let subjects =
            json!([{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": peer}]);
        let admin = || self.admin.clone();
        let rules = json!({"metadata": metadata, "rules": [
            rule("coordination.k8s.io", "leases", "get list watch create update delete"),
        ]});
        post::<Role>(&Api::namespaced(admin(), LEASES), rules).await;
        let binding = json!({"metadata": metadata, "roleRef": role("Role"), "subjects": subjects});
        post::<RoleBinding>(&Api::namespaced(admin(), LEASES), binding).await;
        let metadata = json!({"name": peer});
        let rules = json!({"metadata": metadata, "rules": [
            rule("", "namespaces", "get list watch"),
            rule("", "configmaps", "get list watch"),
            rule("events.k8s.io", "events", "create patch"),
        ]});
        post::<ClusterRole>(&Api::all(admin()), rules).await;
        let binding =
            json!({"metadata": metadata, "roleRef": role("ClusterRole"), "subjects": subjects});
        post::<ClusterRoleBinding>(&Api::all(admin()), binding).await;
        // The authorizer learns of new rights through a watch.
        let client = self.client_of(peer).await;
        let leases: Api<Lease> = Api::namespaced(client.clone(), LEASES);
        let maps: Api<ConfigMap> = Api::all(client);
        eventually(
            Duration::from_secs(10),
            "the replica has its rights",
            async || {
                let params = ListParams::default().limit(1);
                leases
                    .list(&params)
                    .await
                    .map_err(|error| error.to_string())?;
                maps.list(&params)
                    .await
                    .map(drop)
                    .map_err(|error| error.to_string())
            },
        )
        .await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.folder.disable_cleanup(true);
            eprintln!(
                "the files of this test are in {}",
                self.folder.path().display()
            );
        }
    }
}

// === impl Kind ===

impl Kind {
    async fn start(folder: &Path, users: &[User<'_>], extent: Extent) -> Self {
        let mut plane = ControlPlane::start(folder, users, extent);
        plane.certified().await;
        Self::Real(plane)
    }

    fn kubeconfig(&self, user: User<'_>) -> Value {
        match self {
            Self::Sandbox(server) => kubeconfig(&server.url(), None, &user.token()),
            Self::Real(plane) => kubeconfig(&plane.url, Some(&plane.ca), &user.token()),
        }
    }
}

/// A kubeconfig with one context, which is called `test`.
pub(crate) fn kubeconfig(url: &str, ca: Option<&Path>, token: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": {"server": url, "certificate-authority": ca}}],
        "users": [{"name": "test", "user": {"token": token}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        "current-context": "test",
    })
}

/// The same with the certificates to trust in it.
pub(crate) fn inline_kubeconfig(url: &str, ca: &Path, token: &str) -> String {
    let mut kubeconfig = kubeconfig(url, None, token);
    let ca = BASE64.encode(&fs::read(ca).expect("the CA is there"));
    kubeconfig["clusters"][0]["cluster"] = json!({"server": url, "certificate-authority-data": ca});
    kubeconfig.to_string()
}

/// A client with the rights that a kubeconfig gives.
pub(crate) async fn connect(kubeconfig: &Value) -> Client {
    Client::try_from(config(kubeconfig).await).expect("a client")
}

async fn config(kubeconfig: &Value) -> Config {
    let kubeconfig = Kubeconfig::from_yaml(&kubeconfig.to_string()).expect("a kubeconfig");
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
    config.expect("a usable kubeconfig")
}

async fn post<K>(api: &Api<K>, object: Value)
where
    K: Clone + fmt::Debug + DeserializeOwned + Serialize,
{
    let object: K = serde_json::from_value(object).expect("the object has the form of its kind");
    api.create(&PostParams::default(), &object)
        .await
        .expect("create an object");
}
