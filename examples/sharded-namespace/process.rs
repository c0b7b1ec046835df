//! Child processes that are this program too.

use std::{
    ffi::OsString,
    path::Path,
    process::{ExitStatus, Stdio},
    sync::Arc,
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader},
    process::{Child, Command},
};

/// A running child. It ends when this process does, since its stdin ends then, and when this is dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    pid: Pid,
}

/// Takes a line.
pub(crate) type Keep = Arc<dyn Fn(&str) + Send + Sync>;

/// Where the lines go that a child prints.
#[derive(Clone)]
pub(crate) struct Output {
    /// What stands before each line on the terminal.
    pub(crate) prefix: String,
    /// Takes each line too.
    pub(crate) keep: Option<Keep>,
}

// === impl Process ===

impl Process {
    /// Starts `program`; with an environment, the child has that one and nothing of ours.
    pub(crate) fn start(
        program: &Path,
        args: &[String],
        environment: Option<Vec<(String, OsString)>>,
    ) -> std::io::Result<Self> {
        let mut command = Command::new(program);
        if let Some(environment) = environment {
            command.env_clear().envs(environment);
        }
        let child = command
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C in a terminal goes to this process alone, which passes it on in order.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let pid = child.id().and_then(|id| i32::try_from(id).ok());
        let pid = pid.and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| std::io::Error::other("it has no process id"))?;
        Ok(Self { child, pid })
    }

    pub(crate) fn pid(&self) -> Pid {
        self.pid
    }

    /// Passes on what the child prints, until it has ended.
    pub(crate) async fn wait(&mut self, output: &Output) -> ExitStatus {
        let (stdout, stderr) = (self.child.stdout.take(), self.child.stderr.take());
        tokio::join!(
            output.pass_on(stdout, tokio::io::stdout()),
            output.pass_on(stderr, tokio::io::stderr())
        );
        // `wait` closes stdin, which would end the child: it has ended its output by now.
        self.child.wait().await.unwrap_or_default()
    }
}

/// Sends a signal to a child that has not been waited for; it may have ended just now.
pub(crate) fn send(pid: Pid, signal: Signal) {
    let _ = kill_process(pid, signal);
}

// === impl Output ===

impl Output {
    async fn pass_on(&self, from: Option<impl AsyncRead + Unpin>, mut to: impl AsyncWrite + Unpin) {
        let Some(from) = from else { return };
        let mut lines = BufReader::new(from).split(b'\n');
        while let Ok(Some(line)) = lines.next_segment().await {
            let line = String::from_utf8_lossy(&line);
            if let Some(keep) = &self.keep {
                keep(&line);
            }
            // One write for each line, so that those of two replicas do not mix. Nobody may be reading any more.
            let line = format!("{}{line}\n", self.prefix);
            let _ = to.write_all(line.as_bytes()).await;
            let _ = to.flush().await;
        }
    }
}
