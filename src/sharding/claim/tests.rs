//! Each test plays versions, answers and time against one claim of the process `a/1`.

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// A claim with its surroundings: L = 15 s, R = 5 s, H = 13.7 s.
struct Play {
    claim: Claim,
    now: Moment,
    grace: Moment,
    blind: Moment,
    contact: bool,
    blocked: bool,
    goal: Goal,
    identity: Identity,
    timings: Timings,
    /// The version that the API server gave last.
    version: u64,
}

impl Play {
    fn new() -> Self {
        Self::of(Claim::fence("zoo", true, 1))
    }

    fn of(claim: Claim) -> Self {
        let mut play = Self {
            claim,
            now: Moment(100 * SECOND),
            grace: Moment::default(),
            blind: Moment::default(),
            contact: true,
            blocked: false,
            goal: hold(0),
            identity: Identity {
                peer: "a".into(),
                incarnation: "1".into(),
            },
            timings: Timings::default(),
            version: 10,
        };
        play.with(|claim, env| claim.unlisted(env.now, env));
        play
    }

    fn with<T>(&mut self, act: impl FnOnce(&mut Claim, &Env<'_>) -> T) -> T {
        let env = Env {
            now: self.now,
            wall: i64::try_from(self.now.0.as_micros()).unwrap(),
            grace: self.grace,
            blind: self.blind,
            contact: self.contact.then_some(self.now),
            blocked: self.blocked,
            mutants: Mutants::default(),
            identity: &self.identity,
            timings: &self.timings,
        };
        act(&mut self.claim, &env)
    }

    fn wait(&mut self, time: Duration) -> &mut Self {
        self.now = self.now + time;
        self
    }

    fn next(&mut self) -> Step {
        let goal = self.goal.clone();
        self.with(|claim, env| claim.advance(&goal, env))
    }

    /// The request that must follow now.
    fn request(&mut self) -> Request {
        match self.next() {
            Step::Send(request) => request,
            step => panic!("no request at {:?} but {step:?}", self.now),
        }
    }

    /// The wait that must follow now.
    fn pause(&mut self) -> Duration {
        match self.next() {
            Step::At(at) => at.since(self.now),
            step => panic!("no wait at {:?} but {step:?}", self.now),
        }
    }

    /// The request in flight, sent now, is answered after `time`.
    fn answer(&mut self, time: Duration, answer: Answer) -> Option<Change> {
        let sent = self.now;
        self.wait(time);
        self.with(|claim, env| claim.answer(sent, answer, env))
    }

    fn see(&mut self, record: &Record) -> Option<Change> {
        self.with(|claim, env| claim.observe(record, env))
    }

    /// The Lease as the API server stores what a request writes.
    fn stored(&mut self, request: &Request) -> Record {
        let content = match request {
            Request::Create(content) | Request::Replace { content, .. } => content,
            other => panic!("{other:?} writes nothing"),
        };
        self.version += 1;
        Record {
            uid: "u".into(),
            version: self.version,
            holder: Some(content.holder.clone()).filter(|holder| !holder.is_empty()),
            transitions: content.transitions,
            duration: Some(content.duration),
            renew_time: Some(content.renew_time),
            marks: content.marks.clone(),
            foreign: Foreign::default(),
        }
    }

    /// Sends what follows and has it answered at once.
    fn write(&mut self) -> Option<Change> {
        let request = self.request();
        let record = self.stored(&request);
        self.answer(Duration::ZERO, ok(&record))
    }

    fn acquired() -> Self {
        let mut play = Self::new();
        assert_eq!(play.write(), Some(Change::Acquired));
        play
    }

    fn left(&self) -> Duration {
        self.claim.tenure().unwrap().deadline.since(self.now)
    }

    /// A version that somebody else wrote.
    fn foreign(&mut self, holder: &str) -> Record {
        self.version += 1;
        Record {
            uid: "u".into(),
            version: self.version,
            holder: Some(holder.to_owned()).filter(|holder| !holder.is_empty()),
            duration: Some(15 * SECOND),
            renew_time: Some(1),
            ..Record::default()
        }
    }
}

use super::super::record::Foreign;

fn hold(rank: u32) -> Goal {
    Goal::Hold {
        rank,
        marks: Marks::default(),
    }
}

fn ok(record: &Record) -> Answer {
    Answer::Record(Box::new(record.clone()))
}

fn unknown() -> Answer {
    Answer::Unknown("lost".into())
}

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
            assert_eq!((uid.as_str(), version), ("u", free.version));
            assert_eq!((content.holder.as_str(), content.transitions), ("a", 1));
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
    let mut record = play.claim.record().unwrap().clone();
    record.version += 1;
    record.marks.incarnation = Some("2".into());
    assert_eq!(play.see(&record), Some(Change::Lost));
}

#[test]
fn a_renewal_by_one_who_does_not_know_our_marks_is_not_mine() {
    // A Go replica of the same name keeps unknown annotations and changes the renew time.
    let mut play = Play::acquired();
    let mut record = play.claim.record().unwrap().clone();
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
        let mut record = play.claim.record().unwrap().clone();
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
    let mut annotated = play.claim.record().unwrap().clone();
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
    let before = play.claim.record().unwrap().clone();
    let deadline = play.claim.tenure().unwrap().deadline;
    play.request();
    assert_eq!(play.answer(Duration::ZERO, ok(&before)), None);
    assert_eq!(play.claim.tenure().unwrap().deadline, deadline);
}

#[test]
fn a_late_acquisition_becomes_a_new_tenure_or_is_cleared() {
    for wanted in [true, false] {
        let mut play = Play::new();
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
            Request::Replace { content, .. } => assert_eq!(content.holder, ""),
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
fn an_own_lease_that_is_deleted_is_lost_and_made_again_after_the_margin() {
    let mut play = Play::acquired();
    let mut last = play.claim.record().unwrap().clone();
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
fn a_namesakes_peer_lease_is_waited_for_with_signs_of_life() {
    let mut play = Play::of(Claim::peer(1));
    let held = play.foreign("a");
    play.see(&held);
    // A POST that is meant to fail.
    assert!(matches!(play.request(), Request::Create(_)));
    play.answer(Duration::ZERO, Answer::AlreadyExists);
    assert_eq!(play.pause(), play.timings.renew());
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
fn an_absence_from_before_a_time_without_sight_is_not_trusted() {
    let mut play = Play::new();
    play.wait(60 * SECOND);
    play.blind = play.now;
    assert_eq!(play.pause(), 15 * SECOND);
}
