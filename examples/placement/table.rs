//! The outcome as a table.

use crate::fleet::{Fleet, Outcome};

/// Prints one line for each placement, and the shares of up to ten peers.
pub(crate) fn print(fleet: &Fleet, outcomes: &[Outcome]) {
    const SHOWN: usize = 10;
    println!(
        "{} clusters, {} peers\n",
        fleet.clusters.len(),
        fleet.peers.len()
    );
    println!(
        "{:<22}{:>10}{:>10}{:>10}{:>16}{:>16}{:>16}",
        "", "least", "most", "idle", "most / entitled", "a join moves", "a leave moves"
    );
    for outcome in outcomes {
        let least = outcome.shares.iter().copied().fold(1.0, f64::min);
        let most = outcome.shares.iter().copied().fold(0.0, f64::max);
        let idle = outcome.shares.iter().filter(|share| **share == 0.0).count();
        println!(
            "{:<22}{:>10}{:>10}{idle:>10}{:>16.2}{:>16}{:>16}",
            outcome.name,
            percent(least),
            percent(most),
            outcome.excess,
            percent(outcome.joins),
            percent(outcome.leaves)
        );
    }
    println!(
        "\n{:<32}{}",
        "share of",
        outcomes
            .iter()
            .map(|outcome| format!("{:>22}", outcome.name))
            .collect::<String>()
    );
    for (index, peer) in fleet.peers.iter().enumerate().take(SHOWN) {
        let shares = outcomes
            .iter()
            .map(|outcome| format!("{:>22}", percent(outcome.shares[index])));
        println!("{:<32}{}", peer.id.as_str(), shares.collect::<String>());
    }
    if fleet.peers.len() > SHOWN {
        println!("(and {} more)", fleet.peers.len() - SHOWN);
    }
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}
