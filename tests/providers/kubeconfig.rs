//! Secrets with kubeconfigs.

mod engaged;
mod secrets;
mod thousand;

use std::collections::BTreeMap;

use futures_util::{FutureExt, StreamExt};
use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::{Api, Config, api::DeleteParams};
use kube_sandbox::Sandbox;
use multicluster::{
    ClusterEvent, ClusterProvider, ClusterRef, Report,
    providers::{Allowed, KubeconfigProvider},
};
use serde_json::json;

use secrets::{FLEET, LABEL, hub, kubeconfig, patch, secret, write};

type Events = futures_util::stream::BoxStream<'static, multicluster::Result<ClusterEvent>>;

/// The events that are there by now.
async fn news(events: &mut Events) -> Vec<ClusterEvent> {
    let mut news = Vec::new();
    let wait = std::time::Duration::from_secs(1);
    while let Ok(event) = tokio::time::timeout(wait, events.next()).await {
        news.push(event.unwrap().unwrap());
    }
    news
}

fn applied(event: &ClusterEvent) -> &ClusterRef {
    match event {
        ClusterEvent::Applied(cluster) => cluster,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn labelled_secrets_of_one_namespace_are_clusters() {
    let hub = hub();
    let text = kubeconfig("http://127.0.0.1:1", "token");
    write(&hub.client(), secret("north", &text)).await;
    let mut unlabelled = secret("south", &text);
    unlabelled.metadata.labels = Some([(LABEL.to_owned(), "false".to_owned())].into());
    write(&hub.client(), unlabelled).await;
    let mut west = secret("west", &text);
    west.metadata.namespace = Some("default".to_owned());
    hub.load([west]).unwrap();

    let mut events = KubeconfigProvider::new(hub.client(), FLEET).clusters();
    let first = news(&mut events).await;
    let [north, ClusterEvent::Synced] = &first[..] else {
        panic!("{first:?}")
    };
    let north = applied(north).clone();
    assert_eq!(north.name.as_str(), "north");
    assert_eq!(north.labels[LABEL], "true");

    // The same kubeconfig under other circumstances.
    let note = json!({"metadata": {"annotations": {"note": "a"}}, "stringData": {"other": "a"}});
    patch(&hub.client(), "north", note).await;
    assert_eq!(news(&mut events).await, []);
    patch(
        &hub.client(),
        "north",
        json!({"metadata": {"labels": {"tier": "a"}}}),
    )
    .await;
    let labelled = news(&mut events).await;
    let [labelled] = &labelled[..] else {
        panic!("{labelled:?}")
    };
    assert_eq!(applied(labelled).labels["tier"], "a");
    assert_eq!(applied(labelled).fingerprint, north.fingerprint);

    let changed = kubeconfig("http://127.0.0.1:1", "other");
    patch(
        &hub.client(),
        "north",
        json!({"stringData": {"kubeconfig": changed}}),
    )
    .await;
    let changed = news(&mut events).await;
    let [changed] = &changed[..] else {
        panic!("{changed:?}")
    };
    assert_ne!(applied(changed).fingerprint, north.fingerprint);

    // Without the label, and with it again; then on its way out, and gone.
    let gone = || [ClusterEvent::Removed(north.name.clone())];
    patch(
        &hub.client(),
        "north",
        json!({"metadata": {"labels": {LABEL: null}}}),
    )
    .await;
    assert_eq!(news(&mut events).await, gone());
    let held = json!({"metadata": {"labels": {LABEL: "true"}, "finalizers": ["test/held"]}});
    patch(&hub.client(), "north", held).await;
    assert_eq!(news(&mut events).await.len(), 1);
    let secrets = Api::<Secret>::namespaced(hub.client(), FLEET);
    secrets
        .delete("north", &DeleteParams::default())
        .await
        .unwrap();
    assert_eq!(news(&mut events).await, gone());
    patch(
        &hub.client(),
        "north",
        json!({"metadata": {"finalizers": null}}),
    )
    .await;
    assert_eq!(news(&mut events).await, []);
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_holds_no_kubeconfig_is_a_cluster_that_cannot_be_connected_to() {
    let hub = hub();
    let mut empty = secret("empty", "");
    empty.string_data = None;
    empty.data = Some([("kubeconfig".to_owned(), ByteString::default())].into());
    let mut other = secret("other", "");
    other.string_data = None;
    other.data = Some(BTreeMap::from([(
        "value".to_owned(),
        ByteString::default(),
    )]));
    let mut plain = secret("plain", "x");
    plain.metadata.labels = None;
    for secret in [empty, other, plain] {
        write(&hub.client(), secret).await;
    }
    let provider = KubeconfigProvider::new(hub.client(), FLEET);
    let shown = news(&mut provider.clusters()).await;
    assert_eq!(shown.len(), 3, "{shown:?}");
    for (name, reason) in [
        ("empty", r#"its key "kubeconfig" is empty"#),
        ("other", r#"it has no key "kubeconfig""#),
        (
            "plain",
            "it does not have the label sigs.k8s.io/multicluster-runtime-kubeconfig=true any more",
        ),
    ] {
        let error = provider.connect(&ClusterRef::new(name.parse().unwrap()));
        let error = error.await.unwrap_err();
        assert_eq!(
            Report(&error).to_string(),
            format!(
                "provider kubeconfig: use the kubeconfig of the Secret {FLEET}/{name}: {reason}"
            )
        );
    }
    let error = provider.connect(&ClusterRef::new("missing".parse().unwrap()));
    let error = Report(&error.await.unwrap_err()).to_string();
    let start = format!("provider kubeconfig: get the Secret {FLEET}/missing: ");
    assert!(
        error.starts_with(&start) && error.ends_with("(404)"),
        "{error}"
    );
}

#[tokio::test]
async fn label_key_and_allowances_can_be_set() {
    let hub = hub();
    let member = Sandbox::new().listen("127.0.0.1:0").await.unwrap();
    let token = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(token.path(), "keeper").unwrap();
    let mut text: serde_json::Value = serde_json::from_str(&kubeconfig(&member.url(), "")).unwrap();
    text["users"][0]["user"] = json!({"tokenFile": token.path()});
    let mut north = secret("north", "");
    north.metadata.labels = Some([("fleet".to_owned(), "a".to_owned())].into());
    north.string_data = Some([("value".to_owned(), text.to_string())].into());
    write(&hub.client(), north).await;

    let provider = KubeconfigProvider::new(hub.client(), FLEET)
        .label("fleet", "a")
        .key("value");
    let shown = provider.clusters().next().await.unwrap().unwrap();
    let north = applied(&shown).clone();
    let refused = provider.connect(&north).await.unwrap_err();
    let refused = Report(&refused).to_string();
    assert!(refused.contains("tokenFile is refused"), "{refused}");
    let provider = provider.allow(Allowed::NOTHING.files());
    let cluster = provider.connect(&north).await.unwrap();
    assert_eq!(cluster.name(), &north.name);
    cluster.client().apiserver_version().await.unwrap();
}

#[tokio::test]
async fn the_namespace_is_that_of_the_config() {
    let sandbox = hub();
    let server = sandbox.listen("127.0.0.1:0").await.unwrap();
    let mut config = Config::new(server.url().parse().unwrap());
    config.default_namespace = FLEET.to_owned();
    write(&sandbox.client(), secret("north", "x")).await;
    let provider = KubeconfigProvider::try_from(config).unwrap();
    let shown = provider.clusters().next().await.unwrap().unwrap();
    assert_eq!(applied(&shown).name.as_str(), "north");
    assert!(format!("{provider:?}").contains(FLEET));
}

#[tokio::test]
async fn connecting_can_be_given_up_at_any_time() {
    let hub = hub();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = format!("http://{}", listener.local_addr().unwrap());
    write(
        &hub.client(),
        secret("north", &kubeconfig(&silent, "token")),
    )
    .await;
    let provider = KubeconfigProvider::new(hub.client(), FLEET);
    let connecting = provider.connect(&ClusterRef::new("north".parse().unwrap()));
    let mut connecting = std::pin::pin!(connecting);
    let accepted = async {
        tokio::select! {
            _ = &mut connecting => panic!("nobody answers"),
            accepted = listener.accept() => accepted.unwrap(),
        }
    };
    let _socket = accepted.await;
    assert!(connecting.as_mut().now_or_never().is_none());
}
