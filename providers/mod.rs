//! Where clusters come from.
//!
//! | provider | feature | a cluster is |
//! |---|---|---|
//! | [`FixedProvider`] | always there | given in code |
#![cfg_attr(
    feature = "file",
    doc = "| [`FileProvider`] | `file` | a context of a kubeconfig file |"
)]
#![cfg_attr(
    feature = "multi",
    doc = "| [`MultiProvider`] | `multi` | one of several providers', with a prefix |"
)]
#![cfg_attr(
    feature = "namespace",
    doc = "| [`NamespaceProvider`] | `namespace` | a Namespace of one cluster |"
)]
#![cfg_attr(
    feature = "kubeconfig",
    doc = "| [`KubeconfigProvider`] | `kubeconfig` | a Secret with a kubeconfig |"
)]
//!
//! All of them use the crate's public API only, so each is also an example of how to write one.

#[cfg(any(feature = "file", feature = "kubeconfig"))]
mod credentials;
#[cfg(feature = "file")]
mod file;
mod fixed;
#[cfg(feature = "kubeconfig")]
mod kubeconfig;
#[cfg(feature = "multi")]
mod multi;
#[cfg(feature = "namespace")]
mod namespace;

#[cfg(any(feature = "file", feature = "kubeconfig"))]
pub use credentials::Allowed;
#[cfg(feature = "file")]
pub use file::FileProvider;
pub use fixed::FixedProvider;
#[cfg(feature = "kubeconfig")]
pub use kubeconfig::KubeconfigProvider;
#[cfg(feature = "multi")]
pub use multi::MultiProvider;
#[cfg(feature = "namespace")]
pub use namespace::NamespaceProvider;
