//! A source that cannot be read for some time.

use super::Case;
use crate::testing::conformance::{
    follower::Seen,
    harness::{Harness, Part},
    report::Check,
};

pub(super) async fn outage<H: Harness>(case: &Case<'_, H>) -> Check {
    case.create_all(&["zoo", "reef"]).await?;
    let provider = case.provider().await?;
    let mut stream = case.synced(&provider).await?;
    let both = case.names(["zoo", "reef"])?;
    stream.until_known(&both).await?;
    case.source_down().await?;
    // A listing that was on its way may still arrive.
    stream.for_a_while(case.settings.quiet).await?;
    let syncs = stream.seen.syncs;
    case.delete("zoo").await?;
    stream.for_a_while(case.settings.quiet * 3).await?;
    if !stream.seen.known.keys().eq(&both) || stream.seen.removals > 0 {
        return Err(case.broken("a cluster was removed while the source could not be read"));
    }
    if stream.seen.syncs > syncs {
        return Err(case.broken("Synced came while the source could not be read"));
    }
    // A stream that begins in the outage has nothing to tell, and must not say that there is nothing.
    let mut late = case.follow(&provider);
    late.for_a_while(case.settings.quiet * 3).await?;
    if late.seen.syncs > 0 {
        return Err(case.broken("a stream that began in the outage told Synced"));
    }
    case.source_up().await?;
    let reef = case.names(["reef"])?;
    stream.until_known(&reef).await?;
    late.until("Synced after the outage", |seen| seen.syncs > 0)
        .await?;
    late.until_known(&reef).await
}

pub(super) async fn recovery<H: Harness>(case: &Case<'_, H>) -> Check {
    case.create_all(&["zoo", "reef", "farm"]).await?;
    let provider = case.provider().await?;
    let mut stream = case.synced(&provider).await?;
    stream
        .until_known(&case.names(["zoo", "reef", "farm"])?)
        .await?;
    let (reef, farm) = (case.name("reef")?, case.name("farm")?);
    let (old_reef, old_farm) = (stream.known(&reef)?, stream.known(&farm)?);

    case.source_down().await?;
    stream.for_a_while(case.settings.quiet).await?;
    case.delete("zoo").await?;
    case.create("lake").await?;
    let rotates = case.can(Part::Rotate);
    if rotates {
        case.rotate("reef").await?;
    }
    stream.for_a_while(case.settings.quiet).await?;
    case.source_up().await?;

    stream
        .until_known(&case.names(["reef", "farm", "lake"])?)
        .await?;
    if rotates {
        let changed = |seen: &Seen| {
            let now = seen.known.get(&reef);
            now.is_some_and(|now| now.fingerprint != old_reef.fingerprint)
        };
        stream.until("another fingerprint of reef", changed).await?;
    }
    if stream.known(&farm)? != old_farm {
        return Err(
            case.broken("farm has not changed, and was told to be another after the outage")
        );
    }
    // And it goes on.
    case.delete("reef").await?;
    stream.until_known(&case.names(["farm", "lake"])?).await
}
