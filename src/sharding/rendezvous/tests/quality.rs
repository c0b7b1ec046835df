//! Shares and moves, as good as those of a fair die.

use super::*;

const CLUSTERS: usize = 10_000;

/// A way to name things.
type Family = (&'static str, fn(usize) -> String);

/// Ways to name things: the last differ in one character at one place.
fn families() -> [Family; 5] {
    [
        ("StatefulSet", |number| {
            format!("sharded-namespace-{number}")
        }),
        ("pods", |number| {
            let digest = xxh3_64(&number.to_le_bytes());
            format!(
                "operator-{:08x}-{:05x}",
                digest as u32,
                (digest >> 40) & 0xf_ffff
            )
        }),
        ("UUIDs", |number| {
            uuid::Uuid::from_u64_pair(xxh3_64(&number.to_le_bytes()), 7).to_string()
        }),
        ("first character", |number| {
            format!("{}-a-name-that-all-have", character(number))
        }),
        ("inner character", |number| {
            format!("a-name-{}-that-all-have", character(number))
        }),
    ]
}

fn character(number: usize) -> char {
    char::from_u32(0x4e00 + number as u32).unwrap()
}

fn table(peers: &[Peer], cluster: fn(usize) -> String) -> RendezvousTable {
    let names: Vec<_> = (0..CLUSTERS).map(cluster).collect();
    let mut table = RendezvousTable::new();
    for peer in peers {
        table.join(peer);
    }
    table.extend(names.iter().map(String::as_str));
    table
}

fn loads(table: &RendezvousTable, peers: usize) -> Vec<f64> {
    let mut loads = vec![0.0; peers];
    for row in 0..table.len() as u32 {
        loads[table.owner(row).unwrap() as usize] += 1.0;
    }
    loads
}

#[test]
fn shares_are_those_of_a_fair_die_whatever_the_names() {
    for (family, name) in families() {
        for (clusters, cluster) in families() {
            for count in [2, 3, 5, 10, 50, 100] {
                let peers: Vec<_> = (0..count).map(|number| peer(&name(number), 1)).collect();
                let loads = loads(&table(&peers, cluster), count);
                let mean = CLUSTERS as f64 / count as f64;
                let degrees = count as f64 - 1.0;
                let chi_square: f64 = loads.iter().map(|load| (load - mean).powi(2) / mean).sum();
                let z = (chi_square - degrees) / (2.0 * degrees).sqrt();
                let label = format!("peers {family} x {count}, clusters {clusters}");
                assert!(z.abs() < 4.0, "{label}: chi-square is {z} deviations off");
                // The largest of `count` draws from a normal distribution, and three of its deviations more.
                let sigma = (mean * (1.0 - 1.0 / count as f64)).sqrt();
                let spread = (2.0 * (count as f64).ln()).sqrt();
                let bound = mean + sigma * (spread + 3.0 * 1.283 / spread);
                let most = loads.iter().copied().fold(0.0, f64::max);
                assert!(most <= bound, "{label}: {most} above {bound}");
                assert!(
                    loads.iter().all(|load| *load > 0.0),
                    "{label}: a peer has nothing"
                );
            }
        }
    }
}

#[test]
fn a_join_moves_what_is_needed_and_only_to_the_newcomer() {
    for (family, name) in families() {
        for count in [1, 2, 3, 4, 9, 10, 49, 50, 99] {
            let peers: Vec<_> = (0..=count).map(|number| peer(&name(number), 1)).collect();
            let mut table = table(&peers[..count], |number| format!("ns-{number:05}"));
            let moved = table.join(&peers[count]).to_vec();
            assert!(
                moved.iter().all(|moved| moved.to == Some(count as u32)),
                "{family}"
            );
            let share = 1.0 / (count as f64 + 1.0);
            let (ideal, sigma) = (
                CLUSTERS as f64 * share,
                (CLUSTERS as f64 * share * (1.0 - share)).sqrt(),
            );
            assert!(
                (moved.len() as f64 - ideal).abs() < 3.5 * sigma,
                "{family}, {count} peers: {} of {ideal}",
                moved.len()
            );
            let back = table.leave(&peers[count].id);
            assert_eq!(moved.len(), back.len());
            assert!(
                moved
                    .iter()
                    .zip(back)
                    .all(|(there, back)| (there.row, there.from) == (back.row, back.to))
            );
        }
    }
}

#[test]
fn a_changed_weight_moves_clusters_from_or_to_that_peer_only() {
    let mut table = table(&stateful(5), |number| format!("ns-{number:05}"));
    let heavy = Peer {
        weight: 3,
        ..stateful(5)[2].clone()
    };
    let moved = table.join(&heavy).to_vec();
    assert!(moved.iter().all(|moved| moved.to == Some(2)));
    // A fifth becomes three sevenths.
    assert!(
        (moved.len() as f64 / CLUSTERS as f64 - (3.0 / 7.0 - 0.2)).abs() < 0.015,
        "{}",
        moved.len()
    );
    assert!(table.reassign().is_empty());
    let back = table.join(&stateful(5)[2]);
    assert_eq!(back.len(), moved.len());
    assert!(table.reassign().is_empty());
}
