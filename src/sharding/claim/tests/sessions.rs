//! Fences that are held through a session: they are never renewed, so that standing still says nothing.

use super::*;

fn held(play: &mut Play) -> Record {
    let mut held = play.foreign("b");
    held.duration = Some(Duration::from_secs(i32::MAX as u64));
    held.marks = Marks {
        incarnation: Some("9".into()),
        renew_time: held.renew_time,
        session: Some("uid/9".into()),
        ..Marks::default()
    };
    held
}

fn with(fate: Fate, since: Moment) -> Goal {
    Goal::Hold {
        rank: 0,
        marks: Marks::default(),
        session: Some((fate, since)),
    }
}

#[test]
fn a_session_that_goes_on_keeps_its_fences() {
    let mut play = Play::new();
    let held = held(&mut play);
    play.see(&held);
    play.wait(86_400 * SECOND);
    assert_eq!(play.next(), Step::Idle);
    play.goal = Goal::Delete { after: SECOND };
    assert_eq!(play.next(), Step::Idle);
}

#[test]
fn one_that_is_over_leaves_them_on_the_seen_version() {
    let mut play = Play::new();
    let held = held(&mut play);
    play.see(&held);
    play.goal = with(Fate::Over, play.now);
    assert!(matches!(play.request(), Request::Replace { version, .. } if version == held.version));
}

#[test]
fn one_whose_lease_is_gone_has_a_lease_duration_left() {
    let mut play = Play::new();
    let held = held(&mut play);
    play.see(&held);
    play.goal = with(Fate::Gone, play.now);
    assert_eq!(play.pause(), 15 * SECOND);
    play.wait(15 * SECOND);
    assert!(matches!(play.request(), Request::Replace { .. }));
}

#[test]
fn a_mark_that_cannot_be_read_is_left_alone_and_reported() {
    let mut play = Play::new();
    let mut held = held(&mut play);
    held.marks.session = Some("nonsense".into());
    play.see(&held);
    play.wait(3600 * SECOND);
    play.goal = with(Fate::Over, play.now);
    assert_eq!(play.next(), Step::Idle);
    assert!(play.claim.take_problem().unwrap().contains("session"));
}

#[test]
fn a_mark_that_another_writer_has_kept_says_nothing() {
    let mut play = Play::new();
    let mut held = held(&mut play);
    held.duration = Some(15 * SECOND);
    held.marks.renew_time = Some(77);
    play.see(&held);
    assert!(play.pause() > 15 * SECOND);
    play.wait(16 * SECOND);
    assert_eq!(play.request(), Request::Get);
}

#[test]
fn a_dead_session_is_ended_by_a_write_on_the_version_that_stood_still() {
    let mut play = Play::of(Claim::peer(1));
    let standing = play.foreign("b");
    play.see(&standing);
    play.goal = Goal::Clear {
        after: Duration::ZERO,
    };
    assert!(play.pause() > 15 * SECOND);
    play.wait(16 * SECOND);
    assert_eq!(play.request(), Request::Get);
    play.answer(Duration::ZERO, ok(&standing));
    match play.request() {
        Request::Replace {
            version, content, ..
        } => {
            assert_eq!((version, &*content.holder), (standing.version, ""));
        }
        other => panic!("{other:?}"),
    }
    // 409: it was renewed after all, and lives.
    play.answer(Duration::ZERO, Answer::Conflict);
    let renewed = play.foreign("b");
    assert_eq!(play.request(), Request::Get);
    play.answer(Duration::ZERO, ok(&renewed));
    assert!(play.pause() > 15 * SECOND);
}
