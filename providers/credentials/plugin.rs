//! Plugins that print credentials.
//!
//! kube runs them where a client is made, three times in a row, and waits on the thread. So this happens on threads for
//! blocking work, a few at a time, and for a limited time each.

use std::{sync::Arc, time::Duration};

use futures_util::FutureExt;
use multicluster::{
    BoxError, cluster_client,
    kube::{self, Client, Config},
};
use tokio::{sync::Semaphore, task::spawn_blocking};
use tower::service_fn;

use super::error::Error;

/// How many plugins may run at a time.
pub(super) const PLACES: usize = 8;

/// How many threads may be held by plugins, those included that were given up but do not end.
const THREADS: usize = 64;

/// How long a plugin may take.
const LIMIT: Duration = Duration::from_secs(60);

static RUNNING: Semaphore = Semaphore::const_new(PLACES);
static HELD: Semaphore = Semaphore::const_new(THREADS);

/// Makes a client whose credentials come from a plugin.
///
/// A plugin that takes too long, or whose caller has gone, gives its place to the next one; its thread is held until it
/// ends, since nobody but kube knows its process.
pub(super) async fn make_client(config: Config) -> Result<Result<Client, kube::Error>, Error> {
    make_client_within(LIMIT, config).await
}

pub(super) async fn make_client_within(
    limit: Duration,
    config: Config,
) -> Result<Result<Client, kube::Error>, Error> {
    // Neither is ever closed.
    let _place = RUNNING.acquire().await.map_err(|_| Error::Interrupted)?;
    let held = HELD.try_acquire().map_err(|_| Error::HungPlugins)?;
    let made = spawn_blocking(move || {
        let _held = held;
        cluster_client(config)
    });
    let made = tokio::time::timeout(limit, made).await;
    let made = made.map_err(|_| Error::PluginTimeout { limit })?;
    // kube panics at a token that no header may hold.
    let made = made.map_err(|error| match error.is_panic() {
        true => Error::NoCredentials,
        false => Error::Interrupted,
    })?;
    Ok(made.map(discreet))
}

/// A client whose errors hold nothing that a plugin printed, which kube runs again when a token expires.
fn discreet(base: Client) -> Client {
    let (namespace, until) = (base.default_namespace().to_owned(), *base.valid_until());
    let base = Arc::new(base);
    let service = service_fn(move |request| {
        let base = base.clone();
        async move {
            let sent = base.send(request).await;
            sent.map_err(|error| match Error::of_plugin(&error) {
                Some(reason) => BoxError::from(reason),
                None => error.into(),
            })
        }
        .boxed()
    });
    Client::new(service, namespace).with_valid_until(until)
}
