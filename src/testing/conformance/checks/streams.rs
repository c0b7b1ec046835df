//! What a stream tells from its beginning, and several of them.

use super::Case;
use crate::testing::conformance::{harness::Harness, report::Check};

pub(super) async fn first_listing<H: Harness>(case: &Case<'_, H>) -> Check {
    let provider = case.provider().await?;
    let empty = case.synced(&provider).await?;
    if !empty.seen.known.is_empty() {
        let known: Vec<_> = empty.seen.known.keys().collect();
        return Err(case.broken(format!(
            "the new source is empty, and these were reported: {known:?}"
        )));
    }
    drop(empty);
    let keys = ["zoo", "reef", "farm"];
    case.create_all(&keys).await?;
    // A provider that was there before, and one that comes later.
    for provider in [provider, case.provider().await?] {
        let listed = case.synced(&provider).await?;
        let missing: Vec<_> = case.names(keys)?.into_iter().collect();
        let missing: Vec<_> = missing
            .iter()
            .filter(|name| !listed.seen.known.contains_key(*name))
            .collect();
        if !missing.is_empty() {
            return Err(case.broken(format!("Synced came before {missing:?}")));
        }
    }
    Ok(())
}

pub(super) async fn restart<H: Harness>(case: &Case<'_, H>) -> Check {
    case.create_all(&["zoo", "reef", "farm"]).await?;
    let provider = case.provider().await?;
    let mut first = case.synced(&provider).await?;
    first
        .until_known(&case.names(["zoo", "reef", "farm"])?)
        .await?;
    let second = case.synced(&provider).await?;
    if second.seen.known != first.seen.known {
        let (one, two) = (&first.seen.known, &second.seen.known);
        return Err(case.broken(format!(
            "the streams tell different things: {one:?} and {two:?}"
        )));
    }
    drop((first, second));
    // Nobody listens.
    case.delete("zoo").await?;
    case.create("lake").await?;
    let third = case.synced(&provider).await?;
    if !third
        .seen
        .known
        .keys()
        .eq(&case.names(["reef", "farm", "lake"])?)
        || third.seen.removals > 0
    {
        let known: Vec<_> = third.seen.known.keys().collect();
        return Err(case.broken(format!(
            "zoo was deleted and lake created while nobody listened; a new stream tells {known:?}, and {} removals",
            third.seen.removals
        )));
    }
    Ok(())
}

pub(super) async fn independent<H: Harness>(case: &Case<'_, H>) -> Check {
    let provider = case.provider().await?;
    case.create("zoo").await?;
    let mut polled = case.synced(&provider).await?;
    let mut idle = case.synced(&provider).await?;
    // One is not polled while there is a lot to tell.
    let keys: Vec<_> = (0..20).map(|i| format!("c-{i}")).collect();
    for key in &keys {
        case.create(key).await?;
        case.delete(key).await?;
    }
    case.create("reef").await?;
    let both = case.names(["zoo", "reef"])?;
    polled.until_known(&both).await?;
    drop(polled);
    idle.until_known(&both).await?;
    case.delete("zoo").await?;
    idle.until_known(&case.names(["reef"])?).await
}
