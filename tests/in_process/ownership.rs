//! Who owns which cluster, when replicas come, leave and die.

use std::{collections::BTreeMap, time::Duration};

use multicluster::{Action, Error};

use crate::fleet::{Fleet, LEASE, What};

const SECOND: Duration = Duration::from_secs(1);

const CLUSTERS: [&str; 12] = [
    "zoo", "jungle", "island", "reef", "desert", "steppe", "tundra", "forest", "swamp", "river",
    "cave", "sky",
];

/// All fences have a holder, the server's own namespaces included, and every ConfigMap was reconciled.
async fn all_held(fleet: &Fleet) -> bool {
    let reconciled = |cluster: &&str| {
        !fleet
            .noted(cluster, &What::Reconciled("first".into()))
            .is_empty()
    };
    fleet.holders().await.len() == CLUSTERS.len() + 4 && CLUSTERS.iter().all(reconciled)
}

#[tokio::test(start_paused = true)]
async fn a_fleet_that_starts_together_splits_the_clusters_once() {
    let fleet = Fleet::new(&CLUSTERS).await;
    let replicas = ["a", "b", "c"].map(|peer| fleet.start(peer));
    fleet
        .until(3 * SECOND, "every cluster has a holder", async || {
            all_held(&fleet).await
        })
        .await;
    let first: BTreeMap<_, _> = fleet.holders().await.into_iter().collect();
    // Nobody claims everything while it is alone in its own eyes, and nothing moves later.
    tokio::time::sleep(60 * SECOND).await;
    assert_eq!(first, fleet.holders().await.into_iter().collect());
    for cluster in CLUSTERS {
        assert_eq!(
            fleet.noted(cluster, &What::Engaged),
            [first[cluster].clone()],
            "{cluster}"
        );
        assert_eq!(
            fleet.noted(cluster, &What::Reconciled("first".into())),
            [first[cluster].clone()]
        );
    }
    for peer in ["a", "b", "c"] {
        assert!(
            first.values().any(|holder| holder == peer),
            "{peer} owns nothing: {first:?}"
        );
    }
    drop(replicas);
}

#[tokio::test(start_paused = true)]
async fn one_that_leaves_hands_its_clusters_over_at_once() {
    let fleet = Fleet::new(&CLUSTERS).await;
    let (a, b) = (fleet.start("a"), fleet.start("b"));
    fleet
        .until(3 * SECOND, "start", async || all_held(&fleet).await)
        .await;
    fleet.forget_notes();
    a.leave().await.unwrap();
    let took = fleet
        .until(SECOND, "b owns everything", async || {
            let holders = fleet.holders().await;
            holders.len() == CLUSTERS.len() + 4 && holders.iter().all(|(_, holder)| holder == "b")
        })
        .await;
    assert!(took < SECOND / 2, "{took:?}");
    // Each cluster ended at a before it began at b.
    for cluster in CLUSTERS {
        let story: Vec<_> = fleet
            .notes()
            .into_iter()
            .filter(|note| note.cluster == cluster && !matches!(note.what, What::Reconciled(_)))
            .map(|note| (note.peer, note.what))
            .collect();
        let moved = [
            ("a".to_owned(), What::Ended),
            ("b".to_owned(), What::Engaged),
        ];
        assert!(story.is_empty() || story == moved, "{cluster}: {story:?}");
    }
    drop(b);
}

#[tokio::test(start_paused = true)]
async fn one_that_dies_is_replaced_after_a_lease_duration() {
    let fleet = Fleet::new(&CLUSTERS).await;
    let (a, b) = (fleet.start("a"), fleet.start("b"));
    fleet
        .until(3 * SECOND, "start", async || all_held(&fleet).await)
        .await;
    drop(a);
    let took = fleet
        .until(8 * SECOND, "b owns everything", async || {
            fleet
                .holders()
                .await
                .iter()
                .all(|(_, holder)| holder == "b")
        })
        .await;
    assert!(
        took > LEASE - 2 * SECOND,
        "a may have worked until then: {took:?}"
    );
    // L(1 + rho) after the last renewal, and a round of requests.
    assert!(took <= LEASE + SECOND, "{took:?}");
    drop(b);
}

#[tokio::test(start_paused = true)]
async fn a_newcomer_gets_its_share_and_nothing_else_moves() {
    let fleet = Fleet::new(&CLUSTERS).await;
    let old = [fleet.start("a"), fleet.start("b")];
    fleet
        .until(3 * SECOND, "start", async || all_held(&fleet).await)
        .await;
    let before: BTreeMap<_, _> = fleet.holders().await.into_iter().collect();
    let newcomer = fleet.start("c");
    fleet
        .until(10 * SECOND, "c owns some", async || {
            fleet
                .holders()
                .await
                .iter()
                .any(|(_, holder)| holder == "c")
        })
        .await;
    tokio::time::sleep(5 * SECOND).await;
    let after: BTreeMap<_, _> = fleet.holders().await.into_iter().collect();
    assert_eq!(after.len(), before.len());
    for (cluster, holder) in after {
        assert!(
            holder == "c" || holder == before[&cluster],
            "{cluster} went to {holder}"
        );
    }
    drop((old, newcomer));
}

#[tokio::test(start_paused = true)]
async fn work_in_flight_ends_before_the_cluster_is_released() {
    let fleet = Fleet::new(&CLUSTERS).await;
    let slow = fleet.start_with(
        "a",
        |sharding| sharding,
        |context| async move {
            // Takes 3 s after it was asked to end.
            context.cancelled().await;
            tokio::time::sleep(3 * SECOND).await;
            Ok(Action::await_change())
        },
    );
    fleet
        .until(3 * SECOND, "start", async || all_held(&fleet).await)
        .await;
    let other = fleet.start("b");
    let leaving = tokio::spawn(slow.leave());
    tokio::time::sleep(2 * SECOND).await;
    let held = fleet.holders().await;
    let still = |cluster: &str| held.contains(&(cluster.to_owned(), "a".to_owned()));
    assert!(CLUSTERS.iter().all(|cluster| still(cluster)), "{held:?}");
    leaving.await.unwrap().unwrap();
    fleet
        .until(SECOND, "b owns everything", async || {
            fleet
                .holders()
                .await
                .iter()
                .filter(|(_, holder)| holder == "b")
                .count()
                == CLUSTERS.len() + 4
        })
        .await;
    drop(other);
}

#[tokio::test(start_paused = true)]
async fn the_lease_of_a_removed_cluster_is_deleted_and_others_go_on() {
    let fleet = Fleet::new(&CLUSTERS).await;
    let replicas = ["a", "b"].map(|peer| fleet.start(peer));
    fleet
        .until(3 * SECOND, "start", async || all_held(&fleet).await)
        .await;
    let namespaces = kube::Api::<k8s_openapi::api::core::v1::Namespace>::all(fleet.client());
    for gone in ["zoo", "reef", "sky"] {
        namespaces.delete(gone, &Default::default()).await.unwrap();
    }
    let leases = fleet.leases();
    fleet
        .until(SECOND, "the Leases are gone", async || {
            let mut left = 0;
            for gone in ["zoo", "reef", "sky"] {
                left += usize::from(
                    leases
                        .get_opt(&format!("mcr-shard-{gone}"))
                        .await
                        .unwrap()
                        .is_some(),
                );
            }
            left == 0
        })
        .await;
    fleet.forget_notes();
    for cluster in ["jungle", "island", "cave"] {
        fleet.create_config_map(cluster, "second").await;
    }
    fleet
        .until(SECOND, "changes are reconciled", async || {
            ["jungle", "island", "cave"].iter().all(|cluster| {
                fleet
                    .noted(cluster, &What::Reconciled("second".into()))
                    .len()
                    == 1
            })
        })
        .await;
    drop(replicas);
}

#[tokio::test(start_paused = true)]
async fn a_namesake_waits_until_the_first_one_is_gone() {
    let fleet = Fleet::new(&CLUSTERS).await;
    let first = fleet.start("a");
    fleet
        .until(3 * SECOND, "start", async || all_held(&fleet).await)
        .await;
    fleet.forget_notes();
    let second = fleet.start("a");
    tokio::time::sleep(60 * SECOND).await;
    assert_eq!(fleet.notes(), [], "two processes worked under one name");
    drop(first);
    fleet
        .until(3 * LEASE, "the second one takes over", async || {
            fleet.noted("zoo", &What::Engaged).len() == 1
        })
        .await;
    drop(second);
}

#[tokio::test(start_paused = true)]
async fn one_whose_lease_is_taken_ends_with_an_error() {
    let fleet = Fleet::new(&["zoo"]).await;
    let replica = fleet.start("a");
    fleet
        .until(3 * SECOND, "start", async || {
            !fleet.noted("zoo", &What::Engaged).is_empty()
        })
        .await;
    let leases = fleet.leases();
    let mut lease = leases.get("mcr-peer-a").await.unwrap();
    let annotations = lease.metadata.annotations.as_mut().unwrap();
    annotations.insert("multicluster.rs/incarnation".into(), "another".into());
    leases
        .replace("mcr-peer-a", &Default::default(), &lease)
        .await
        .unwrap();
    let error = replica.ended().await.unwrap_err();
    assert!(
        matches!(&error, Error::PeerReplaced { peer } if peer == "a"),
        "{error}"
    );
    assert_eq!(fleet.noted("zoo", &What::Ended), ["a"]);
    assert!(fleet.holders().await.is_empty(), "everything was released");
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_annotated_or_deleted_by_hand_stops_nothing_for_long() {
    let fleet = Fleet::new(&["zoo"]).await;
    let replica = fleet.start("a");
    fleet
        .until(3 * SECOND, "start", async || {
            !fleet.noted("zoo", &What::Engaged).is_empty()
        })
        .await;
    let leases = fleet.leases();
    let note = serde_json::json!({"metadata": {"annotations": {"note": "by hand"}}});
    for name in ["mcr-shard-zoo", "mcr-peer-a"] {
        leases
            .patch(name, &Default::default(), &kube::api::Patch::Merge(&note))
            .await
            .unwrap();
    }
    tokio::time::sleep(3 * LEASE).await;
    assert_eq!(fleet.noted("zoo", &What::Ended), Vec::<String>::new());
    let kept = leases.get("mcr-shard-zoo").await.unwrap();
    assert_eq!(kept.metadata.annotations.unwrap()["note"], "by hand");

    leases
        .delete("mcr-shard-zoo", &Default::default())
        .await
        .unwrap();
    fleet
        .until(3 * SECOND, "taken again", async || {
            fleet.noted("zoo", &What::Engaged).len() == 2
        })
        .await;
    assert_eq!(fleet.noted("zoo", &What::Ended), ["a"]);
    drop(replica);
}
