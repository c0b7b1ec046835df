//! Ten thousand files.

use std::{
    collections::BTreeSet,
    fs,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use multicluster::{providers::FileProvider, testing::eventually};
use notify::{EventKind, RecursiveMode, Watcher, event::AccessKind};
use serde_json::json;
use tempfile::tempdir;

use super::{context, contexts, followed::Followed, kubeconfig, put};

const FILES: usize = 10_000;

/// A build without optimizations on a busy machine may take a while.
const LONG: Duration = Duration::from_secs(300);

#[tokio::test]
async fn of_ten_thousand_files_one_that_changes_is_read_alone() {
    let folder = tempdir().unwrap();
    let at = |n: usize| folder.path().join(format!("{n:05}"));
    for n in 0..FILES {
        fs::write(at(n), contexts(&[&format!("cluster-{n}")])).unwrap();
    }
    // One needs another file, which is to be noticed when all of this is old.
    let keys = tempdir().unwrap();
    let certificate = keys.path().join("8.crt");
    put(&certificate, "first");
    let user = json!({"client-certificate": certificate});
    let needs = context("cluster-8", "https://127.0.0.1:1", &user);
    put(at(8), &kubeconfig([needs]));
    let provider = FileProvider::new().folder(folder.path());
    let mut followed = Followed::new(&provider.poll(Duration::from_millis(300)));
    followed.limit = LONG;
    followed
        .until("all clusters", |said| said.clusters.len() == FILES)
        .await;

    let opened = Arc::new(Mutex::new(BTreeSet::<PathBuf>::new()));
    let writer = opened.clone();
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        let event = event.unwrap();
        if matches!(event.kind, EventKind::Access(AccessKind::Open(_))) {
            writer.lock().unwrap().extend(event.paths);
        }
    })
    .unwrap();
    watcher
        .watch(folder.path(), RecursiveMode::NonRecursive)
        .unwrap();
    // Files that were just written are read a second time: their times may be those of two writes.
    eventually(LONG, "nothing is read again", async || {
        opened.lock().unwrap().clear();
        followed.reads(2).await;
        opened
            .lock()
            .unwrap()
            .iter()
            .all(|path| path == folder.path())
    })
    .await;
    put(at(7), &contexts(&["changed"]));
    followed
        .until("the change", |said| said.clusters.contains_key("changed"))
        .await;
    let mut opened = opened.lock().unwrap().clone();
    opened.retain(|path| path != folder.path() && !path.ends_with(".beside"));
    assert_eq!(opened, BTreeSet::from([at(7)]));
    let before = followed.said().clusters["cluster-8"].fingerprint;
    put(&certificate, "second");
    followed
        .until("the other certificate", |said| {
            said.clusters["cluster-8"].fingerprint != before
        })
        .await;
    assert_eq!(followed.said().errors, [""; 0]);
}
