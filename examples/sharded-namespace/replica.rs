//! One replica: this is the program that a user writes.

use std::{convert::Infallible, time::Duration};

use multicluster::{
    Action, Context, Controller, Error, Manager, Settings, Sharding,
    k8s_openapi::{
        api::core::v1::{ConfigMap, Namespace},
        apimachinery::pkg::apis::meta::v1::OwnerReference,
    },
    kube::{Api, Client, Config, Resource, ResourceExt},
    providers::NamespaceProvider,
};

use tokio::time::Instant;

use crate::{
    cli::{Cli, Failure, Target},
    signals,
};

/// The pause before a request is tried again.
const PAUSE: Duration = Duration::from_millis(200);

/// Runs until a signal asks to end, and everything is handed over.
pub(crate) async fn run(cli: &Cli, settings: &Settings, target: Target) -> Result<(), Failure> {
    if cli.child {
        signals::end_with_stdin();
    }
    let config = cli.config(&target).await?;
    let limit = settings.manager.startup_timeout;
    let mut sharding = Sharding::new(&config, "mcr").settings(&settings.sharding);
    if let Some(peer) = &cli.peer {
        sharding = sharding.peer(peer);
    }
    if let Ok(namespace) = std::env::var("POD_NAMESPACE") {
        sharding = sharding.owner(owner(&config, &namespace, limit).await?);
    }
    let controller = Controller::new("multicluster-configmaps", reconcile);
    Manager::builder(NamespaceProvider::try_from(config)?)
        .sharding(sharding)
        .with(controller.settings(&settings.controller))
        .settings(&settings.manager)
        .build()?
        .run(signals::shutdown())
        .await?;
    Ok(())
}

/// The Namespace of the Pod: whoever deletes it is rid of the Leases too.
async fn owner(
    config: &Config,
    namespace: &str,
    limit: Option<Duration>,
) -> Result<OwnerReference, Error> {
    let failed = |error| Error::api(format!("get the Namespace {namespace}"), error);
    let client = Client::try_from(config.clone()).map_err(failed)?;
    let namespaces = Api::<Namespace>::all(client);
    let deadline = limit.map(|limit| Instant::now() + limit);
    loop {
        match namespaces.get(namespace).await {
            Ok(object) => return Ok(object.owner_ref(&()).unwrap_or_default()),
            // The rights of a new Pod may come a moment after it.
            Err(_) if deadline.is_none_or(|deadline| Instant::now() < deadline) => {
                tokio::time::sleep(PAUSE).await
            }
            Err(error) => return Err(failed(error)),
        }
    }
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
