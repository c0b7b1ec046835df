//! Connecting, and failing to.

use futures_util::future::join_all;

use super::Case;
use crate::{
    provider::ClusterRef,
    testing::conformance::{
        follower::Follower,
        harness::{Harness, Part},
        report::Check,
    },
};

pub(super) async fn connect<H: Harness>(case: &Case<'_, H>) -> Check {
    let keys = ["zoo", "reef", "farm"];
    case.create_all(&keys).await?;
    let provider = case.provider().await?;
    let mut stream = case.synced(&provider).await?;
    stream.until_known(&case.names(keys)?).await?;
    for key in keys {
        let cluster = stream.known(&case.name(key)?)?;
        case.reach(&provider, key, &cluster).await?;
    }
    // A provider from which nobody has listed, as in a peer that has just become the owner.
    let other = case.provider().await?;
    let zoo = stream.known(&case.name("zoo")?)?;
    case.reach(&other, "zoo", &zoo).await?;
    if case.can(Part::Rotate) {
        // The owner may not have heard of the change yet.
        case.rotate("zoo").await?;
        case.reach(&provider, "zoo", &zoo).await?;
    }
    Ok(())
}

pub(super) async fn unknown<H: Harness>(case: &Case<'_, H>) -> Check {
    case.create_all(&["zoo", "reef"]).await?;
    let provider = case.provider().await?;
    let mut stream = case.synced(&provider).await?;
    stream.until_known(&case.names(["zoo", "reef"])?).await?;
    let never = ClusterRef::new(case.name("nowhere")?);
    case.fails(&provider, &never, "there never was such a cluster")
        .await?;
    let zoo = stream.known(&case.name("zoo")?)?;
    case.reach(&provider, "zoo", &zoo).await?;
    case.delete("zoo").await?;
    stream.until_known(&case.names(["reef"])?).await?;
    case.fails(&provider, &zoo, "it was deleted").await?;
    let reef = stream.known(&case.name("reef")?)?;
    case.reach(&provider, "reef", &reef).await.map(drop)
}

pub(super) async fn broken<H: Harness>(case: &Case<'_, H>) -> Check {
    let keys = ["zoo", "reef", "farm"];
    case.create_all(&keys).await?;
    let provider = case.provider().await?;
    let mut stream = case.synced(&provider).await?;
    let all = case.names(keys)?;
    stream.until_known(&all).await?;
    let refs = |stream: &Follower| -> Check<Vec<_>> {
        let known = keys.iter().map(|key| stream.known(&case.name(key)?));
        known.collect()
    };
    let before = refs(&stream)?;
    case.break_cluster("zoo").await?;
    stream.for_a_while(case.settings.quiet).await?;
    if !stream.seen.known.keys().eq(&all) || stream.seen.removals > 0 {
        return Err(case.broken("a cluster was removed when the source of zoo broke"));
    }
    let meanwhile = refs(&stream)?;
    let why = "its source is broken";
    let (one, two, three) = tokio::join!(
        case.fails(&provider, &meanwhile[0], why),
        case.reach(&provider, keys[1], &meanwhile[1]),
        case.reach(&provider, keys[2], &meanwhile[2]),
    );
    one?;
    two?;
    three?;
    if meanwhile[1..] != before[1..] {
        return Err(case.broken("other clusters changed when the source of zoo broke"));
    }
    // The others are followed still.
    case.create("lake").await?;
    let lake = case.name("lake")?;
    stream
        .until("lake", |seen| seen.known.contains_key(&lake))
        .await?;
    case.delete("lake").await?;
    stream.until_known(&all).await?;

    case.heal_cluster("zoo").await?;
    stream.for_a_while(case.settings.quiet).await?;
    let after = refs(&stream)?;
    case.reach(&provider, "zoo", &after[0]).await?;
    case.delete("zoo").await?;
    stream.until_known(&case.names(["reef", "farm"])?).await
}

pub(super) async fn idempotence<H: Harness>(case: &Case<'_, H>) -> Check {
    case.create_all(&["zoo", "reef"]).await?;
    let provider = case.provider().await?;
    let mut stream = case.synced(&provider).await?;
    stream.until_known(&case.names(["zoo", "reef"])?).await?;
    let before = stream.seen.known.clone();
    for _ in 0..10 {
        drop(provider.clusters());
        drop(provider.connect(&stream.known(&case.name("zoo")?)?));
    }
    let mut kept = Vec::new();
    for _ in 0..3 {
        for key in ["zoo", "reef"] {
            let cluster = stream.known(&case.name(key)?)?;
            kept.push(case.reach(&provider, key, &cluster).await?);
        }
    }
    // The same at one time.
    let zoo = stream.known(&case.name("zoo")?)?;
    let again = join_all((0..5).map(|_| case.reach(&provider, "zoo", &zoo))).await;
    again.into_iter().collect::<Check<Vec<_>>>()?;
    stream.for_a_while(case.settings.quiet).await?;
    if stream.seen.known != before || stream.seen.removals > 0 {
        return Err(case.broken("the stream told changes, and nothing was done but connecting"));
    }
    // Earlier connections go on when others are made.
    for cluster in kept {
        let key = if *cluster.name() == zoo.name {
            "zoo"
        } else {
            "reef"
        };
        let reaches = case.harness.reaches(key, cluster.client().clone()).await;
        reaches.map_err(|error| {
            case.broken(format!(
                "an earlier client of {key} does not work any more: {error}"
            ))
        })?;
    }
    Ok(())
}
