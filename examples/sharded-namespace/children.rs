//! Several replicas as child processes, against the cluster that the command line names.

use std::{collections::BTreeMap, process::ExitStatus, time::Duration};

use multicluster::Settings;
use rustix::process::{Pid, Signal};
use tokio::{task::JoinSet, time::Instant};

use crate::{
    cli::{Cli, Failure, LogFormat},
    process::{Output, Process, send},
    signals,
};

/// How long after its end a replica is started again.
const RESTART_PAUSE: Duration = Duration::from_secs(1);

/// Keeps the replicas running until a signal asks to end; then ends them gracefully.
pub(crate) async fn run(cli: Cli, settings: &Settings) -> Result<(), Failure> {
    // A wrong kubeconfig is told once, and not by every replica.
    cli.config(&cli.target()).await?;
    let started = Instant::now();
    let limit = settings.manager.startup_timeout;
    let is_starting = || limit.is_some_and(|limit| started.elapsed() < limit + RESTART_PAUSE);
    let mut replicas = JoinSet::new();
    let mut running = BTreeMap::new();
    let names = (0..cli.replicas()).map(|i| format!("sharded-namespace-{i}"));
    for name in names {
        running.insert(name.clone(), start(&cli, &name, &mut replicas)?);
    }
    let mut shutdown = std::pin::pin!(signals::shutdown());
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            Some(Ok((name, status))) = replicas.join_next() => {
                running.remove(&name);
                tracing::warn!(replica = name, %status, "replica ended");
                if status.code() == Some(1) && is_starting() {
                    return Err(Failure::failed(format!("{name} could not start, see above")));
                }
                if status.code() == Some(2) {
                    return Err(Failure::usage(format!("{name} does not start, see above")));
                }
                tokio::time::sleep(RESTART_PAUSE).await;
                running.insert(name.clone(), start(&cli, &name, &mut replicas)?);
            }
        }
    }
    for pid in running.into_values() {
        send(pid, Signal::TERM);
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
    replicas: &mut JoinSet<(String, ExitStatus)>,
) -> Result<Pid, Failure> {
    let cannot = |error: std::io::Error| Failure::failed(format!("cannot start {name}: {error}"));
    let program = std::env::current_exe().map_err(cannot)?;
    let mut process = Process::start(&program, &cli.child_args(name), None).map_err(cannot)?;
    let pid = process.pid();
    tracing::info!(
        replica = name,
        pid = pid.as_raw_nonzero().get(),
        "replica started"
    );
    let output = Output {
        prefix: match cli.log_format {
            LogFormat::Text => format!("{name} | "),
            LogFormat::Json => String::new(),
        },
        keep: None,
    };
    let name = name.to_owned();
    replicas.spawn(async move { (name, process.wait(&output).await) });
    Ok(pid)
}
