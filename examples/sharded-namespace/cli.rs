//! The command line, and what ends the program early.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode, time::Duration};

use clap::{Parser, ValueEnum};
use multicluster::{
    Error, Report, Settings,
    kube::{
        Config,
        config::{KubeConfigOptions, Kubeconfig},
    },
    sharding::PeerId,
};

/// Splits the Namespaces of a cluster among replicas, each Namespace being a cluster of its own.
#[derive(Clone, Debug, Parser)]
#[command(name = "sharded-namespace", version)]
pub(crate) struct Cli {
    /// How many replicas to run [default: 2 with the built-in API server, else 1]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=64))]
    replicas: Option<u16>,
    /// Start the built-in API server empty: deploy the demo with kubectl
    #[arg(long, conflicts_with_all = ["replicas", "kubeconfig", "context"])]
    pub(crate) bare: bool,
    /// Where the built-in API server listens
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:0")]
    pub(crate) listen: SocketAddr,
    /// Use the cluster of this kubeconfig in place of the built-in API server
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// Use this context of the kubeconfig
    #[arg(long, value_name = "NAME")]
    pub(crate) context: Option<String>,
    /// The id of this replica [default: POD_NAME, else the host name]
    #[arg(long, value_name = "ID")]
    pub(crate) peer: Option<String>,
    /// A file of settings, TOML or YAML; variables `MULTICLUSTER_..` override it, and the flags below override both
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// How long a Lease lasts: a crash is noticed after about this time [default: 15s]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    lease_duration: Option<Duration>,
    /// The time between two renewals [default: a third of the lease duration]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    renew_interval: Option<Duration>,
    /// The namespace of the Leases [default: kube-system]
    #[arg(long, value_name = "NAMESPACE")]
    shard_lease_namespace: Option<String>,
    /// The prefix of the per-cluster Leases [default: mcr-shard]
    #[arg(long, value_name = "PREFIX")]
    shard_lease_prefix: Option<String>,
    /// This replica's share of the clusters relative to others [default: 1]
    #[arg(long)]
    weight: Option<u32>,
    /// How long to try to reach the API server before giving up [default: 30s]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    startup_timeout: Option<Duration>,
    /// How log lines look
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    pub(crate) log_format: LogFormat,
    /// End when stdin does: this is a child process
    #[arg(long, hide = true)]
    pub(crate) child: bool,
}

/// What this program has as defaults, in place of the library's.
const DEFAULTS: [(&str, &str); 5] = [
    ("sharding.lease_namespace", "kube-system"),
    ("sharding.peer_prefix", "mcr-peer"),
    ("sharding.fence_prefix", "mcr-shard"),
    ("sharding.watchdog", "true"),
    ("manager.startup_timeout", "30s"),
];

/// A flag that is a setting, with its value where it is given.
struct Flag {
    name: &'static str,
    key: &'static str,
    value: Option<String>,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

/// The cluster whose Namespaces are sharded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// The built-in one.
    Sandbox,
    /// The one that this pod runs in.
    Pod,
    /// The one of a kubeconfig.
    Kubeconfig,
}

/// Why the program ends: one line for a person, and an exit status.
#[derive(Debug)]
pub(crate) struct Failure {
    line: String,
    status: u8,
}

// === impl Cli ===

impl Cli {
    /// Reads the command line; `--help` and `--version` end the program.
    pub(crate) fn read() -> Result<Self, Failure> {
        Self::try_parse().map_err(|error| {
            if !error.use_stderr() {
                error.exit();
            }
            let text = error.to_string();
            let line = text.lines().next().unwrap_or_default();
            let line = line.strip_prefix("error: ").unwrap_or(line);
            Failure::usage(format!("{line} (see --help)"))
        })
    }

    /// Checks what can be checked without a cluster.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        if let Some(peer) = &self.peer {
            PeerId::new(peer)?;
            if self.replicas() > 1 {
                let text = "--peer names one replica: use it with --replicas 1 and --kubeconfig, or leave it out";
                return Err(Failure::usage(text));
            }
        }
        Ok(())
    }

    /// Which cluster to use: the pod's, the one that was named, or else the built-in one.
    ///
    /// A kubeconfig that merely lies around is never used.
    pub(crate) fn target(&self) -> Target {
        if self.kubeconfig.is_some() || self.context.is_some() {
            Target::Kubeconfig
        } else if std::env::var_os("KUBERNETES_SERVICE_HOST").is_some() {
            Target::Pod
        } else {
            Target::Sandbox
        }
    }

    pub(crate) fn replicas(&self) -> u16 {
        let default = if self.target() == Target::Sandbox {
            2
        } else {
            1
        };
        self.replicas.unwrap_or(default)
    }

    /// What the file, the environment and the flags say.
    pub(crate) fn settings(&self) -> Result<Settings, Failure> {
        let mut sources = Settings::sources();
        for (key, value) in DEFAULTS {
            sources = sources.preset(key, value);
        }
        if let Some(path) = &self.config {
            sources = sources.file(path);
        }
        for Flag { name, key, value } in self.flags() {
            if let Some(value) = value {
                sources = sources.set(&format!("--{name}"), key, &value);
            }
        }
        Ok(sources.load()?)
    }

    /// The connection to the target.
    pub(crate) async fn config(&self, target: &Target) -> Result<Config, Failure> {
        if *target == Target::Pod {
            return Config::incluster().map_err(|error| {
                Failure::usage(format!(
                    "the pod's service account cannot be used: {}",
                    Report(&error)
                ))
            });
        }
        let options = KubeConfigOptions {
            context: self.context.clone(),
            ..KubeConfigOptions::default()
        };
        let (what, config) = match &self.kubeconfig {
            Some(path) => {
                let what = format!("the kubeconfig {}", path.display());
                std::fs::File::open(path)
                    .map_err(|error| Failure::usage(format!("{what} cannot be read: {error}")))?;
                let kubeconfig = Kubeconfig::read_from(path).map_err(|error| {
                    Failure::usage(format!("{what} cannot be used: {}", Report(&error)))
                })?;
                (
                    what,
                    Config::from_custom_kubeconfig(kubeconfig, &options).await,
                )
            }
            None => (
                "the kubeconfig".into(),
                Config::from_kubeconfig(&options).await,
            ),
        };
        config.map_err(|error| Failure::usage(format!("{what} cannot be used: {}", Report(&error))))
    }

    /// The arguments of a child process: those of this one, for one replica.
    pub(crate) fn child_args(&self, peer: &str) -> Vec<String> {
        let mut args = vec![
            "--child".into(),
            "--replicas=1".into(),
            format!("--peer={peer}"),
        ];
        if let Some(path) = &self.kubeconfig {
            args.push(format!("--kubeconfig={}", path.display()));
        }
        if let Some(context) = &self.context {
            args.push(format!("--context={context}"));
        }
        args.extend(self.replica_args());
        args
    }

    /// The arguments that make a replica behave as this command line says.
    pub(crate) fn replica_args(&self) -> Vec<String> {
        let mut args = Vec::new();
        if let Some(path) = &self.config {
            // A replica may run in another folder.
            let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
            args.push(format!("--config={}", path.display()));
        }
        for Flag { name, value, .. } in self.flags() {
            args.extend(value.map(|value| format!("--{name}={value}")));
        }
        if self.log_format == LogFormat::Json {
            args.push("--log-format=json".into());
        }
        args
    }

    /// The flags that are settings.
    fn flags(&self) -> [Flag; 6] {
        let flag = |name, key, value| Flag { name, key, value };
        let time = |time: Duration| format!("{}ms", time.as_millis());
        [
            flag(
                "lease-duration",
                "sharding.lease_duration",
                self.lease_duration.map(time),
            ),
            flag(
                "renew-interval",
                "sharding.renew_interval",
                self.renew_interval.map(time),
            ),
            flag(
                "shard-lease-namespace",
                "sharding.lease_namespace",
                self.shard_lease_namespace.clone(),
            ),
            flag(
                "shard-lease-prefix",
                "sharding.fence_prefix",
                self.shard_lease_prefix.clone(),
            ),
            flag(
                "weight",
                "sharding.weight",
                self.weight.map(|weight| weight.to_string()),
            ),
            flag(
                "startup-timeout",
                "manager.startup_timeout",
                self.startup_timeout.map(time),
            ),
        ]
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no time: write it like 15s or 1500ms");
    let parsed: multicluster::k8s_openapi::jiff::SignedDuration =
        text.parse().map_err(|_| wrong())?;
    Duration::try_from(parsed).map_err(|_| wrong())
}

// === impl Failure ===

impl Failure {
    /// The command line or the configuration is wrong: exit status 2.
    pub(crate) fn usage(line: impl Into<String>) -> Self {
        Self {
            line: line.into(),
            status: 2,
        }
    }

    /// Something else failed: exit status 1.
    pub(crate) fn failed(line: impl Into<String>) -> Self {
        Self {
            line: line.into(),
            status: 1,
        }
    }

    pub(crate) fn report(&self) -> ExitCode {
        eprintln!("error: {}", self.line);
        ExitCode::from(self.status)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let line = Report(&error).to_string();
        match error {
            Error::Setting(_) => Self::usage(line),
            _ => Self::failed(line),
        }
    }
}
