//! A real control plane, etcd and kube-apiserver as processes on loopback: what the sandbox is compared with.

use std::{
    env, fs,
    fs::File,
    io::Write,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpSocket;

/// The token of an administrator.
const TOKEN: &str = "token-of-admin";

/// How long the processes may take until they answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// Kills the processes whose ids it has read when its input ends, however the test binary ends.
const REAPER: &str =
    r#"trap '' INT TERM HUP; while read -r pid; do pids="$pids $pid"; done; kill -9 $pids"#;

/// A control plane with a store of its own; both processes are killed when this is dropped.
#[derive(Debug)]
pub(crate) struct ControlPlane {
    processes: Vec<(&'static str, Child)>,
    /// Kills the processes when this process ends without a drop.
    reaper: Child,
    folder: TempDir,
    url: String,
    /// Keeps the port from others.
    _reserved: TcpSocket,
}

// === impl ControlPlane ===

impl ControlPlane {
    /// Starts both processes from the folder `KUBEBUILDER_ASSETS`, and waits until they serve.
    ///
    /// # Panics
    /// When a program is missing or ends.
    pub(crate) async fn start() -> Self {
        let reserved = TcpSocket::new_v4().expect("a socket");
        reserved.set_reuseport(true).expect("SO_REUSEPORT");
        let any = ([127, 0, 0, 1], 0).into();
        reserved.bind(any).expect("a free port");
        let port = reserved.local_addr().expect("it is bound").port();
        let mut plane = Self {
            processes: Vec::new(),
            reaper: shell(REAPER),
            folder: TempDir::new().expect("a folder"),
            url: format!("https://127.0.0.1:{port}"),
            _reserved: reserved,
        };
        plane.spawn("etcd", &plane.etcd_flags());
        plane.spawn("kube-apiserver", &plane.api_server_flags(port));
        plane.wait().await;
        plane
    }

    fn etcd_flags(&self) -> Vec<(&'static str, String)> {
        vec![
            ("data-dir", self.file("etcd")),
            ("listen-client-urls", self.socket()),
            ("advertise-client-urls", "http://127.0.0.1:0".to_owned()),
            ("listen-peer-urls", "http://127.0.0.1:0".to_owned()),
            ("unsafe-no-fsync", "true".to_owned()),
        ]
    }

    /// Without a Lease of its own, which would be renewed between the requests of a test and change its versions.
    fn api_server_flags(&self, port: u16) -> Vec<(&'static str, String)> {
        let tokens = self.file("tokens.csv");
        let line = format!("{TOKEN},admin,admin,\"system:masters\"\n");
        fs::write(&tokens, line).expect("the folder takes files");
        let key = self.file("certs/apiserver.key");
        let issuer = "https://kubernetes.default.svc".to_owned();
        let gates = "APIServerIdentity=false,UnknownVersionInteroperabilityProxy=false";
        vec![
            ("etcd-servers", self.socket()),
            ("bind-address", "127.0.0.1".to_owned()),
            ("advertise-address", "127.0.0.1".to_owned()),
            ("endpoint-reconciler-type", "none".to_owned()),
            ("secure-port", port.to_string()),
            ("permit-port-sharing", "true".to_owned()),
            ("cert-dir", self.file("certs")),
            ("service-account-issuer", issuer),
            ("service-account-key-file", key.clone()),
            ("service-account-signing-key-file", key),
            ("service-cluster-ip-range", "10.0.0.0/24".to_owned()),
            ("token-auth-file", tokens),
            ("authorization-mode", "RBAC".to_owned()),
            ("disable-admission-plugins", "ServiceAccount".to_owned()),
            ("feature-gates", gates.to_owned()),
        ]
    }

    /// How an administrator reaches the server, as `kubectl` reads it.
    pub(crate) fn kubeconfig(&self) -> Value {
        let ca = self.file("certs/apiserver.crt");
        json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": {"server": self.url, "certificate-authority": ca}}],
            "users": [{"name": "test", "user": {"token": TOKEN}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
            "current-context": "test",
        })
    }

    /// A client of an administrator, which shows each answer as it comes: no request is repeated.
    pub(crate) async fn client(&self) -> Client {
        let kubeconfig: Kubeconfig =
            serde_json::from_value(self.kubeconfig()).expect("a kubeconfig");
        let config =
            Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
        let mut config = config.expect("a complete kubeconfig");
        config.default_retry = false;
        Client::try_from(config).expect("a client")
    }

    /// The ids of the processes.
    #[allow(dead_code, reason = "not every suite looks at them")]
    pub(crate) fn pids(&self) -> Vec<u32> {
        self.processes.iter().map(|(_, child)| child.id()).collect()
    }

    async fn wait(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        // The key is the last of the certificates that a first start writes.
        let key = PathBuf::from(self.file("certs/apiserver.key"));
        while !key.exists() {
            self.check(deadline).await;
        }
        let client = self.client().await;
        let ready = || http::Request::get("/readyz").body(Vec::new());
        while client
            .request_text(ready().expect("a request"))
            .await
            .is_err()
        {
            self.check(deadline).await;
        }
    }

    /// Fails when a process has ended or time is up, with the end of the log.
    async fn check(&mut self, deadline: Instant) {
        for (name, child) in &mut self.processes {
            let ended = child.try_wait().expect("it is our child");
            if ended.is_none() && Instant::now() < deadline {
                continue;
            }
            let log = fs::read_to_string(self.folder.path().join(format!("{name}.log")));
            let log = log.unwrap_or_default();
            let lines: Vec<_> = log.lines().collect();
            let end = lines[lines.len().saturating_sub(10)..].join("\n");
            panic!("{name} does not serve ({ended:?}):\n{end}");
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    fn spawn(&mut self, name: &'static str, flags: &[(&str, String)]) {
        let log = File::create(self.file(&format!("{name}.log"))).expect("a log file");
        let flags = flags
            .iter()
            .map(|(flag, value)| format!("--{flag}={value}"));
        let child = Command::new(assets().join(name))
            .args(flags)
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        let pipe = self.reaper.stdin.as_mut().expect("it is piped");
        writeln!(pipe, "{}", child.id()).expect("the reaper lives");
        self.processes.push((name, child));
    }

    fn socket(&self) -> String {
        format!("unix://{}", self.file("etcd.sock"))
    }

    fn file(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        // The API server first: without etcd it would only complain.
        for (_, child) in self.processes.iter_mut().rev() {
            let _ = child.kill();
        }
        // The reaper before the children are waited for: until then their ids are nobody else's.
        drop(self.reaper.stdin.take());
        let _ = self.reaper.wait();
        for (_, child) in &mut self.processes {
            let _ = child.wait();
        }
    }
}

fn shell(script: &str) -> Child {
    let shell = Command::new("sh")
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    shell.expect("the tests need sh")
}

fn assets() -> PathBuf {
    let folder = env::var_os("KUBEBUILDER_ASSETS").filter(|folder| !folder.is_empty());
    let folder = folder.expect("KUBEBUILDER_ASSETS names the folder of the programs");
    Path::new(&folder).to_owned()
}
