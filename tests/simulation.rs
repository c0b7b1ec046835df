//! Fleets under every fault that we know; see `multicluster::testing::simulation`.

use std::time::Duration;

use multicluster::testing::simulation::mixed;

#[test]
fn mixed_l5() {
    for seed in 0..2000 {
        if let Err(failure) = mixed(Duration::from_secs(5), seed).run(seed) {
            panic!("{failure}");
        }
    }
}
