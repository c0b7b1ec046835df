//! Decisions take no memory.

use allocation_counter::measure;

use super::*;

#[test]
fn a_change_of_the_peers_allocates_nothing_once_the_buffers_have_grown() {
    for weights in [[1, 1], [1, 3]] {
        let names: Vec<_> = (0..10_000)
            .map(|number| format!("ns-{number:05}"))
            .collect();
        let mut table = RendezvousTable::new();
        table.extend(names.iter().map(String::as_str));
        for (peer, weight) in stateful(11).into_iter().zip(weights.into_iter().cycle()) {
            table.join(&Peer { weight, ..peer });
        }
        let last = peer("sharded-namespace-11", weights[1]);
        let change = |table: &mut RendezvousTable| {
            assert!(!table.join(&last).is_empty());
            assert!(table.reassign().is_empty());
            assert!(!table.leave(&last.id).is_empty());
        };
        change(&mut table);
        let counted = measure(|| change(&mut table));
        assert_eq!(counted.count_total, 0, "weights {weights:?}: {counted:?}");
    }
}

#[test]
fn owners_and_ranks_are_told_without_allocating() {
    let placement = fleet(1_000, &stateful(10));
    let peers = stateful(10);
    let counted = measure(|| {
        for name in &placement.names {
            let owner = placement.owner(name).unwrap();
            assert_eq!(placement.rank(name, owner, None), Some(0));
            assert!(placement.rank(name, &peers[3].id, Some(owner)).is_some());
        }
    });
    assert_eq!(counted.count_total, 0, "{counted:?}");
}
