//! Follows a folder of kubeconfig files: clusters come, get other credentials, and go.
//!
//! `cargo run --example file --features file` needs nothing else: the clusters are API servers in memory, which listen on
//! loopback, and the folder is a temporary one. The program writes, breaks and deletes files, prints whom each cluster
//! takes it for, and ends; Ctrl-C ends it earlier. `cargo run --example file --features file -- FOLDER` follows a folder of
//! yours in place of that, until Ctrl-C.

use std::{collections::BTreeMap, env, fs, path::Path, time::Duration};

use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use kube::{Api, api::PostParams};
use kube_sandbox::{Sandbox, Server};
use multicluster::{
    BoxError, ClusterAware, Engagement, Manager, for_each_cluster, providers::FileProvider,
    shutdown_signal,
};
use serde_json::json;
use tokio::{sync::watch, time::timeout};
use tokio_util::sync::CancellationToken;

/// The engaged clusters, and whom each takes this program for.
type Users = watch::Sender<BTreeMap<String, String>>;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().with_env_filter("warn").init();
    let users = Users::default();
    if let Some(folder) = env::args_os().nth(1) {
        let manager = Manager::builder(FileProvider::new().folder(folder)).with(part(users));
        manager.build()?.run(shutdown_signal()).await?;
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let provider = FileProvider::new().folder(folder.path());
    let manager = Manager::builder(provider)
        .with(part(users.clone()))
        .build()?;
    let stop = CancellationToken::new();
    let show = async {
        let shown = tokio::select! {
            shown = show(folder.path(), &users) => shown,
            () = shutdown_signal() => Ok(()),
        };
        stop.cancel();
        shown
    };
    let (ran, shown) = tokio::join!(manager.run(stop.clone().cancelled_owned()), show);
    ran?;
    shown
}

/// Asks each cluster who we are, for as long as it is engaged.
fn part(users: Users) -> impl ClusterAware {
    for_each_cluster("whoami", move |engagement| {
        let users = users.clone();
        async move {
            let name = engagement.name().to_string();
            let user = whoami(&engagement).await?;
            println!("  + {name} as {user}");
            users.send_modify(|users| drop(users.insert(name.clone(), user)));
            engagement.cancelled().await;
            println!("  - {name}");
            users.send_modify(|users| drop(users.remove(&name)));
            Ok::<_, BoxError>(())
        }
    })
}

async fn whoami(engagement: &Engagement) -> Result<String, BoxError> {
    let reviews: Api<SelfSubjectReview> = Api::all(engagement.client());
    let asked = SelfSubjectReview::default();
    let review = reviews.create(&PostParams::default(), &asked).await?;
    let info = review.status.and_then(|status| status.user_info);
    Ok(info.and_then(|info| info.username).unwrap_or_default())
}

/// Changes the folder, and waits for the clusters each time.
async fn show(folder: &Path, users: &Users) -> anyhow::Result<()> {
    let (north, south) = (server().await?, server().await?);
    println!("two files, three contexts");
    put(folder, "north.yaml", &[("north", &north, "lion")])?;
    put(
        folder,
        "south.yaml",
        &[("south", &south, "tiger"), ("south-audit", &south, "owl")],
    )?;
    let all = [
        ("north", "lion"),
        ("south", "tiger"),
        ("south-audit", "owl"),
    ];
    until(users, &all).await?;

    println!("north.yaml gets another token");
    put(folder, "north.yaml", &[("north", &north, "panther")])?;
    let all = [("north", "panther"), all[1], all[2]];
    until(users, &all).await?;

    println!(
        "south.yaml breaks, which changes nothing but is logged once; then it has one context less"
    );
    fs::write(folder.join("south.yaml"), "contexts: [")?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    until(users, &all).await?;
    put(folder, "south.yaml", &[("south", &south, "tiger")])?;
    until(users, &all[..2]).await?;

    println!("north.yaml is deleted");
    fs::remove_file(folder.join("north.yaml"))?;
    until(users, &all[1..2]).await
}

async fn server() -> std::io::Result<Server> {
    Sandbox::new().listen("127.0.0.1:0").await
}

/// Writes a kubeconfig beside its place and moves it there, so that nobody reads half of it.
fn put(folder: &Path, file: &str, contexts: &[(&str, &Server, &str)]) -> std::io::Result<()> {
    let named = |field: &str, entry: &dyn Fn(&str, &Server, &str) -> serde_json::Value| {
        let entries = contexts.iter();
        let entries = entries
            .map(|(name, server, token)| json!({"name": name, field: entry(name, server, token)}));
        entries.collect::<Vec<_>>()
    };
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "contexts": named("context", &|name, _, _| json!({"cluster": name, "user": name})),
        "clusters": named("cluster", &|_, server, _| json!({"server": server.url()})),
        "users": named("user", &|_, _, token| json!({"token": token})),
    });
    let beside = folder.join(".beside");
    fs::write(&beside, config.to_string())?;
    fs::rename(beside, folder.join(file))
}

async fn until(users: &Users, expected: &[(&str, &str)]) -> anyhow::Result<()> {
    let expected = expected.iter();
    let expected = expected.map(|(name, user)| ((*name).to_owned(), (*user).to_owned()));
    let expected: BTreeMap<_, _> = expected.collect();
    let mut users = users.subscribe();
    timeout(
        Duration::from_secs(60),
        users.wait_for(|users| *users == expected),
    )
    .await??;
    Ok(())
}
