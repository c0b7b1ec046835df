//! Plugins that print credentials.

use std::time::Duration;

use kube_sandbox::{Fault, Faults, Rule, Sandbox};
use multicluster::kube::Config;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{
    super::{Allowed, access::Access, parse, plugin},
    Report, connect,
    fixture::{MARK, kubeconfig},
    refusal,
};

fn shell(script: &str) -> Value {
    json!({"exec": {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": "/bin/sh", "args": ["-c", script], "interactiveMode": "Always",
    }})
}

fn with_plugin(server: &str, script: &str) -> String {
    kubeconfig(server, |config| config["users"][0]["user"] = shell(script))
}

/// A plugin that prints a token once it has found that nobody can be asked.
fn printing(token: &str) -> String {
    let credential = json!({
        "apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": token},
    });
    format!(
        r#"case "$KUBERNETES_EXEC_INFO" in *'"interactive":false'*) echo '{credential}';; *) exit 7;; esac"#
    )
}

#[tokio::test]
async fn an_allowed_plugin_gives_the_token_and_asks_nobody() {
    let sandbox = Sandbox::new();
    let faults = Faults::new(&sandbox, 1);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = faults.serve(listener).unwrap();
    let text = with_plugin(&server.url(), &printing("keeper"));
    let allowed = Allowed::NOTHING.exec();
    connect(parse(text.as_bytes()).unwrap(), None, allowed)
        .await
        .unwrap();
    let users: Vec<_> = faults.calls().into_iter().map(|call| call.user).collect();
    assert_eq!(users, ["keeper"]);

    faults.add(Rule::new(Fault::Status(401)).user("keeper"));
    let said = refusal(text.as_bytes(), allowed).await;
    let refused = format!("{} does not accept the credentials (401)", server.url());
    assert_eq!(said, refused);
}

#[tokio::test]
async fn a_plugin_that_fails_is_named_without_what_it_printed() {
    for (script, reason) in [
        (
            format!("echo {MARK}; echo {MARK} >&2; exit 3"),
            "the plugin failed (exit status: 3)",
        ),
        (
            format!("echo {MARK}"),
            "the plugin or the auth-provider gave no credentials that can be used",
        ),
        (
            // kube panics then.
            printing(&format!("{MARK}\\u0007")),
            "the plugin or the auth-provider gave no credentials that can be used",
        ),
    ] {
        let text = with_plugin("http://127.0.0.1:1", &script);
        let said = refusal(text.as_bytes(), Allowed::NOTHING.exec()).await;
        assert_eq!(said, reason);
    }
    let text = kubeconfig("http://127.0.0.1:1", |config| {
        config["users"][0]["user"] = json!({"exec": {"command": format!("/{MARK}")}});
    });
    let said = refusal(text.as_bytes(), Allowed::NOTHING.exec()).await;
    assert_eq!(said, "the plugin cannot be started: entity not found");
}

#[tokio::test]
async fn a_plugin_that_hangs_gives_its_place_away() {
    let config = async |script: &str| {
        let text = with_plugin("http://127.0.0.1:1", script);
        let access = Access::pick(parse(text.as_bytes()).unwrap(), None).unwrap();
        let (kubeconfig, options) = access.into_kubeconfig();
        let config = Config::from_custom_kubeconfig(kubeconfig, &options).await;
        config.unwrap()
    };
    // It hangs for as long as this file is there: until the end of the test.
    let file = tempfile::NamedTempFile::new().unwrap();
    let hang = format!(
        "while [ -e '{}' ]; do sleep 0.1; done",
        file.path().display()
    );
    let limit = Duration::from_millis(100);
    let hanging = (0..2 * plugin::PLACES).map(async |_| {
        let config = config(&hang).await;
        let Err(error) = plugin::make_client_within(limit, config).await else {
            panic!("it does not end")
        };
        assert_eq!(
            Report(&error).to_string(),
            "the plugin did not end within 100ms"
        );
    });
    futures_util::future::join_all(hanging).await;
    // More of them than there are places hang, and another one is served.
    let limit = Duration::from_secs(60);
    let made = plugin::make_client_within(limit, config(&printing("a")).await).await;
    assert!(made.unwrap().is_ok());
}
