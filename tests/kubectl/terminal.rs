//! A person at a second terminal, while the demo runs in the first one.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use tempfile::TempDir;
use tokio::{
    process::Command,
    sync::{Mutex, MutexGuard},
};

use crate::{
    README,
    fleet::{
        backend::kubeconfig, control_plane::kubectl, eventually::eventually, program::program,
        replica::Replica,
    },
};

/// One demo at a time.
static TURN: Mutex<()> = Mutex::const_new(());

/// How long any command may take.
const LIMIT: Duration = Duration::from_secs(90);

/// A shell with kubectl, and the demo that it talks to.
pub(crate) struct Terminal {
    demo: Option<Replica>,
    folder: TempDir,
    /// Where kubectl is.
    path: String,
    _turn: Option<MutexGuard<'static, ()>>,
}

// === impl Terminal ===

impl Terminal {
    /// One without a demo.
    pub(crate) fn alone() -> Self {
        let kubectl = kubectl().expect("kubectl in KUBEBUILDER_ASSETS");
        let folder = kubectl
            .parent()
            .map_or_else(PathBuf::new, Path::to_path_buf);
        let path = std::env::var("PATH").unwrap_or_default();
        Self {
            demo: None,
            folder: TempDir::with_prefix("kubectl-").expect("a folder"),
            path: format!("{}:{path}", folder.display()),
            _turn: None,
        }
    }

    /// Starts the demo.
    pub(crate) async fn start(args: &[&str]) -> Self {
        let turn = TURN.lock().await;
        let mut terminal = Self::alone();
        terminal._turn = Some(turn);
        let demo = Replica::start(program(), terminal.folder.path(), "demo", args, Vec::new());
        let url = eventually(Duration::from_secs(10), "the demo listens", async || {
            let lines = demo.log.strange().join("\n");
            let url = lines
                .split_once("\"url\": \"")
                .and_then(|(_, rest)| rest.split_once('"'));
            url.map(|(url, _)| url.to_owned()).ok_or(lines)
        })
        .await;
        let config = kubeconfig(&url, None, "admin").to_string();
        std::fs::write(terminal.folder.path().join("config"), config)
            .expect("the folder takes files");
        terminal.demo = Some(demo);
        terminal
    }

    /// Ctrl-C, and the end of everything.
    pub(crate) async fn stop(mut self) {
        if let Some(mut demo) = self.demo.take() {
            demo.signal(Signal::INT);
            let status = demo.wait(Duration::from_secs(20)).await;
            assert_eq!(status.code(), Some(0), "{status}");
        }
    }

    /// What a command line prints; it must succeed.
    pub(crate) async fn run(&self, line: &str) -> String {
        let output = self.shell(line).await;
        let (out, err) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        assert!(output.status.success(), "$ {line}\n{out}{err}");
        out.into_owned()
    }

    /// What it prints, whether it succeeds or not.
    pub(crate) async fn attempt(&self, line: &str) -> String {
        let output = self.shell(line).await;
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Runs a command of the README, prints it with its time, and returns that.
    pub(crate) async fn typed(&self, line: &str) -> Duration {
        assert!(README.contains(line), "the README does not say: {line}");
        self.timed(line).await
    }

    /// The same for any command.
    pub(crate) async fn timed(&self, line: &str) -> Duration {
        let start = Instant::now();
        self.run(line).await;
        let took = start.elapsed();
        println!("{:6.2} s  $ {line}", took.as_secs_f64());
        took
    }

    /// Runs it again and again until it prints what is waited for.
    pub(crate) async fn until(&self, limit: Duration, line: &str, holds: impl Fn(&str) -> bool) {
        let start = Instant::now();
        eventually(limit, line, async || {
            let shown = self.attempt(line).await;
            if holds(&shown) { Ok(()) } else { Err(shown) }
        })
        .await;
        println!("{:6.2} s  $ {line}", start.elapsed().as_secs_f64());
    }

    async fn shell(&self, line: &str) -> std::process::Output {
        let command = Command::new("bash")
            .args(["-o", "pipefail", "-c", line])
            .env("PATH", &self.path)
            .env("HOME", self.folder.path())
            .env("KUBECONFIG", self.folder.path().join("config"))
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let output = tokio::time::timeout(LIMIT, command).await;
        output
            .unwrap_or_else(|_| panic!("not within {LIMIT:?}: {line}"))
            .expect("bash starts")
    }
}
