//! Fleets under every fault that we know, played by the real state machines in simulated time.
//!
//! `SIMULATION_SEED=n` plays one seed of the mixed runs, and `SIMULATION_SEEDS=n` so many of each.

mod faults;
mod hands;
mod loads;
mod mixed;
mod mutants;
mod numbers;
mod upgrade;

use multicluster::testing::simulation::{Outcome, Scenario};

/// Plays one seed; a failure shows its trace and the command that plays it again.
fn must_hold(scenario: &Scenario, seed: u64) -> Outcome {
    let outcome = scenario.run(seed);
    outcome.unwrap_or_else(|failure| panic!("{failure}"))
}
