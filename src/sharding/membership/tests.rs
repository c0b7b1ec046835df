//! Each test plays events against the membership of the peer `a`; L = 15 s, R = 5 s.

use super::*;

const SECOND: Duration = Duration::from_secs(1);

struct Play {
    membership: Membership,
    now: Moment,
    version: u64,
    request: Option<Request>,
    timings: Timings,
}

impl Play {
    fn new() -> Self {
        let timings = Timings::default();
        let identity = Identity {
            peer: "a".into(),
            incarnation: "1".into(),
            place: None,
        };
        let own = peer("a");
        let mut play = Self {
            membership: Membership::new(
                "mcr-peer-a".into(),
                identity,
                own,
                vec!["hrw/v1".into()],
                Mutants::default(),
                &timings,
                1,
            ),
            now: Moment(100 * SECOND),
            version: 10,
            request: None,
            timings,
        };
        play.step(Event::Tick);
        play
    }

    /// A peer that has joined, and competes.
    fn joined() -> Self {
        let mut play = Self::new();
        play.list(&[]);
        play.reply();
        play.wait(SECOND);
        assert!(play.competes());
        // Its first renewal, by which others know that.
        play.reply();
        play
    }

    fn step(&mut self, event: Event<'_>) -> Vec<Command> {
        let mut out = self.membership.step(event, self.now, 0, &self.timings);
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
        self.now = self.now + time;
        self.step(Event::Tick)
    }

    fn list(&mut self, shown: &[&str]) {
        // The own Lease is unlisted at first, and is created.
        self.step(Event::Listed(self.now, shown));
    }

    fn answer(&mut self, answer: Answer) -> Vec<Command> {
        self.request.take().expect("a request in flight");
        self.step(Event::Answer(self.now, answer))
    }

    /// The API server does what the request asks.
    fn reply(&mut self) -> Vec<Command> {
        let Some(Request::Create(content) | Request::Replace { content, .. }) =
            self.request.clone()
        else {
            panic!("no write but {:?}", self.request);
        };
        self.version += 1;
        let record = Record::stored(&content, "u", self.version);
        let out = self.answer(Answer::Record(Arc::new(record.clone())));
        self.step(Event::Seen(&"mcr-peer-a".into(), &Arc::new(record.clone())));
        out
    }

    /// Keeps renewing for this long.
    fn renew_for(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.wait(SECOND);
            if self.request.is_some() {
                self.reply();
            }
        }
    }

    /// A version of the Lease of `b`.
    fn see_b(&mut self, change: impl FnOnce(&mut Record)) {
        self.version += 1;
        let mut record = Record {
            uid: "b".into(),
            version: self.version,
            holder: Some("b".into()),
            duration: Some(15 * SECOND),
            renew_time: Some(1),
            marks: Marks {
                incarnation: Some("2".into()),
                renew_time: Some(1),
                ..Marks::default()
            },
            ..Record::default()
        };
        change(&mut record);
        self.step(Event::Seen(&"mcr-peer-b".into(), &Arc::new(record.clone())));
    }

    fn competes(&self) -> bool {
        self.membership.competes(self.now, &self.timings)
    }

    fn live(&self) -> Vec<String> {
        let live = self.membership.live(self.now, &self.timings);
        live.into_iter().map(|peer| peer.id.to_string()).collect()
    }
}

fn peer(id: &str) -> Peer {
    Peer {
        id: id.parse().unwrap(),
        weight: 1,
    }
}

#[test]
fn a_newcomer_competes_when_nobody_has_come_or_gone_for_half_a_second() {
    let mut play = Play::new();
    play.reply_later();
    play.wait(SECOND);
    assert!(!play.competes(), "the list is not there yet");
    play.list(&["mcr-peer-a"]);
    assert!(!play.competes());
    play.wait(SECOND / 4);
    play.see_b(|_| {});
    play.wait(SECOND / 4);
    assert!(!play.competes(), "b has just come");
    play.wait(SECOND / 4);
    assert!(play.competes());
}

impl Play {
    /// The own Lease is created although nothing was listed yet.
    fn reply_later(&mut self) {
        assert!(self.request.is_none(), "it might exist");
        self.list(&[]);
        self.reply();
        // As if the list had not come: a new membership would wait the same way.
        self.membership.synced = None;
    }
}

#[test]
fn settling_takes_a_renew_interval_at_most() {
    let mut play = Play::new();
    play.list(&[]);
    play.reply();
    for i in 0..16 {
        assert!(!play.competes(), "{i}");
        play.wait(Duration::from_millis(312));
        play.see_b(|record| record.marks.draining = i % 2 == 1);
    }
    play.wait(Duration::from_millis(10));
    assert!(play.competes());
}

#[test]
fn a_peer_dies_when_its_lease_stands_still() {
    let mut play = Play::joined();
    play.see_b(|_| {});
    assert_eq!(play.live(), ["b", "a"]);
    play.renew_for(15 * SECOND);
    assert_eq!(play.live(), ["b", "a"]);
    play.renew_for(SECOND);
    assert_eq!(play.live(), ["a"]);
}

#[test]
fn a_peer_that_drains_or_gives_its_lease_up_is_gone_at_once() {
    let mut play = Play::joined();
    play.see_b(|_| {});
    play.see_b(|record| record.marks.draining = true);
    assert_eq!(play.live(), ["a"]);
    play.see_b(|_| {});
    play.see_b(|record| record.holder = None);
    assert_eq!(play.live(), ["a"]);
}

#[test]
fn clusters_are_handed_over_after_a_peers_first_renewal() {
    let mut play = Play::joined();
    play.see_b(|_| {});
    assert!(!play.membership.is_ready(&peer("b").id));
    play.see_b(|_| {});
    assert!(play.membership.is_ready(&peer("b").id));
    // Another process under the name begins anew.
    play.see_b(|record| record.marks.incarnation = Some("3".into()));
    assert!(!play.membership.is_ready(&peer("b").id));
}

#[test]
fn an_outage_kills_nobody() {
    let mut play = Play::joined();
    play.see_b(|_| {});
    play.wait(5 * SECOND);
    play.answer(Answer::Unknown("lost".into()));
    play.wait(60 * SECOND);
    assert!(!play.competes(), "unanswered for longer than a Lease lasts");
    // The first answer begins a new window for everybody.
    assert_eq!(play.request, Some(Request::Get));
    let known = Record::clone(play.membership.claim.record().unwrap());
    play.answer(Answer::Record(known.into()));
    let out = play.reply();
    assert!(out.contains(&Command::Wake), "{out:?}");
    assert_eq!(play.live(), ["b", "a"]);
    assert!(play.competes());
}

#[test]
fn one_who_leaves_says_so_then_empties_itself_then_goes() {
    let mut play = Play::joined();
    play.step(Event::Leave);
    assert!(!play.competes());
    assert!(!play.membership.may_release(play.now, &play.timings));
    assert!(
        matches!(&play.request, Some(Request::Replace { content, .. }) if content.marks.draining)
    );
    play.reply();
    assert!(play.membership.may_release(play.now, &play.timings));
    play.step(Event::Emptied);
    assert!(
        matches!(&play.request, Some(Request::Replace { content, .. }) if content.holder.is_empty())
    );
    assert_eq!(play.reply(), [Command::Left]);
}

#[test]
fn an_announcement_without_an_answer_holds_nobody_up_for_long() {
    let mut play = Play::joined();
    play.step(Event::Leave);
    play.wait(play.timings.request_timeout());
    assert!(play.membership.may_release(play.now, &play.timings));
}

#[test]
fn another_process_under_the_id_ends_this_one() {
    let mut play = Play::joined();
    let mut taken = Record::clone(play.membership.claim.record().unwrap());
    taken.version = 99;
    taken.marks.incarnation = Some("2".into());
    assert!(
        play.step(Event::Seen(&"mcr-peer-a".into(), &Arc::new(taken.clone())))
            .contains(&Command::Replaced)
    );
    assert!(play.membership.leaves());
}

#[test]
fn a_deleted_own_lease_is_made_again() {
    let mut play = Play::joined();
    let mut last = Record::clone(play.membership.claim.record().unwrap());
    last.version = 99;
    let out = play.step(Event::Deleted("mcr-peer-a", &last));
    assert!(!out.contains(&Command::Replaced));
    assert!(matches!(play.request, Some(Request::Create(_))));
}

#[test]
fn a_watch_that_does_not_show_the_own_renewal_is_restarted() {
    let mut play = Play::joined();
    play.wait(5 * SECOND);
    let Some(Request::Replace { content, .. }) = play.request.clone() else {
        panic!()
    };
    let mut record = Record::clone(play.membership.claim.record().unwrap());
    record.version += 1;
    record.renew_time = Some(content.renew_time);
    record.marks = content.marks;
    play.answer(Answer::Record(Arc::new(record)));
    assert_eq!(play.wait(2 * SECOND), []);
    assert_eq!(play.wait(SECOND), [Command::RestartWatch]);
}

#[test]
fn an_outage_does_not_raise_the_dead() {
    let mut play = Play::joined();
    play.see_b(|_| {});
    play.renew_for(60 * SECOND);
    assert_eq!(play.live(), ["a"]);
    // One answer gets lost, which is a contact gap.
    while play.request.is_none() {
        play.wait(SECOND);
    }
    play.wait(play.timings.request_timeout());
    play.answer(Answer::Unknown("lost".into()));
    play.wait(SECOND);
    assert_eq!(play.request, Some(Request::Get));
    let known = Record::clone(play.membership.claim.record().unwrap());
    play.answer(Answer::Record(known.into()));
    play.reply();
    assert_eq!(play.live(), ["a"]);
    // It is alive again when it renews.
    play.see_b(|_| {});
    assert_eq!(play.live(), ["b", "a"]);
}

#[test]
fn a_replaced_peer_is_not_kept_waiting_for_an_answer() {
    let mut play = Play::joined();
    play.wait(5 * SECOND);
    play.answer(Answer::Unknown("lost".into()));
    let mut taken = Record::clone(play.membership.claim.record().unwrap());
    taken.version = 99;
    taken.marks.incarnation = Some("2".into());
    play.step(Event::Seen(&"mcr-peer-a".into(), &Arc::new(taken.clone())));
    let env = play.membership.env(play.now, 0, &play.timings);
    assert!(!env.blocked, "its fences could never be released");
}

#[test]
fn a_peer_with_another_placement_is_reported() {
    let mut play = Play::joined();
    play.see_b(|record| record.marks.placement = Some("hrw/v1".into()));
    assert_eq!(play.wait(Duration::ZERO), []);
    play.version += 1;
    let mut other = Record::clone(play.membership.claim.record().unwrap());
    other.version = play.version;
    other.holder = Some("b".into());
    other.marks.placement = Some("ring/v1".into());
    let out = play.step(Event::Seen(&"mcr-peer-b".into(), &Arc::new(other)));
    assert!(
        matches!(&out[..], [Command::Report(text)] if text.contains("peer b") && text.contains("ring/v1")),
        "{out:?}"
    );
}

#[test]
fn lists_that_come_again_do_not_put_off_the_start() {
    let mut play = Play::new();
    play.list(&[]);
    play.reply();
    for _ in 0..20 {
        play.wait(SECOND / 4);
        play.list(&["mcr-peer-a"]);
        if play.request.is_some() {
            play.reply();
        }
    }
    assert!(play.competes());
}
