//! Several replicas as child processes, with a built-in API server or against a given one.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::{Duration, Instant},
};

use kube_sandbox::Sandbox;
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWriteExt, BufReader},
    net::TcpListener,
    process::{Child, Command},
    task::JoinSet,
};

use crate::{
    cli::{Cli, Failure, LogFormat},
    sample, signals,
};

/// How long after its end a replica is started again.
const RESTART_PAUSE: Duration = Duration::from_secs(1);

/// Serves an API server with the sample data, and runs the replicas against it.
pub(crate) async fn with_sandbox(cli: Cli) -> Result<(), Failure> {
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
    let sandbox = Sandbox::new();
    sample::load(&sandbox.client()).await?;
    let server = sandbox
        .serve(listener)
        .map_err(|error| Failure::failed(format!("cannot serve: {error}")))?;
    let kubeconfig = serde_json::to_string_pretty(&server.kubeconfig())
        .map_err(|error| Failure::failed(format!("no kubeconfig: {error}")))?;
    let files = Files::write(&kubeconfig, server.addr().port())?;
    tracing::info!(url = server.url(), "the built-in API server listens");
    tracing::info!(
        "in a second terminal: kubectl --kubeconfig {} get namespaces",
        files.shown.display()
    );
    let result = run(&cli, Some(&files.own)).await;
    server.shutdown().await;
    result
}

/// Runs the replicas against the cluster that the command line names.
pub(crate) async fn with_cluster(cli: Cli) -> Result<(), Failure> {
    // A wrong kubeconfig is told once, and not by every replica.
    cli.config(&cli.target()).await?;
    run(&cli, None).await
}

/// Keeps the replicas running until a signal asks to end; then ends them gracefully.
async fn run(cli: &Cli, kubeconfig: Option<&PathBuf>) -> Result<(), Failure> {
    let started = Instant::now();
    let mut replicas = JoinSet::new();
    let mut running = BTreeMap::new();
    let names = (0..cli.replicas()).map(|i| format!("sharded-namespace-{i}"));
    for name in names {
        running.insert(name.clone(), start(cli, &name, kubeconfig, &mut replicas)?);
    }
    let mut shutdown = std::pin::pin!(signals::shutdown());
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            Some(Ok((name, status))) = replicas.join_next() => {
                running.remove(&name);
                tracing::warn!(replica = name, %status, "replica ended");
                if status.code() == Some(1) && started.elapsed() < cli.startup_timeout + RESTART_PAUSE {
                    return Err(Failure::failed(format!("{name} could not start, see above")));
                }
                if status.code() == Some(2) {
                    return Err(Failure::usage(format!("{name} does not start, see above")));
                }
                tokio::time::sleep(RESTART_PAUSE).await;
                running.insert(name.clone(), start(cli, &name, kubeconfig, &mut replicas)?);
            }
        }
    }
    for pid in running.into_values() {
        // It may have ended just now.
        let _ = kill_process(pid, Signal::TERM);
    }
    while let Some(ended) = replicas.join_next().await {
        if let Ok((name, status)) = ended {
            tracing::info!(replica = name, %status, "replica ended");
        }
    }
    Ok(())
}

/// Starts one replica; `replicas` tells when it has ended.
fn start(
    cli: &Cli,
    name: &str,
    kubeconfig: Option<&PathBuf>,
    replicas: &mut JoinSet<(String, ExitStatus)>,
) -> Result<Pid, Failure> {
    let cannot = |error: std::io::Error| Failure::failed(format!("cannot start {name}: {error}"));
    let program = std::env::current_exe().map_err(cannot)?;
    let mut child = Command::new(program)
        .args(cli.child_args(name, kubeconfig))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // Ctrl-C in a terminal goes to this process alone, which passes it on in order.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(cannot)?;
    let pid = child
        .id()
        .and_then(|id| i32::try_from(id).ok())
        .and_then(Pid::from_raw)
        .ok_or_else(|| Failure::failed(format!("{name} ended at once")))?;
    tracing::info!(
        replica = name,
        pid = pid.as_raw_nonzero().get(),
        "replica started"
    );
    let prefix = match cli.log_format {
        LogFormat::Text => format!("{name} | "),
        LogFormat::Json => String::new(),
    };
    let name = name.to_owned();
    replicas.spawn(async move {
        let status = supervise(&mut child, &prefix).await;
        (name, status)
    });
    Ok(pid)
}

/// Passes on what a child prints, until it has ended.
async fn supervise(child: &mut Child, prefix: &str) -> ExitStatus {
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let pass_on = async {
        tokio::join!(
            async {
                if let Some(stdout) = stdout {
                    copy(stdout, tokio::io::stdout(), prefix).await;
                }
            },
            async {
                if let Some(stderr) = stderr {
                    copy(stderr, tokio::io::stderr(), prefix).await;
                }
            }
        )
    };
    pass_on.await;
    // `wait` closes stdin, which would end the child: it has ended its output by now.
    child.wait().await.unwrap_or_default()
}

async fn copy(from: impl AsyncRead + Unpin, mut to: impl AsyncWriteExt + Unpin, prefix: &str) {
    let mut lines = BufReader::new(from).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        // One write for each line, so that those of two replicas do not mix.
        let line = format!("{prefix}{line}\n");
        if to.write_all(line.as_bytes()).await.is_err() || to.flush().await.is_err() {
            return;
        }
    }
}

/// The kubeconfig for people, and the same for the replicas under a name that no second demo overwrites.
struct Files {
    shown: PathBuf,
    own: PathBuf,
}

// === impl Files ===

impl Files {
    fn write(content: &str, port: u16) -> Result<Self, Failure> {
        let folder = folder();
        let files = Self {
            shown: folder.join("kubeconfig"),
            own: folder.join(format!("kubeconfig-{port}")),
        };
        std::fs::create_dir_all(&folder)
            .and_then(|()| std::fs::write(&files.own, content))
            .and_then(|()| std::fs::write(&files.shown, content))
            .map_err(|error| {
                Failure::failed(format!("cannot write {}: {error}", files.shown.display()))
            })?;
        Ok(files)
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.own);
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
