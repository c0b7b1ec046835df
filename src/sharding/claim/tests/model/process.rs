//! One process: its claim, its clock, its request, its watch and its work.

use super::*;

/// A process of a peer, or the place where one was.
#[derive(Clone, Debug)]
pub(super) struct Process {
    pub(super) alive: bool,
    /// 1 is the first process of the peer.
    pub(super) incarnation: u8,
    pub(super) claim: Claim,
    pub(super) wish: Wish,
    pub(super) flight: Option<Flight>,
    /// What the watch has sent and not delivered.
    pub(super) letter: Option<Letter>,
    /// The newest version that came in, and when.
    pub(super) heard: (u64, Moment),
    /// When it last noticed that its watch lags.
    pub(super) blind: Moment,
    /// The tenure that it worked under last.
    pub(super) token: u64,
    /// The real time until which its writes may take effect.
    pub(super) effects_until: Moment,
}

/// What the process wants of the Lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    Hold,
    /// The work has ended; the Lease may be released at this time.
    Release(Moment),
}

/// A request on its way to the API server, or its answer on the way back.
#[derive(Clone, Debug)]
pub(super) struct Flight {
    pub(super) request: Request,
    pub(super) sent: Moment,
    /// It was sent before this tick.
    pub(super) slow: bool,
    pub(super) answer: Option<Answer>,
}

/// What a watch tells.
#[derive(Clone, Debug)]
pub(super) enum Letter {
    Seen(Arc<Record>),
    Deleted(Arc<Record>),
    /// A list that was begun at this time does not show the Lease.
    Unlisted(Moment),
}

/// A broken promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Fault {
    /// Two processes, or two tenures of one, are at work at a time.
    Overlap,
    /// A later tenure has a smaller token.
    Token,
    /// A holder was replaced in a version that did not stand still for its duration.
    TakeOver,
}

// === impl Process ===

impl Process {
    pub(super) fn new(incarnation: u8) -> Self {
        Self {
            alive: true,
            incarnation,
            claim: Claim::fence("zoo", true, 0),
            wish: Wish::Hold,
            flight: None,
            letter: None,
            heard: Default::default(),
            blind: Moment::default(),
            token: 0,
            effects_until: Moment::default(),
        }
    }

    /// The request that has not taken effect yet.
    pub(super) fn sent(&self) -> Option<&Flight> {
        let flight = self.flight.as_ref();
        flight.filter(|flight| flight.answer.is_none())
    }

    pub(super) fn known_version(&self) -> u64 {
        match &self.claim.observed {
            Observed::Unknown => 0,
            Observed::Present { record, .. } => record.version,
            Observed::Absent { version, .. } | Observed::Unseen { version } => *version,
        }
    }

    /// The tenure that permits work at `now`.
    pub(super) fn working(&self, now: Moment) -> Option<&Tenure> {
        let tenure = self.claim.tenure()?;
        let permits = self.alive
            && self.wish == Wish::Hold
            && tenure.work_from <= now
            && now < tenure.deadline;
        permits.then_some(tenure)
    }

    pub(super) fn goal(&self) -> Goal {
        let marks = Marks {
            cluster: Some("zoo".into()),
            ..Marks::default()
        };
        match self.wish {
            Wish::Hold => Goal::Hold {
                rank: 0,
                marks,
                session: None,
            },
            Wish::Release(not_before) => Goal::Release { not_before, marks },
        }
    }

    /// What the watch may send next: anything newer than what is known.
    pub(super) fn news(&self, server: &Server, now: Moment) -> Vec<Letter> {
        if !self.alive || self.letter.is_some() {
            return Vec::new();
        }
        let known = self.known_version();
        if let Some(record) = &server.record {
            let new = record.version > known;
            return Vec::from_iter(new.then(|| Letter::Seen(record.clone())));
        }
        let last = server.last.iter().filter(|last| last.version > known);
        let deleted = last.map(|last| Letter::Deleted(last.clone()));
        let unlisted = match &self.claim.observed {
            Observed::Unknown => true,
            Observed::Present { .. } | Observed::Unseen { .. } => !self.claim.unsure,
            Observed::Absent { .. } => false,
        };
        let unlisted = unlisted.then_some(Letter::Unlisted(now));
        match &self.claim.observed {
            // A watch begins with a list.
            Observed::Unknown => Vec::from_iter(unlisted),
            _ => deleted.chain(unlisted).collect(),
        }
    }
}

// === impl Letter ===

impl Letter {
    /// Whether it is no news for who knows the version `known`.
    pub(super) fn is_old(&self, known: u64) -> bool {
        match self {
            Self::Seen(record) | Self::Deleted(record) => record.version <= known,
            Self::Unlisted(_) => false,
        }
    }
}
