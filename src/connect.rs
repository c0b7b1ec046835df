//! Clients for the clusters of a fleet.

use std::time::Duration;

use kube::{Client, Config};

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a request may take to be sent.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// A client as a [`ClusterProvider`](crate::ClusterProvider) should hand it out: without kube's hidden retries, with
/// timeouts.
///
/// kube repeats a request that was answered 429, 503 or 504 for up to 270 s, writes too, and a fenced write must not hide
/// there: the fence, the breaker and the user's own back-off see every failure at once. Timeouts that `config` has are
/// kept; without them a connection may take 10 s, and a request 30 s to be sent. For an address without TLS no
/// certificates of the system are loaded, which saves 100 kB for each client.
///
/// # Errors
/// As those of [`Client::try_from`]: credentials or certificates that cannot be used.
///
/// # Blocking
/// A `config` with an `exec` plugin runs it here, on the present thread; call this in
/// [`spawn_blocking`](tokio::task::spawn_blocking) then.
///
/// # Panics
/// Outside of a tokio runtime, which every [`Client`] needs.
pub fn cluster_client(config: Config) -> Result<Client, kube::Error> {
    Client::try_from(for_cluster(config))
}

/// The same of a `config`.
pub(crate) fn for_cluster(mut config: Config) -> Config {
    config.default_retry = false;
    config.connect_timeout.get_or_insert(CONNECT_TIMEOUT);
    config.write_timeout.get_or_insert(WRITE_TIMEOUT);
    if config.cluster_url.scheme_str() == Some("http") {
        config.root_cert.get_or_insert_default();
    }
    config
}
