//! The API server: Leases behind compare-and-swap, and the log that watches read.

use std::{collections::BTreeMap, sync::Arc};

use crate::sharding::internals::{Answer, Content, Foreign, LeaseName, Record, Request};

/// What the server does with requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It answers.
    Up,
    /// It refuses connections: every request fails at once.
    Refusing,
    /// It takes requests and never answers them.
    Hanging,
    /// Its store is down: writes and reads fail, while lists and bookmarks come from a cache.
    StoreDown,
}

/// One change of a Lease, as a watch shows it.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) lease: LeaseName,
    pub(super) record: Arc<Record>,
    pub(super) deleted: bool,
}

/// The Leases, linearizable: each request is applied at one point in time.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) health: Health,
    leases: BTreeMap<LeaseName, Arc<Record>>,
    version: u64,
    uids: u64,
    pub(super) log: Vec<Change>,
    pub(super) reads: u64,
    pub(super) writes: u64,
    /// Leases that a PUT made anew, and held ones that a stale DELETE removed.
    pub(super) accidents: Vec<String>,
}

// === impl Server ===

impl Server {
    pub(super) fn new() -> Self {
        Self {
            health: Health::Up,
            leases: BTreeMap::new(),
            version: 100,
            uids: 0,
            log: Vec::new(),
            reads: 0,
            writes: 0,
            accidents: Vec::new(),
        }
    }

    /// All Leases, and the place in the log from which a watch goes on.
    pub(super) fn list(&self) -> (Vec<(LeaseName, Arc<Record>)>, usize) {
        let leases = self.leases.iter();
        (
            leases
                .map(|(lease, record)| (lease.clone(), record.clone()))
                .collect(),
            self.log.len(),
        )
    }

    pub(super) fn get(&self, lease: &str) -> Option<&Arc<Record>> {
        self.leases.get(lease)
    }

    /// Applies one request.
    pub(super) fn apply(&mut self, lease: &LeaseName, request: &Request) -> Answer {
        match request {
            Request::Get => {
                self.reads += 1;
                self.leases
                    .get(lease)
                    .map_or(Answer::NotFound, |record| Answer::Record(record.clone()))
            }
            Request::Create(content) => {
                self.writes += 1;
                if self.leases.contains_key(lease) {
                    return Answer::AlreadyExists;
                }
                self.uids += 1;
                let uid = format!("uid-{}", self.uids).into();
                self.store(lease, &uid, content, &Arc::default())
            }
            Request::Replace {
                uid,
                version,
                content,
                foreign,
            } => {
                self.writes += 1;
                // Without a uid, a PUT makes a Lease anew that is gone.
                if uid.is_empty() && !self.leases.contains_key(lease) {
                    self.uids += 1;
                    let uid = format!("uid-{}", self.uids).into();
                    self.accidents.push(format!("F12: a PUT made {lease} anew"));
                    return self.store(lease, &uid, content, foreign);
                }
                let same = |record: &Arc<Record>| {
                    (uid.is_empty() || record.uid == *uid) && record.version == *version
                };
                match self.leases.get(lease) {
                    Some(known) if same(known) && is_written(known, content) => {
                        Answer::Record(known.clone())
                    }
                    Some(known) if same(known) => {
                        let uid = known.uid.clone();
                        self.store(lease, &uid, content, foreign)
                    }
                    _ => Answer::Conflict,
                }
            }
            Request::Delete { uid, version } => {
                self.writes += 1;
                match self.leases.get(lease) {
                    None => Answer::NotFound,
                    Some(known) if uid.is_empty() => {
                        if known.version != *version && known.holder.is_some() {
                            let text =
                                format!("P11: a stale DELETE removed {lease}, which is held");
                            self.accidents.push(text);
                        }
                        self.delete(lease);
                        Answer::Deleted
                    }
                    Some(known) if known.uid != *uid || known.version != *version => {
                        Answer::Conflict
                    }
                    Some(_) => {
                        self.delete(lease);
                        Answer::Deleted
                    }
                }
            }
        }
    }

    /// Somebody deletes a Lease by hand.
    pub(super) fn delete(&mut self, lease: &str) {
        if let Some((lease, mut record)) = self.leases.remove_entry(lease) {
            self.version += 1;
            Arc::make_mut(&mut record).version = self.version;
            self.log.push(Change {
                lease,
                record,
                deleted: true,
            });
        }
    }

    /// Somebody changes a Lease by hand.
    pub(super) fn edit(&mut self, lease: &str, edit: impl FnOnce(&mut Record)) {
        if let Some(record) = self.leases.get_mut(lease) {
            self.version += 1;
            let edited = Arc::make_mut(record);
            edit(edited);
            edited.version = self.version;
            self.log.push(Change {
                lease: lease.into(),
                record: record.clone(),
                deleted: false,
            });
        }
    }

    fn store(
        &mut self,
        lease: &LeaseName,
        uid: &Arc<str>,
        content: &Content,
        foreign: &Arc<Foreign>,
    ) -> Answer {
        self.version += 1;
        let record = Arc::new(Record {
            foreign: foreign.clone(),
            ..Record::stored(content, uid.clone(), self.version)
        });
        self.leases.insert(lease.clone(), record.clone());
        self.log.push(Change {
            lease: lease.clone(),
            record: record.clone(),
            deleted: false,
        });
        Answer::Record(record)
    }
}

/// Whether a PUT of `content` would change nothing: it succeeds, and the version stays.
fn is_written(record: &Record, content: &Content) -> bool {
    record.holder.as_deref().unwrap_or_default() == &*content.holder
        && record.transitions == content.transitions
        && record.renew_time == Some(content.renew_time)
        && record.marks == content.marks
}
