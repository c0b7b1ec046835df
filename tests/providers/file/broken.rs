//! What cannot be read.

use std::{fs, os::unix::fs::symlink};

use multicluster::{
    ClusterProvider,
    providers::{Allowed, FileProvider},
};
use serde_json::json;
use tempfile::tempdir;

use super::{NEVER, OFTEN, SECRET, context, contexts, followed::Followed, kubeconfig, put};

#[tokio::test]
async fn a_broken_file_keeps_its_clusters_is_reported_once_and_heals() {
    let folder = tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("a"), contexts(&["a1", "a2"])).unwrap();
    fs::write(at("b"), contexts(&["b"])).unwrap();
    let provider = FileProvider::new().folder(folder.path()).poll(OFTEN);
    let followed = Followed::synced(&provider).await;
    followed.shows(&["a1", "a2", "b"]).await;
    let whole = contexts(&["a1", "a2"]);
    let half = &whole[..whole.len() / 2];
    for (n, text) in ["", half, "- a list", "kind: Secret", "contexts: 3"]
        .iter()
        .enumerate()
    {
        fs::write(at("a"), text).unwrap();
        let error = followed.error(2 * n + 1).await;
        let start = format!("provider file: read {}: ", at("a").display());
        assert!(error.starts_with(&start), "{error}");
        followed.reads(5).await;
        // The others go on meanwhile.
        put(at("b"), &contexts(&["b", &format!("b{n}")]));
        followed.shows(&["a1", "a2", "b", &format!("b{n}")]).await;
        fs::remove_file(at("a")).unwrap();
        symlink("nowhere", at("a")).unwrap();
        followed.error(2 * n + 2).await;
        followed.reads(5).await;
        followed.error(2 * n + 2).await;
        put(at("a"), &whole);
        followed.reads(2).await;
    }
    let changed = |name: &str| {
        let changes = &followed.said().changes;
        changes.iter().filter(|change| change[1..] == *name).count()
    };
    assert_eq!((changed("a1"), changed("a2"), changed("b")), (1, 1, 1));
    put(at("a"), &contexts(&["a2"]));
    followed.shows(&["a2", "b", "b4"]).await;
}

#[tokio::test]
async fn a_context_that_cannot_be_used_keeps_its_cluster_and_leaves_the_others_alone() {
    let folder = tempdir().unwrap();
    let file = folder.path().join("config");
    let key = folder.path().join("a.key");
    let server = "https://127.0.0.1:1";
    let text = |user: &str| {
        let mut a = context("a", server, &json!({"client-key": "a.key"}));
        a[0]["context"]["user"] = user.into();
        kubeconfig([a, context("b", server, &json!({"token": SECRET}))])
    };
    fs::write(&key, SECRET).unwrap();
    fs::write(&file, text("a")).unwrap();
    let provider = FileProvider::new().file(&file).poll(OFTEN);
    let followed = Followed::synced(&provider).await;
    followed.shows(&["a", "b"]).await;
    fs::remove_file(&key).unwrap();
    let error = followed.error(1).await;
    assert!(error.contains("use the context \"a\" of"), "{error}");
    assert!(
        error.contains("it needs the file of client-key: No such file"),
        "{error}"
    );
    put(&file, &text("nobody"));
    let error = followed.error(2).await;
    assert!(
        error.ends_with("it names the user \"nobody\", which is not in the file"),
        "{error}"
    );
    followed.reads(5).await;
    followed.error(2).await;
    followed.changes(0, &["+a", "+b"]).await;
    // It heals, unchanged and then with a new key.
    fs::write(&key, SECRET).unwrap();
    put(&file, &text("a"));
    followed.reads(3).await;
    put(&key, "another");
    followed.changes(2, &["+a"]).await;
}

#[tokio::test]
async fn a_folder_that_is_not_there_yet_is_waited_for() {
    let folder = tempdir().unwrap();
    let late = folder.path().join("not/yet");
    let now = folder.path().join("now");
    fs::write(&now, contexts(&["now"])).unwrap();
    let provider = FileProvider::new().file(now).folder(&late).poll(NEVER);
    let followed = Followed::new(&provider);
    let error = followed.error(1).await;
    let start = format!(
        "provider file: list the folder {}: No such file",
        late.display()
    );
    assert!(error.starts_with(&start), "{error}");
    // What is there does not wait; but nobody may think that this is all.
    followed.shows(&["now"]).await;
    assert_eq!(followed.said().synced, 0);
    fs::create_dir_all(&late).unwrap();
    put(late.join("config"), &contexts(&["late"]));
    followed.shows(&["late", "now"]).await;
    followed.until("synced", |said| said.synced > 0).await;
    followed.error(1).await;
}

#[tokio::test]
async fn a_folder_that_cannot_be_read_any_more_keeps_its_clusters() {
    let root = tempdir().unwrap();
    let (folder, aside) = (root.path().join("folder"), root.path().join("aside"));
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("1"), contexts(&["a", "b"])).unwrap();
    let pattern = format!("{}/*", folder.display());
    let by_folder = FileProvider::new().folder(&folder).poll(NEVER);
    let by_pattern = FileProvider::new().glob(pattern).unwrap().poll(NEVER);
    let followed = [
        Followed::synced(&by_folder).await,
        Followed::synced(&by_pattern).await,
    ];
    // Gone; then something else in its place.
    fs::rename(&folder, &aside).unwrap();
    for followed in &followed {
        let error = followed.error(1).await;
        assert!(error.contains("No such file"), "{error}");
    }
    fs::write(&folder, contexts(&["c"])).unwrap();
    for followed in &followed {
        let error = followed.error(2).await;
        assert!(error.to_lowercase().contains("not a directory"), "{error}");
        followed.changes(0, &["+a", "+b"]).await;
    }
    fs::remove_file(&folder).unwrap();
    for followed in &followed {
        followed.error(3).await;
    }
    // It is there again, and is followed again.
    fs::rename(&aside, &folder).unwrap();
    put(folder.join("2"), &contexts(&["d"]));
    for followed in &followed {
        followed.shows(&["a", "b", "d"]).await;
    }
    fs::remove_file(folder.join("1")).unwrap();
    for followed in &followed {
        followed.shows(&["d"]).await;
    }
}

#[tokio::test]
async fn a_folder_that_is_made_anew_in_a_moment_is_followed_on() {
    let root = tempdir().unwrap();
    let folder = root.path().join("folder");
    fs::create_dir(&folder).unwrap();
    let followed = Followed::synced(&FileProvider::new().folder(&folder).poll(NEVER)).await;
    for n in 0..3 {
        fs::remove_dir_all(&folder).unwrap();
        fs::create_dir(&folder).unwrap();
        let first = format!("first-{n}");
        put(folder.join("1"), &contexts(&[&first]));
        followed.shows(&[&first]).await;
        let second = format!("second-{n}");
        put(folder.join("1"), &contexts(&[&second]));
        followed.shows(&[&second]).await;
    }
}

#[tokio::test]
async fn what_is_no_file_is_not_waited_for() {
    let folder = tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let provider = FileProvider::new().file(&pipe).folder(folder.path());
    let followed = Followed::synced(&provider).await;
    let error = followed.error(1).await;
    assert!(error.ends_with("not a regular file"), "{error}");
    let endless = Followed::synced(&FileProvider::new().file("/dev/zero")).await;
    let error = endless.error(1).await;
    assert!(error.ends_with("not a regular file"), "{error}");
}

#[tokio::test]
async fn files_are_not_read_where_that_is_not_allowed() {
    let folder = tempdir().unwrap();
    let file = folder.path().join("config");
    let user = json!({"client-certificate": "missing.crt"});
    put(
        &file,
        &kubeconfig([context("a", "https://127.0.0.1:1", &user)]),
    );
    let provider = FileProvider::new().file(&file).allow(Allowed::NOTHING);
    let followed = Followed::synced(&provider).await;
    followed.shows(&["a"]).await;
    assert_eq!(followed.said().errors, [""; 0]);
    let cluster = followed.said().clusters["a"].clone();
    let Err(error) = provider.connect(&cluster).await else {
        panic!("there is no certificate");
    };
    let error = multicluster::Report(&error).to_string();
    assert!(error.contains("client-certificate is refused"), "{error}");
}

#[tokio::test]
async fn no_secret_is_seen_anywhere() {
    let folder = tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let server = "https://127.0.0.1:1";
    let path = format!("-----BEGIN PRIVATE KEY-----\n{SECRET}");
    let broken = [
        format!("users: [{{name: a, user: {{token: {SECRET}"),
        format!("users: {SECRET}"),
        format!("{SECRET}: {SECRET}"),
        kubeconfig([context("key", server, &json!({"client-key": path}))]),
        kubeconfig([context("data", server, &json!({"client-key-data": SECRET}))]),
        kubeconfig([context(
            "token",
            server,
            &json!({"token": format!("{SECRET}\n")}),
        )]),
        kubeconfig([context(
            "server",
            &format!("https://{SECRET}@host"),
            &json!({}),
        )]),
        kubeconfig([context(
            "password",
            server,
            &json!({"username": "a", "password": SECRET}),
        )]),
    ];
    for (n, text) in broken.iter().enumerate() {
        fs::write(at(&n.to_string()), text).unwrap();
    }
    let provider = FileProvider::new().folder(folder.path()).poll(OFTEN);
    let followed = Followed::synced(&provider).await;
    followed
        .until("errors", |said| said.errors.len() >= 3)
        .await;
    let mut said = followed.said().clone();
    assert!(said.clusters.len() >= 4, "{said:?}");
    for cluster in said.clusters.values() {
        let Err(error) = provider.connect(cluster).await else {
            panic!("connected to {}", cluster.name);
        };
        said.debug
            .push_str(&format!("{error:?}\n{}", multicluster::Report(&error)));
    }
    let all = format!("{said:?}{provider:?}");
    assert!(!all.contains(SECRET), "{all}");
}
