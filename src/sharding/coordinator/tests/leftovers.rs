//! What others leave behind, seen by the peer `a`; L = 15 s.

use super::*;

/// Who writes, and what it says of itself.
fn content(holder: &str, second: i64) -> Content {
    Content {
        holder: holder.into(),
        transitions: 3,
        duration: 15 * SECOND,
        renew_time: second,
        marks: Marks {
            incarnation: Some("8".into()),
            renew_time: Some(second),
            ..Marks::default()
        },
    }
}

fn fence_content(holder: &str, cluster: &ClusterName, second: i64) -> Content {
    let mut content = content(holder, second);
    content.marks.cluster = Some(cluster.as_str().into());
    content
}

/// A cluster whose first candidate is `b`.
fn cluster_of_b() -> ClusterName {
    let mut sharder = Rendezvous::new();
    for id in ["a", "b"] {
        sharder.join(&Peer {
            id: id.parse().unwrap(),
            weight: 1,
        });
    }
    let mut names = (0..20).map(|i| name(&format!("c{i}")));
    let of_b = |name: &ClusterName| {
        sharder.insert(name);
        sharder.owner(name).unwrap().as_str() == "b"
    };
    names.find(of_b).unwrap()
}

/// `a` and its API server, second by second.
struct Play {
    server: Server,
    peer: Coordinator,
    now: Moment,
}

impl Play {
    fn new() -> Self {
        Self {
            server: Server::default(),
            peer: coordinator(),
            now: NOW,
        }
    }

    fn step(&mut self, input: Input) -> Vec<Command> {
        self.server.step(&mut self.peer, input, self.now)
    }

    /// Somebody writes a Lease, and the watch shows it.
    fn write(&mut self, lease: &str, content: &Content) -> Vec<Command> {
        let lease = LeaseName::from(lease);
        let record = self.server.write(&lease, content);
        self.step(Input::Seen(lease, record))
    }

    fn list(&mut self) {
        let leases = self.server.leases.clone().into_iter().collect();
        let asked = self.now;
        self.step(Input::Listed { asked, leases });
    }

    /// A second passes; the own renewal is shown by the watch.
    fn second(&mut self) -> Vec<Command> {
        self.now = self.now + SECOND;
        let mut out = self.step(Input::Tick);
        let own = LeaseName::from("mcr-peer-a");
        if let Some(record) = self.server.leases.get(&own).cloned() {
            out.extend(self.step(Input::Seen(own, record)));
        }
        out
    }

    fn has_asked(&self, lease: &str) -> bool {
        self.server.asked.iter().any(|asked| **asked == *lease)
    }
}

#[test]
fn a_winner_that_loses_its_fence_again_and_again_gets_it_less_and_less_often() {
    let mut play = Play::new();
    let cluster = cluster_of_b();
    let lease = format!("mcr-shard-{cluster}");
    play.step(Input::Applied(cluster.clone()));
    play.server.write(&"mcr-peer-b".into(), &content("b", 1));
    let held = fence_content("b", &cluster, 1);
    play.server.write(&lease.as_str().into(), &held);
    play.list();
    let mut engaged = 0;
    for second in 2..1_200 {
        let mut out = play.second();
        if second % 4 == 0 {
            out.extend(play.write("mcr-peer-b", &content("b", second)));
        }
        // It takes the fence whenever that is free, and never manages to renew it.
        if play.server.leases[&*lease].holder.is_none() {
            let mut taken = fence_content("b", &cluster, second);
            taken.transitions = play.server.leases[&*lease].transitions + 1;
            out.extend(play.write(&lease, &taken));
        }
        let engages = |command: &&Command| {
            matches!(command, Command::Cluster(_, fence::Command::Engage { .. }))
        };
        engaged += out.iter().filter(engages).count();
    }
    assert!((4..10).contains(&engaged), "{engaged} times in 20 minutes");
}

#[test]
fn a_delete_that_is_refused_is_not_repeated_at_once() {
    let mut play = Play::new();
    play.server.keeps = true;
    play.server.write(&"mcr-peer-b".into(), &content("b", 1));
    play.list();
    for _ in 0..400 {
        play.second();
    }
    let asked = play.server.asked.len();
    assert!((2..200).contains(&asked), "{asked} requests");
}

#[test]
fn one_that_is_replaced_releases_its_clusters_though_its_own_lease_gets_no_answer() {
    let mut play = Play::new();
    play.step(Input::Applied(name("zoo")));
    play.list();
    for _ in 0..5 {
        play.second();
    }
    // A renewal is under way when another process takes the Lease, and gets no answer.
    let own = LeaseName::from("mcr-peer-a");
    play.server.mute = true;
    while play.server.unanswered == 0 {
        play.second();
    }
    let sent = play.now;
    let mut other = content("a", 77);
    other.marks.incarnation = Some("other".into());
    let record = play.server.write(&own, &other);
    play.peer
        .step(Input::Seen(own.clone(), record), play.now, 0);
    play.now = play.now + 3 * SECOND;
    let answer = Answer::Unknown("no answer".into());
    play.step(Input::Answer {
        lease: own,
        sent,
        answer,
    });
    play.step(Input::Drained(name("zoo"), None));
    for _ in 0..5 {
        play.second();
    }
    assert_eq!(play.server.leases["mcr-shard-zoo"].holder, None);
}

#[test]
fn a_cluster_that_comes_after_its_sessions_death_does_not_wait_for_the_garbage() {
    let mut play = Play::new();
    play.server.write(&"mcr-peer-b".into(), &content("b", 1));
    let mut held = fence_content("b", &name("zoo"), 2);
    held.marks.session = Some("mcr-peer-b/8".into());
    play.server.write(&"mcr-shard-zoo".into(), &held);
    play.list();
    for _ in 0..30 {
        play.second();
    }
    assert!(!play.has_asked("mcr-peer-b"));
    play.step(Input::Applied(name("zoo")));
    play.second();
    assert!(play.has_asked("mcr-peer-b"), "its session is ended");
}

#[test]
fn an_orphan_is_left_to_its_first_candidate_for_a_while() {
    let mut play = Play::new();
    let cluster = cluster_of_b();
    let lease = format!("mcr-shard-{cluster}");
    let orphan = fence_content("", &cluster, 1);
    play.server.write(&lease.as_str().into(), &orphan);
    play.server.write(&"mcr-peer-b".into(), &content("b", 1));
    play.list();
    for second in 2..3_620 {
        play.second();
        if second % 4 == 0 {
            play.write("mcr-peer-b", &content("b", second));
        }
        assert!(second > 3_603 || !play.has_asked(&lease), "at {second} s");
    }
    assert!(play.has_asked(&lease), "b does nothing about it");
}

#[test]
fn what_may_have_come_and_gone_unseen_is_waited_for() {
    let mut play = Play::new();
    play.list();
    for second in 1..22 {
        play.server.away = (10..20).contains(&second);
        play.second();
    }
    // Two seconds after the outage: somebody may have made the fence in it, and somebody else deleted it.
    play.step(Input::Applied(name("zoo")));
    for _ in 0..12 {
        play.second();
    }
    assert!(!play.has_asked("mcr-shard-zoo"));
    for _ in 0..4 {
        play.second();
    }
    assert!(play.has_asked("mcr-shard-zoo"));
}

#[test]
fn a_lease_of_another_fleet_is_no_peer() {
    let mut play = Play::new();
    // That of the peer `x` in the fleet `mcr-peer`, or a copy.
    play.server
        .write(&"mcr-peer-peer-x".into(), &content("x", 1));
    play.list();
    for _ in 0..600 {
        play.second();
    }
    assert!(play.peer.placed.iter().all(|peer| peer.id.as_str() == "a"));
    assert!(!play.has_asked("mcr-peer-peer-x"), "it is not garbage");
}
