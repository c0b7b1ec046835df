use super::*;
use crate::{
    clock::{Clock, Moment, SystemClock},
    guard::{FencingToken, NotOwnerReason},
};

const TICK: Duration = Duration::from_millis(25);

/// A stop margin of a second: forty ticks of 25 ms, half of them grace.
fn times() -> Times {
    Times::new(Duration::from_secs(1))
}

/// After how many of these ticks the process has to end, if it has to.
fn ends_after(ticks: impl IntoIterator<Item = (Duration, bool)>) -> Option<usize> {
    let mut suspicion = Suspicion::default();
    ticks
        .into_iter()
        .position(|(elapsed, overdue)| suspicion.tick(times(), elapsed, overdue))
}

fn on_time(overdue: bool, count: usize) -> impl Iterator<Item = (Duration, bool)> {
    std::iter::repeat_n((TICK, overdue), count)
}

#[test]
fn work_that_goes_on_ends_the_process_half_a_margin_after_it_was_first_seen() {
    assert_eq!(ends_after(on_time(true, 100)), Some(20));
    assert_eq!(ends_after(on_time(true, 20)), None);
    assert_eq!(ends_after(on_time(false, 100)), None);
}

#[test]
fn work_that_ends_in_time_or_is_permitted_again_starts_over() {
    let script = on_time(true, 20)
        .chain(on_time(false, 1))
        .chain(on_time(true, 20));
    assert_eq!(ends_after(script), None);
}

#[test]
fn the_time_of_a_stopped_process_does_not_count() {
    let stopped = || std::iter::once((Duration::from_secs(3600), true));
    // Stopped before the deadline, and over it.
    let script = on_time(false, 5).chain(stopped()).chain(on_time(true, 19));
    assert_eq!(ends_after(script), None);
    // Stopped while already under suspicion: one tick.
    let script = on_time(true, 10).chain(stopped()).chain(on_time(true, 100));
    assert_eq!(ends_after(script), Some(20));
    // A machine that runs every tick late: one tick each.
    let slow = std::iter::repeat_n((10 * TICK, true), 100);
    assert_eq!(ends_after(slow), Some(20));
}

#[test]
fn a_tick_that_comes_early_counts_for_what_it_is() {
    let early = std::iter::repeat_n((TICK / 5, true), 200);
    assert_eq!(ends_after(early), Some(100));
}

#[test]
fn guards_are_looked_at_one_by_one_and_forgotten_when_they_are_gone() {
    let clock = Arc::new(SystemClock);
    let name = |name: &str| name.parse().unwrap();
    let [zoo, reef] = ["zoo", "reef"].map(|cluster| Guard::new(name(cluster), clock.clone()));
    for guard in [&zoo, &reef] {
        guard.permit(clock.now() + Duration::from_secs(60), FencingToken(7));
    }
    let watchdog = Watchdog {
        watched: Arc::default(),
    };
    zoo.watched_by(&watchdog);
    reef.watched_by(&watchdog);
    let engaged = zoo.engagement();
    let look = |ticks: usize| {
        let looks = (0..ticks).map(|_| look(&mut lock(&watchdog.watched), times(), TICK));
        looks.flatten().next()
    };
    assert_eq!(lock(&watchdog.watched).len(), 3, "the engagement's too");

    // What looks is the work itself, so it is at work while it looks.
    let at_work = |guard: &Guard| {
        let work = guard.run(async {
            assert_eq!(look(100), None, "permitted");
            guard.permit(Moment::default(), FencingToken(7));
            let seen = look(100).unwrap();
            guard.permit(clock.now() + Duration::from_secs(60), FencingToken(7));
            (seen.cluster, seen.reason)
        });
        futures_util::FutureExt::now_or_never(work)
            .unwrap()
            .unwrap()
    };
    let passed = NotOwnerReason::DeadlinePassed;
    assert_eq!(at_work(&engaged), (name("zoo"), passed));
    assert_eq!(at_work(&reef), (name("reef"), passed));
    zoo.revoke();
    reef.revoke();
    assert_eq!(look(100), None, "nothing is at work");
    drop((zoo, engaged, reef));
    assert_eq!(look(1), None);
    assert!(lock(&watchdog.watched).is_empty());
}

#[test]
fn an_ended_engagement_is_overdue_while_its_tenure_is_not() {
    let guard = Guard::unfenced("zoo".parse().unwrap());
    let engaged = guard.engagement();
    let work = engaged.run(async {
        engaged.end();
        (
            engaged.works_without_permission().map(|no| no.reason),
            guard.works_without_permission(),
        )
    });
    let seen = futures_util::FutureExt::now_or_never(work).unwrap();
    assert_eq!(seen, Ok((Some(NotOwnerReason::Ended), None)));
}

#[test]
fn a_margin_too_short_to_judge_by_is_refused() {
    let refused = Watchdog::start(Duration::from_millis(100)).map(drop);
    let message = refused.unwrap_err().to_string();
    assert!(message.contains("at least 200ms, not 100ms"), "{message}");
}

#[test]
fn the_thread_ends_with_the_last_handle() {
    let watchdog = Watchdog::start(SHORTEST_MARGIN).unwrap();
    let guard = Guard::unfenced("zoo".parse().unwrap());
    guard.watched_by(&watchdog);
    let watched = Arc::downgrade(&watchdog.watched);
    drop(watchdog);
    assert!(watched.upgrade().is_some(), "the guard keeps it");
    drop(guard);
    // The thread may hold it for the moment of one look.
    let gone = (0..100).any(|_| {
        thread::sleep(Duration::from_millis(10));
        watched.strong_count() == 0
    });
    assert!(gone);
}
