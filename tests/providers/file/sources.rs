//! Files, folders and patterns.

use std::fs;

use multicluster::providers::FileProvider;
use tempfile::tempdir;

use super::{NEVER, OFTEN, context, contexts, followed::Followed, kubeconfig, put};

#[tokio::test]
async fn each_context_is_a_cluster_or_each_file() {
    let folder = tempdir().unwrap();
    let file = folder.path().join("fleet.yaml");
    fs::write(&file, contexts(&["a", "b"])).unwrap();
    let followed = Followed::synced(&FileProvider::new().file(&file)).await;
    followed.shows(&["a", "b"]).await;
    assert_eq!(followed.said().clusters["a"].labels["file"], "fleet.yaml");

    let per_file = FileProvider::new().file(&file).cluster_per_file();
    let followed = Followed::synced(&per_file.poll(NEVER)).await;
    let error = followed.error(1).await;
    assert!(
        error.ends_with("it has 2 contexts and no current-context"),
        "{error}"
    );
    let named = contexts(&["a", "b"]).replacen('{', "{\"current-context\":\"b\",", 1);
    put(&file, &named);
    followed.shows(&["fleet"]).await;
    let before = followed.said().clusters["fleet"].clone();
    // Another current context is another cluster.
    put(&file, &named.replacen("\"b\"", "\"a\"", 1));
    followed
        .until("another fingerprint", |said| {
            said.clusters["fleet"].fingerprint != before.fingerprint
        })
        .await;
}

#[tokio::test]
async fn files_come_and_go_in_a_folder() {
    let folder = tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let followed = Followed::synced(&FileProvider::new().folder(folder.path()).poll(NEVER)).await;
    followed.shows(&[]).await;
    put(at("1.yaml"), &contexts(&["a", "b"]));
    put(at("2"), &contexts(&["c"]));
    followed.shows(&["a", "b", "c"]).await;

    // None of these is a file of the folder.
    fs::create_dir(at("3.yaml")).unwrap();
    fs::write(at("3.yaml/inside.yaml"), contexts(&["inside"])).unwrap();
    fs::write(at(".hidden.yaml"), contexts(&["hidden"])).unwrap();
    fs::write(at("1.yaml~"), contexts(&["backup"])).unwrap();
    std::os::unix::net::UnixListener::bind(at("4.yaml")).unwrap();
    fs::remove_file(at("1.yaml")).unwrap();
    followed.shows(&["c"]).await;
    fs::remove_file(at("2")).unwrap();
    followed.shows(&[]).await;
    assert_eq!(followed.said().errors, [""; 0]);
}

#[tokio::test]
async fn a_pattern_finds_files_in_folders_that_are_made_later() {
    let folder = tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let pattern = at("*/kubeconfig").to_str().unwrap().to_owned();
    let provider = FileProvider::new().glob(&pattern).unwrap().poll(NEVER);
    let followed = Followed::synced(&provider).await;
    for name in ["a", "b", ".c"] {
        fs::create_dir(at(name)).unwrap();
        put(at(name).join("kubeconfig"), &contexts(&[name]));
        put(at(name).join("other"), &contexts(&["other"]));
    }
    followed.shows(&["a", "b"]).await;
    fs::remove_dir_all(at("a")).unwrap();
    followed.shows(&["b"]).await;

    let error = FileProvider::new().glob("/etc/a***b").unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("\"/etc/a***b\" is no pattern"),
        "{error}"
    );
}

#[tokio::test]
async fn the_first_source_has_a_name_that_two_want() {
    let folder = tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("1.yaml"), contexts(&["a", "b"])).unwrap();
    fs::write(at("2.yaml"), contexts(&["b", "c"])).unwrap();
    let provider = FileProvider::new().folder(folder.path()).poll(NEVER);
    let followed = Followed::synced(&provider).await;
    followed.shows(&["a", "b", "c"]).await;
    assert_eq!(followed.said().clusters["b"].labels["file"], "1.yaml");
    let error = followed.error(1).await;
    let (first, second) = (at("1.yaml"), at("2.yaml"));
    let (first, second) = (first.display(), second.display());
    assert_eq!(
        error,
        format!("provider file: use the cluster b of {second}: {first} has a cluster of this name")
    );
    // The other one takes its place when it can.
    put(at("1.yaml"), &contexts(&["a"]));
    followed
        .until("the other file", |said| {
            said.clusters["b"].labels["file"] == "2.yaml"
        })
        .await;
    // The same file twice is no clash.
    let twice = FileProvider::new().file(at("2.yaml")).folder(folder.path());
    let followed = Followed::synced(&twice).await;
    assert_eq!(followed.said().errors, [""; 0]);
}

#[tokio::test]
async fn a_name_that_cannot_be_used_is_an_error_of_that_context_alone() {
    let folder = tempdir().unwrap();
    let file = folder.path().join("fleet.yaml");
    let long = "x".repeat(600);
    let names = ["", &long, "a\u{7}b", "fine", "fine"];
    let server = "https://127.0.0.1:1";
    let text = kubeconfig(names.map(|name| context(name, server, &serde_json::json!({}))));
    fs::write(&file, text).unwrap();
    let provider = FileProvider::new().file(&file).poll(OFTEN);
    let followed = Followed::synced(&provider).await;
    followed.shows(&["fine"]).await;
    followed.reads(5).await;
    let errors = followed.said().errors.clone();
    let ends = [
        "cluster name \"\" is empty",
        "is longer than 512 bytes",
        "cluster name \"a\\u{7}b\" holds a control character",
        "another context of the file has this name",
    ];
    assert_eq!(errors.len(), ends.len(), "{errors:?}");
    for (error, end) in errors.iter().zip(ends) {
        assert!(error.ends_with(end) && error.len() < 400, "{error}");
    }
}
