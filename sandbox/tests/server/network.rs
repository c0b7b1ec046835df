//! What a client can rely on: the server on a socket.

use std::time::Duration;

use crate::support::{config_map, names, next, refusal, watch};
use futures_util::StreamExt;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, Client,
    api::{ListParams, PostParams, WatchParams},
    config::Kubeconfig,
};
use kube_sandbox::{Sandbox, Server};
use tokio::net::TcpListener;

async fn serve(sandbox: &Sandbox) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    sandbox.serve(listener).unwrap()
}

async fn connect(kubeconfig: Kubeconfig) -> Api<ConfigMap> {
    let options = kube::config::KubeConfigOptions::default();
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &options)
        .await
        .unwrap();
    Api::default_namespaced(Client::try_from(config).unwrap())
}

#[tokio::test]
async fn a_socket_and_a_client_in_process_see_the_same_cluster() {
    let sandbox = Sandbox::new();
    let server = serve(&sandbox).await;
    let remote = connect(server.kubeconfig()).await;
    let local: Api<ConfigMap> = Api::default_namespaced(sandbox.client());
    let mut events = watch(&local, &WatchParams::default().disable_bookmarks(), "0").await;
    remote
        .create(&PostParams::default(), &config_map("elephant"))
        .await
        .unwrap();
    assert!(next(&mut events).await.starts_with("ADDED elephant@"));
    assert_eq!(
        names(&local.list(&ListParams::default()).await.unwrap()),
        ["elephant"]
    );
    assert!(refusal(remote.get("lion").await).is_not_found());
}

#[tokio::test]
async fn a_kubeconfig_survives_the_way_through_a_file() {
    let server = serve(&Sandbox::new()).await;
    let text = serde_json::to_string(&server.kubeconfig()).unwrap();
    let remote = connect(Kubeconfig::from_yaml(&text).unwrap()).await;
    assert!(
        remote
            .list(&ListParams::default())
            .await
            .unwrap()
            .items
            .is_empty()
    );
}

#[tokio::test]
async fn shutdown_ends_watches_cleanly_and_at_once() {
    let server = serve(&Sandbox::new()).await;
    let remote = connect(server.kubeconfig()).await;
    let mut events = watch(&remote, &WatchParams::default().disable_bookmarks(), "0").await;
    remote
        .create(&PostParams::default(), &config_map("elephant"))
        .await
        .unwrap();
    assert!(next(&mut events).await.starts_with("ADDED"));
    let down = tokio::time::timeout(Duration::from_secs(5), server.shutdown());
    let (down, rest) = tokio::join!(down, events.collect::<Vec<_>>());
    assert!(down.is_ok() && rest.is_empty());
    assert!(remote.list(&ListParams::default()).await.is_err());
}

#[tokio::test]
async fn a_dropped_server_is_gone() {
    let sandbox = Sandbox::new();
    let server = serve(&sandbox).await;
    let remote = connect(server.kubeconfig()).await;
    remote.list(&ListParams::default()).await.unwrap();
    let mut events = remote
        .watch(&WatchParams::default().disable_bookmarks(), "0")
        .await
        .unwrap()
        .boxed();
    let addr = server.addr();
    drop(server);
    // How the stream ends depends on who is faster; that it ends does not.
    let end = tokio::time::timeout(Duration::from_secs(5), async {
        while let Some(Ok(_)) = events.next().await {}
    });
    end.await.unwrap();
    let again = tokio::time::timeout(Duration::from_secs(5), async {
        while TcpListener::bind(addr).await.is_err() {
            tokio::task::yield_now().await;
        }
    });
    again.await.unwrap();
}
