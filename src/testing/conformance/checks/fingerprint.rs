//! When a cluster has to be connected to anew.

use super::Case;
use crate::testing::conformance::{follower::Seen, harness::Harness, report::Check};

pub(super) async fn changes<H: Harness>(case: &Case<'_, H>) -> Check {
    case.create_all(&["zoo", "reef"]).await?;
    let provider = case.provider().await?;
    let mut stream = case.synced(&provider).await?;
    stream.until_known(&case.names(["zoo", "reef"])?).await?;
    let (zoo, reef) = (case.name("zoo")?, case.name("reef")?);
    let other = stream.known(&reef)?;
    for _ in 0..2 {
        let before = stream.known(&zoo)?;
        case.rotate("zoo").await?;
        let changed = |seen: &Seen| {
            let now = seen.known.get(&zoo);
            now.is_some_and(|now| now.fingerprint != before.fingerprint)
        };
        stream.until("another fingerprint of zoo", changed).await?;
        let now = stream.known(&zoo)?;
        case.reach(&provider, "zoo", &now).await?;
        if stream.known(&reef)?.fingerprint != other.fingerprint {
            return Err(case.broken("reef has another fingerprint, and only zoo has changed"));
        }
        let listed = case.synced(&provider).await?;
        if listed.known(&zoo)?.fingerprint != now.fingerprint {
            return Err(case.broken("two streams tell different fingerprints of zoo"));
        }
    }
    Ok(())
}

pub(super) async fn stays<H: Harness>(case: &Case<'_, H>) -> Check {
    case.create("zoo").await?;
    let provider = case.provider().await?;
    let mut stream = case.synced(&provider).await?;
    stream.until_known(&case.names(["zoo"])?).await?;
    let zoo = case.name("zoo")?;
    let before = stream.known(&zoo)?.fingerprint;
    for after in ["reef", "farm"] {
        case.touch("zoo").await?;
        // What comes after it has been seen, most likely with it.
        case.create(after).await?;
        let name = case.name(after)?;
        stream
            .until(after, |seen| seen.known.contains_key(&name))
            .await?;
        stream.for_a_while(case.settings.quiet).await?;
        let listed = case.synced(&provider).await?;
        if stream.known(&zoo)?.fingerprint != before || listed.known(&zoo)?.fingerprint != before {
            return Err(case.broken(
                "zoo has another fingerprint, although nothing changed that connect would use",
            ));
        }
    }
    Ok(())
}
