//! Connections by the credentials of a kubeconfig.
//!
//! A kubeconfig is not trusted: whoever writes it must not run programs in the operator's pod, read its files, or turn
//! its requests elsewhere, unless [`Allowed`] says so.
//!
//! # Flow
//! 1. [`parse`] reads the text.
//! 2. [`connect`] picks the context, refuses what is not allowed, checks addresses, certificates and keys, makes the
//!    client, and asks the cluster for its version, so that wrong credentials are an error here and not one of each
//!    later request.
//!
//! # Guarantees
//! No error and no `Debug` output holds a value of the kubeconfig other than the names of contexts, clusters and users,
//! and the host and port of the server. kube's own errors quote the text, so they are never passed on.

mod access;
mod allowed;
mod error;
pub(crate) mod files;
mod material;
mod pem;
mod plugin;
mod server;
mod text;

#[cfg(test)]
mod tests;

use multicluster::{
    Cluster, ClusterName,
    kube::{Config, config::Kubeconfig},
};

pub use allowed::Allowed;
pub(crate) use error::Error;
pub(crate) use text::parse;

use access::Access;

/// The cluster of `context`, which has answered once.
///
/// Without a `context` it is the current one; a kubeconfig with a single context needs none. Dropping the future gives
/// the attempt up; only an `exec` plugin that has been started runs on.
pub(crate) async fn connect(
    name: ClusterName,
    kubeconfig: Kubeconfig,
    context: Option<&str>,
    allowed: Allowed,
) -> Result<Cluster, Error> {
    let mut access = Access::pick(kubeconfig, context)?;
    allowed.check(&access)?;
    if access.reads_files() {
        access = files::inline(access).await?;
    }
    let address = server::address(&access.cluster)?;
    material::join_lines(&mut access);
    material::check(&access, jiff::Timestamp::now())?;

    let runs_programs = access.runs_programs();
    let cluster = access.cluster.clone();
    let (kubeconfig, options) = access.into_kubeconfig();
    let config = Config::from_custom_kubeconfig(kubeconfig, &options).await;
    let config = config.map_err(|error| Error::of_config(&error))?;
    let made = if runs_programs {
        let made = plugin::make_client(config).await?;
        made.map(|client| Cluster::new(name, client))
    } else {
        Cluster::from_config(name, config)
    };
    let connected = made.map_err(|error| Error::of_client(&error, &cluster))?;
    server::greet(&connected, address).await?;
    Ok(connected)
}
