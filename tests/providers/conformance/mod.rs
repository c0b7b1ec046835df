//! Every built-in provider keeps the contract of providers, and the suite that says so finds those that do not.
//!
//! The harnesses take clients, so that tests of real API servers can use them as well.

mod fixed;
mod mutants;
mod namespace;
mod sound;
