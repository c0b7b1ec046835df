//! etcd and kube-apiserver as processes on loopback; see tests/assets/README.md for every flag.

use std::{
    env, fs,
    fs::File,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use tokio::net::TcpSocket;

use super::reaper;

/// A user of the API server, known by its token.
#[derive(Clone, Copy, Debug)]
pub(crate) struct User<'a> {
    pub(crate) name: &'a str,
    pub(crate) group: &'a str,
}

/// A control plane with a store of its own; both processes are killed when this is dropped.
#[derive(Debug)]
pub(crate) struct ControlPlane {
    pub(crate) url: String,
    /// The certificates to trust.
    pub(crate) ca: PathBuf,
    processes: Vec<(&'static str, Child)>,
    folder: PathBuf,
    /// Reserves the port as long as the API server may use it.
    _port: TcpSocket,
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
    /// Starts both processes with their files in `folder`; does not wait until they answer.
    pub(crate) fn start(folder: &Path, users: &[User<'_>]) -> Self {
        let assets = assets();
        let port = TcpSocket::new_v4().expect("a socket");
        port.set_reuseport(true).expect("SO_REUSEPORT");
        port.bind(SocketAddr::from(([127, 0, 0, 1], 0)))
            .expect("a port");
        let number = port.local_addr().expect("it is bound").port();
        let certs = folder.join("certs");
        let mut plane = Self {
            url: format!("https://127.0.0.1:{number}"),
            ca: certs.join("apiserver.crt"),
            processes: Vec::new(),
            folder: folder.to_owned(),
            _port: port,
        };
        let lines = users.iter().map(|user| {
            let User { name, group } = user;
            format!("{},{name},{name},{group}\n", user.token())
        });
        let tokens = folder.join("tokens.csv");
        fs::write(&tokens, lines.collect::<String>()).expect("the folder takes files");
        let key = certs.join("apiserver.key");
        let socket = format!("unix://{}", folder.join("etcd.sock").display());
        plane.spawn(
            "etcd",
            &assets,
            &[
                ("data-dir", &show(&folder.join("etcd"))),
                ("listen-client-urls", &socket),
                ("advertise-client-urls", "http://127.0.0.1:0"),
                ("listen-peer-urls", "http://127.0.0.1:0"),
                ("unsafe-no-fsync", "true"),
            ],
        );
        plane.spawn(
            "kube-apiserver",
            &assets,
            &[
                ("etcd-servers", &socket),
                ("bind-address", "127.0.0.1"),
                ("advertise-address", "127.0.0.1"),
                ("endpoint-reconciler-type", "none"),
                ("secure-port", &number.to_string()),
                ("permit-port-sharing", "true"),
                ("cert-dir", &show(&certs)),
                ("service-account-issuer", "https://kubernetes.default.svc"),
                ("service-account-key-file", &show(&key)),
                ("service-account-signing-key-file", &show(&key)),
                ("service-cluster-ip-range", "10.0.0.0/24"),
                ("token-auth-file", &show(&tokens)),
                ("authorization-mode", "RBAC"),
                ("disable-admission-plugins", "ServiceAccount"),
            ],
        );
        plane
    }

    /// Whether the API server's certificates are written: its key comes last.
    pub(crate) fn has_certificates(&self) -> bool {
        self.ca.with_extension("key").exists()
    }

    /// Fails when a process has ended, with the end of its log.
    pub(crate) fn check(&mut self) {
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

    fn spawn(&mut self, name: &'static str, assets: &Path, flags: &[(&str, &str)]) {
        let log = File::create(self.folder.join(format!("{name}.log"))).expect("a log file");
        let child = Command::new(assets.join(name))
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
        for (_, child) in &mut self.processes {
            // SIGKILL: without etcd the API server would take minutes to end.
            let _ = child.kill();
        }
        for (_, child) in &mut self.processes {
            let _ = child.wait();
            reaper::forget(child.id());
        }
    }
}

/// `kubectl` of the assets, if they are there.
pub(crate) fn kubectl() -> Option<PathBuf> {
    Some(folder().join("kubectl")).filter(|path| path.exists())
}

/// The folder with all three programs.
///
/// # Panics
/// When one is missing.
fn assets() -> PathBuf {
    let folder = folder();
    let missing = ["etcd", "kube-apiserver", "kubectl"]
        .into_iter()
        .find(|program| !folder.join(program).exists());
    if let Some(program) = missing {
        panic!(
            "{} has no {program}: run tests/assets/build.sh, or set KUBEBUILDER_ASSETS",
            folder.display()
        );
    }
    folder
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
