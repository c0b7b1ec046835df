//! Clusters that come and go in code.

use std::{collections::BTreeMap, time::Duration};

use futures_util::{FutureExt, Stream, StreamExt};
use kube_sandbox::Sandbox;
use multicluster::{
    BoxError, Cluster, ClusterEvent, ClusterName, ClusterProvider, ClusterRef, Manager,
    for_each_cluster,
    providers::FixedProvider,
    testing::{Running, eventually},
};
use tokio::sync::watch;

fn name(name: &str) -> ClusterName {
    name.parse().unwrap()
}

fn cluster(name: &str) -> Cluster {
    Cluster::new(name.parse().unwrap(), Sandbox::new().client())
}

/// What a stream has to say now, but for `Synced`.
fn changes(
    events: &mut (impl Stream<Item = Result<ClusterEvent, multicluster::Error>> + Unpin),
) -> Vec<(String, Option<ClusterRef>)> {
    let mut changes = Vec::new();
    while let Some(Some(event)) = events.next().now_or_never() {
        match event.unwrap() {
            ClusterEvent::Applied(cluster) => {
                changes.push((cluster.name.to_string(), Some(cluster)));
            }
            ClusterEvent::Removed(name) => changes.push((name.to_string(), None)),
            _ => {}
        }
    }
    changes
}

fn labels(label: &str, value: &str) -> BTreeMap<String, String> {
    BTreeMap::from([(label.to_owned(), value.to_owned())])
}

#[tokio::test]
async fn labels_change_without_a_new_connection() {
    let fixed = FixedProvider::new().cluster(name("zoo"), Sandbox::new().client());
    let mut events = fixed.clusters();
    let before = changes(&mut events).remove(0).1.unwrap();
    assert!(fixed.set_labels(&before.name, [("stage", "test")]));
    let after = changes(&mut events).remove(0).1.unwrap();
    assert_eq!(*after.labels, labels("stage", "test"));
    assert_eq!(after.fingerprint, before.fingerprint);
    let connected = fixed.connect(&after).await.unwrap();
    assert_eq!(*connected.get_labels(), *after.labels);

    assert!(fixed.set_labels(&before.name, [("stage", "test")]));
    assert!(!fixed.set_labels(&name("nowhere"), [("stage", "test")]));
    assert_eq!(changes(&mut events), []);
}

#[tokio::test]
async fn a_cluster_that_is_given_again_is_connected_to_anew() {
    let fixed = FixedProvider::new().cluster(name("zoo"), Sandbox::new().client());
    let mut events = fixed.clusters();
    let first = changes(&mut events).remove(0).1.unwrap();
    fixed.add(cluster("zoo"));
    let second = changes(&mut events).remove(0).1.unwrap();
    assert_ne!(first.fingerprint, second.fingerprint);
    // Also when nobody looked in between.
    assert!(fixed.remove(&first.name));
    assert!(!fixed.remove(&first.name));
    fixed.add(cluster("zoo"));
    let third = changes(&mut events).remove(0).1.unwrap();
    assert_ne!(second.fingerprint, third.fingerprint);
}

#[tokio::test]
async fn the_whole_set_is_replaced_in_one_step() {
    let fixed = FixedProvider::new();
    let handle = fixed.clone();
    handle.replace(["a", "b"].map(cluster));
    let mut events = fixed.clusters();
    assert_eq!(changes(&mut events).len(), 2);
    handle.replace([cluster("b"), cluster("c").labels(labels("stage", "test"))]);
    let seen = changes(&mut events);
    let names: Vec<_> = seen
        .iter()
        .map(|(name, applied)| (name.as_str(), applied.is_some()))
        .collect();
    assert_eq!(names, [("b", true), ("c", true), ("a", false)]);
    assert_eq!(*seen[1].1.as_ref().unwrap().labels, labels("stage", "test"));

    let gone = ClusterRef::new(name("a"));
    let error = fixed.connect(&gone).await.unwrap_err();
    assert_eq!(error.to_string(), "provider fixed: connect");
    handle.replace([]);
    assert_eq!(changes(&mut events).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_manager_engages_what_is_added_and_leaves_what_is_removed() {
    let fixed = FixedProvider::new();
    let (engagements, seen) = watch::channel(BTreeMap::<String, u32>::new());
    let part = for_each_cluster("count", move |engagement| {
        let engagements = engagements.clone();
        async move {
            let name = engagement.cluster().name().to_string();
            engagements.send_modify(|seen| *seen.entry(name).or_default() += 1);
            engagement.cancelled().await;
            Ok::<_, BoxError>(())
        }
    });
    let running = Running::start(Manager::builder(fixed.clone()).with(part)).unwrap();
    let shows = async |expected: &[(&str, u32)]| {
        let expected = expected.iter().map(|(name, n)| ((*name).to_owned(), *n));
        let expected: BTreeMap<_, _> = expected.collect();
        eventually(Duration::from_secs(60), "engagements", async || {
            *seen.borrow() == expected
        })
        .await;
    };
    fixed.add(cluster("a"));
    fixed.add(cluster("b"));
    shows(&[("a", 1), ("b", 1)]).await;
    fixed.set_labels(&name("a"), [("stage", "test")]);
    fixed.add(cluster("b"));
    fixed.add(cluster("c"));
    shows(&[("a", 1), ("b", 2), ("c", 1)]).await;
    fixed.replace([cluster("c")]);
    shows(&[("a", 1), ("b", 2), ("c", 2)]).await;
    eventually(Duration::from_secs(60), "one cluster is left", async || {
        let owned = running.owned_clusters();
        owned.names().into_iter().eq([name("c")])
    })
    .await;
    running.stop().await.unwrap();
}
