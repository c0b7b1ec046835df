//! Helpers for tests, of this crate and of programs that use it (feature `testing`).

pub mod queue;
pub mod rebalance;
pub mod simulation;
