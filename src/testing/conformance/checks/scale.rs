//! Many clusters, and many changes.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt, TryStreamExt, stream};

use super::Case;
use crate::{
    provider::ClusterRef,
    testing::conformance::{
        harness::{Harness, Part},
        report::Check,
    },
};

/// How many clusters churn has at most.
const CLUSTERS: usize = 12;

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
    let mut present = BTreeSet::new();
    let mut down = false;
    for _ in 0..case.settings.steps {
        let key = format!("c-{}", random.usize(..CLUSTERS));
        match random.u8(..20) {
            0 if case.can(Part::Outage) => {
                if down {
                    case.source_up().await?;
                } else {
                    case.source_down().await?;
                }
                down = !down;
            }
            1..5 if present.contains(&key) && case.can(Part::Touch) => case.touch(&key).await?,
            5..10 if present.contains(&key) && case.can(Part::Rotate) => case.rotate(&key).await?,
            _ if present.remove(&key) => case.delete(&key).await?,
            _ => {
                case.create(&key).await?;
                present.insert(key);
            }
        }
        // Polled often, seldom, and a little.
        let polls = random.usize(..6);
        stream.poll(polls).await?;
        if random.u8(..20) == 0 {
            stream.for_a_while(case.settings.quiet / 10).await?;
        }
    }
    if down {
        case.source_up().await?;
    }
    let truth = case.names(present.iter().map(String::as_str))?;
    stream.until_known(&truth).await?;
    let listed = case.synced(&provider).await?;
    if !listed.seen.known.keys().eq(&truth) {
        let known: Vec<_> = listed.seen.known.keys().collect();
        return Err(case.broken(format!(
            "the source has {truth:?}, and a new stream tells {known:?}"
        )));
    }
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
    for key in &present {
        let cluster = stream.known(&case.name(key)?)?;
        case.reach(&provider, key, &cluster).await?;
    }
    Ok(())
}

/// Clusters with their fingerprints.
fn describe(known: &BTreeMap<crate::cluster::ClusterName, ClusterRef>) -> String {
    let clusters = known.values();
    let clusters = clusters.map(|cluster| format!("{} ({:x})", cluster.name, cluster.fingerprint));
    clusters.collect::<Vec<_>>().join(", ")
}
