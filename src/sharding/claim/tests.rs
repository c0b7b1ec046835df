//! Each test plays versions, answers and time against one claim of the process `a/1`.

mod keeping;
mod model;
mod places;
mod sessions;
mod taking;

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
                place: None,
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
        self.with(|claim, env| claim.observe(&Arc::new(record.clone()), env))
    }

    /// The Lease as the API server stores what a request writes.
    fn stored(&mut self, request: &Request) -> Record {
        let content = match request {
            Request::Create(content) | Request::Replace { content, .. } => content,
            other => panic!("{other:?} writes nothing"),
        };
        self.version += 1;
        Record::stored(content, "u", self.version)
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
            holder: Some(holder.into()).filter(|holder: &Arc<str>| !holder.is_empty()),
            duration: Some(15 * SECOND),
            renew_time: Some(1),
            ..Record::default()
        }
    }
}

fn hold(rank: u32) -> Goal {
    Goal::Hold {
        rank,
        marks: Marks::default(),
        session: None,
    }
}

fn ok(record: &Record) -> Answer {
    Answer::Record(Arc::new(record.clone()))
}

fn unknown() -> Answer {
    Answer::Unknown("lost".into())
}
