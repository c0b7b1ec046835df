//! Taking a Lease, or leaving it alone.

use super::*;

#[test]
fn an_absent_lease_is_created_at_once() {
    let mut play = Play::new();
    assert!(matches!(play.request(), Request::Create(_)));
    assert_eq!(play.next(), Step::Idle, "one request in flight");
}

#[test]
fn a_free_lease_is_taken_by_one_write_on_the_seen_version() {
    let mut play = Play::new();
    let free = play.foreign("");
    play.see(&free);
    match play.request() {
        Request::Replace {
            uid,
            version,
            content,
            ..
        } => {
            assert_eq!((&*uid, version), ("u", free.version));
            assert_eq!((&*content.holder, content.transitions), ("a", 1));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn others_wait_for_their_turn() {
    let mut play = Play::new();
    let free = play.foreign("");
    play.see(&free);
    play.goal = hold(3);
    assert_eq!(play.pause(), 6 * SECOND);
}

#[test]
fn a_standing_lease_is_read_again_and_then_taken_on_that_version() {
    let mut play = Play::new();
    let held = play.foreign("b");
    play.see(&held);
    assert!(play.pause() > 15 * SECOND);
    play.wait(15 * SECOND);
    assert!(
        play.pause() > Duration::ZERO,
        "exactly L is not more than L"
    );
    play.wait(Duration::from_millis(1));
    assert_eq!(play.request(), Request::Get);
    play.answer(Duration::ZERO, ok(&held));
    assert!(matches!(play.request(), Request::Replace { version, .. } if version == held.version));
}

#[test]
fn a_renewal_that_the_read_shows_begins_a_new_wait() {
    let mut play = Play::new();
    let held = play.foreign("b");
    play.see(&held);
    play.wait(16 * SECOND);
    assert_eq!(play.request(), Request::Get);
    let renewed = play.foreign("b");
    play.answer(Duration::ZERO, ok(&renewed));
    assert!(play.pause() > 15 * SECOND);
}

#[test]
fn a_read_is_good_for_one_decision() {
    let mut play = Play::new();
    let held = play.foreign("b");
    play.see(&held);
    play.wait(16 * SECOND);
    assert_eq!(play.request(), Request::Get);
    play.answer(Duration::ZERO, ok(&held));
    play.goal = Goal::Nothing;
    assert_eq!(play.next(), Step::Idle);
    play.goal = hold(0);
    assert_eq!(play.request(), Request::Get);
}

#[test]
fn nobody_is_robbed_after_an_outage() {
    let mut play = Play::new();
    let held = play.foreign("b");
    play.see(&held);
    play.wait(60 * SECOND);
    play.contact = false;
    assert_eq!(play.next(), Step::Idle, "without contact nothing is known");
    play.contact = true;
    play.grace = play.now;
    assert!(
        play.pause() > 15 * SECOND,
        "the holder could not renew either"
    );
}

#[test]
fn a_late_acquisition_becomes_a_new_tenure_or_is_cleared() {
    for wanted in [true, false] {
        let mut play = Play::of(Claim::fence("team/a", false, 1));
        play.goal = Goal::Hold {
            rank: 0,
            marks: Marks {
                cluster: Some("team/a".into()),
                ..Marks::default()
            },
            session: None,
        };
        let request = play.request();
        let applied = play.stored(&request);
        play.answer(SECOND, unknown());
        play.wait(SECOND);
        assert_eq!(play.request(), Request::Get);
        assert_eq!(play.answer(Duration::ZERO, ok(&applied)), None);
        assert!(play.claim.tenure().is_none());
        if !wanted {
            play.goal = Goal::Nothing;
        }
        match play.request() {
            Request::Replace { content, .. } if wanted => assert_eq!(content.transitions, 1),
            Request::Replace { content, .. } => {
                assert_eq!(&*content.holder, "");
                assert_eq!(
                    content.marks.cluster, applied.marks.cluster,
                    "without its name it would be a stranger's for ever"
                );
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_deleted_lease_is_made_anew_no_earlier_than_its_holder_could_work() {
    let mut play = Play::new();
    let held = play.foreign("b");
    play.see(&held);
    let last = play.foreign("b");
    play.with(|claim, env| claim.deleted(&last, env));
    assert_eq!(play.pause(), 15 * SECOND);
    // One that was free can be made at once.
    let mut play = Play::new();
    let last = play.foreign("");
    play.with(|claim, env| claim.deleted(&last, env));
    assert!(matches!(play.request(), Request::Create(_)));
}

#[test]
fn a_lease_of_another_cluster_is_left_alone_and_reported() {
    let mut play = Play::new();
    let mut record = play.foreign("");
    record.marks.cluster = Some("Zoo".into());
    play.see(&record);
    assert_eq!(play.next(), Step::Idle);
    assert!(play.claim.take_problem().unwrap().contains("\"Zoo\""));
    // A Lease without a name is a Go replica's, unless ours would have been hashed.
    let mut play = Play::of(Claim::fence("team/a", false, 1));
    let record = play.foreign("");
    play.see(&record);
    assert_eq!(play.next(), Step::Idle);
    assert!(play.claim.take_problem().is_some());
}

#[test]
fn a_removed_cluster_is_deleted_on_the_seen_version() {
    let mut play = Play::new();
    let free = play.foreign("");
    play.see(&free);
    play.goal = Goal::Delete { after: 2 * SECOND };
    assert_eq!(play.pause(), 2 * SECOND);
    play.wait(2 * SECOND);
    assert_eq!(
        play.request(),
        Request::Delete {
            uid: "u".into(),
            version: free.version
        }
    );
    play.answer(Duration::ZERO, Answer::Deleted);
    assert!(play.claim.is_over(play.now));
}

#[test]
fn a_removed_cluster_that_somebody_holds_is_not_deleted() {
    let mut play = Play::new();
    let held = play.foreign("b");
    play.see(&held);
    play.goal = Goal::Delete { after: 2 * SECOND };
    assert!(play.pause() > 17 * SECOND);
    play.wait(18 * SECOND);
    assert_eq!(play.request(), Request::Get);
    let renewed = play.foreign("b");
    play.answer(Duration::ZERO, ok(&renewed));
    assert!(play.pause() > 17 * SECOND);
}

#[test]
fn a_late_post_permits_work_when_nobody_else_can_be_at_work() {
    let mut play = Play::new();
    let request = play.request();
    let applied = play.stored(&request);
    play.answer(SECOND, unknown());
    play.wait(SECOND);
    assert_eq!(play.request(), Request::Get);
    play.answer(Duration::ZERO, ok(&applied));
    assert_eq!(play.write(), Some(Change::Acquired));
    let tenure = play.claim.tenure().unwrap();
    assert_eq!(tenure.work_from.since(play.now), 15 * SECOND);
    // The answer to a POST shows that it was applied in time.
    assert!(Play::acquired().claim.tenure().unwrap().work_from <= Moment(100 * SECOND));
}

#[test]
fn a_late_post_stays_late_when_the_next_write_has_no_answer_either() {
    let mut play = Play::new();
    let request = play.request();
    let mut applied = play.stored(&request);
    for _ in 0..3 {
        play.answer(SECOND, unknown());
        play.wait(SECOND);
        assert_eq!(play.request(), Request::Get);
        play.answer(Duration::ZERO, ok(&applied));
        let request = play.request();
        applied = play.stored(&request);
    }
    assert_eq!(
        play.answer(Duration::ZERO, ok(&applied)),
        Some(Change::Acquired)
    );
    let tenure = play.claim.tenure().unwrap();
    assert_eq!(tenure.work_from.since(play.now), 15 * SECOND);
}

#[test]
fn an_absence_from_before_a_time_without_sight_is_not_trusted() {
    let mut play = Play::new();
    play.wait(60 * SECOND);
    play.blind = play.now;
    assert_eq!(play.pause(), 15 * SECOND);
}

#[test]
fn one_that_was_there_and_is_gone_when_it_is_read_is_waited_for() {
    let mut play = Play::new();
    assert!(matches!(play.request(), Request::Create(_)));
    play.answer(Duration::ZERO, Answer::AlreadyExists);
    assert_eq!(play.request(), Request::Get);
    play.answer(Duration::ZERO, Answer::NotFound);
    assert_eq!(play.pause(), 15 * SECOND);
}

#[test]
fn a_time_without_sight_begins_the_wait_for_a_deleted_lease_anew() {
    let mut play = Play::new();
    let held = play.foreign("b");
    play.see(&held);
    let last = play.foreign("b");
    play.with(|claim, env| claim.deleted(&last, env));
    play.wait(10 * SECOND);
    play.blind = play.now;
    assert_eq!(play.pause(), 15 * SECOND);
}

/// A fence that comes free, is refused to this process, and is free again: when it tries the second time.
fn second_attempt(throttle: Duration) -> Duration {
    let mut play = Play::new();
    play.timings = play.timings.throttle(throttle);
    let free = play.foreign("");
    play.see(&free);
    let first = play.request();
    assert!(matches!(first, Request::Replace { .. }), "{first:?}");
    let start = play.now;
    // Somebody else was faster, and has released it again.
    play.answer(Duration::ZERO, Answer::Conflict);
    loop {
        match play.next() {
            Step::At(at) => play.now = at,
            Step::Send(Request::Get) => {
                let free = play.foreign("");
                play.answer(Duration::ZERO, ok(&free));
            }
            Step::Send(_) => return play.now.since(start),
            Step::Idle => panic!("it does not try again"),
        }
    }
}

#[test]
fn a_throttle_is_the_least_time_between_two_attempts() {
    assert_eq!(second_attempt(Duration::ZERO), Duration::ZERO);
    assert_eq!(second_attempt(2 * SECOND), 2 * SECOND);
}

#[test]
fn a_throttle_delays_neither_the_first_attempt_nor_renewals() {
    let mut play = Play::new();
    play.timings = play.timings.throttle(15 * SECOND);
    assert_eq!(play.write(), Some(Change::Acquired));
    assert_eq!(play.pause(), 5 * SECOND);
    play.wait(5 * SECOND);
    assert_eq!(play.write(), Some(Change::Renewed));
}

#[test]
fn a_throttle_is_for_fences_alone() {
    let mut play = Play::of(Claim::peer(1));
    play.timings = play.timings.throttle(15 * SECOND);
    let free = play.foreign("");
    play.see(&free);
    play.request();
    play.answer(Duration::ZERO, Answer::Conflict);
    assert_eq!(play.request(), Request::Get);
    let free = play.foreign("");
    play.answer(Duration::ZERO, ok(&free));
    assert!(matches!(play.request(), Request::Replace { .. }));
}
