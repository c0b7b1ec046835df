//! kubectl as a person uses it: a command line, and what it prints.

use std::{
    path::{Path, PathBuf},
    process::Output,
    time::Duration,
};

use tokio::{process::Command, time::timeout};

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
        let output = self.attempt(line).await;
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "kubectl {line}: {errors}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// The same for a command that may fail.
    pub(crate) async fn attempt(&self, line: &str) -> Output {
        let command = Command::new(asset("kubectl"))
            .arg(format!("--kubeconfig={}", self.kubeconfig.display()))
            .arg(format!("--cache-dir={}", self.cache.display()))
            .args(line.split(' '))
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .kill_on_drop(true)
            .output();
        let output = timeout(LIMIT, command).await;
        let output = output.unwrap_or_else(|_| panic!("kubectl {line}: not within {LIMIT:?}"));
        output.expect("kubectl starts")
    }
}
