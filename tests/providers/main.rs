//! The built-in providers: each by the suite that judges all of them, and by what is its own.

mod conformance;
mod extension;
mod file;
mod fixed;
mod kubeconfig;
mod multi;
mod namespace;
mod scripted;
mod selection;
