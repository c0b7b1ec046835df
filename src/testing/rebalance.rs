//! One peer of a large fleet at the moment in which the fleet changes, for benches.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use crate::{
    clock::Moment,
    cluster::ClusterName,
    error::Error,
    sharding::{
        Peer, PeerId, Sharder, Timings,
        internals::{
            Answer, Command, Content, Coordinator, Input, LeaseName, Marks, Mutants, Record,
            Request, Settings, fence_name,
        },
    },
};

const LEASE: Duration = Duration::from_secs(15);
const RENEWAL: Duration = Duration::from_secs(5);
const PEER_PREFIX: &str = "mcr-peer";
const FENCE_PREFIX: &str = "mcr-shard";

/// What happens to the fleet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// A peer that has joined renews for the first time: it gets its share.
    Join,
    /// A peer says that it leaves.
    Leave,
    /// A peer has not renewed for its Lease duration.
    Crash,
}

/// The first of some peers, settled, with its share of the clusters; the last peer is the one that changes.
pub struct OnePeer {
    coordinator: Coordinator,
    now: Moment,
    version: u64,
    leases: BTreeMap<LeaseName, Arc<Record>>,
    change: Change,
    last: PeerId,
}

// === impl OnePeer ===

impl OnePeer {
    /// A fleet of so many clusters and peers; in a [`Change::Join`] the peer that joins is one more.
    ///
    /// `sharder` must be empty; `own` is the same, by which the other peers' clusters are found.
    ///
    /// # Errors
    /// None that can happen: the names are made here.
    pub fn settled(
        change: Change,
        clusters: usize,
        peers: usize,
        sharder: Box<dyn Sharder>,
        mut others: Box<dyn Sharder>,
    ) -> Result<Self, Error> {
        let ids = (0..=peers).map(|number| format!("sharded-namespace-{number}").parse());
        let ids: Vec<PeerId> = ids.collect::<Result<_, _>>()?;
        let names = (0..clusters).map(|number| format!("ns-{number:05}").parse());
        let names: Vec<ClusterName> = names.collect::<Result<_, _>>()?;
        for name in &names {
            others.insert(name);
        }
        for id in &ids[..peers] {
            others.join(&peer(id));
        }
        let settings = Settings {
            peer: peer(&ids[0]),
            incarnation: "incarnation".into(),
            place: None,
            peer_prefix: PEER_PREFIX.into(),
            fence_prefix: FENCE_PREFIX.into(),
            timings: Timings::new(LEASE),
            sharder,
            mutants: Mutants::default(),
        };
        let last = match change {
            Change::Join => peers,
            Change::Leave | Change::Crash => peers - 1,
        };
        let mut fleet = Self {
            coordinator: Coordinator::new(settings),
            now: Moment(Duration::from_secs(1_000)),
            version: 1,
            leases: BTreeMap::new(),
            change,
            last: ids[last].clone(),
        };
        fleet.fill(&ids[1..peers], &names, &*others);
        Ok(fleet)
    }

    /// The change reaches the peer; gives the number of commands that follow.
    pub fn change(&mut self) -> usize {
        let lease = peer_lease(&self.last);
        match self.change {
            // Its clusters are handed over when it is ready for them: by its first renewal.
            Change::Join => {
                let first = self.renewal(&self.last.clone(), false);
                let joined = self.ask(Input::Seen(lease.clone(), first)).len();
                let second = self.renewal(&self.last.clone(), false);
                joined + self.ask(Input::Seen(lease, second)).len()
            }
            Change::Leave => {
                let draining = self.renewal(&self.last.clone(), true);
                self.ask(Input::Seen(lease, draining)).len()
            }
            Change::Crash => self.ask(Input::Tick).len(),
        }
    }

    /// How many peers share the clusters, as this one sees it.
    #[must_use]
    pub fn peers(&self) -> usize {
        self.coordinator.placed().len()
    }

    /// Brings the peer into the state before the change.
    fn fill(&mut self, others: &[PeerId], names: &[ClusterName], sharder: &dyn Sharder) {
        self.play(Input::Tick);
        for id in others {
            let record = self.renewal(id, false);
            self.leases.insert(peer_lease(id), record);
        }
        for name in names {
            let owner = sharder.owner(name).filter(|owner| others.contains(owner));
            if let Some(owner) = owner {
                let lease = fence_name(FENCE_PREFIX, name.as_str(), Mutants::default()).into();
                let record = self.fence(name, owner);
                self.leases.insert(lease, record);
            }
            self.play(Input::Applied(name.clone()));
        }
        let listed = self
            .leases
            .iter()
            .map(|(lease, record)| (lease.clone(), record.clone()));
        self.play(Input::Listed {
            asked: self.now,
            leases: listed.collect(),
        });
        for _ in 0..2 {
            self.pass(Duration::from_secs(2), others);
        }
        if self.change == Change::Crash {
            let living: Vec<_> = others
                .iter()
                .filter(|id| **id != self.last)
                .cloned()
                .collect();
            for _ in 0..3 {
                self.pass(RENEWAL - Duration::from_millis(100), &living);
            }
            self.now = self.now + Duration::from_millis(1_300);
        }
    }

    /// Time passes, and others renew.
    fn pass(&mut self, time: Duration, others: &[PeerId]) {
        let end = self.now + time;
        while self.now < end {
            self.now = (self.now + Duration::from_millis(500)).min(end);
            self.play(Input::Tick);
        }
        for id in others {
            let record = self.renewal(id, false);
            self.play(Input::Seen(peer_lease(id), record));
        }
    }

    fn renewal(&mut self, id: &PeerId, draining: bool) -> Arc<Record> {
        let marks = Marks {
            draining,
            placement: Some("hrw/v1".into()),
            ..Marks::default()
        };
        self.stored(&peer_lease(id), id, marks)
    }

    fn fence(&mut self, name: &ClusterName, owner: &PeerId) -> Arc<Record> {
        let marks = Marks {
            cluster: Some(name.as_str().into()),
            session: Some(format!("uid of {}/incarnation", peer_lease(owner)).into()),
            ..Marks::default()
        };
        let lease = fence_name(FENCE_PREFIX, name.as_str(), Mutants::default());
        self.stored(&lease.into(), owner, marks)
    }

    fn stored(&mut self, lease: &LeaseName, holder: &PeerId, marks: Marks) -> Arc<Record> {
        self.version += 1;
        let renew_time = self.version.cast_signed();
        let content = Content {
            holder: holder.as_str().into(),
            transitions: 1,
            duration: LEASE,
            renew_time,
            marks: Marks {
                incarnation: Some("incarnation".into()),
                renew_time: Some(renew_time),
                ..marks
            },
        };
        Arc::new(Record::stored(
            &content,
            format!("uid of {lease}"),
            self.version,
        ))
    }

    fn ask(&mut self, input: Input) -> Vec<Command> {
        self.coordinator.step(input, self.now, 0)
    }

    /// Gives an input in and plays the API server until nothing is asked of it any more.
    fn play(&mut self, input: Input) {
        let mut commands = self.ask(input);
        while let Some(command) = commands.pop() {
            let Command::Send { lease, request } = command else {
                continue;
            };
            let answer = self.answer(&lease, request);
            let sent = self.now;
            if let Answer::Record(record) = &answer {
                let seen = Input::Seen(lease.clone(), record.clone());
                commands.extend(self.ask(Input::Answer {
                    lease,
                    sent,
                    answer,
                }));
                commands.extend(self.ask(seen));
            } else {
                commands.extend(self.ask(Input::Answer {
                    lease,
                    sent,
                    answer,
                }));
            }
        }
    }

    fn answer(&mut self, lease: &LeaseName, request: Request) -> Answer {
        let content = match request {
            Request::Create(content) | Request::Replace { content, .. } => content,
            Request::Delete { .. } => {
                self.leases.remove(lease);
                return Answer::Deleted;
            }
            Request::Get => {
                let found = self.leases.get(lease).cloned();
                return found.map_or(Answer::NotFound, Answer::Record);
            }
        };
        self.version += 1;
        let record = Arc::new(Record::stored(
            &content,
            format!("uid of {lease}"),
            self.version,
        ));
        self.leases.insert(lease.clone(), record.clone());
        Answer::Record(record)
    }
}

fn peer(id: &PeerId) -> Peer {
    Peer {
        id: id.clone(),
        weight: 1,
    }
}

fn peer_lease(id: &PeerId) -> LeaseName {
    format!("{PEER_PREFIX}-{id}").into()
}
