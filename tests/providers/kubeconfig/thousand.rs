//! A thousand Secrets, of which ten are broken, each in its own way.

use std::{
    collections::BTreeSet,
    io,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use data_encoding::BASE64;
use k8s_openapi::api::core::v1::Event;
use kube::{Api, api::ListParams};
use kube_sandbox::Sandbox;
use multicluster::{
    BoxError, ClusterProvider, ClusterRef, Engagement, Manager, Report, for_each_cluster,
    providers::KubeconfigProvider,
    testing::{Running, eventually},
};
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use serde_json::{Value, json};

use super::secrets::{FLEET, hub, kubeconfig, secret};

/// What stands in every secret value, as it is and in base64.
const MARK: &str = "m4rk-0f-s3cr3cy";
const MARKS: [&str; 4] = [MARK, "m4rk", "bTRyay0wZi1zM2NyM2N5", "bTRyay0w"];

const FLEET_SIZE: usize = 1_000;

/// All that is logged, at any level.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A kubeconfig whose values are full of marks, one of which is used.
fn marked(server: &str) -> Value {
    let mut config: Value =
        serde_json::from_str(&kubeconfig(server, &format!("{MARK}-token"))).unwrap();
    let users = config["users"].as_array_mut().unwrap();
    users.push(json!({"name": "spare", "user": {
        "username": "spare", "password": format!("{MARK}-password"), "client-key-data": BASE64.encode(MARK.as_bytes()),
    }}));
    config
}

fn expired() -> Value {
    let mut params = CertificateParams::new(vec!["keeper".into()]).unwrap();
    params.not_after = date_time_ymd(2021, 1, 1);
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    json!({
        "client-certificate-data": BASE64.encode(certificate.pem().as_bytes()),
        "client-key-data": BASE64.encode(format!("{MARK}\n{}", key.serialize_pem()).as_bytes()),
    })
}

/// Ten ways to be broken, and what is said about each.
fn broken(server: &str) -> Vec<(String, &'static str)> {
    type Change = fn(&mut Value);
    let authority = |config: &mut Value, data: String| {
        config["clusters"][0]["cluster"]["certificate-authority-data"] = data.into();
    };
    let changes: [(Change, &'static str); 7] = [
        (
            |config| config["contexts"] = json!([]),
            "the kubeconfig has no context",
        ),
        (
            |config| config["contexts"][0]["context"]["user"] = "nobody".into(),
            r#"context "member" is for the user "nobody", whom the kubeconfig does not have"#,
        ),
        (
            |config| config["clusters"][0]["cluster"]["server"] = "http://127.0.0.1:1".into(),
            "cannot reach http://127.0.0.1:1: ",
        ),
        (
            |config| config["users"][0]["user"] = expired(),
            "the client certificate expired at 2021-01-01T00:00:00Z",
        ),
        (
            |config| {
                let args = ["-c", "touch m4rk-0f-s3cr3cy"];
                config["users"][0]["user"] = json!({"exec": {"command": "sh", "args": args}});
            },
            "exec is refused, since it would run a program here",
        ),
        (
            |config| {
                let path = format!("/var/run/secrets/{MARK}");
                config["clusters"][0]["cluster"]["certificate-authority"] = path.into();
            },
            "certificate-authority is refused, since it is a path of a local file",
        ),
        (
            |config| {
                config["current-context"].take();
                let mut second = config["contexts"][0].clone();
                second["name"] = "second".into();
                config["contexts"].as_array_mut().unwrap().push(second);
            },
            r#"the kubeconfig has several contexts and no current-context: set it to one of "member", "second""#,
        ),
    ];
    let mut broken: Vec<_> = changes
        .into_iter()
        .map(|(change, reason)| {
            let mut config = marked(server);
            change(&mut config);
            (config.to_string(), reason)
        })
        .collect();
    let junk = format!(
        "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
        BASE64.encode(MARK.as_bytes())
    );
    for (data, reason) in [
        (
            format!("{MARK}!"),
            "certificate-authority-data is not base64",
        ),
        (
            BASE64.encode(junk.as_bytes()),
            "certificate-authority-data holds a certificate that cannot be read",
        ),
    ] {
        let mut config = marked(server);
        authority(&mut config, data);
        broken.push((config.to_string(), reason));
    }
    broken.push((
        format!("users: [{{name: a, user: {{token: {MARK}"),
        "the kubeconfig is not YAML",
    ));
    broken
}

fn no_mark_in(what: &str, text: &str) {
    for mark in MARKS {
        if let Some(at) = text.find(mark) {
            let from = text[..at].rfind('\n').unwrap_or_default();
            let line: String = text[from..].chars().take(500).collect();
            panic!("a secret is shown in {what}: {line}");
        }
    }
}

#[tokio::test]
async fn ten_broken_secrets_of_a_thousand_are_named_and_disturb_nobody() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    // With a single dispatcher, what tests on other threads log first would stay switched off here too.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let _guard = tracing::subscriber::set_default(subscriber);

    let hub = hub();
    let members = [Sandbox::new(), Sandbox::new()];
    let mut servers = Vec::new();
    for member in &members {
        servers.push(member.listen("127.0.0.1:0").await.unwrap());
    }
    let broken = broken(&servers[0].url());
    assert_eq!(broken.len(), 10);
    let spread = FLEET_SIZE / broken.len();
    let secrets = (0..FLEET_SIZE).map(|at| match at % spread {
        0 => secret(&format!("broken-{}", at / spread), &broken[at / spread].0),
        _ => {
            let server = &servers[at % servers.len()];
            secret(&format!("good-{at}"), &marked(&server.url()).to_string())
        }
    });
    hub.load(secrets).unwrap();

    let start = Instant::now();
    let engaged = Arc::new(Mutex::new(BTreeSet::new()));
    let seen = engaged.clone();
    let part = for_each_cluster("note", move |cluster: Engagement| {
        seen.lock().unwrap().insert(cluster.name().to_string());
        async move {
            cluster.cancelled().await;
            Ok::<_, BoxError>(())
        }
    });
    let provider = KubeconfigProvider::new(hub.client(), FLEET);
    let running = Running::start(Manager::builder(provider.clone()).with(part)).unwrap();
    let owned = running.owned_clusters().clone();
    let reason = |number: usize| {
        let name = format!("broken-{number}");
        let health = owned.health().remove(name.as_str());
        health.and_then(|health| health.reason).unwrap_or_default()
    };
    eventually(
        Duration::from_secs(120),
        "all good ones are engaged, and all broken ones known",
        async || {
            engaged.lock().unwrap().len() == FLEET_SIZE - 10
                && (0..10).all(|number| !reason(number).is_empty())
        },
    )
    .await;
    println!(
        "{} clusters engaged within {:?}",
        FLEET_SIZE - 10,
        start.elapsed()
    );
    for (number, (_, said)) in broken.iter().enumerate() {
        let start = format!(
            "provider kubeconfig: use the kubeconfig of the Secret {FLEET}/broken-{number}: {said}"
        );
        let reason = reason(number);
        assert!(reason.starts_with(&start), "{reason}");
        let name = format!("broken-{number}");
        assert!(!engaged.lock().unwrap().contains(&name), "{name}");

        // All forms in which somebody may print it.
        let error = provider.connect(&ClusterRef::new(name.parse().unwrap()));
        let error = error.await.unwrap_err();
        let shown = format!("{error}\n{error:?}\n{error:#?}\n{}", Report(&error));
        no_mark_in("an error", &shown);
    }
    let cluster = provider.connect(&ClusterRef::new("good-1".parse().unwrap()));
    let cluster = cluster.await.unwrap();
    let engagement = owned.get(&"good-1".parse().unwrap()).unwrap();
    let shown = format!(
        "{provider:?}\n{cluster:?}\n{engagement:?}\n{owned:?}\n{:?}",
        owned.health()
    );
    no_mark_in("debug output", &shown);
    for sandbox in members.iter().chain([&hub]) {
        let events = Api::<Event>::all(sandbox.client());
        let events = events.list(&ListParams::default()).await.unwrap();
        no_mark_in("an Event", &format!("{events:?}"));
    }
    running.stop().await.unwrap();
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("broken-9"), "nothing was logged");
    no_mark_in("the log", &log);
}
