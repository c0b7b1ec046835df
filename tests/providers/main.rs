//! The built-in providers: each by the suite that judges all of them, and by what is its own.

#[path = "../fleet/mod.rs"]
#[allow(dead_code, unused_imports, reason = "other tests use the rest")]
mod fleet;

mod conformance;
mod extension;
mod file;
mod fixed;
mod kubeconfig;
mod members;
mod multi;
mod namespace;
mod real;
mod scripted;
mod selection;
