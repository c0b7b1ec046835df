//! Changes of the source while a stream is followed.

use std::collections::BTreeMap;

use super::Case;
use crate::testing::conformance::{
    follower::Seen,
    harness::{Harness, Part},
    report::Check,
};

/// Every check watches for what is no change; this one gives most reasons to report some.
pub(super) async fn only_changes<H: Harness>(case: &Case<'_, H>) -> Check {
    case.create_all(&["zoo", "reef"]).await?;
    let provider = case.provider().await?;
    let mut stream = case.synced(&provider).await?;
    let all = case.names(["zoo", "reef"])?;
    stream.until_known(&all).await?;
    stream.for_a_while(case.settings.quiet).await?;
    if case.can(Part::Touch) {
        case.touch("zoo").await?;
        case.touch("zoo").await?;
        stream.for_a_while(case.settings.quiet).await?;
    }
    if case.can(Part::Outage) {
        // What is listed again has not changed.
        case.source_down().await?;
        stream.for_a_while(case.settings.quiet).await?;
        case.source_up().await?;
    }
    case.create("farm").await?;
    stream
        .until_known(&case.names(["zoo", "reef", "farm"])?)
        .await?;
    case.delete("farm").await?;
    stream.until_known(&all).await?;
    stream.for_a_while(case.settings.quiet).await
}

pub(super) async fn order<H: Harness>(case: &Case<'_, H>) -> Check {
    let provider = case.provider().await?;
    let mut stream = case.synced(&provider).await?;
    let keys: Vec<_> = (0..6).map(|i| format!("c-{i}")).collect();
    for round in 0..6 {
        for (i, key) in keys.iter().enumerate() {
            // Half of the clusters are one round ahead, so that the last change of each other one is its deletion.
            if (round + i) % 2 == 0 {
                case.create(key).await?;
                if case.can(Part::Rotate) {
                    case.rotate(key).await?;
                }
            } else if round > 0 {
                case.delete(key).await?;
            }
        }
        if round % 2 == 0 {
            stream.poll(round * 3).await?;
        }
    }
    case.create("last").await?;
    let left = keys.iter().skip(1).step_by(2).map(String::as_str);
    let left = case.names(left.chain(["last"]))?;
    stream.until_known(&left).await?;
    stream.for_a_while(case.settings.quiet).await?;
    if !stream.seen.known.keys().eq(&left) {
        let known: Vec<_> = stream.seen.known.keys().collect();
        return Err(case.broken(format!(
            "the source has {left:?}, and the stream has told {known:?}"
        )));
    }
    Ok(())
}

pub(super) async fn removal<H: Harness>(case: &Case<'_, H>) -> Check {
    case.create_all(&["zoo", "reef"]).await?;
    let provider = case.provider().await?;
    let mut stream = case.synced(&provider).await?;
    let (both, reef) = (case.names(["zoo", "reef"])?, case.names(["reef"])?);
    stream.until_known(&both).await?;
    for _ in 0..2 {
        case.delete("zoo").await?;
        stream.until_known(&reef).await?;
        stream.for_a_while(case.settings.quiet).await?;
        if !stream.seen.known.keys().eq(&reef) {
            return Err(case.broken("zoo came back, or reef went as well"));
        }
        case.create("zoo").await?;
        stream.until_known(&both).await?;
    }
    Ok(())
}

pub(super) async fn labels<H: Harness>(case: &Case<'_, H>) -> Check {
    let provider = case.provider().await?;
    let mut stream = case.synced(&provider).await?;
    case.create_all(&["zoo", "reef"]).await?;
    let (zoo, reef) = (case.name("zoo")?, case.name("reef")?);
    stream.until_known(&case.names(["zoo", "reef"])?).await?;
    for color in ["green", "blue"] {
        let labels = BTreeMap::from([("color".to_owned(), color.to_owned())]);
        case.label("zoo", &labels).await?;
        let what = format!("zoo with the label color={color}");
        let label = |name, seen: &Seen| {
            let cluster = seen.known.get(name)?;
            cluster.labels.get("color").cloned()
        };
        stream
            .until(&what, |seen| label(&zoo, seen).as_deref() == Some(color))
            .await?;
        if label(&reef, &stream.seen).is_some() {
            return Err(case.broken("reef has the label of zoo"));
        }
        // A new stream tells the same.
        let listed = case.synced(&provider).await?;
        if label(&zoo, &listed.seen).as_deref() != Some(color) {
            return Err(case.broken(format!("a new stream tells zoo without color={color}")));
        }
    }
    Ok(())
}
