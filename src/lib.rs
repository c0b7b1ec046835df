//! Controllers that run across a fleet of Kubernetes clusters.
//!
//! A [provider](ClusterProvider) finds the clusters. The replicas of a program ([peers](sharding)) split them among
//! themselves, and a fencing Lease for each cluster makes sure that at most one of them works on it at a time. A
//! [`Controller`] then reconciles the objects of the clusters that its replica owns; watches begin when a cluster is
//! engaged and end when it moves.
//!
//! ```no_run
//! # #[cfg(feature = "namespace")]
//! # mod program {
//! use multicluster::{
//!     Action, Context, Controller, Manager, Sharding, k8s_openapi::api::core::v1::ConfigMap,
//!     kube::{Config, ResourceExt}, providers::NamespaceProvider, shutdown_signal,
//! };
//!
//! async fn reconcile(context: Context<ConfigMap>) -> anyhow::Result<Action> {
//!     if let Some(config_map) = context.object() {
//!         println!("{} in {}", config_map.name_any(), context.cluster_name());
//!     }
//!     Ok(Action::await_change())
//! }
//!
//! # pub
//! async fn run() -> anyhow::Result<()> {
//!     let config = Config::incluster()?;
//!     Manager::builder(NamespaceProvider::try_from(config.clone())?)
//!         .sharding(Sharding::new(&config, "mcr")) // leave it out: one replica owns everything
//!         .with(Controller::new("config-maps", reconcile))
//!         .build()?
//!         .run(shutdown_signal())
//!         .await?;
//!     Ok(())
//! }
//! # }
//! ```
//!
//! # Where to look
//! - [`Manager`] brings everything together; [`Controller`] and [`for_each_cluster`] are what it runs on each cluster.
//! - [`_documentation::controllers`] tells how objects become reconciles, and [`_documentation::from_kube_rs`] how an existing
//!   kube-rs controller joins a fleet.
//! - [`sharding`] says what is guaranteed about ownership, and what is not.
//! - [`ClusterProvider`] is the contract of providers; [`providers`] lists the built-in ones, and
//!   [`ClusterProviderExt`] makes new ones of them.
//! - [`Settings`] come from a file, the environment and code; [`_documentation::settings`] lists them.
//! - [`_documentation::architecture`] draws the modules and their arrows.
//!
//! # Features
//! | feature | adds |
//! |---|---|
//! | `namespace` | `providers::NamespaceProvider`: every Namespace of one cluster is a cluster of its own |
//! | `kubeconfig` | `providers::KubeconfigProvider`: every Secret with a kubeconfig is a cluster |
//! | `file` | `providers::FileProvider`: every context of kubeconfig files is a cluster |
//! | `multi` | `providers::MultiProvider`: several providers as one |
//! | `testing` | `testing`: helpers for tests of controllers, a suite that judges providers, and a simulation of whole fleets |
//!
//! TLS and the version of the Kubernetes API are the program's choice: enable `rustls-tls` with `ring` or `aws-lc-rs` (or
//! `openssl-tls`) on `kube`, and a version on `k8s-openapi`.
#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate self as multicluster;

mod backoff;
mod bounded;
pub mod clock;
mod cluster;
mod clusters;
pub mod config;
mod connect;
pub mod controller;
mod engage;
mod error;
mod guard;
pub mod health;
pub mod informer;
mod loads;
mod mailbox;
mod manager;
mod problems;
mod provider;
mod provider_ext;
mod selector;
mod setting;
pub mod sharding;
mod shutdown;
#[cfg(feature = "testing")]
pub mod testing;
mod transport;

#[path = "../providers/mod.rs"]
pub mod providers;

pub use crate::config::Settings;
pub use bounded::bounded;
pub use cluster::{Cluster, ClusterName};
pub use clusters::ClusterSet;
pub use connect::cluster_client;
pub use controller::{Action, Context, Controller, Requests, finalizer};
pub use engage::{ClusterAware, Engagement, ForEachCluster, OwnedClusters, for_each_cluster};
pub use error::{BoxError, Error, Report, Result};
pub use guard::{FencingToken, Guard, NotOwner, NotOwnerReason};
pub use health::{ClusterHealth, HealthState};
pub use informer::{ObjectEvent, Objects, Watch, Watched};
pub use manager::{Manager, ManagerBuilder};
pub use provider::{ClusterEvent, ClusterProvider, ClusterRef};
pub use provider_ext::{ClusterProviderExt, Filtered, Labelled, MapClient};
pub use selector::parse_selector;
pub use sharding::Sharding;
pub use shutdown::shutdown_signal;

pub use k8s_openapi;
pub use kube;

/// Longer documents.
pub mod _documentation {
    #[doc = include_str!("docs/architecture.md")]
    pub mod architecture {}
    #[doc = include_str!("docs/controllers.md")]
    pub mod controllers {}
    #[doc = include_str!("docs/from-kube-rs.md")]
    pub mod from_kube_rs {}
    #[doc = include_str!("docs/placement.md")]
    #[doc = include_str!("docs/placement.svg")]
    pub mod placement {}
    #[doc = include_str!("docs/providers.md")]
    pub mod providers {}
    #[doc = include_str!("docs/settings.md")]
    pub mod settings {}
    #[doc = include_str!("docs/sharding.md")]
    pub mod sharding {}
    #[cfg(feature = "testing")]
    #[doc = include_str!("docs/testing-controllers.md")]
    pub mod testing_controllers {}
    #[cfg(feature = "testing")]
    #[doc = include_str!("docs/writing-a-provider.md")]
    pub mod writing_a_provider {}
}

/// Compiles the README's program.
#[cfg(all(doctest, feature = "namespace"))]
#[doc = include_str!("../README.md")]
struct Readme;
