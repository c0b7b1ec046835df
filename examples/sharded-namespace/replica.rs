//! One replica: this is the program that a user writes.

use std::convert::Infallible;

use multicluster::{
    Action, Context, Controller, Manager, Sharding, k8s_openapi::api::core::v1::ConfigMap,
    kube::ResourceExt, providers::NamespaceProvider,
};

use crate::{
    cli::{Cli, Failure, Target},
    signals,
};

/// Runs until a signal asks to end, and everything is handed over.
pub(crate) async fn run(cli: &Cli, target: Target) -> Result<(), Failure> {
    let config = cli.config(&target).await?;
    let mut sharding = Sharding::new(&config, "mcr")
        .lease_namespace(&cli.shard_lease_namespace)
        .prefixes("mcr-peer", &cli.shard_lease_prefix)
        .timings(cli.timings())
        .weight(cli.weight)
        .watchdog(true);
    if let Some(peer) = &cli.peer {
        sharding = sharding.peer(peer);
    }
    if cli.child {
        signals::end_with_stdin();
    }
    Manager::builder(NamespaceProvider::try_from(config)?)
        .sharding(sharding)
        .with(Controller::new("multicluster-configmaps", reconcile))
        .startup_timeout(cli.startup_timeout)
        .build()?
        .run(signals::shutdown())
        .await?;
    Ok(())
}

async fn reconcile(context: Context<ConfigMap>) -> Result<Action, Infallible> {
    let Some(config_map) = context.object() else {
        return Ok(Action::await_change());
    };
    tracing::info!(
        ns = config_map.namespace(),
        name = config_map.name_any(),
        "Reconciling ConfigMap"
    );
    Ok(Action::await_change())
}
