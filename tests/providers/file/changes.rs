//! Changes of files.

use std::{
    fs,
    os::unix::fs::symlink,
    path::Path,
    time::{Duration, Instant},
};

use multicluster::providers::FileProvider;
use serde_json::json;
use tempfile::tempdir;

use super::{NEVER, context, contexts, followed::Followed, kubeconfig, put};

const SERVER: &str = "https://127.0.0.1:1";

#[tokio::test]
async fn a_file_is_followed_through_renames_and_in_place() {
    let folder = tempdir().unwrap();
    let file = folder.path().join("config");
    fs::write(&file, contexts(&["a"])).unwrap();
    let followed = Followed::synced(&FileProvider::new().file(&file).poll(NEVER)).await;
    followed.shows(&["a"]).await;
    for n in 0..3 {
        let name = format!("renamed-{n}");
        put(&file, &contexts(&[&name]));
        followed.shows(&[&name]).await;
        let name = format!("written-{n}");
        fs::write(&file, contexts(&[&name])).unwrap();
        followed.shows(&[&name]).await;
    }
    assert_eq!(followed.said().errors, [""; 0]);
}

#[tokio::test]
async fn a_mounted_secret_is_followed() {
    let mount = tempdir().unwrap();
    let swap = |version: &str, text: &str, certificate: &str| {
        let data = mount.path().join(format!("..2026_{version}"));
        fs::create_dir(&data).unwrap();
        fs::write(data.join("kubeconfig"), text).unwrap();
        fs::write(data.join("tls.crt"), certificate).unwrap();
        let next = mount.path().join("..data_tmp");
        symlink(data.file_name().unwrap(), &next).unwrap();
        let before = fs::canonicalize(mount.path().join("..data")).ok();
        fs::rename(next, mount.path().join("..data")).unwrap();
        before.map(fs::remove_dir_all);
    };
    let user = json!({"client-certificate": "tls.crt"});
    let text = |names: &[&str]| kubeconfig(names.iter().map(|name| context(name, SERVER, &user)));
    swap("1", &text(&["a"]), "first");
    for file in ["kubeconfig", "tls.crt"] {
        symlink(Path::new("..data").join(file), mount.path().join(file)).unwrap();
    }

    let by_file = FileProvider::new().file(mount.path().join("kubeconfig"));
    let by_pattern = format!("{}/kube*", mount.path().display());
    let by_pattern = FileProvider::new().glob(by_pattern).unwrap();
    for (n, provider) in [by_file, by_pattern].into_iter().enumerate() {
        let version = |step: &str| format!("{n}.{step}");
        let followed = Followed::synced(&provider.poll(NEVER)).await;
        followed.shows(&["a"]).await;
        swap(&version("add"), &text(&["a", "b"]), "first");
        followed.shows(&["a", "b"]).await;
        let before = followed.said().clusters["a"].fingerprint;
        swap(&version("rotate"), &text(&["a", "b"]), &version("rotated"));
        followed
            .until("another fingerprint", |said| {
                said.clusters["a"].fingerprint != before
            })
            .await;
        swap(&version("remove"), &text(&["a"]), "first");
        followed.shows(&["a"]).await;
        assert_eq!(followed.said().errors, [""; 0]);
    }
}

#[tokio::test]
async fn a_rotation_is_one_of_that_cluster_alone() {
    let folder = tempdir().unwrap();
    let keys = tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    // Beside the kubeconfig, in a folder of its own, and elsewhere.
    fs::create_dir(at("keys")).unwrap();
    let elsewhere = keys.path().join("c.crt").to_str().unwrap().to_owned();
    let paths = [".a.crt", "keys/b.crt", &elsewhere];
    let certificates = paths.map(&at);
    let text = |token: &str| {
        let [a, b, c] = paths.map(|path| json!({"client-certificate": path}));
        let users = [("a", a), ("b", b), ("c", c), ("d", json!({"token": token}))];
        kubeconfig(users.map(|(name, user)| context(name, SERVER, &user)))
    };
    for certificate in &certificates {
        fs::write(certificate, "first").unwrap();
    }
    put(at("fleet.yaml"), &text("first"));
    let provider = FileProvider::new().folder(folder.path()).poll(NEVER);
    let followed = Followed::synced(&provider).await;
    followed.shows(&["a", "b", "c", "d"]).await;
    for (n, certificate) in certificates.iter().enumerate() {
        put(certificate, "second");
        followed.changes(4 + n, &[["+a", "+b", "+c"][n]]).await;
    }
    put(at("fleet.yaml"), &text("second"));
    followed.changes(7, &["+d"]).await;
    // What a connection does not use changes nothing.
    put(
        at("fleet.yaml"),
        &format!("{}\n# rotated twice", text("second")),
    );
    put(at("marker.yaml"), &contexts(&["e"]));
    followed.changes(8, &["+e"]).await;
    assert_eq!(followed.said().errors, [""; 0]);
}

#[tokio::test]
async fn a_burst_of_changes_is_read_a_few_times() {
    let folder = tempdir().unwrap();
    let provider = FileProvider::new().folder(folder.path()).poll(NEVER);
    let followed = Followed::synced(&provider).await;
    let (before, start) = (followed.said().synced, Instant::now());
    for n in 0..500 {
        let name = format!("a{n}");
        put(folder.path().join(&name), &contexts(&[&name]));
        tokio::task::yield_now().await;
    }
    followed
        .until("all clusters", |said| said.clusters.len() == 500)
        .await;
    // Once when it is quiet; and once a second on a slow machine, or when this task had no turn for a while.
    let allowed = 3 + usize::try_from(start.elapsed().as_secs()).unwrap() * 10;
    let reads = followed.said().synced - before;
    assert!(reads <= allowed, "{reads} reads, {allowed} allowed");
}

#[tokio::test]
async fn what_the_system_does_not_tell_of_is_found_by_the_poll() {
    let folder = tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for (version, name) in [("v1", "a"), ("v2", "b")] {
        fs::create_dir_all(at(version).join("inside")).unwrap();
        put(at(version).join("inside/config"), &contexts(&[name]));
    }
    symlink("v1", at("now")).unwrap();
    let provider = FileProvider::new().file(at("now/inside/config"));
    let followed = Followed::synced(&provider.poll(Duration::from_millis(50))).await;
    followed.shows(&["a"]).await;
    symlink("v2", at("next")).unwrap();
    fs::rename(at("next"), at("now")).unwrap();
    followed.shows(&["b"]).await;
}
