//! Controllers that run across a fleet of Kubernetes clusters.
#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate self as multicluster;

mod backoff;
pub mod clock;
mod cluster;
mod clusters;
pub mod controller;
mod engage;
mod error;
mod guard;
mod manager;
mod provider;
pub mod sharding;

#[path = "../providers/mod.rs"]
pub mod providers;

pub use cluster::{Cluster, ClusterName};
pub use clusters::ClusterSet;
pub use controller::{Action, Context, Controller};
pub use engage::{ClusterAware, Engagement, for_each_cluster};
pub use error::{BoxError, Error, Report, Result};
pub use guard::{FencingToken, Guard, NotOwner, NotOwnerReason};
pub use manager::{Manager, ManagerBuilder};
pub use provider::{ClusterEvent, ClusterProvider, ClusterRef};
pub use sharding::Sharding;

pub use k8s_openapi;
pub use kube;
