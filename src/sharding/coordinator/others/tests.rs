use std::time::Duration;

use super::*;
use crate::sharding::{claim::Identity, mutant::Mutants, record::Marks, timings::Timings};

const SECOND: Duration = Duration::from_secs(1);

fn record(version: u64, holder: Option<&str>, incarnation: &str) -> Arc<Record> {
    Arc::new(Record {
        uid: "uid".into(),
        version,
        holder: holder.map(Arc::from),
        duration: Some(15 * SECOND),
        renew_time: Some(1),
        marks: Marks {
            incarnation: Some(incarnation.into()),
            renew_time: Some(1),
            ..Marks::default()
        },
        ..Record::default()
    })
}

/// The requests that follow for the Lease of `b`, seen at 100 s, `after` that.
fn asked(others: &mut Others, needed: bool, after: Duration) -> Vec<(LeaseName, Request)> {
    let identity = Identity {
        peer: "a".into(),
        incarnation: "1".into(),
        place: None,
    };
    let now = Moment(100 * SECOND) + after;
    let env = Env {
        now,
        wall: 0,
        grace: Moment::default(),
        blind: Moment::default(),
        contact: Some(now),
        blocked: false,
        mutants: Mutants::default(),
        identity: &identity,
        timings: &Timings::default(),
    };
    if after.is_zero() {
        others.seen(&"mcr-peer-b".into(), &record(7, Some("b"), "9"), &env);
    }
    others.advance(0, |_| needed, &env)
}

#[test]
fn a_dead_peers_lease_is_kept_for_ten_lease_durations() {
    let mut others = Others::new(1);
    assert_eq!(asked(&mut others, false, Duration::ZERO), []);
    assert_eq!(asked(&mut others, false, 20 * SECOND), []);
    assert_eq!(
        others.due(),
        Some(Moment(265 * SECOND + Duration::from_nanos(1)))
    );
    assert_eq!(
        asked(&mut others, false, 166 * SECOND),
        [("mcr-peer-b".into(), Request::Get)]
    );
}

#[test]
fn one_whose_session_is_waited_for_is_ended_as_soon_as_it_has_stood_still() {
    let mut others = Others::new(1);
    asked(&mut others, true, Duration::ZERO);
    assert_eq!(
        asked(&mut others, true, 16 * SECOND),
        [("mcr-peer-b".into(), Request::Get)]
    );
}

#[test]
fn a_session_is_over_when_a_later_version_of_its_lease_does_not_name_it() {
    let mut fence = Record::clone(&record(20, Some("b"), "9"));
    fence.marks.session = Some("uid/9".into());
    let table = [
        (Some(record(30, Some("b"), "9")), Fate::Alive),
        (Some(record(30, Some("b"), "8")), Fate::Over),
        (Some(record(30, None, "9")), Fate::Over),
        // Older than the claim: the session may have begun after it.
        (Some(record(10, Some("b"), "8")), Fate::Alive),
        (Some(record(10, None, "8")), Fate::Alive),
        (None, Fate::Gone),
    ];
    for (peer, expected) in table {
        assert_eq!(fate(peer.as_deref(), &fence), expected, "{peer:?}");
    }
    let mut other = Record::clone(&record(30, Some("b"), "9"));
    other.uid = "another".into();
    assert_eq!(fate(Some(&other), &fence), Fate::Gone);
}
