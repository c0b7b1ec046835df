//! Whole managers in one process, against the API server in memory, under paused time.
//!
//! Nothing here waits for real: an hour of renewals takes a moment, and every run sees the same times.

mod blocking;
mod broken_clusters;
mod controllers;
mod dead_connections;
mod ends;
mod engagements;
mod fleet;
mod hidden_retries;
mod hooks;
mod hub;
mod kinds;
mod kube_controller;
mod loads;
mod local;
mod namespaces;
mod not_lost;
mod outages;
mod ownership;
mod requests;
mod soak;
#[cfg(feature = "testing")]
mod test_helpers;
mod trouble;
mod watchdog;
mod watches;
