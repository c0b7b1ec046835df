//! Renewing, losing and giving up a Lease.

use super::*;

#[test]
fn the_deadline_counts_from_before_the_send() {
    let mut play = Play::new();
    let request = play.request();
    let record = play.stored(&request);
    assert_eq!(play.answer(2 * SECOND, ok(&record)), Some(Change::Acquired));
    assert_eq!(play.left(), play.timings.work_time() - 2 * SECOND);
    play.wait(3 * SECOND);
    let request = play.request();
    let record = play.stored(&request);
    assert_eq!(play.answer(SECOND, ok(&record)), Some(Change::Renewed));
    assert_eq!(play.left(), play.timings.work_time() - SECOND);
}

#[test]
fn an_unknown_outcome_extends_nothing_and_is_read() {
    let mut play = Play::acquired();
    play.wait(5 * SECOND);
    let before = play.left();
    play.request();
    play.answer(3 * SECOND, unknown());
    assert_eq!(play.left(), before - 3 * SECOND);
    assert!(play.claim.is_unanswered());
    let pause = play.pause();
    assert!((100..=300).contains(&pause.as_millis()), "{pause:?}");
    play.wait(pause);
    assert_eq!(play.request(), Request::Get);
}

#[test]
fn a_write_that_did_happen_is_adopted_without_extending_the_deadline() {
    let mut play = Play::acquired();
    play.wait(5 * SECOND);
    let deadline = play.claim.tenure().unwrap().deadline;
    let request = play.request();
    let applied = play.stored(&request);
    play.answer(3 * SECOND, unknown());
    play.wait(SECOND);
    assert_eq!(play.request(), Request::Get);
    assert_eq!(play.answer(Duration::ZERO, ok(&applied)), None);
    assert_eq!(play.claim.tenure().unwrap().deadline, deadline);
    // Renewed at once, on the adopted version.
    assert!(
        matches!(play.request(), Request::Replace { version, .. } if version == applied.version)
    );
}

#[test]
fn somebody_else_on_the_lease_ends_the_tenure() {
    let mut play = Play::acquired();
    let taken = play.foreign("b");
    assert_eq!(play.see(&taken), Some(Change::Lost));
    assert!(play.claim.tenure().is_none());
}

#[test]
fn a_namesake_is_somebody_else() {
    let mut play = Play::acquired();
    let mut record = Record::clone(play.claim.record().unwrap());
    record.version += 1;
    record.marks.incarnation = Some("2".into());
    assert_eq!(play.see(&record), Some(Change::Lost));
}

#[test]
fn a_renewal_by_one_who_does_not_know_our_marks_is_not_mine() {
    // A Go replica of the same name keeps unknown annotations and changes the renew time.
    let mut play = Play::acquired();
    let mut record = Record::clone(play.claim.record().unwrap());
    record.version += 1;
    record.renew_time = record.renew_time.map(|time| time + 1);
    assert_eq!(play.see(&record), Some(Change::Lost));
}

#[test]
fn another_tenure_or_another_lease_is_not_mine() {
    for change in [
        |record: &mut Record| record.transitions += 1,
        |record: &mut Record| record.uid = "v".into(),
    ] {
        let mut play = Play::acquired();
        let mut record = Record::clone(play.claim.record().unwrap());
        record.version += 1;
        change(&mut record);
        assert_eq!(play.see(&record), Some(Change::Lost));
    }
}

#[test]
fn a_conflict_is_read_and_renewed_at_once_the_first_time() {
    let mut play = Play::acquired();
    play.wait(5 * SECOND);
    play.request();
    play.answer(Duration::ZERO, Answer::Conflict);
    assert_eq!(play.request(), Request::Get);
    // Somebody annotated it.
    let mut annotated = Record::clone(play.claim.record().unwrap());
    annotated.version += 1;
    assert_eq!(play.answer(Duration::ZERO, ok(&annotated)), None);
    assert!(matches!(play.request(), Request::Replace { .. }));
    play.answer(Duration::ZERO, Answer::Conflict);
    assert!(
        play.pause() > Duration::ZERO,
        "the second time with back-off"
    );
}

#[test]
fn a_renewal_always_changes_the_renew_time() {
    let mut play = Play::acquired();
    let written = play.claim.record().unwrap().renew_time.unwrap();
    // The wall clock went back.
    play.goal = Goal::Keep {
        marks: Marks::default(),
    };
    play.claim.renew_now();
    play.now = Moment(100 * SECOND);
    match play.request() {
        Request::Replace { content, .. } => assert_eq!(content.renew_time, written + 1),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_answer_that_shows_no_new_version_is_no_renewal() {
    let mut play = Play::acquired();
    play.wait(5 * SECOND);
    let before = Record::clone(play.claim.record().unwrap());
    let deadline = play.claim.tenure().unwrap().deadline;
    play.request();
    assert_eq!(play.answer(Duration::ZERO, ok(&before)), None);
    assert_eq!(play.claim.tenure().unwrap().deadline, deadline);
}

#[test]
fn an_own_lease_that_is_deleted_is_lost_and_made_again_after_the_margin() {
    let mut play = Play::acquired();
    let mut last = Record::clone(play.claim.record().unwrap());
    last.version += 1;
    assert_eq!(
        play.with(|claim, env| claim.deleted(&last, env)),
        Some(Change::Lost)
    );
    assert_eq!(play.pause(), play.timings.margin());
}

#[test]
fn a_lease_that_is_missing_without_a_final_version_is_judged_by_the_own_deadline() {
    // Within the deadline nobody else can have taken it.
    let mut play = Play::acquired();
    play.with(|claim, env| claim.unlisted(env.now, env));
    assert_eq!(play.request(), Request::Get);
    assert_eq!(
        play.answer(Duration::ZERO, Answer::NotFound),
        Some(Change::Lost)
    );
    assert_eq!(play.pause(), play.timings.margin());
    // After it somebody may have, and may work until now.
    let mut play = Play::acquired();
    play.wait(20 * SECOND);
    play.with(|claim, env| claim.unlisted(env.now, env));
    assert_eq!(play.request(), Request::Get);
    assert_eq!(
        play.answer(Duration::ZERO, Answer::NotFound),
        Some(Change::Lost)
    );
    assert_eq!(play.pause(), 15 * SECOND);
}

#[test]
fn old_news_changes_nothing() {
    let mut play = Play::acquired();
    let mut old = play.foreign("b");
    old.version = 1;
    assert_eq!(play.see(&old), None);
    assert_eq!(play.with(|claim, env| claim.deleted(&old, env)), None);
    assert!(play.claim.tenure().is_some());
}

#[test]
fn release_clears_the_holder_on_the_own_version() {
    let mut play = Play::acquired();
    let version = play.claim.record().unwrap().version;
    play.goal = Goal::Release {
        not_before: play.now + SECOND,
        marks: Marks::default(),
    };
    assert_eq!(play.pause(), SECOND);
    play.wait(SECOND);
    let request = play.request();
    assert!(
        matches!(&request, Request::Replace { version: on, content, .. } if *on == version && content.holder.is_empty())
    );
    let record = play.stored(&request);
    assert_eq!(
        play.answer(Duration::ZERO, ok(&record)),
        Some(Change::Released)
    );
    assert_eq!(play.next(), Step::Idle);
}

#[test]
fn a_namesakes_peer_lease_is_waited_for_with_signs_of_life() {
    let mut play = Play::of(Claim::peer(1));
    let held = play.foreign("a");
    play.see(&held);
    // A POST that is meant to fail.
    assert!(matches!(play.request(), Request::Create(_)));
    play.answer(Duration::ZERO, Answer::AlreadyExists);
    assert_eq!(play.pause(), play.timings.own_renew() / 2);
}

#[test]
fn slowing_down_and_refusals_are_obeyed() {
    let mut play = Play::acquired();
    play.wait(5 * SECOND);
    play.request();
    play.answer(Duration::ZERO, Answer::Throttled(Some(2 * SECOND)));
    assert_eq!(play.pause(), 2 * SECOND);
    play.wait(2 * SECOND);
    play.request();
    play.answer(Duration::ZERO, Answer::Refused("forbidden".into()));
    assert_eq!(play.pause(), play.timings.renew());
    assert_eq!(play.claim.take_problem().unwrap(), "forbidden");
    assert!(play.claim.tenure().is_some(), "not applied is not lost");
}

#[test]
fn nothing_is_asked_while_the_hub_does_not_answer() {
    let mut play = Play::acquired();
    play.wait(5 * SECOND);
    play.blocked = true;
    assert_eq!(play.next(), Step::Idle);
}

#[test]
fn a_watch_that_shows_the_unanswered_renewal_saves_the_read() {
    let mut play = Play::acquired();
    play.wait(5 * SECOND);
    let request = play.request();
    let applied = play.stored(&request);
    let deadline = play.claim.tenure().unwrap().deadline;
    play.answer(SECOND, unknown());
    play.see(&applied);
    assert_eq!(play.claim.tenure().unwrap().deadline, deadline);
    play.wait(SECOND);
    assert!(
        matches!(play.request(), Request::Replace { version, .. } if version == applied.version)
    );
}
