//! The demo: an API server in memory, with a controller of StatefulSets and a kubelet that runs the replicas.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use futures_util::{StreamExt, stream};
use kube_sandbox::{ContainerLog, ContainerLogs, LogLine, LogSource, Sandbox, Server};
use tokio::net::TcpListener;

use crate::{
    cli::{Cli, Failure, LogFormat},
    kubelet::{Access, Image, Kubelet, Logs},
    manifests, signals, stateful_set,
};

/// The image of the manifests: this program.
const IMAGE: &str = "mcr-namespace:dev";
const NODE: &str = "sharded-namespace";

/// Serves an API server, and runs what is deployed there: the demo itself, unless it shall start empty.
pub(crate) async fn run(cli: Cli) -> Result<(), Failure> {
    let listener = TcpListener::bind(cli.listen).await.map_err(|error| {
        Failure::usage(format!(
            "cannot listen on {}: {error}: choose another address with --listen",
            cli.listen
        ))
    })?;
    if std::env::var_os("KUBECONFIG").is_some() {
        tracing::info!(
            "KUBECONFIG is not used: name it with --kubeconfig to run against that cluster"
        );
    }
    let logs = Logs::default();
    let sandbox = Sandbox::builder().logs(logs.clone()).build();
    let client = sandbox.client();
    if !cli.bare {
        manifests::deploy(&client, &cli).await?;
    }
    let server = sandbox
        .serve(listener)
        .map_err(|error| Failure::failed(format!("cannot serve: {error}")))?;
    let files = Files::write(&server)?;
    tracing::info!(url = server.url(), "the built-in API server listens");
    announce(&cli, &files);
    let kubelet = Kubelet {
        node: NODE.into(),
        image: Image {
            name: IMAGE.into(),
            program: program()?,
            args: vec!["--child".into()],
        },
        access: Access {
            server: server.url(),
            ca: None,
            folder: files.pods.clone(),
        },
        logs,
        prefix: cli.log_format == LogFormat::Text,
    };
    let controller = tokio::spawn(stateful_set::run(client.clone()));
    let stop = async {
        signals::shutdown().await;
        // Nobody replaces what ends from now on.
        controller.abort();
    };
    kubelet.run(client, stop).await;
    server.shutdown().await;
    Ok(())
}

/// `kubectl logs` reads what the kubelet keeps.
impl ContainerLogs for Logs {
    fn open(&self, source: LogSource) -> Option<ContainerLog> {
        let LogSource {
            namespace,
            pod,
            container,
            previous,
            ..
        } = source;
        let instance = self.get(&namespace, &pod, &container, previous)?;
        let (past, next, _) = instance.after(0);
        let line = |(time, text): (_, Arc<str>)| LogLine::new(time, &*text);
        let live = stream::unfold((instance, next), |(instance, next)| async move {
            let (lines, next) = instance.next(next).await?;
            Some((stream::iter(lines), (instance, next)))
        });
        let past = past.into_iter().map(line).collect();
        Some(ContainerLog::new(past, live.flatten().map(line).boxed()))
    }
}

/// Says what can be done in a second terminal.
fn announce(cli: &Cli, files: &Files) {
    let kubeconfig = files.shown.display();
    if cli.bare {
        tracing::info!(
            "in a second terminal: kubectl --kubeconfig {kubeconfig} apply -k examples/sharded-namespace/manifests"
        );
    } else {
        tracing::info!(
            "in a second terminal: kubectl --kubeconfig {kubeconfig} -n mcr-demo get pods"
        );
    }
}

fn program() -> Result<PathBuf, Failure> {
    std::env::current_exe()
        .map_err(|error| Failure::failed(format!("this program cannot be found: {error}")))
}

/// The kubeconfig for people, and a folder for those of the replicas, which no second demo uses.
struct Files {
    shown: PathBuf,
    pods: PathBuf,
}

// === impl Files ===

impl Files {
    fn write(server: &Server) -> Result<Self, Failure> {
        let content = serde_json::to_string_pretty(&server.kubeconfig())
            .map_err(|error| Failure::failed(format!("no kubeconfig: {error}")))?;
        let folder = folder();
        let files = Self {
            shown: folder.join("kubeconfig"),
            pods: folder.join(format!("pods-{}", server.addr().port())),
        };
        std::fs::create_dir_all(&files.pods)
            .and_then(|()| std::fs::write(&files.shown, content))
            .map_err(|error| {
                Failure::failed(format!("cannot write {}: {error}", files.shown.display()))
            })?;
        Ok(files)
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.pods);
    }
}

/// `target/sharded-namespace` of the build that this program is from, else a folder for temporary files.
fn folder() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    let target = program
        .ancestors()
        .find(|folder| folder.join("CACHEDIR.TAG").exists())
        .map_or_else(std::env::temp_dir, Path::to_path_buf);
    target.join("sharded-namespace")
}
