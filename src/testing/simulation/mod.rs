//! A whole fleet in one thread and in simulated time.
//!
//! The decisions of every peer are made by the real state machines; everything around them is a model: the network, the
//! API server, clocks, processes and their work. Nothing waits, and one seed gives one run, event by event.
//!
//! A [`Scenario`] is a script of [`Operation`]s. While it runs, every write to a member cluster is checked when it takes
//! effect:
//! - **I1** no write of a tenure takes effect after work of a later tenure began;
//! - **I2** the fencing tokens of a cluster never go down;
//! - **I3** no work begins past the deadline that follows from the newest answered renewal;
//! - **I4** a renewal without an answer extends nothing.
//!
//! ```
//! use std::time::Duration;
//! use multicluster::testing::simulation::{Operation::*, Scenario};
//!
//! let fleet = Scenario::new(3, 12).lease(Duration::from_secs(5)).script([
//!     ExpectOwned(Duration::from_secs(3)),
//!     Crash(0),
//!     ExpectOwned(Duration::from_secs(7)),
//! ]);
//! fleet.run(1).expect("nobody works twice, and everything is worked on");
//! ```

mod event;
mod formula;
mod observer;
mod operation;
mod process;
mod random;
mod scenario;
mod server;
mod trace;
mod world;

pub use operation::{ClusterNumber, Nonsense, Operation, PeerNumber};
pub use random::mixed;
pub use scenario::{Failure, Outcome, Scenario};
pub use server::Health;

pub use crate::sharding::Mutant;
