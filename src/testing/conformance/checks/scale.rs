//! Many clusters, and many changes.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use futures_util::{StreamExt, TryStreamExt, stream};

use super::Case;
use crate::{
    cluster::ClusterName,
    provider::{ClusterProvider, ClusterRef},
    testing::conformance::{
        follower::Follower,
        harness::{Harness, Part},
        report::Check,
    },
};

/// How many clusters churn has at most.
const CLUSTERS: usize = 8;

/// After how many changes churn compares.
const COMPARED: usize = 60;

/// A manager connects to 32 clusters at a time.
const CONNECTIONS: usize = 32;

pub(super) async fn many<H: Harness>(case: &Case<'_, H>) -> Check {
    let keys: Vec<_> = (0..case.settings.many)
        .map(|i| format!("c-{i:04}"))
        .collect();
    let provider = case.provider().await?;
    let (early, late) = keys.split_at(keys.len() / 2);
    for key in early {
        case.create(key).await?;
    }
    let listed = case.synced(&provider).await?;
    let expected = case.names(early.iter().map(String::as_str))?;
    if !listed.seen.known.keys().eq(&expected) {
        let (known, all) = (listed.seen.known.len(), expected.len());
        return Err(case.broken(format!("Synced came after {known} of {all} clusters")));
    }
    let mut stream = listed;
    for key in late {
        case.create(key).await?;
    }
    stream
        .until_known(&case.names(keys.iter().map(String::as_str))?)
        .await?;
    let connecting = keys.iter().map(async |key| {
        let cluster = stream.known(&case.name(key)?)?;
        case.reach(&provider, key, &cluster).await
    });
    let connecting = stream::iter(connecting).buffer_unordered(CONNECTIONS);
    let connected: Vec<_> = connecting.try_collect().await?;
    drop(connected);
    for key in &keys {
        case.delete(key).await?;
    }
    stream.until_known(&BTreeSet::new()).await
}

pub(super) async fn churn<H: Harness>(case: &Case<'_, H>) -> Check {
    let mut random = fastrand::Rng::with_seed(case.settings.seed);
    let provider = case.provider().await?;
    let mut stream = case.follow(&provider);
    let (mut present, mut down, mut polled) = (BTreeSet::new(), false, true);
    for step in 1..=case.settings.steps {
        change(case, &mut random, &mut present, &mut down).await?;
        // Polled often, seldom, and not at all for some time.
        if random.u8(..8) == 0 {
            polled = !polled;
        }
        if polled {
            stream.poll(random.usize(..6)).await?;
        }
        if step % COMPARED == 0 || step == case.settings.steps {
            if std::mem::take(&mut down) {
                case.source_up().await?;
            }
            compare(case, &provider, &mut stream, &present).await?;
        }
    }
    Ok(())
}

/// Changes the source at random.
async fn change<H: Harness>(
    case: &Case<'_, H>,
    random: &mut fastrand::Rng,
    present: &mut BTreeSet<String>,
    down: &mut bool,
) -> Check {
    let key = format!("c-{}", random.usize(..CLUSTERS));
    let there = present.contains(&key);
    match random.u8(..20) {
        0 if case.can(Part::Outage) && *down => {
            *down = false;
            case.source_up().await
        }
        0 if case.can(Part::Outage) => {
            *down = true;
            case.source_down().await
        }
        1..4 if there && case.can(Part::Touch) => case.touch(&key).await,
        4..9 if there && case.can(Part::Rotate) => case.rotate(&key).await,
        9..12 if there => {
            case.delete(&key).await?;
            case.create(&key).await
        }
        _ if there => {
            present.remove(&key);
            case.delete(&key).await
        }
        _ => {
            case.create(&key).await?;
            present.insert(key);
            Ok(())
        }
    }
}

/// Compares what a stream has told with what a new one tells, and both with the truth.
async fn compare<H: Harness>(
    case: &Case<'_, H>,
    provider: &Arc<dyn ClusterProvider>,
    stream: &mut Follower,
    present: &BTreeSet<String>,
) -> Check {
    let truth = case.names(present.iter().map(String::as_str))?;
    stream.until_known(&truth).await?;
    let mut listed = case.synced(provider).await?;
    // A view of the source may be a moment behind.
    listed.until_known(&truth).await?;
    let forms = describe(&listed.seen.known);
    let what = format!("what a new stream tells, {forms}");
    stream
        .until(&what, |seen| seen.known == listed.seen.known)
        .await?;
    stream.for_a_while(case.settings.quiet).await?;
    if stream.seen.known != listed.seen.known {
        let known = describe(&stream.seen.known);
        return Err(case.broken(format!(
            "the stream has told {known}, and a new one {forms}"
        )));
    }
    for key in present {
        let cluster = stream.known(&case.name(key)?)?;
        case.reach(provider, key, &cluster).await?;
    }
    Ok(())
}

/// Clusters with their fingerprints.
fn describe(known: &BTreeMap<ClusterName, ClusterRef>) -> String {
    let clusters = known.values();
    let clusters = clusters.map(|cluster| format!("{} ({:x})", cluster.name, cluster.fingerprint));
    clusters.collect::<Vec<_>>().join(", ")
}
