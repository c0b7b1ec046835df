//! Helpers for tests, of this crate and of programs that use it (feature `testing`).
//!
//! [`conformance`] judges providers. [`Running`] and [`eventually`] test controllers under paused time; see
//! [`_documentation::testing_controllers`](crate::_documentation::testing_controllers).

pub mod conformance;
pub mod queue;
pub mod rebalance;
mod running;
pub mod simulation;

pub use running::{Running, eventually};
