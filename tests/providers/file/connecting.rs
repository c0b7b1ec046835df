//! Connections by kubeconfig files.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    time::{Duration, Instant},
};

use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use kube::{Api, api::PostParams};
use kube_sandbox::{Sandbox, Server};
use multicluster::{
    BoxError, ClusterProvider, ClusterRef, Manager, Report, for_each_cluster,
    providers::{Allowed, FileProvider},
    testing::{Running, eventually},
};
use serde_json::json;
use tempfile::tempdir;
use tokio::sync::watch;

use super::{NEVER, SECRET, context, followed::Followed, kubeconfig, put};

async fn server() -> Server {
    Sandbox::new().listen("127.0.0.1:0").await.unwrap()
}

fn script(file: &Path, text: &str) {
    fs::write(file, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Waits for a file; a test that fails takes the folder away, and nobody waits any more.
fn until_there(file: &Path) -> String {
    let (folder, file) = (file.parent().unwrap().display(), file.display());
    format!("while [ -e '{folder}' ] && [ ! -e '{file}' ]; do sleep 0.05; done")
}

fn cluster(name: &str) -> ClusterRef {
    ClusterRef::new(name.parse().unwrap())
}

/// Whom a cluster takes us for.
async fn user(provider: &FileProvider, name: &str) -> String {
    let cluster = provider.connect(&cluster(name)).await.unwrap();
    let reviews: Api<SelfSubjectReview> = Api::all(cluster.client().clone());
    let asked = SelfSubjectReview::default();
    let review = reviews.create(&PostParams::default(), &asked).await;
    let status = review.unwrap().status.unwrap();
    status.user_info.unwrap().username.unwrap()
}

#[tokio::test]
async fn each_connection_reads_the_file_again() {
    let (server, folder) = (server().await, tempdir().unwrap());
    let file = folder.path().join("config");
    let text = |a: &str, b: &str| {
        kubeconfig(
            [("a", a), ("b", b)]
                .map(|(name, token)| context(name, &server.url(), &json!({"token": token}))),
        )
    };
    put(&file, &text("lion", "monkey"));
    let provider = FileProvider::new().file(&file).poll(NEVER);
    // Without a stream, and with one.
    assert_eq!(user(&provider, "b").await, "monkey");
    let followed = Followed::synced(&provider).await;
    followed.shows(&["a", "b"]).await;
    assert_eq!(user(&provider, "a").await, "lion");
    put(&file, &text("tiger", "monkey"));
    assert_eq!(user(&provider, "a").await, "tiger");
    let Err(error) = provider.connect(&cluster("c")).await else {
        panic!("there is no c");
    };
    assert_eq!(
        Report(&error).to_string(),
        "provider file: connect to the cluster c: no file has it"
    );
}

#[tokio::test]
async fn a_program_that_prints_credentials_does_not_block_others() {
    let (server, folder) = (server().await, tempdir().unwrap());
    let credential = json!({
        "apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
        "status": {"token": "printed"},
    });
    // It waits until the one thread of this test has written the file.
    let go = folder.path().join("go");
    let wait = until_there(&go);
    let print = format!("cat >'{}.stdin'\necho '{credential}'", go.display());
    fs::create_dir(folder.path().join("bin")).unwrap();
    script(
        &folder.path().join("bin/login"),
        &format!("{wait}\n{print}"),
    );
    let exec = json!({"exec": {
        "apiVersion": "client.authentication.k8s.io/v1", "command": "bin/login",
        "interactiveMode": "IfAvailable",
    }});
    let file = folder.path().join("config");
    put(&file, &kubeconfig([context("a", &server.url(), &exec)]));

    let provider = FileProvider::new().file(&file);
    let connect = user(&provider, "a");
    let others = async {
        for _ in 0..10 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        fs::write(&go, "").unwrap();
    };
    let (user, ()) = tokio::join!(connect, others);
    assert_eq!(user, "printed");

    let careful = FileProvider::new().file(&file).allow(Allowed::NOTHING);
    let Err(error) = careful.connect(&cluster("a")).await else {
        panic!("it was not allowed");
    };
    let error = Report(&error).to_string();
    assert!(error.contains("exec is refused"), "{error}");
}

#[tokio::test]
async fn a_program_that_hangs_is_given_up_and_holds_up_nobody() {
    let (server, folder) = (server().await, tempdir().unwrap());
    let stop = folder.path().join("stop");
    let (begun, program) = (folder.path().join("begun"), folder.path().join("hang"));
    let wait = until_there(&stop);
    script(
        &program,
        &format!("echo {SECRET} >'{}'\n{wait}\nexit 1", begun.display()),
    );
    let exec = json!({"exec": {
        "apiVersion": "client.authentication.k8s.io/v1", "command": program,
    }});
    let file = folder.path().join("config");
    let fine = context("fine", &server.url(), &json!({"token": "lion"}));
    put(
        &file,
        &kubeconfig([context("a", &server.url(), &exec), fine]),
    );
    let provider = FileProvider::new().file(&file);
    let connecting = tokio::spawn(provider.connect(&cluster("a")));
    eventually(Duration::from_secs(60), "it runs", async || begun.exists()).await;
    assert_eq!(user(&provider, "fine").await, "lion");

    let start = Instant::now();
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(61)).await;
    let Err(error) = connecting.await.unwrap() else {
        panic!("it never printed credentials");
    };
    tokio::time::resume();
    let error = Report(&error).to_string();
    assert!(
        error.ends_with("the plugin did not end within 60s"),
        "{error}"
    );
    assert!(start.elapsed() < Duration::from_secs(30));
    // The test could not end otherwise.
    fs::write(stop, "").unwrap();
}

#[tokio::test]
async fn a_manager_reconnects_to_the_cluster_whose_credentials_change_and_to_no_other() {
    let (server, folder) = (server().await, tempdir().unwrap());
    let file = folder.path().join("config");
    let text = |token: &str| {
        kubeconfig(
            [("a", token), ("b", "monkey")]
                .map(|(name, token)| context(name, &server.url(), &json!({"token": token}))),
        )
    };
    put(&file, &text("lion"));
    let (engagements, seen) = watch::channel(BTreeMap::<String, u32>::new());
    let part = for_each_cluster("count", move |engagement| {
        let engagements = engagements.clone();
        async move {
            let name = engagement.name().to_string();
            engagements.send_modify(|seen| *seen.entry(name).or_default() += 1);
            engagement.cancelled().await;
            Ok::<_, BoxError>(())
        }
    });
    let provider = FileProvider::new().file(&file).poll(NEVER);
    let running = Running::start(Manager::builder(provider).with(part)).unwrap();
    let shows = async |a: u32, b: u32| {
        let expected = BTreeMap::from([("a".to_owned(), a), ("b".to_owned(), b)]);
        let mut seen = seen.clone();
        let reached = seen.wait_for(|seen| *seen == expected);
        let reached = tokio::time::timeout(Duration::from_secs(60), reached).await;
        reached.expect("engagements").unwrap();
    };
    shows(1, 1).await;
    put(&file, &text("tiger"));
    shows(2, 1).await;
    put(&file, &text("panther"));
    shows(3, 1).await;
    running.stop().await.unwrap();
}
