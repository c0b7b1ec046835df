//! No sharding: one peer owns everything, without fences.

use std::collections::BTreeSet;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

use super::driver::{Assignment, Order};
use crate::{cluster::ClusterName, error::Result, guard::Guard};

/// Assigns every cluster to this peer until it has left.
pub(crate) async fn run(
    mut orders: UnboundedReceiver<Order>,
    assignments: UnboundedSender<Assignment>,
) -> Result<()> {
    // A manager that is gone needs no assignments.
    let assign = |assignment| drop(assignments.send(assignment));
    let engage = |name: &ClusterName| {
        assign(Assignment::Engage(
            name.clone(),
            Guard::unfenced(name.clone()),
        ));
    };
    let mut wanted = BTreeSet::new();
    let mut engaged = BTreeSet::new();
    let mut leaving = false;
    assign(Assignment::Started);
    while !(leaving && engaged.is_empty()) {
        let Some(order) = orders.recv().await else {
            break;
        };
        match order {
            Order::Applied(name) => {
                wanted.insert(name.clone());
                if !leaving && engaged.insert(name.clone()) {
                    engage(&name);
                }
            }
            Order::Removed(name) => {
                if wanted.remove(&name) && !leaving {
                    assign(Assignment::Drain(name));
                }
            }
            Order::Drained(name) => {
                engaged.remove(&name);
                // It came back while it was drained.
                if !leaving && wanted.contains(&name) {
                    engage(&name);
                    engaged.insert(name);
                }
            }
            Order::Leave => {
                leaving = true;
                for name in &engaged {
                    assign(Assignment::Drain(name.clone()));
                }
            }
        }
    }
    Ok(())
}
