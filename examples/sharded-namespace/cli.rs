//! The command line, and what ends the program early.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode, time::Duration};

use clap::{Parser, ValueEnum};
use multicluster::{
    Error, Report,
    kube::{
        Config,
        config::{KubeConfigOptions, Kubeconfig},
    },
    sharding::{PeerId, Timings},
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
    /// How long a Lease lasts: a crash is noticed after about this time
    #[arg(long, value_name = "TIME", default_value = "15s", value_parser = duration)]
    pub(crate) lease_duration: Duration,
    /// The time between two renewals [default: a third of the lease duration]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) renew_interval: Option<Duration>,
    /// The namespace of the Leases
    #[arg(long, value_name = "NAMESPACE", default_value = "kube-system")]
    pub(crate) shard_lease_namespace: String,
    /// The prefix of the per-cluster Leases
    #[arg(long, value_name = "PREFIX", default_value = "mcr-shard")]
    pub(crate) shard_lease_prefix: String,
    /// This replica's share of the clusters relative to others
    #[arg(long, default_value_t = 1)]
    pub(crate) weight: u32,
    /// How long to try to reach the API server before giving up
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    pub(crate) startup_timeout: Duration,
    /// How log lines look
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    pub(crate) log_format: LogFormat,
    /// End when stdin does: this is a child process
    #[arg(long, hide = true)]
    pub(crate) child: bool,
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
        self.timings().validate()?;
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

    pub(crate) fn timings(&self) -> Timings {
        let timings = Timings::new(self.lease_duration);
        match self.renew_interval {
            Some(interval) => timings.renew_interval(interval),
            None => timings,
        }
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
        args.extend(self.settings());
        args
    }

    /// The arguments that make a replica behave as this command line says, without those that are the defaults.
    pub(crate) fn settings(&self) -> Vec<String> {
        let defaults = Self::try_parse_from(["sharded-namespace"]);
        let defaults = defaults
            .map(|defaults| defaults.values())
            .unwrap_or_default();
        let own = self.values().into_iter().zip(defaults);
        own.filter(|(own, default)| own != default)
            .filter_map(|((name, value), _)| Some(format!("--{name}={}", value?)))
            .collect()
    }

    fn values(&self) -> [(&'static str, Option<String>); 7] {
        let milliseconds = |time: Duration| format!("{}ms", time.as_millis());
        let format = self.log_format.to_possible_value();
        [
            ("lease-duration", Some(milliseconds(self.lease_duration))),
            ("renew-interval", self.renew_interval.map(milliseconds)),
            (
                "shard-lease-namespace",
                Some(self.shard_lease_namespace.clone()),
            ),
            ("shard-lease-prefix", Some(self.shard_lease_prefix.clone())),
            ("weight", Some(self.weight.to_string())),
            ("startup-timeout", Some(milliseconds(self.startup_timeout))),
            (
                "log-format",
                format.map(|value| value.get_name().to_owned()),
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
