//! The API server with one Lease: linearizable, versioned, compare-and-swap.

use super::*;

/// The Lease as it stands.
#[derive(Clone, Debug)]
pub(super) struct Server {
    pub(super) record: Option<Arc<Record>>,
    /// The final version, once somebody has deleted it.
    pub(super) last: Option<Arc<Record>>,
    /// The newest version that was ever given.
    pub(super) version: u64,
}

// === impl Server ===

impl Server {
    pub(super) fn new() -> Self {
        Self {
            record: None,
            last: None,
            version: 0,
        }
    }

    /// Applies one request at one point in time.
    pub(super) fn apply(&mut self, request: &Request) -> Answer {
        match (request, &self.record) {
            (Request::Get, Some(record)) => Answer::Record(record.clone()),
            (Request::Get, None) => Answer::NotFound,
            (Request::Create(_), Some(_)) => Answer::AlreadyExists,
            (Request::Create(content), None) => self.make(content),
            // A PUT without a uid makes a Lease anew.
            (Request::Replace { uid, content, .. }, None) if uid.is_empty() => self.make(content),
            (
                Request::Replace {
                    uid,
                    version,
                    content,
                    ..
                },
                Some(record),
            ) if record.version == *version && (uid.is_empty() || record.uid == *uid) => {
                let stored = Record::stored(content, record.uid.clone(), self.version + 1);
                self.store(stored)
            }
            (Request::Replace { .. }, _) => Answer::Conflict,
            (Request::Delete { .. }, _) => unreachable!("no cluster is removed"),
        }
    }

    /// Whether a request that nobody waits for may change anything, now or later.
    pub(super) fn may_take(&self, request: &Request, deletes: u8) -> bool {
        match request {
            Request::Create(_) => self.record.is_none() || deletes > 0,
            Request::Replace { uid, .. } if uid.is_empty() => true,
            // No version comes back.
            Request::Replace { version, .. } => self
                .record
                .as_ref()
                .is_some_and(|record| record.version == *version),
            Request::Get | Request::Delete { .. } => false,
        }
    }

    /// Somebody deletes the Lease.
    pub(super) fn delete(&mut self) {
        if let Some(mut record) = self.record.take() {
            self.version += 1;
            Arc::make_mut(&mut record).version = self.version;
            self.last = Some(record);
        }
    }

    fn make(&mut self, content: &Content) -> Answer {
        // Named after its first version, so that it is unique and ordered.
        let uid = (self.version + 1).to_string();
        self.last = None;
        self.store(Record::stored(content, uid, self.version + 1))
    }

    fn store(&mut self, record: Record) -> Answer {
        self.version = record.version;
        let record = Arc::new(record);
        self.record = Some(record.clone());
        Answer::Record(record)
    }
}
