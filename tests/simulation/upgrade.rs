//! A fleet that is upgraded replica by replica to a version with another placement formula.

use std::time::Duration;

use multicluster::testing::simulation::{Operation::*, Scenario};

use crate::must_hold;

const SECOND: Duration = Duration::from_secs(1);
const LEASE: Duration = Duration::from_secs(5);
const PEERS: usize = 3;
const CLUSTERS: usize = 30;

fn fleet() -> Scenario {
    Scenario::new(PEERS, CLUSTERS).lease(LEASE)
}

/// How many clusters move when so many replicas are started anew one after the other, and where they end up.
fn rolled(restarted: usize, upgraded: usize, seed: u64) -> (u64, Vec<usize>) {
    let upgrades = (0..upgraded).map(Upgrade);
    let restarts = (0..restarted).flat_map(|peer| {
        [
            Leave(peer),
            ExpectOwned(4 * SECOND),
            Start(peer),
            Wait(6 * SECOND),
            ExpectOwned(4 * SECOND),
        ]
    });
    let scenario = fleet()
        .name(format!("{upgraded} upgraded"))
        .script([ExpectOwned(4 * SECOND)])
        .script(upgrades)
        .script(restarts);
    let outcome = must_hold(&scenario, seed);
    (outcome.moves, outcome.owners.into_values().collect())
}

/// While one replica is old, clusters move as when replicas are restarted; when it has left, they move once more.
#[test]
fn a_rolling_upgrade_never_mixes_two_formulas() {
    for seed in 0..50 {
        let (plain, before) = rolled(PEERS - 1, 0, seed);
        let (mixed, still_old) = rolled(PEERS - 1, PEERS - 1, seed);
        assert_eq!(
            before, still_old,
            "one old replica is left, so all go by its formula"
        );
        assert!(
            mixed <= plain + 3,
            "{mixed} moves, and {plain} by restarts alone"
        );

        let (plain, _) = rolled(PEERS, 0, seed);
        let (upgraded, after) = rolled(PEERS, PEERS, seed);
        assert_ne!(before, after, "all know the new formula, so all go by it");
        // The change-over moves every cluster once at most, and so does the return of the last replica.
        let most = plain + 2 * CLUSTERS as u64;
        assert!(
            upgraded <= most,
            "{upgraded} moves, and {plain} by restarts alone"
        );
    }
}
