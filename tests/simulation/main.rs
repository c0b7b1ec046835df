//! Fleets under every fault that we know, played by the real state machines in simulated time.
//!
//! `SIMULATION_SEED=n` plays one seed of the mixed runs, and `SIMULATION_SEEDS=n` so many of each.

mod faults;
mod hands;
mod mixed;
mod mutants;
mod numbers;
