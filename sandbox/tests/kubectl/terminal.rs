//! A shell whose kubectl talks to one server.

use std::{env, fs, path::PathBuf, process::Stdio, time::Duration};

use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use crate::{diff, normal};

/// How long one command may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// What every shell knows: a way to wait until a file has some text.
const PRELUDE: &str = "
until_has() { until grep -qs -e \"$2\" \"$1\"; do sleep 0.05; done; }
";

/// The shell, with a home and a folder of its own.
#[derive(Debug)]
pub(crate) struct Terminal {
    kubeconfig: Value,
    url: String,
    home: TempDir,
}

/// What a command has said, normalised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Output {
    status: Option<i32>,
    stdout: String,
    stderr: String,
}

// === impl Terminal ===

impl Terminal {
    pub(crate) fn new(kubeconfig: &Value) -> Self {
        let url = kubeconfig["clusters"][0]["cluster"]["server"].as_str();
        Self {
            kubeconfig: kubeconfig.clone(),
            url: url.expect("the address of the server").to_owned(),
            home: TempDir::new().expect("a folder"),
        }
    }

    /// Makes an empty folder and a namespace for a script.
    pub(crate) async fn enter(&self, script: &str) {
        let folder = self.folder(script);
        fs::create_dir(&folder).expect("no other script has the name");
        let mut kubeconfig = self.kubeconfig.clone();
        kubeconfig["contexts"][0]["context"]["namespace"] = script.into();
        let config = self.config(script);
        fs::write(config, kubeconfig.to_string()).expect("the folder takes files");
        let command = format!("kubectl create namespace {script}");
        let made = self.run(script, &command).await;
        assert_eq!(made.status, Some(0), "{}", made.stderr);
    }

    /// Runs a command to its end.
    pub(crate) async fn run(&self, script: &str, command: &str) -> Output {
        let ended = Command::new("sh")
            .args(["-c", &format!("{PRELUDE}{command}")])
            .current_dir(self.folder(script))
            .env_clear()
            .env("PATH", path())
            .env("HOME", self.home.path())
            .env("KUBECONFIG", self.config(script))
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let Ok(ended) = tokio::time::timeout(PATIENCE, ended).await else {
            return Output {
                status: None,
                stdout: String::new(),
                stderr: format!("no end within {PATIENCE:?}"),
            };
        };
        let ended = ended.expect("the tests need sh");
        Output {
            status: ended.status.code(),
            stdout: self.normalise(&ended.stdout),
            stderr: self.normalise(&ended.stderr),
        }
    }

    fn normalise(&self, text: &[u8]) -> String {
        let text = String::from_utf8_lossy(text);
        let home = self.home.path().display().to_string();
        let (_, authority) = self.url.split_once("://").expect("a URL");
        normal::text(
            &text
                .replace(&self.url, "{server}")
                .replace(authority, "{server}")
                .replace(&home, "{home}"),
        )
    }

    fn folder(&self, script: &str) -> PathBuf {
        self.home.path().join(script)
    }

    fn config(&self, script: &str) -> PathBuf {
        self.home.path().join(format!("{script}.kubeconfig"))
    }
}

// === impl Output ===

impl Output {
    /// What this one lacks (`-`) and has in addition (`+`).
    pub(crate) fn difference(&self, expected: &Self) -> String {
        let mut text = String::new();
        if self.status != expected.status {
            let (found, expected) = (self.status, expected.status);
            text += &format!("status: {found:?}, expected {expected:?}\n");
        }
        let streams = [
            ("stdout", &self.stdout, &expected.stdout),
            ("stderr", &self.stderr, &expected.stderr),
        ];
        for (name, found, expected) in streams {
            if found != expected {
                text += &format!("{name}:\n{}", diff::lines(found, expected));
            }
        }
        text
    }
}

/// Where programs are found: kubectl first.
fn path() -> String {
    let assets = env::var("KUBEBUILDER_ASSETS").unwrap_or_default();
    assert!(
        !assets.is_empty(),
        "KUBEBUILDER_ASSETS names the folder of the programs"
    );
    let path = env::var("PATH").unwrap_or_default();
    format!("{assets}:{path}")
}
