//! etcd, kube-apiserver and kube-controller-manager as processes on loopback; see tests/assets/README.md for every flag.

use std::{
    env, fs,
    fs::File,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use kube::Client;
use rustix::process::Signal;

use super::{audit, eventually::eventually, port::Port, reaper, replica::send};

const ETCD: &str = "etcd";
const API_SERVER: &str = "kube-apiserver";
const CONTROLLER_MANAGER: &str = "kube-controller-manager";

/// What makes Pods of a StatefulSet, and what cleans up: all that a deployment needs except a scheduler and a kubelet.
const CONTROLLERS: &str = "statefulset-controller,disruption-controller,namespace-controller,\
                           garbage-collector-controller,serviceaccount-controller,\
                           root-ca-certificate-publisher-controller";

/// A user of the API server, known by its token.
#[derive(Clone, Copy, Debug)]
pub(crate) struct User<'a> {
    pub(crate) name: &'a str,
    pub(crate) group: &'a str,
}

/// How much of a cluster a control plane is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// An API server, where tests write everything.
    ApiServer,
    /// What a Deployment finds in a cluster: controllers at work, Pods that need a service account, an audit log.
    Cluster,
}

/// A control plane; its processes are killed when this is dropped.
#[derive(Debug)]
pub(crate) struct ControlPlane {
    pub(crate) url: String,
    extent: Extent,
    /// Where its objects are in etcd.
    prefix: String,
    /// The certificates to trust.
    pub(crate) ca: PathBuf,
    processes: Vec<(&'static str, Child)>,
    folder: PathBuf,
    socket: String,
    port: Port,
}

// === impl User ===

impl User<'_> {
    /// The token is the name, which is secret enough on loopback.
    pub(crate) fn token(&self) -> String {
        format!("token-of-{}", self.name)
    }
}

// === impl ControlPlane ===

impl ControlPlane {
    /// Starts etcd and the API server with their files in `folder`; does not wait until they answer.
    pub(crate) fn start(folder: &Path, users: &[User<'_>], extent: Extent) -> Self {
        let socket = format!("unix://{}", folder.join("etcd.sock").display());
        let mut plane = Self::new(folder, users, extent, socket, "/registry");
        plane.start_etcd();
        plane.start_api_server();
        plane
    }

    /// Starts another API server that shares etcd with this one, and nothing else: its certificates are its own too.
    ///
    /// Its files are in `folder`, and its objects are under `prefix`. Does not wait until it answers.
    pub(crate) fn start_beside(&self, folder: &Path, users: &[User<'_>], prefix: &str) -> Self {
        let socket = self.socket.clone();
        let mut plane = Self::new(folder, users, Extent::ApiServer, socket, prefix);
        plane.start_api_server();
        plane
    }

    fn new(
        folder: &Path,
        users: &[User<'_>],
        extent: Extent,
        socket: String,
        prefix: &str,
    ) -> Self {
        let port = Port::reserve();
        let certs = folder.join("certs");
        let plane = Self {
            url: format!("https://127.0.0.1:{}", port.number()),
            extent,
            prefix: prefix.to_owned(),
            ca: certs.join("apiserver.crt"),
            processes: Vec::new(),
            folder: folder.to_owned(),
            socket,
            port,
        };
        let lines = users.iter().map(|user| {
            let User { name, group } = user;
            format!("{},{name},{name},{group}\n", user.token())
        });
        fs::write(plane.tokens(), lines.collect::<String>()).expect("the folder takes files");
        plane
    }

    fn start_etcd(&mut self) {
        let (data, socket) = (show(&self.folder.join("etcd")), self.socket.clone());
        self.spawn(
            ETCD,
            &[
                ("data-dir", &data),
                ("listen-client-urls", &socket),
                ("advertise-client-urls", "http://127.0.0.1:0"),
                ("listen-peer-urls", "http://127.0.0.1:0"),
                ("unsafe-no-fsync", "true"),
            ],
        );
    }

    /// The first start makes the certificates, and every other one uses them.
    pub(crate) fn start_api_server(&mut self) {
        let certs = self.folder.join("certs");
        let (socket, key) = (self.socket.clone(), show(&certs.join("apiserver.key")));
        let prefix = self.prefix.clone();
        let certs_dir = show(&certs);
        let (port, tokens) = (self.port.number().to_string(), show(&self.tokens()));
        let mut flags = vec![
            ("etcd-servers", socket.as_str()),
            ("etcd-prefix", &prefix),
            ("bind-address", "127.0.0.1"),
            ("advertise-address", "127.0.0.1"),
            ("endpoint-reconciler-type", "none"),
            ("secure-port", &port),
            ("permit-port-sharing", "true"),
            ("cert-dir", &certs_dir),
            ("service-account-issuer", "https://kubernetes.default.svc"),
            ("service-account-key-file", &key),
            ("service-account-signing-key-file", &key),
            ("service-cluster-ip-range", "10.0.0.0/24"),
            ("token-auth-file", &tokens),
            ("authorization-mode", "RBAC"),
        ];
        let (policy, log) = (self.folder.join("audit-policy"), show(&self.audit_log()));
        let policy_path = show(&policy);
        match self.extent {
            // Nobody makes the service accounts that Pods would need.
            Extent::ApiServer => flags.push(("disable-admission-plugins", "ServiceAccount")),
            Extent::Cluster => {
                fs::write(&policy, audit::POLICY).expect("the folder takes files");
                flags.push(("audit-policy-file", &policy_path));
                flags.push(("audit-log-path", &log));
                flags.push(("kubelet-preferred-address-types", "InternalIP"));
            }
        }
        self.spawn(API_SERVER, &flags);
    }

    /// Starts the controllers of a cluster; `kubeconfig` is an administrator's.
    pub(crate) fn start_controllers(&mut self, kubeconfig: &Path) {
        let kubeconfig = show(kubeconfig);
        let ca = show(&self.ca);
        self.spawn(
            CONTROLLER_MANAGER,
            &[
                ("kubeconfig", &kubeconfig),
                ("controllers", CONTROLLERS),
                ("root-ca-file", &ca),
                ("leader-elect", "false"),
                ("secure-port", "0"),
                ("use-service-account-credentials", "false"),
            ],
        );
    }

    /// Every request that a service account has made, a line each; see [`audit`].
    pub(crate) fn audit_log(&self) -> PathBuf {
        self.folder.join("audit.log")
    }

    /// Sends a signal to the API server; etcd goes on.
    pub(crate) fn signal_api_server(&self, signal: Signal) {
        let of = |(name, _): &&(&str, Child)| *name == API_SERVER;
        let (_, child) = self.processes.iter().find(of).expect("it runs");
        send(child.id(), signal).expect("it has not been waited for");
    }

    /// SIGKILL, and the certainty that it has ended; etcd goes on.
    pub(crate) fn kill_api_server(&mut self) {
        let of = |(name, _): &(&str, Child)| *name == API_SERVER;
        let place = self.processes.iter().position(of).expect("it runs");
        end(&mut self.processes.remove(place).1);
    }

    fn tokens(&self) -> PathBuf {
        self.folder.join("tokens.csv")
    }

    /// Waits until the API server's certificates are written: its key comes last.
    pub(crate) async fn certified(&mut self) {
        let what = "the API server writes its key";
        eventually(Duration::from_secs(60), what, async || {
            self.check();
            let key = self.ca.with_extension("key");
            key.exists().then_some(()).ok_or_else(|| "no key".into())
        })
        .await;
    }

    /// Waits until the API server is ready; `client` is anybody's.
    pub(crate) async fn ready(&mut self, client: &Client) {
        let what = "the API server is ready";
        eventually(Duration::from_secs(60), what, async || {
            self.check();
            let request = http::Request::get("/readyz").body(Vec::new());
            let answer = client.request_text(request.expect("a request")).await;
            answer.map(drop).map_err(|error| error.to_string())
        })
        .await;
    }

    /// Fails when a process has ended, with the end of its log.
    fn check(&mut self) {
        for (name, child) in &mut self.processes {
            if let Ok(Some(status)) = child.try_wait() {
                let log = fs::read_to_string(self.folder.join(format!("{name}.log")));
                let log = log.unwrap_or_default();
                let lines: Vec<_> = log.lines().collect();
                let end = lines[lines.len().saturating_sub(10)..].join("\n");
                panic!("{name} ended with {status}:\n{end}");
            }
        }
    }

    fn spawn(&mut self, name: &'static str, flags: &[(&str, &str)]) {
        let log = self.folder.join(format!("{name}.log"));
        let log = File::options().create(true).append(true).open(log);
        let log = log.expect("a log file");
        let child = Command::new(asset(name))
            .args(
                flags
                    .iter()
                    .map(|(flag, value)| format!("--{flag}={value}")),
            )
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        reaper::add(child.id());
        self.processes.push((name, child));
    }
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        // The API server first: without etcd it would only complain.
        for (_, child) in self.processes.iter_mut().rev() {
            end(child);
        }
    }
}

/// SIGKILL: after SIGTERM, an API server without etcd would take minutes.
fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
    reaper::forget(child.id());
}

/// `kubectl` of the assets, if they are there.
pub(crate) fn kubectl() -> Option<PathBuf> {
    Some(folder().join("kubectl")).filter(|path| path.exists())
}

/// A program of the assets.
///
/// # Panics
/// When it is missing.
pub(crate) fn asset(program: &str) -> PathBuf {
    let path = folder().join(program);
    assert!(
        path.exists(),
        "there is no {}: run tests/assets/build.sh --with {CONTROLLER_MANAGER}, or set KUBEBUILDER_ASSETS",
        path.display()
    );
    path
}

/// `KUBEBUILDER_ASSETS`, else where build.sh puts them.
fn folder() -> PathBuf {
    if let Some(folder) = env::var_os("KUBEBUILDER_ASSETS").filter(|folder| !folder.is_empty()) {
        return folder.into();
    }
    let module = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/assets/kubernetes/go.mod");
    let module = fs::read_to_string(module).unwrap_or_default();
    let version = module.lines().find_map(|line| {
        let line = line.trim().strip_prefix("require ").unwrap_or(line.trim());
        let rest = line.strip_prefix("k8s.io/kubernetes ")?;
        rest.split(" ").next()
    });
    let version = version.unwrap_or("unknown");
    let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || PathBuf::from(env::var_os("HOME").unwrap_or_default()).join(".cache");
    cache
        .unwrap_or_else(home)
        .join("multicluster/control-plane")
        .join(version)
}

fn show(path: &Path) -> String {
    path.display().to_string()
}
