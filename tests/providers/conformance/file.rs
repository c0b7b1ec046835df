//! Kubeconfig files.

use std::{
    fs,
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use kube::Client;
use multicluster::{
    BoxError,
    providers::FileProvider,
    testing::conformance::{self, Failure, Harness, Part, Settings},
};
use serde_json::json;
use tempfile::TempDir;

use super::members::{Ledger, Members, Users};

/// A folder with a file for each cluster.
struct Files {
    around: TempDir,
    users: Users,
    ledger: Ledger,
    touches: AtomicUsize,
    provider: FileProvider,
}

// === impl Files ===

impl Files {
    async fn new() -> Result<Self, BoxError> {
        let around = tempfile::tempdir()?;
        let folder = around.path().join("fleet");
        fs::create_dir(&folder)?;
        Ok(Self {
            around,
            users: Users::start().await?,
            ledger: Ledger::default(),
            touches: AtomicUsize::new(0),
            // Changes are noticed; what comes in a burst may take longer.
            provider: FileProvider::new()
                .folder(folder)
                .poll(Duration::from_secs(5)),
        })
    }

    /// Where the files are, which may be in another place than the provider looks.
    fn folder(&self) -> PathBuf {
        let away = self.around.path().join("away");
        if away.exists() {
            return away;
        }
        self.around.path().join("fleet")
    }

    /// Puts a text into the file of a cluster in one step.
    fn put(&self, key: &str, text: &str) -> Result<(), BoxError> {
        let (file, beside) = (self.folder().join(key), self.around.path().join("beside"));
        fs::write(&beside, text)?;
        fs::rename(&beside, &file)?;
        Ok(())
    }
}

impl Harness for Files {
    type Provider = FileProvider;

    fn cannot(&self) -> Vec<Part> {
        vec![Part::Labels]
    }

    async fn provider(&self) -> Result<FileProvider, BoxError> {
        // One with settings of its own shares nothing with the others.
        Ok(self.provider.clone().poll(Duration::from_secs(5)))
    }

    async fn create(&self, key: &str) -> Result<(), BoxError> {
        let issued = self.users.issue(key).await?;
        self.ledger.enter(key, &issued);
        self.put(key, &issued.kubeconfig(key).to_string())
    }

    async fn delete(&self, key: &str) -> Result<(), BoxError> {
        Ok(fs::remove_file(self.folder().join(key))?)
    }

    async fn rotate(&self, key: &str) -> Result<(), BoxError> {
        self.create(key).await
    }

    /// Somebody else is in the file, and is not used.
    async fn touch(&self, key: &str) -> Result<(), BoxError> {
        let touches = self.touches.fetch_add(1, Ordering::Relaxed);
        let mut kubeconfig = self.ledger.newest(key)?.kubeconfig(key);
        let other = json!({"name": format!("other-{touches}"), "user": {"token": "other"}});
        let users = kubeconfig["users"].as_array_mut().ok_or("no users")?;
        users.push(other);
        self.put(key, &kubeconfig.to_string())
    }

    /// The file is only half there.
    async fn break_cluster(&self, key: &str) -> Result<(), BoxError> {
        let text = self.ledger.newest(key)?.kubeconfig(key).to_string();
        self.put(key, &text[..text.len() * 2 / 3])
    }

    async fn heal_cluster(&self, key: &str) -> Result<(), BoxError> {
        self.put(key, &self.ledger.newest(key)?.kubeconfig(key).to_string())
    }

    /// The folder is somewhere else.
    async fn source_down(&self) -> Result<(), BoxError> {
        let around = self.around.path();
        Ok(fs::rename(around.join("fleet"), around.join("away"))?)
    }

    async fn source_up(&self) -> Result<(), BoxError> {
        let around = self.around.path();
        Ok(fs::rename(around.join("away"), around.join("fleet"))?)
    }

    fn secrets(&self) -> Vec<String> {
        self.ledger.tokens()
    }

    async fn reaches(&self, key: &str, client: Client) -> Result<(), BoxError> {
        self.ledger.reaches(key, client).await
    }
}

/// In real time: a change is read when the folder has been quiet for 0.1 s.
#[tokio::test]
async fn the_file_provider_keeps_the_contract() -> Result<(), Failure> {
    let quiet = Duration::from_millis(250);
    let settings = Settings::default().quiet(quiet).many(100).steps(120);
    let report = conformance::run_with(&settings, Files::new).await?;
    assert_eq!(report.not_judged.len(), 1, "{report}");
    Ok(())
}
