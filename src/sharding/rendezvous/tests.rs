mod allocations;
mod quality;

use std::collections::BTreeMap;

use xxhash_rust::xxh3::xxh3_64;

use super::{
    score::{Digest, score, unsigned},
    *,
};

fn peer(id: &str, weight: u32) -> Peer {
    Peer {
        id: id.parse().unwrap(),
        weight,
    }
}

fn stateful(n: usize) -> Vec<Peer> {
    (0..n)
        .map(|i| peer(&format!("sharded-namespace-{i}"), 1))
        .collect()
}

fn fleet(clusters: usize, peers: &[Peer]) -> Rendezvous {
    let mut placement = Rendezvous::new();
    for i in 0..clusters {
        placement.insert(&format!("ns-{i:05}").parse().unwrap());
    }
    for peer in peers {
        placement.join(peer);
    }
    placement
}

fn shares(placement: &Rendezvous) -> BTreeMap<String, usize> {
    let mut shares = BTreeMap::new();
    for name in &placement.names {
        let owner = placement.owner(name).unwrap();
        *shares.entry(owner.to_string()).or_default() += 1;
    }
    shares
}

#[test]
fn golden_vectors() {
    for (name, digest) in [
        ("", 0x2d06_8005_38d3_94c2),
        ("zoo", 0x52ba_e576_397c_a33a),
        ("ns-00000", 0xeaff_106b_a91a_bc36),
        ("sharded-namespace-0", 0xaf2f_6f86_37fd_e841),
        ("sharded-namespace-1", 0xfc05_d837_5ebc_a0b3),
        ("sharded-namespace-2", 0x7dc7_ffd2_4601_309e),
    ] {
        assert_eq!(xxh3_64(name.as_bytes()), digest, "{name}");
    }
    for (cluster, scores, winner) in [
        ("zoo", [0x5ce2_3290, 0xdb3b_3649, 0x5016_4650], 1),
        ("ns-00000", [0xf1af_4401, 0x93ee_72ba, 0x8de4_8f2e], 0),
    ] {
        let digest = Digest::of(cluster);
        let drawn: Vec<_> = stateful(3)
            .iter()
            .map(|peer| unsigned(score(digest, Digest::of(peer.id.as_str()))))
            .collect();
        assert_eq!(drawn, scores);
        let mut placement = fleet(0, &stateful(3));
        let name = cluster.parse().unwrap();
        placement.insert(&name);
        assert_eq!(placement.owner(&name), Some(&stateful(3)[winner].id));
        assert_eq!(
            placement.rank(&name, &stateful(3)[winner].id, None),
            Some(0)
        );
    }
}

#[test]
fn weights_are_shares() {
    let peers = [peer("a", 1), peer("b", 2), peer("c", 4)];
    let shares = shares(&fleet(100_000, &peers));
    for (id, share) in [("a", 1.0 / 7.0), ("b", 2.0 / 7.0), ("c", 4.0 / 7.0)] {
        let got = shares[id] as f64 / 100_000.0;
        assert!(
            (got / share - 1.0).abs() < 0.01,
            "{id}: {got} instead of {share}"
        );
    }
}

#[test]
fn equal_weights_are_like_none() {
    let plain = fleet(1_000, &stateful(3));
    let heavy: Vec<_> = stateful(3)
        .into_iter()
        .map(|p| Peer { weight: 7, ..p })
        .collect();
    assert_eq!(shares(&plain), shares(&fleet(1_000, &heavy)));
}

#[test]
fn ranks_order_all_peers_and_can_leave_one_out() {
    let peers = stateful(5);
    let placement = fleet(100, &peers);
    for name in &placement.names {
        let owner = placement.owner(name).unwrap();
        let mut ranks: Vec<_> = peers
            .iter()
            .map(|peer| placement.rank(name, &peer.id, None).unwrap())
            .collect();
        ranks.sort_unstable();
        assert_eq!(ranks, [0, 1, 2, 3, 4]);
        let second = peers
            .iter()
            .find(|peer| placement.rank(name, &peer.id, None) == Some(1))
            .unwrap();
        assert_eq!(placement.rank(name, &second.id, Some(owner)), Some(0));
    }
}

#[test]
fn without_peers_there_is_no_owner() {
    let mut placement = fleet(1, &stateful(1));
    let name = "ns-00000".parse().unwrap();
    placement.leave(&stateful(1)[0].id);
    assert_eq!(placement.owner(&name), None);
    assert_eq!(placement.rank(&name, &stateful(1)[0].id, None), None);
}
