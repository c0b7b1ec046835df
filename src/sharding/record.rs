//! What a Lease says, and what is asked of the API server, without the types of its API.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use super::{cost::Cost, timings::LONGEST};

/// The name of a Lease; cheap to clone.
pub(crate) type LeaseName = Arc<str>;

/// One version of a Lease, as the API server showed it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) uid: Arc<str>,
    pub(crate) version: u64,
    /// Never the empty string: a Lease without a holder is free.
    pub(crate) holder: Option<Arc<str>>,
    pub(crate) transitions: i32,
    pub(crate) duration: Option<Duration>,
    /// Microseconds since 1970 on the writer's clock; only ever compared for equality, or for being larger.
    pub(crate) renew_time: Option<i64>,
    pub(crate) marks: Marks,
    /// What others wrote into the metadata; kept when the Lease is replaced.
    pub(crate) foreign: Arc<Foreign>,
}

/// Labels and annotations that are not ours.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Foreign {
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) annotations: BTreeMap<String, String>,
}

/// Our annotations on a Lease.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    /// The nonce of the process that wrote it.
    pub(crate) incarnation: Option<Arc<str>>,
    /// A copy of `renew_time`: the other marks count only while both agree, since a writer that does not know them
    /// keeps them unchanged.
    pub(crate) renew_time: Option<i64>,
    /// On fences: the cluster's full name.
    pub(crate) cluster: Option<Arc<str>>,
    /// On fences: the session that it is held through, as `<uid of a peer Lease>/<incarnation>`.
    pub(crate) session: Option<Arc<str>>,
    /// On fences: what the cluster costs its owner. It counts whoever wrote the version, being no part of the protocol.
    pub(crate) cost: Option<Cost>,
    /// The pod of a writer that had proved to be the only process of its peer there (P12).
    pub(crate) pod: Option<Pod>,
    /// On peer Leases: this peer is about to leave.
    pub(crate) draining: bool,
    /// On peer Leases: the placement formula that this peer speaks.
    pub(crate) placement: Option<Arc<str>>,
    /// On peer Leases: the share that this peer wants.
    pub(crate) weight: Option<u32>,
}

/// Where a process runs, as far as another one in the same place can recognise it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pod {
    pub(crate) uid: Arc<str>,
    /// The machine's boot and the network namespace.
    pub(crate) network: Arc<str>,
}

/// The content of a Lease that we write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Content {
    /// Empty to give the Lease up.
    pub(crate) holder: Arc<str>,
    pub(crate) transitions: i32,
    pub(crate) duration: Duration,
    pub(crate) renew_time: i64,
    pub(crate) marks: Marks,
}

/// What is asked of the API server about one Lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// Read the newest version.
    Get,
    /// POST: fails when the Lease exists.
    Create(Box<Content>),
    /// PUT with uid and version: fails when either is another.
    Replace {
        uid: Arc<str>,
        version: u64,
        content: Box<Content>,
        foreign: Arc<Foreign>,
    },
    /// DELETE with both preconditions.
    Delete { uid: Arc<str>, version: u64 },
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The Lease, read or written.
    Record(Arc<Record>),
    /// It was deleted.
    Deleted,
    /// It was not even sent: decide anew.
    NotSent,
    /// 404.
    NotFound,
    /// 409 to a PUT or DELETE: another version is there.
    Conflict,
    /// 409 to a POST.
    AlreadyExists,
    /// 429: not applied, come back later.
    Throttled(Option<Duration>),
    /// Another 4xx: not applied, and not likely to be soon.
    Refused(String),
    /// No answer that tells: a timeout, a 5xx, a broken connection. It may have been applied, or may be yet.
    Unknown(String),
}

// === impl Record ===

impl Record {
    /// The incarnation that wrote this version; `None` when the writer does not know our marks.
    pub(crate) fn incarnation(&self) -> Option<&str> {
        let fresh = self.renew_time.is_some() && self.marks.renew_time == self.renew_time;
        self.marks.incarnation.as_deref().filter(|_| fresh)
    }

    /// The session that it is held through: the uid of a peer Lease, and an incarnation.
    pub(crate) fn session(&self) -> Option<(&str, &str)> {
        self.incarnation()?;
        let (uid, incarnation) = self.marks.session.as_deref()?.split_once('/')?;
        // More parts have a meaning that this version does not know.
        (!incarnation.contains('/')).then_some((uid, incarnation))
    }

    /// The version that an API server makes of what is written.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn stored(content: &Content, uid: impl Into<Arc<str>>, version: u64) -> Self {
        Self {
            uid: uid.into(),
            version,
            holder: Some(content.holder.clone()).filter(|holder| !holder.is_empty()),
            transitions: content.transitions,
            duration: Some(content.duration),
            renew_time: Some(content.renew_time),
            marks: content.marks.clone(),
            foreign: Arc::default(),
        }
    }

    /// How long this version holds, with `default` for one that does not say.
    pub(crate) fn lasts(&self, default: Duration) -> Duration {
        self.duration.unwrap_or(default).min(LONGEST)
    }
}
