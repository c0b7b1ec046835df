//! What belongs to no fence alone; whole fleets are played in `testing::simulation`.

mod leftovers;

use super::*;
use crate::sharding::{
    Rendezvous,
    record::{Content, Marks},
};

const SECOND: Duration = Duration::from_secs(1);
const NOW: Moment = Moment(Duration::from_secs(100));

fn coordinator() -> Coordinator {
    Coordinator::new(Settings {
        peer: Peer {
            id: "a".parse().unwrap(),
            weight: 1,
        },
        incarnation: "1".into(),
        place: None,
        peer_prefix: "mcr-peer".into(),
        fence_prefix: "mcr-shard".into(),
        timings: Timings::default(),
        sharder: Box::new(Rendezvous::new()),
        mutants: Mutants::default(),
    })
}

fn name(name: &str) -> ClusterName {
    name.parse().unwrap()
}

fn list(leases: Vec<(LeaseName, Record)>) -> Input {
    let leases = leases.into_iter();
    let leases = leases
        .map(|(lease, record)| (lease, record.into()))
        .collect();
    Input::Listed { asked: NOW, leases }
}

/// Answers every request for the own Lease, and counts those for fences.
fn settle(coordinator: &mut Coordinator, mut out: Vec<Command>, now: Moment) -> usize {
    // Later answers show later versions.
    let (mut fences, mut version) = (0, now.0.as_secs() * 10);
    while let Some(command) = out.pop() {
        let Command::Send { lease, request } = command else {
            continue;
        };
        if *lease != *"mcr-peer-a" {
            fences += 1;
            continue;
        }
        let (Request::Create(content) | Request::Replace { content, .. }) = request else {
            continue;
        };
        version += 1;
        let record = Record {
            uid: "u".into(),
            version,
            holder: Some(content.holder),
            renew_time: Some(content.renew_time),
            duration: Some(content.duration),
            marks: content.marks,
            ..Record::default()
        };
        let answer = Answer::Record(Arc::new(record));
        out.extend(coordinator.step(
            Input::Answer {
                lease,
                sent: now,
                answer,
            },
            now,
            0,
        ));
    }
    fences
}

#[test]
fn at_most_32_requests_for_fences_are_in_flight() {
    let mut coordinator = coordinator();
    for i in 0..100 {
        coordinator.step(Input::Applied(name(&format!("c{i}"))), NOW, 0);
    }
    let out = coordinator.step(list(Vec::new()), NOW, 0);
    assert_eq!(settle(&mut coordinator, out, NOW), 0, "not settled yet");
    let later = NOW + SECOND;
    let out = coordinator.step(Input::Tick, later, 0);
    assert_eq!(settle(&mut coordinator, out, later), MAX_IN_FLIGHT);
    // Each answer makes room for one more.
    let answer = Input::Answer {
        lease: "mcr-shard-c0".into(),
        sent: later,
        answer: Answer::AlreadyExists,
    };
    let out = coordinator.step(answer, later, 0);
    assert_eq!(settle(&mut coordinator, out, later), 1);
}

#[test]
fn two_clusters_never_share_a_lease() {
    let mut coordinator = coordinator();
    let hashed = names::lease_name("mcr-shard", "team/a");
    let twin = hashed.strip_prefix("mcr-shard-").unwrap();
    coordinator.step(Input::Applied(name("team/a")), NOW, 0);
    let out = coordinator.step(Input::Applied(name(twin)), NOW, 0);
    // A name that looks like a hashed one is hashed itself.
    assert!(
        !out.iter()
            .any(|command| matches!(command, Command::Report(..))),
        "{out:?}"
    );
    assert_eq!(coordinator.clusters.len(), 2);
}

#[test]
fn a_lease_that_was_held_when_its_cluster_was_unknown_still_counts() {
    let held = Record {
        uid: "u".into(),
        version: 7,
        holder: Some("b".into()),
        duration: Some(15 * SECOND),
        marks: Marks::default(),
        ..Record::default()
    };
    let mut coordinator = coordinator();
    let out = coordinator.step(list(vec![("mcr-shard-zoo".into(), held.clone())]), NOW, 0);
    settle(&mut coordinator, out, NOW);
    let later = NOW + 10 * SECOND;
    // It is deleted by hand, and then the provider shows the cluster: its holder may still work.
    let last = Record { version: 8, ..held };
    for input in [
        Input::Tick,
        Input::Deleted("mcr-shard-zoo".into(), last.into()),
        Input::Applied(name("zoo")),
    ] {
        let out = coordinator.step(input, later, 0);
        assert_eq!(settle(&mut coordinator, out, later), 0);
    }
    let mut requests = 0;
    for second in 1..=15 {
        assert_eq!(requests, 0, "{second}");
        let now = later + second * SECOND;
        let out = coordinator.step(Input::Tick, now, 0);
        requests = settle(&mut coordinator, out, now);
    }
    assert_eq!(requests, 1);
}

#[test]
fn a_removed_cluster_leaves_nothing_behind() {
    let mut coordinator = coordinator();
    let out = coordinator.step(list(Vec::new()), NOW, 0);
    settle(&mut coordinator, out, NOW);
    coordinator.step(Input::Applied(name("zoo")), NOW, 0);
    coordinator.step(Input::Removed(name("zoo")), NOW, 0);
    assert!(coordinator.fences.is_empty() && coordinator.clusters.is_empty());
    assert!(coordinator.timers.is_empty(), "{:?}", coordinator.timers);
}

/// An API server that one coordinator talks to, and that can be away.
#[derive(Default)]
struct Server {
    leases: BTreeMap<LeaseName, Arc<Record>>,
    version: u64,
    away: bool,
    /// It refuses to delete, as when another version were there.
    keeps: bool,
    /// It does not answer about the own peer Lease.
    mute: bool,
    /// What it was asked about that.
    unanswered: usize,
    /// What it was asked about, besides the own peer Lease.
    asked: Vec<LeaseName>,
}

impl Server {
    fn write(&mut self, lease: &LeaseName, content: &Content) -> Arc<Record> {
        self.version += 1;
        let record = Arc::new(Record::stored(content, lease.clone(), self.version));
        self.leases.insert(lease.clone(), record.clone());
        record
    }

    /// `b` renews its peer Lease and its fences.
    fn renew_b(&mut self, leases: &[LeaseName]) -> Vec<Input> {
        let content = Content {
            holder: "b".into(),
            transitions: 0,
            duration: 15 * SECOND,
            renew_time: 0,
            marks: Marks::default(),
        };
        let renew = |lease: &LeaseName| Input::Seen(lease.clone(), self.write(lease, &content));
        leases.iter().map(renew).collect()
    }

    /// Answers all requests, and drains at once; returns what else was commanded.
    fn step(&mut self, peer: &mut Coordinator, input: Input, now: Moment) -> Vec<Command> {
        let (mut out, mut rest) = (peer.step(input, now, 0), Vec::new());
        while let Some(command) = out.pop() {
            if let Command::Cluster(name, fence::Command::Drain) = &command {
                out.extend(peer.step(Input::Drained(name.clone(), None), now, 0));
            }
            let Command::Send { lease, request } = command else {
                rest.push(command);
                continue;
            };
            if *lease == *"mcr-peer-a" && self.mute {
                self.unanswered += 1;
                continue;
            }
            if *lease != *"mcr-peer-a" {
                self.asked.push(lease.clone());
                assert!(self.asked.len() < 5_000, "a loop");
            }
            let answer = match request {
                _ if self.away => Answer::Unknown("no answer".into()),
                Request::Create(content) | Request::Replace { content, .. } => {
                    Answer::Record(self.write(&lease, &content))
                }
                Request::Get => {
                    let known = self.leases.get(&lease).cloned();
                    known.map_or(Answer::NotFound, Answer::Record)
                }
                Request::Delete { .. } if self.keeps => Answer::Conflict,
                Request::Delete { .. } => {
                    self.leases.remove(&lease);
                    Answer::Deleted
                }
            };
            let sent = now;
            let answer = Input::Answer {
                lease,
                sent,
                answer,
            };
            out.extend(peer.step(answer, now, 0));
        }
        rest
    }
}

#[test]
fn who_comes_back_later_than_another_peer_keeps_its_clusters() {
    let mut sharder = Rendezvous::new();
    for id in ["a", "b"] {
        sharder.join(&Peer {
            id: id.parse().unwrap(),
            weight: 1,
        });
    }
    let (mut server, mut peer) = (Server::default(), coordinator());
    let mut of_b = vec![LeaseName::from("mcr-peer-b")];
    for i in 0..10 {
        let cluster = name(&format!("c{i}"));
        sharder.insert(&cluster);
        if sharder.owner(&cluster).unwrap().as_str() == "b" {
            of_b.push(format!("mcr-shard-{cluster}").into());
        }
        peer.step(Input::Applied(cluster), NOW, 0);
    }
    let mut now = NOW;
    let mut out = server.step(&mut peer, list(Vec::new()), now);
    for second in 1..100 {
        now = now + SECOND;
        server.away = (20..60).contains(&second);
        // The other peer is back a little earlier.
        if !server.away || second == 59 {
            for renewal in server.renew_b(&of_b) {
                out.extend(server.step(&mut peer, renewal, now));
            }
        }
        out.extend(server.step(&mut peer, Input::Tick, now));
    }
    let count = |wanted: fn(&fence::Command) -> bool| {
        let of = |command: &&Command| matches!(command, Command::Cluster(_, it) if wanted(it));
        out.iter().filter(of).count()
    };
    let own = 11 - of_b.len();
    assert_eq!(count(|command| *command == fence::Command::Paused), own);
    assert_eq!(count(|command| *command == fence::Command::Resumed), own);
    assert_eq!(count(|command| *command == fence::Command::Drain), 0);
}
