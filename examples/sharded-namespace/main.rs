//! Replicas of one program split the Namespaces of a cluster among themselves and reconcile their ConfigMaps.
//!
//! `cargo run --example sharded-namespace --features namespace` needs nothing else: it brings its own API server and
//! starts two replicas as child processes. See the README beside this file.

mod children;
mod cli;
mod demo;
mod kubelet;
mod log;
mod manifests;
mod process;
mod replica;
mod signals;
mod stateful_set;

use std::process::ExitCode;

use cli::{Cli, Failure};

fn main() -> ExitCode {
    let result = Cli::read().and_then(|cli| {
        log::init(&cli);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::failed(format!("no async runtime: {error}")))?;
        let result = runtime.block_on(run(cli));
        // A thread that still reads stdin must not hold up the end.
        runtime.shutdown_background();
        result
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

async fn run(cli: Cli) -> Result<(), Failure> {
    let settings = cli.settings()?;
    cli.check()?;
    match cli.target() {
        cli::Target::Sandbox => demo::run(cli).await,
        _ if cli.replicas() > 1 => children::run(cli, &settings).await,
        target => replica::run(&cli, &settings, target).await,
    }
}
