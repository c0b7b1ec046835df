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
use tempfile::tempdir;

use super::{contexts, followed::Followed, put};

const FILES: usize = 10_000;

#[tokio::test]
async fn of_ten_thousand_files_one_that_changes_is_read_alone() {
    let folder = tempdir().unwrap();
    let at = |n: usize| folder.path().join(format!("{n:05}"));
    for n in 0..FILES {
        fs::write(at(n), contexts(&[&format!("cluster-{n}")])).unwrap();
    }
    let provider = FileProvider::new().folder(folder.path());
    let followed = Followed::new(&provider.poll(Duration::from_millis(300)));
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
    eventually(
        Duration::from_secs(120),
        "nothing is read again",
        async || {
            opened.lock().unwrap().clear();
            followed.reads(2).await;
            opened
                .lock()
                .unwrap()
                .iter()
                .all(|path| path == folder.path())
        },
    )
    .await;
    put(at(7), &contexts(&["changed"]));
    followed
        .until("the change", |said| said.clusters.contains_key("changed"))
        .await;
    let mut opened = opened.lock().unwrap().clone();
    opened.retain(|path| path != folder.path() && !path.ends_with(".beside"));
    assert_eq!(opened, BTreeSet::from([at(7)]));
    assert_eq!(followed.said().errors, [""; 0]);
}
