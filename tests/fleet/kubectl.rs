//! kubectl as a person uses it: a command line, and what it prints.

use std::{
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::Duration,
};

use tokio::{io::AsyncWriteExt, process::Command, time::timeout};

use super::control_plane::asset;

/// How long any command may take.
const LIMIT: Duration = Duration::from_secs(90);

/// kubectl with the rights of a kubeconfig.
#[derive(Clone, Debug)]
pub(crate) struct Kubectl {
    kubeconfig: PathBuf,
    /// Where it keeps what it knows of the server.
    cache: PathBuf,
}

// === impl Kubectl ===

impl Kubectl {
    pub(crate) fn new(kubeconfig: &Path) -> Self {
        Self {
            kubeconfig: kubeconfig.to_owned(),
            cache: kubeconfig.with_extension("kubectl-cache"),
        }
    }

    /// What it prints; `line` is split at spaces, and run from the root of the repository.
    ///
    /// # Panics
    /// When it fails.
    pub(crate) async fn run(&self, line: &str) -> String {
        self.pipe("", line).await
    }

    /// The same with something on its stdin.
    pub(crate) async fn pipe(&self, input: &str, line: &str) -> String {
        let output = self.attempt(input, line).await;
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "kubectl {line}: {errors}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    async fn attempt(&self, input: &str, line: &str) -> Output {
        let mut child = Command::new(asset("kubectl"))
            .arg(format!("--kubeconfig={}", self.kubeconfig.display()))
            .arg(format!("--cache-dir={}", self.cache.display()))
            .args(line.split(' '))
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("kubectl starts");
        let mut stdin = child.stdin.take().expect("it is piped");
        // A command that reads nothing may have closed it.
        let _ = stdin.write_all(input.as_bytes()).await;
        drop(stdin);
        let output = timeout(LIMIT, child.wait_with_output()).await;
        let output = output.unwrap_or_else(|_| panic!("kubectl {line}: not within {LIMIT:?}"));
        output.expect("kubectl ends")
    }
}
