//! Credentials that come to light.

use super::Case;
use crate::{
    provider::ClusterRef,
    testing::conformance::{
        harness::{Harness, Part},
        report::{Check, Stop},
    },
};

/// Every event, error and cluster of every check is looked at; this one gives most reasons to tell too much.
pub(super) async fn check<H: Harness>(case: &Case<'_, H>) -> Check {
    case.create_all(&["zoo", "reef"]).await?;
    if case.harness.secrets().is_empty() {
        return Err(Stop::Harness(
            "it has clusters and tells no secrets of them, and does not say that it cannot Secrets"
                .into(),
        ));
    }
    let provider = case.provider().await?;
    let mut stream = case.synced(&provider).await?;
    stream.until_known(&case.names(["zoo", "reef"])?).await?;
    let zoo = stream.known(&case.name("zoo")?)?;
    let cluster = case.reach(&provider, "zoo", &zoo).await?;
    case.log.inspect("a connected cluster", &cluster)?;
    if case.can(Part::Rotate) {
        case.rotate("zoo").await?;
        stream.for_a_while(case.settings.quiet).await?;
        // Whether it works is the business of other checks.
        drop(case.connect(&provider, &zoo).await?);
    }
    if case.can(Part::Break) {
        case.break_cluster("zoo").await?;
        stream.for_a_while(case.settings.quiet).await?;
        drop(case.connect(&provider, &zoo).await?);
        let mut listed = case.follow(&provider);
        listed.for_a_while(case.settings.quiet).await?;
        case.heal_cluster("zoo").await?;
    }
    if case.can(Part::Outage) {
        case.source_down().await?;
        stream.for_a_while(case.settings.quiet).await?;
        drop(case.connect(&provider, &zoo).await?);
        case.source_up().await?;
    }
    case.delete("zoo").await?;
    stream.until_known(&case.names(["reef"])?).await?;
    drop(case.connect(&provider, &zoo).await?);
    let never = ClusterRef::new(case.name("nowhere")?);
    drop(case.connect(&provider, &never).await?);
    Ok(())
}
