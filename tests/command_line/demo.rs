//! The demo looks after its replicas.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    time::Duration,
};

use jiff::Timestamp;
use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::Mutex;

use super::{PEERS, SECOND};
use crate::fleet::{
    eventually::eventually,
    log::{Event, What},
    program::program,
    replica::{self, Replica},
};

/// One demo at a time: each is three processes.
static TURN: Mutex<()> = Mutex::const_new(());

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_starts_and_ends_with_ctrl_c() {
    let _turn = TURN.lock().await;
    let folder = TempDir::new().unwrap();
    let mut demo = Replica::start(program(), folder.path(), "demo", [""; 0], Vec::new());
    let log = demo.log.clone();
    let said = |replica: &str, message: &str| {
        log.strange()
            .iter()
            .any(|line| line.contains(replica) && line.contains(message))
    };
    eventually(5 * SECOND, "both replicas work", async || {
        let works = |peer: &str| said(&format!("{peer} | "), "\tsynchronization start\t");
        PEERS
            .iter()
            .all(|peer| works(peer))
            .then_some(())
            .ok_or_else(|| log.strange().join("\n"))
    })
    .await;
    demo.signal(Signal::INT);
    let status = demo.wait(10 * SECOND).await;
    assert_eq!(status.code(), Some(0), "{status}");
    for peer in PEERS {
        let ended = format!("\treplica ended\t{{\"replica\": \"{peer}\"");
        assert!(
            said(&ended, "\"exit status: 0\""),
            "{}",
            log.strange().join("\n")
        );
    }
    assert_eq!(demo.stderr(), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_starts_a_killed_replica_again() {
    let _turn = TURN.lock().await;
    let folder = TempDir::new().unwrap();
    let mut demo = demo(folder.path());
    let before = shares(&demo).await;
    let (victim, other) = (PEERS[0], PEERS[1]);
    let (killed, pid) = (Timestamp::now(), pids(&demo)[victim]);
    replica::send(pid, Signal::KILL).unwrap();

    let log = demo.log.clone();
    let started_by = |peer: &str| {
        let events = log.events();
        let late = events
            .iter()
            .filter(|event| event.time > killed && of(event, peer));
        let starts = late.filter_map(|event| match &event.what {
            What::Start { cluster } => Some(cluster.clone()),
            _ => None,
        });
        starts.collect::<BTreeSet<_>>()
    };
    // Its container is started again in its Pod, so that it goes on at once and nobody takes anything over.
    eventually(10 * SECOND, "it works on its share again", async || {
        let back = started_by(victim);
        (back == before[victim])
            .then_some(())
            .ok_or_else(|| format!("{back:?}"))
    })
    .await;
    let back = between(killed, Timestamp::now());
    println!("MEASURED demo SIGKILL of a replica -> it works on its share again: {back:.1?}");
    assert_eq!(started_by(other), BTreeSet::new());
    assert_ne!(pids(&demo)[victim], pid, "it is another process");

    demo.signal(Signal::INT);
    let status = demo.wait(10 * SECOND).await;
    assert_eq!(status.code(), Some(0), "{status}");
    assert_eq!(log.strange(), [""; 0], "lines of another form");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_replicas_of_a_killed_demo_end() {
    let _turn = TURN.lock().await;
    let folder = TempDir::new().unwrap();
    let mut demo = demo(folder.path());
    shares(&demo).await;
    let pids = pids(&demo);
    assert!(pids.values().all(|pid| is_alive(*pid)), "{pids:?}");
    demo.kill().await;
    eventually(10 * SECOND, "the replicas end", async || {
        let alive: Vec<_> = pids.values().filter(|pid| is_alive(**pid)).collect();
        alive
            .is_empty()
            .then_some(())
            .ok_or_else(|| format!("{alive:?}"))
    })
    .await;
}

fn demo(folder: &Path) -> Replica {
    let args = ["--lease-duration", "5s", "--log-format", "json"];
    Replica::start(program(), folder, "demo", args, Vec::new())
}

/// What each replica of a demo works on, once all eight Namespaces have an owner and both replicas have some.
async fn shares(demo: &Replica) -> BTreeMap<String, BTreeSet<String>> {
    eventually(10 * SECOND, "the demo has settled", async || {
        let mut shares: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for event in demo.log.events() {
            for peer in PEERS.into_iter().filter(|peer| of(&event, peer)) {
                let share = shares.entry(peer.to_owned()).or_default();
                match &event.what {
                    What::Start { cluster } => drop(share.insert(cluster.clone())),
                    What::Stop { cluster } => drop(share.remove(cluster)),
                    _ => {}
                }
            }
        }
        let sizes: Vec<_> = shares.values().map(BTreeSet::len).collect();
        let settled = sizes.iter().sum::<usize>() == 8 && sizes.len() == 2 && !sizes.contains(&0);
        settled
            .then_some(shares)
            .ok_or_else(|| format!("{sizes:?}"))
    })
    .await
}

/// The process of each replica, as the demo last said.
fn pids(demo: &Replica) -> BTreeMap<String, u32> {
    let events = demo.log.events();
    let started = events
        .iter()
        .filter(|event| event.what == What::Other("replica started".into()));
    let pid = |event: &Event| {
        let pid = u32::try_from(event.fields.get("pid")?.as_u64()?).ok()?;
        Some((event.fields.get("replica")?.as_str()?.to_owned(), pid))
    };
    let pids: BTreeMap<_, _> = started.filter_map(|event| pid(event)).collect();
    assert_eq!(pids.len(), 2, "{pids:?}");
    pids
}

fn of(event: &Event, peer: &str) -> bool {
    event.fields.get("peer").and_then(Value::as_str) == Some(peer)
}

fn between(earlier: Timestamp, later: Timestamp) -> Duration {
    later.duration_since(earlier).unsigned_abs()
}

/// Whether a process runs; one that nobody has waited for yet does not.
fn is_alive(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat
        .rsplit_once(')')
        .and_then(|(_, rest)| rest.split_whitespace().next());
    !matches!(state, None | Some("Z" | "X"))
}
