//! The watchdog ends a process for real, so each case runs in a process of its own: this program, with one test.

use std::{
    env,
    io::{BufRead, BufReader},
    os::unix::process::ExitStatusExt,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Receiver},
    },
    thread,
    time::{Duration, Instant},
};

use kube_sandbox::{Fault, Outage, Rule};
use multicluster::{
    Action, BoxError, Error, Manager, Sharding,
    clock::{SystemClock, TokioClock},
    providers::NamespaceProvider,
    sharding::Timings,
};
use rustix::process::{Pid, Signal, kill_process};

use crate::fleet::{Fleet, LEASE, What};

const SECOND: Duration = Duration::from_secs(1);

/// How long a renewal allows work at this Lease duration: H = 5 s * 0.99 / 1.01 - 1 s.
const WORK: Duration = Duration::from_millis(3_901);

/// Half a stop margin.
const GRACE: Duration = Duration::from_millis(500);

/// Says to the child what it does.
const CASE: &str = "WATCHDOG_CASE";

/// What the child says when renewals have begun to fail, and when it has survived.
const CUT_OFF: &str = "victim: cut off";
const WORKS: &str = "victim: works";
const LIVES: &str = "victim: works again";

/// A child process that runs [`victim`].
struct Victim {
    process: Child,
    lines: Receiver<(Instant, String)>,
    heard: Vec<String>,
}

// === impl Victim ===

impl Victim {
    fn start(case: &str) -> Self {
        let mut process = Command::new(env::current_exe().unwrap())
            .args(["--exact", "watchdog::victim", "--ignored", "--nocapture"])
            .env(CASE, case)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = BufReader::new(process.stderr.take().unwrap());
        let (says, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let _ = says.send((Instant::now(), line));
            }
        });
        Self {
            process,
            lines,
            heard: Vec::new(),
        }
    }

    /// When it said `text`.
    fn says(&mut self, text: &str, limit: Duration) -> Instant {
        let end = Instant::now() + limit;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let Ok((at, line)) = self.lines.recv_timeout(left) else {
                panic!("not said within {limit:?}: {text}\n{:#?}", self.heard);
            };
            let found = line.contains(text);
            self.heard.push(line);
            if found {
                return at;
            }
        }
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.process.id().try_into().unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// How and when it ended.
    fn ended(&mut self, limit: Duration) -> (ExitStatus, Instant) {
        let end = Instant::now() + limit;
        loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                return (status, Instant::now());
            }
            assert!(
                Instant::now() < end,
                "alive after {limit:?}\n{:#?}",
                self.heard
            );
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn a_reconcile_that_blocks_beyond_its_deadline_ends_the_process() {
    let mut victim = Victim::start("blocks");
    let cut_off = victim.says(CUT_OFF, 20 * SECOND);
    let (status, ended) = victim.ended(20 * SECOND);
    victim.says(
        "not the owner of cluster zoo: its fence was not renewed in time",
        SECOND,
    );
    assert_eq!(status.signal(), Some(Signal::ABORT.as_raw()), "{status:?}");
    let after = ended - cut_off;
    assert!(after < WORK + GRACE + SECOND, "{after:?}");
    // The last renewal was sent at most an interval and a bit before.
    assert!(after > WORK - LEASE / 3 + GRACE - SECOND / 4, "{after:?}");
}

#[test]
fn a_reconcile_that_blocks_beyond_the_drain_timeout_ends_the_process() {
    let mut victim = Victim::start("blocks in a drain");
    let asked = victim.says(CUT_OFF, 20 * SECOND);
    let (status, ended) = victim.ended(20 * SECOND);
    victim.says("cluster zoo: the engagement has ended", SECOND);
    assert_eq!(status.signal(), Some(Signal::ABORT.as_raw()), "{status:?}");
    let after = ended - asked;
    assert!(
        after > SECOND + GRACE && after < 3 * SECOND + GRACE,
        "{after:?}"
    );
}

#[test]
fn a_process_that_cannot_log_ends_all_the_same() {
    let mut victim = Victim::start("blocks with the log locked");
    let cut_off = victim.says(CUT_OFF, 20 * SECOND);
    let (status, ended) = victim.ended(20 * SECOND);
    assert_eq!(status.signal(), Some(Signal::ABORT.as_raw()), "{status:?}");
    let after = ended - cut_off;
    assert!(after < WORK + GRACE + SECOND, "{after:?}");
}

#[test]
fn a_process_whose_work_ends_at_the_deadline_lives_on() {
    let mut victim = Victim::start("works");
    victim.says(CUT_OFF, 20 * SECOND);
    victim.says(LIVES, 2 * LEASE + 20 * SECOND);
    assert!(victim.ended(10 * SECOND).0.success());
}

#[test]
fn a_process_that_was_stopped_over_its_deadline_lives_on() {
    let mut victim = Victim::start("is stopped");
    victim.says(WORKS, 20 * SECOND);
    victim.signal(Signal::STOP);
    thread::sleep(2 * LEASE);
    victim.signal(Signal::CONT);
    victim.says(LIVES, 20 * SECOND);
    assert!(victim.ended(10 * SECOND).0.success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "run by the other tests, as a process of its own"]
async fn victim() {
    let Ok(case) = env::var(CASE) else { return };
    let fleet = Fleet::new(&["zoo"]).await;
    let settings = |sharding: Sharding| {
        let timings = Timings::new(LEASE).drain_timeout(SECOND);
        sharding.clock(SystemClock).timings(timings).watchdog(true)
    };
    let said = Arc::new(AtomicBool::new(false));
    let (case_of_work, said_of_work) = (case.clone(), said.clone());
    let replica = fleet.start_with("a", settings, move |_| {
        work(case_of_work.clone(), said_of_work.clone())
    });
    let begun = async |times: usize| {
        let works = What::Reconciled("first".into());
        let enough = async || fleet.noted("zoo", &works).len() >= times;
        fleet.until(30 * SECOND, "the work begins", enough).await;
    };
    begun(1).await;
    tokio::time::sleep(SECOND).await;
    eprintln!("{WORKS}");
    match &*case {
        "blocks in a drain" => {
            eprintln!("{CUT_OFF}");
            replica.leave().await.unwrap();
            return;
        }
        "is stopped" => {}
        _ => {
            let cut = fleet.faults.add(Rule::new(Fault::Outage(Outage::Refuse)));
            eprintln!("{CUT_OFF}");
            said.store(true, Ordering::SeqCst);
            tokio::time::sleep(2 * LEASE).await;
            fleet.faults.remove(cut);
        }
    }
    // Dropped at the deadline, and begun again after a renewal.
    begun(2).await;
    eprintln!("{LIVES}");
}

/// What the victim's reconcile does; `said` is set when the victim has said all that it will.
async fn work(case: String, said: Arc<AtomicBool>) -> Result<Action, BoxError> {
    let locks = case.ends_with("the log locked");
    while locks && !said.load(Ordering::SeqCst) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    if case.starts_with("blocks") {
        let _log = locks.then(|| std::io::stderr().lock());
        thread::sleep(60 * SECOND);
    }
    loop {
        // Inside of a poll nearly all the time, like a busy program.
        thread::sleep(Duration::from_millis(20));
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_watchdog_with_a_clock_that_is_not_the_systems_is_refused() {
    let fleet = Fleet::new(&[]).await;
    let with_clock = |system: bool| {
        let sharding = Sharding::with_client(fleet.client(), "mcr")
            .peer("a")
            .watchdog(true);
        let sharding = match system {
            true => sharding.clock(SystemClock),
            false => sharding.clock(TokioClock::new()),
        };
        Manager::builder(NamespaceProvider::new(fleet.client()))
            .sharding(sharding)
            .build()
    };
    assert!(with_clock(true).is_ok());
    match with_clock(false) {
        Err(Error::Setting(text)) => assert!(text.contains("the system's clock only"), "{text}"),
        other => panic!("{other:?}"),
    }
}
