//! Every built-in provider keeps the contract of providers, and the suite that says so finds those that do not.
//!
//! The harnesses take clients and [`Members`](members::Members), so that tests of real API servers can use them as well.

mod adapted;
mod file;
mod fixed;
pub(crate) mod kubeconfig;
pub(crate) mod members;
mod multi;
mod mutant;
mod mutants;
pub(crate) mod namespace;
mod sound;
