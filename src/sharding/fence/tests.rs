//! Each test plays events against the fence of `zoo` at the peer `a`; L = 15 s.

use std::time::Duration;

use super::*;
use crate::sharding::{claim::Identity, mutant::Mutants, timings::Timings};

const SECOND: Duration = Duration::from_secs(1);

/// What a test says about the fleet.
struct Fleet {
    env: Env<'static>,
    competes: bool,
    leaves: bool,
    may_release: bool,
    rank: Option<u32>,
    winner: Option<(PeerId, bool)>,
    last_sign: Option<u64>,
}

impl View for Fleet {
    fn env(&self) -> &Env<'_> {
        &self.env
    }
    fn competes(&self) -> bool {
        self.competes
    }
    fn leaves(&self) -> bool {
        self.leaves
    }
    fn may_release(&self) -> bool {
        self.may_release
    }
    fn rank(&self, _: &ClusterName, _: Option<&str>) -> Option<u32> {
        self.rank
    }
    fn other_winner(&self, _: &ClusterName) -> Option<(&PeerId, bool)> {
        self.winner.as_ref().map(|(peer, ready)| (peer, *ready))
    }
    fn last_sign_of(&self, _: &PeerId) -> Option<u64> {
        self.last_sign
    }
    fn session(&self, _: &Record) -> Fate {
        Fate::Alive
    }
}

/// The fence, the fleet around it, and the API server's side of its Lease.
struct Play {
    fence: Fence,
    fleet: Fleet,
    version: u64,
    request: Option<Request>,
}

impl Play {
    fn new() -> Self {
        let identity = Box::leak(Box::new(Identity {
            peer: "a".into(),
            incarnation: "1".into(),
            place: None,
        }));
        let timings = Box::leak(Box::new(Timings::default()));
        let now = Moment(100 * SECOND);
        let mut play = Self {
            fence: Fence::new("zoo".parse().unwrap(), "mcr-shard-zoo".into(), true, 1),
            fleet: Fleet {
                env: Env {
                    now,
                    wall: 0,
                    grace: Moment::default(),
                    blind: Moment::default(),
                    contact: Some(now),
                    blocked: false,
                    mutants: Mutants::default(),
                    identity,
                    timings,
                },
                competes: true,
                leaves: false,
                may_release: true,
                rank: Some(0),
                winner: None,
                last_sign: None,
            },
            version: 10,
            request: None,
        };
        play.step(Event::Unlisted(now));
        play
    }

    /// A fence that this peer has acquired, and works under.
    fn engaged() -> Self {
        let mut play = Self::new();
        let out = play.reply();
        assert!(matches!(out[..], [Command::Engage { .. }]), "{out:?}");
        play
    }

    /// What follows from an event, besides a request.
    fn step(&mut self, event: Event<'_>) -> Vec<Command> {
        let mut out = self.fence.step(event, &self.fleet);
        if let Some(at) = out
            .iter()
            .position(|command| matches!(command, Command::Send(_)))
            && let Command::Send(request) = out.remove(at)
        {
            assert!(self.request.is_none(), "two requests in flight");
            self.request = Some(request);
        }
        out
    }

    fn wait(&mut self, time: Duration) -> Vec<Command> {
        self.fleet.env.now = self.fleet.env.now + time;
        self.fleet.env.contact = Some(self.fleet.env.now);
        self.step(Event::Tick)
    }

    /// The API server does what the request in flight asks.
    fn reply(&mut self) -> Vec<Command> {
        let (Request::Create(content) | Request::Replace { content, .. }) =
            self.request.take().expect("a request in flight")
        else {
            panic!("no write");
        };
        self.version += 1;
        let record = Record::stored(&content, "u", self.version);
        self.step(Event::Answer(
            self.fleet.env.now,
            Answer::Record(Arc::new(record)),
        ))
    }

    /// The request in flight gets no answer.
    fn lose_reply(&mut self) -> Vec<Command> {
        self.request.take().expect("a request in flight");
        self.step(Event::Answer(
            self.fleet.env.now,
            Answer::Unknown("lost".into()),
        ))
    }

    fn releases(&self) -> bool {
        matches!(&self.request, Some(Request::Replace { content, .. }) if content.holder.is_empty())
    }
}

fn other() -> PeerId {
    "b".parse().unwrap()
}

#[test]
fn work_begins_with_the_answer_to_the_acquisition() {
    let mut play = Play::new();
    assert!(matches!(play.request, Some(Request::Create(_))));
    let deadline = play.fleet.env.now + Timings::default().work_time();
    assert_eq!(
        play.reply(),
        [Command::Engage {
            deadline,
            token: 11
        }]
    );
}

#[test]
fn an_acquisition_that_comes_too_late_to_work_is_renewed_first() {
    let mut play = Play::new();
    let sent = play.fleet.env.now;
    let Some(Request::Create(content)) = play.request.take() else {
        panic!()
    };
    play.fleet.env.now = sent + 14 * SECOND;
    let record = Record {
        uid: "u".into(),
        version: 11,
        holder: Some("a".into()),
        renew_time: Some(content.renew_time),
        marks: content.marks,
        ..Record::default()
    };
    let out = play.step(Event::Answer(sent, Answer::Record(Arc::new(record))));
    assert_eq!(out, []);
    play.version = 11;
    assert!(matches!(play.reply()[..], [Command::Engage { .. }]));
}

#[test]
fn a_renewal_moves_the_deadline() {
    let mut play = Play::engaged();
    play.wait(5 * SECOND);
    let deadline = play.fleet.env.now + Timings::default().work_time();
    assert_eq!(
        play.reply(),
        [Command::Permit {
            deadline,
            token: 11
        }]
    );
}

#[test]
fn without_renewals_work_pauses_and_goes_on_after_the_margin() {
    let mut play = Play::engaged();
    play.wait(5 * SECOND);
    play.lose_reply();
    play.fleet.env.blocked = true;
    let out = play.wait(9 * SECOND);
    assert_eq!(out, [Command::Paused]);
    play.fleet.env.blocked = false;
    // Read, and renewed; the engagement was never asked to end.
    play.step(Event::Wake);
    assert_eq!(play.request, Some(Request::Get));
    play.request = None;
    let known = Record::clone(play.fence.claim.record().unwrap());
    let now = play.fleet.env.now;
    play.step(Event::Answer(now, Answer::Record(known.into())));
    assert_eq!(play.reply(), []);
    let out = play.wait(SECOND);
    assert!(
        matches!(
            out[..],
            [Command::Permit { token: 11, .. }, Command::Resumed]
        ),
        "{out:?}"
    );
}

#[test]
fn a_lost_fence_revokes_before_anything_else_and_is_not_taken_before_the_work_ended() {
    let mut play = Play::engaged();
    let mut taken = Record::clone(play.fence.claim.record().unwrap());
    taken.version = 50;
    taken.holder = Some("b".into());
    let now = play.fleet.env.now;
    let out = play.step(Event::Seen(&taken.clone().into(), now));
    assert!(
        matches!(
            out[..],
            [Command::Revoke, Command::Drain, Command::Report(_)]
        ),
        "{out:?}"
    );
    // It is free again, but the old work still runs.
    taken.version = 51;
    taken.holder = None;
    play.step(Event::Seen(&taken.clone().into(), now));
    play.wait(60 * SECOND);
    assert_eq!(play.request, None);
    play.step(Event::Drained(None));
    assert!(play.request.is_some());
}

#[test]
fn a_hand_over_drains_then_revokes_then_releases() {
    let mut play = Play::engaged();
    play.fleet.winner = Some((other(), true));
    assert_eq!(play.wait(SECOND), [Command::Drain]);
    // Still the holder, still renewing, while work ends.
    play.wait(5 * SECOND);
    assert!(!play.releases());
    play.fleet.rank = Some(1);
    assert!(matches!(play.reply()[..], [Command::Permit { .. }]));
    assert_eq!(play.step(Event::Drained(None)), [Command::Revoke]);
    assert!(play.releases());
    play.reply();
    assert!(!play.fence.is_active());
}

#[test]
fn unanswered_writes_are_waited_for() {
    let mut play = Play::engaged();
    play.fleet.winner = Some((other(), true));
    play.wait(SECOND);
    let gave_up = play.fleet.env.now;
    assert_eq!(play.step(Event::Drained(Some(gave_up))), [Command::Revoke]);
    assert!(!play.releases());
    play.wait(Timings::default().margin());
    assert!(play.releases());
}

#[test]
fn a_peer_that_is_not_ready_gets_nothing() {
    let mut play = Play::engaged();
    play.fleet.winner = Some((other(), false));
    assert_eq!(play.wait(SECOND), []);
    play.fleet.winner = Some((other(), true));
    assert_eq!(play.wait(SECOND), [Command::Drain]);
}

#[test]
fn a_drain_that_was_begun_is_not_called_off() {
    let mut play = Play::engaged();
    play.fleet.winner = Some((other(), true));
    play.wait(SECOND);
    play.fleet.winner = None;
    play.wait(SECOND);
    assert_eq!(play.step(Event::Drained(None)), [Command::Revoke]);
    assert!(play.releases());
    play.reply();
    // Wanted again: a new tenure.
    assert!(
        matches!(&play.request, Some(Request::Replace { content, .. }) if content.transitions == 1)
    );
}

#[test]
fn work_that_does_not_end_is_revoked_and_never_released() {
    let mut play = Play::engaged();
    play.fleet.winner = Some((other(), true));
    play.wait(SECOND);
    let mut revoked = 0;
    for _ in 0..20 {
        let out = play.wait(5 * SECOND);
        revoked += out
            .iter()
            .filter(|command| **command == Command::Revoke)
            .count();
        assert!(!play.releases());
        play.reply();
    }
    assert_eq!(revoked, 1);
}

#[test]
fn a_leaving_peer_releases_after_it_has_said_so() {
    let mut play = Play::engaged();
    play.fleet.leaves = true;
    play.fleet.competes = false;
    play.fleet.rank = None;
    play.fleet.may_release = false;
    assert_eq!(play.wait(SECOND), [Command::Drain]);
    play.step(Event::Drained(None));
    assert!(!play.releases());
    play.fleet.may_release = true;
    play.step(Event::Tick);
    assert!(play.releases());
}

#[test]
fn a_removed_cluster_is_drained_released_and_deleted() {
    let mut play = Play::engaged();
    assert_eq!(play.step(Event::Exists(false)), [Command::Drain]);
    play.step(Event::Drained(None));
    assert!(play.releases());
    play.reply();
    assert_eq!(
        play.request,
        Some(Request::Delete {
            uid: "u".into(),
            version: 12
        })
    );
    play.request = None;
    let now = play.fleet.env.now;
    play.step(Event::Answer(now, Answer::Deleted));
    assert!(play.fence.is_done(now));
}

#[test]
fn one_who_took_what_the_winner_let_lie_keeps_it_longer_each_time() {
    let mut play = Play::new();
    play.fleet.winner = Some((other(), true));
    play.reply();
    for kept in [15, 30, 60] {
        let mut waited = 0;
        while play.fence.work == Work::Engaged {
            play.wait(SECOND);
            if play.request.is_some() {
                play.reply();
            }
            waited += 1;
        }
        assert_eq!(waited, kept);
        play.step(Event::Drained(None));
        play.reply();
        // The winner does not take it.
        play.reply();
    }
}
