//! One process of the program under test.

use std::{
    ffi::{OsStr, OsString},
    fs::{self, File},
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use jiff::Timestamp;
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

use super::{assertions::Run, eventually::eventually, log::Log, reaper};

/// A running replica, or one that has ended; killed when dropped.
#[derive(Debug)]
pub(crate) struct Replica {
    pub(crate) peer: String,
    pub(crate) log: Log,
    /// The time just before it was started.
    pub(crate) started: Timestamp,
    /// When it had ended for certain.
    pub(crate) ended: Option<Timestamp>,
    /// What it must have said on stderr at the end of the test.
    pub(crate) last_words: String,
    child: Child,
    id: u32,
    stderr: PathBuf,
    launch: Launch,
}

/// How a replica is started, any number of times.
#[derive(Clone, Debug)]
struct Launch {
    program: PathBuf,
    folder: PathBuf,
    args: Vec<OsString>,
    env: Vec<(&'static str, String)>,
}

// === impl Replica ===

impl Replica {
    /// Starts `program` with environment variables, such as `POD_UID`; what it says on stderr goes to a file in `folder`.
    pub(crate) fn start<A: AsRef<OsStr>>(
        program: &Path,
        folder: &Path,
        peer: &str,
        args: impl IntoIterator<Item = A>,
        env: Vec<(&'static str, String)>,
    ) -> Self {
        let args = args.into_iter().map(|arg| arg.as_ref().to_owned());
        let launch = Launch {
            program: program.to_owned(),
            folder: folder.to_owned(),
            args: args.collect(),
            env,
        };
        launch.start(peer.to_owned())
    }

    /// SIGKILL, and a new process under the same name; returns the dead one, and the time just before.
    pub(crate) async fn restart(&mut self) -> (Self, Timestamp) {
        let killed = self.kill().await;
        let next = self.twin();
        (std::mem::replace(self, next), killed)
    }

    /// A second process under the same name.
    pub(crate) fn twin(&self) -> Self {
        self.launch.clone().start(self.peer.clone())
    }

    /// Gives the processes that are started from now on another environment variable.
    pub(crate) fn set_env(&mut self, name: &'static str, value: String) {
        self.launch.env.retain(|(known, _)| *known != name);
        self.launch.env.push((name, value));
    }

    /// Sends a signal; returns the time just before.
    pub(crate) fn signal(&self, signal: Signal) -> Timestamp {
        let before = Timestamp::now();
        send(self.id, signal).expect("the process has not been waited for");
        before
    }

    /// Waits for the end of the process and of its log.
    pub(crate) async fn wait(&mut self, limit: Duration) -> ExitStatus {
        let what = format!("{} ends", self.peer);
        let (child, log) = (&mut self.child, &self.log);
        let status = eventually(limit, &what, async || match child.try_wait() {
            Ok(Some(status)) if log.is_closed() => Ok(status),
            state => Err(format!("{state:?}")),
        })
        .await;
        reaper::forget(self.id);
        self.ended = Some(Timestamp::now());
        status
    }

    /// SIGKILL, and the certainty that it has ended; returns the time just before.
    pub(crate) async fn kill(&mut self) -> Timestamp {
        let before = self.signal(Signal::KILL);
        self.wait(Duration::from_secs(5)).await;
        before
    }

    pub(crate) fn is_running(&self) -> bool {
        self.ended.is_none()
    }

    /// What it has said so far.
    pub(crate) fn run(&self) -> Run {
        Run {
            peer: self.peer.clone(),
            events: self.log.events(),
            ended: self.ended,
        }
    }

    /// What it has said on stderr.
    pub(crate) fn stderr(&self) -> String {
        fs::read_to_string(&self.stderr).unwrap_or_default()
    }

    /// What a person needs when a test fails.
    fn report(&self) {
        eprintln!("--- {}: the end of its log, then stderr ---", self.peer);
        let events = self.log.events();
        let notable = |event: &super::log::Event| {
            event.level != "INFO" || matches!(event.what, super::log::What::Other(_))
        };
        let notes: Vec<_> = events.iter().filter(|event| notable(event)).collect();
        for event in &notes[notes.len().saturating_sub(15)..] {
            let fields = serde_json::to_string(&event.fields).unwrap_or_default();
            eprintln!("{} {} {:?} {fields}", event.time, event.level, event.what);
        }
        let all = events.iter().map(|event| {
            let fields = serde_json::to_string(&event.fields).unwrap_or_default();
            format!("{} {} {:?} {fields}\n", event.time, event.level, event.what)
        });
        let file = format!("{}.{}.log", self.peer, self.id);
        let _ = fs::write(self.launch.folder.join(&file), all.collect::<String>());
        eprintln!(
            "({} events in all, in {file})\n{}",
            events.len(),
            self.stderr()
        );
    }
}

// === impl Launch ===

impl Launch {
    fn start(self, peer: String) -> Replica {
        let started = Timestamp::now();
        let stderr = format!("{peer}.{}.stderr", started.as_nanosecond());
        let stderr = self.folder.join(stderr);
        let file = File::create(&stderr).expect("a file for stderr");
        let mut child = Command::new(&self.program)
            .args(&self.args)
            .env_remove("KUBECONFIG")
            .env_remove("POD_NAME")
            .env_remove("POD_UID")
            .env_remove("KUBERNETES_SERVICE_HOST")
            .env_remove("RUST_LOG")
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(file)
            .kill_on_drop(true)
            .spawn()
            .expect("the program starts");
        let log = Log::follow(child.stdout.take().expect("stdout is piped"));
        let id = child.id().expect("it has not been waited for");
        reaper::add(id);
        Replica {
            peer,
            log,
            started,
            ended: None,
            last_words: String::new(),
            child,
            id,
            stderr,
            launch: self,
        }
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.report();
        }
        if self.is_running() {
            // Dropping the child kills it; the runtime waits for it.
            let _ = self.child.start_kill();
            reaper::forget(self.id);
        }
    }
}

/// Sends a signal to one process.
pub(crate) fn send(id: u32, signal: Signal) -> rustix::io::Result<()> {
    let pid = i32::try_from(id).ok().and_then(Pid::from_raw);
    kill_process(pid.ok_or(rustix::io::Errno::SRCH)?, signal)
}
