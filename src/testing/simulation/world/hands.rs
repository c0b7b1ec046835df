//! What people and other programs write into Leases.

use std::{sync::Arc, time::Duration};

use super::World;
use crate::{
    sharding::internals::{Content, Marks, Record, Request},
    testing::simulation::operation::Nonsense,
};

/// The process number of all replicas of the Go implementation.
const GO: usize = usize::MAX;

// === impl World ===

impl World<'_> {
    /// A replica of the Go implementation with the holder's id takes the fence for its own: it writes a new date and
    /// keeps what it does not know.
    pub(super) fn go_renews(&mut self, cluster: usize) {
        let lease = self.fence_lease(cluster);
        self.server.edit(&lease, |record| {
            record.renew_time = record.renew_time.map(|time| time + 5_000_000);
        });
        self.wake_watches();
    }

    /// A replica of the Go implementation takes the fence under its own id.
    pub(super) fn go_takes(&mut self, cluster: usize) {
        let lease = self.fence_lease(cluster);
        let known = self.server.get(&lease).cloned();
        let free = known.as_ref().is_none_or(|record| {
            record.holder.is_none() || record.holder.as_deref() == Some("go-0")
        });
        if !free {
            return;
        }
        let renews = known.as_ref().is_some_and(|record| record.holder.is_some());
        let content = Box::new(Content {
            holder: "go-0".into(),
            transitions: 0,
            duration: Duration::from_secs(20),
            renew_time: i64::try_from(self.now.as_micros()).unwrap_or(i64::MAX),
            marks: Marks::default(),
        });
        let request = match known {
            None => Request::Create(content),
            Some(record) => Request::Replace {
                uid: record.uid.clone(),
                version: record.version,
                content,
                foreign: record.foreign.clone(),
            },
        };
        self.server.apply(&lease, &request);
        if renews {
            self.wake_watches();
        } else {
            self.go_works(cluster);
        }
    }

    pub(super) fn go_works(&mut self, cluster: usize) {
        let lease = self.fence_lease(cluster);
        if let Some(record) = self.server.get(&lease) {
            let token = record.version;
            self.workers += 1;
            self.observer
                .begins(cluster, GO, self.workers, token, self.now);
        }
        self.wake_watches();
    }
}

/// Writes nonsense into a Lease.
pub(super) fn spoil(record: &mut Record, nonsense: Nonsense) {
    match nonsense {
        Nonsense::NoHolder => record.holder = None,
        Nonsense::NoDuration => record.duration = None,
        Nonsense::Forever => record.duration = Some(Duration::from_secs(i32::MAX as u64)),
        Nonsense::Future => record.renew_time = Some(4_000_000_000_000_000),
        Nonsense::OtherCluster => record.marks.cluster = Some("somebody-else".into()),
        Nonsense::Stranger => record.holder = Some("somebody else".into()),
        Nonsense::Empty => {
            record.holder = None;
            record.duration = None;
            record.renew_time = None;
            record.transitions = 0;
            record.marks = Marks::default();
            record.foreign = Arc::default();
        }
    }
}
