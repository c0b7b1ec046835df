//! What is refused, what is said about it, and what is not said.

mod connections;
mod fixture;
mod plugins;

use multicluster::{Cluster, Report, kube::config::Kubeconfig};
use serde_json::{Value, json};

use super::{Allowed, Error, parse};
use fixture::{Identity, MARK, kubeconfig, secrets_of};

async fn connect(
    kubeconfig: Kubeconfig,
    context: Option<&str>,
    allowed: Allowed,
) -> Result<Cluster, Error> {
    super::connect("zoo".parse().unwrap(), kubeconfig, context, allowed).await
}

/// Why a kubeconfig cannot be used, in all the forms in which an error is shown.
async fn refusal(text: &[u8], allowed: Allowed) -> String {
    let connected = match parse(text) {
        Ok(kubeconfig) => connect(kubeconfig, None, allowed).await.map(drop),
        Err(error) => Err(error),
    };
    let error: Error = connected.expect_err("it cannot be used");
    let shown = format!("{} | {error} | {error:?}", Report(&error));
    for secret in secrets_of(text) {
        assert!(!shown.contains(&secret), "{secret:?} is shown in: {shown}");
    }
    Report(&error).to_string()
}

async fn refused(change: impl FnOnce(&mut Value)) -> String {
    let text = kubeconfig("https://127.0.0.1:1", change);
    refusal(text.as_bytes(), Allowed::NOTHING).await
}

#[tokio::test]
async fn texts_that_are_no_kubeconfig() {
    for (text, reason) in [
        (
            format!("\u{fffd}{MARK}").into_bytes()[1..].to_vec(),
            "the kubeconfig is not UTF-8 text",
        ),
        (
            format!("token: [{MARK}\nusers: {{").into_bytes(),
            "the kubeconfig is not YAML (line 2, column ",
        ),
        (
            format!("{MARK} without a field").into_bytes(),
            "the text is YAML, but no kubeconfig (line 1, column 1)",
        ),
        (
            format!("clusters: {{name: {MARK}}}").into_bytes(),
            "the text is YAML, but no kubeconfig (line 1, column 11)",
        ),
        (
            format!("users: [{{name: a, user: {{token: [{MARK}]}}}}]").into_bytes(),
            "the text is YAML, but no kubeconfig (line 1, column 33)",
        ),
        (
            format!("kind: Secret\ndata: {{kubeconfig: {MARK}}}").into_bytes(),
            "the text is an object of another kind than Config, so no kubeconfig",
        ),
        (
            format!("kind: Config\napiVersion: v1\n---\napiVersion: {MARK}").into_bytes(),
            "the kubeconfig's documents differ in kind or apiVersion",
        ),
        (Vec::new(), "the kubeconfig has no context"),
        (
            format!("token: {MARK}").into_bytes(),
            "the kubeconfig has no context",
        ),
    ] {
        let said = refusal(&text, Allowed::NOTHING).await;
        assert!(said.starts_with(reason), "{said}");
    }
}

#[tokio::test]
async fn contexts_that_lead_nowhere() {
    type Change = fn(&mut Value);
    let cases: [(Change, &str); 7] = [
        (
            |config| config["contexts"] = json!([]),
            "the kubeconfig has no context",
        ),
        (
            |config| config["current-context"] = "away".into(),
            r#"the kubeconfig has no context "away"; it has "a""#,
        ),
        (
            |config| {
                config["current-context"].take();
                let context = config["contexts"][0]["context"].clone();
                config["contexts"] =
                    json!([{"name": "a", "context": context}, {"name": "b", "context": context}]);
            },
            r#"the kubeconfig has several contexts and no current-context: set it to one of "a", "b""#,
        ),
        (
            |config| config["contexts"][0]["context"]["cluster"] = "b".into(),
            r#"context "a" is for the cluster "b", which the kubeconfig does not have"#,
        ),
        (
            |config| config["contexts"][0]["context"]["user"] = "b".into(),
            r#"context "a" is for the user "b", whom the kubeconfig does not have"#,
        ),
        (
            |config| {
                let contexts: Vec<_> = (0..20)
                    .map(|at| json!({"name": format!("{at}\n")}))
                    .collect();
                config["contexts"] = contexts.into();
                config["current-context"] = "x".repeat(500).into();
            },
            r#""0\n", "1\n", "2\n", "3\n", "4\n", "5\n", "6\n", "7\n" and 12 more"#,
        ),
        (
            |config| config["contexts"][0]["context"] = Value::Null,
            r#"the kubeconfig has no context "a""#,
        ),
    ];
    for (change, reason) in cases {
        let said = refused(change).await;
        assert!(said.contains(reason) && said.len() < 250, "{said}");
    }
}

#[tokio::test]
async fn what_a_stranger_may_not_write() {
    for (field, cluster, value) in [
        ("exec", false, json!({"command": MARK, "args": [MARK]})),
        (
            "auth-provider",
            false,
            json!({"name": "gcp", "config": {"cmd-path": MARK}}),
        ),
        ("tokenFile", false, json!(MARK)),
        ("client-certificate", false, json!(MARK)),
        ("client-key", false, json!(MARK)),
        ("certificate-authority", true, json!(MARK)),
        (
            "proxy-url",
            true,
            json!(format!("http://me:{MARK}@proxy:80")),
        ),
        ("insecure-skip-tls-verify", true, json!(true)),
    ] {
        let said = refused(|config| match cluster {
            true => config["clusters"][0]["cluster"][field] = value,
            false => config["users"][0]["user"][field] = value,
        })
        .await;
        let start = format!("{field} is refused, since it would ");
        let path = format!("{field} is refused, since it is a path of a local file: ");
        assert!(
            said.starts_with(&start) || said.starts_with(&path),
            "{said}"
        );
        assert!(said.ends_with(", or allow it (Allowed)"), "{said}");
    }
}

#[tokio::test]
async fn servers_that_cannot_be_addressed() {
    for (server, reason) in [
        ("", "is missing"),
        ("not an address", "is no URL"),
        (
            "127.0.0.1:6443",
            "is no URL with a scheme, as https://host:6443",
        ),
        ("/a", "is no URL with a scheme, as https://host:6443"),
        ("ftp://a", "is neither https nor http"),
        (
            "https://me:s3cr3t-m4rk@a",
            "holds a user's name: credentials belong to the kubeconfig's user",
        ),
        ("https://a?token=s3cr3t-m4rk", "holds a query"),
        (
            "https://a:99999",
            "has a port that is no number from 1 to 65535",
        ),
        (
            "https://a:0/b",
            "has a port that is no number from 1 to 65535",
        ),
        (
            "https://[::1]:70000",
            "has a port that is no number from 1 to 65535",
        ),
    ] {
        let said =
            refused(|config| config["clusters"][0]["cluster"]["server"] = server.into()).await;
        assert_eq!(said, format!("the cluster's server {reason}"), "{server}");
    }
}

#[tokio::test]
async fn certificates_keys_and_tokens_that_are_broken() {
    let (good, other) = (Identity::new(2020, 2100), Identity::new(2020, 2100));
    let (old, new) = (Identity::new(2020, 2021), Identity::new(2100, 2101));
    let certificate = "client-certificate-data";
    let key = "client-key-data";
    let encrypted = fixture::base64(
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nczNjcjN0LW00cms=\n-----END ENCRYPTED PRIVATE KEY-----\n",
    );
    let junk = fixture::base64(
        "-----BEGIN CERTIFICATE-----\nczNjcjN0LW00cms=\n-----END CERTIFICATE-----\n",
    );
    let cut = fixture::base64(format!("-----BEGIN CERTIFICATE-----\n{MARK}"));
    let text = fixture::base64(MARK);
    for (fields, reason) in [
        (
            json!({certificate: format!("{MARK}!"), key: good.key}),
            "client-certificate-data is not base64",
        ),
        (
            json!({certificate: text, key: good.key}),
            "client-certificate-data holds no PEM text of the kind that belongs there",
        ),
        (
            json!({certificate: cut, key: good.key}),
            "client-certificate-data holds no PEM text of the kind that belongs there",
        ),
        (
            json!({certificate: junk, key: good.key}),
            "client-certificate-data holds a certificate that cannot be read",
        ),
        (
            json!({certificate: good.certificate, key: format!("{MARK}!")}),
            "client-key-data is not base64",
        ),
        (
            json!({certificate: good.certificate, key: good.certificate}),
            "client-key-data holds no PEM text of the kind that belongs there",
        ),
        (
            json!({certificate: good.certificate, key: encrypted}),
            "client-key-data is encrypted: store the key without a passphrase",
        ),
        (
            json!({certificate: good.certificate, key: other.key}),
            "the client certificate and its key cannot be used: do they belong together?",
        ),
        (
            json!({certificate: good.certificate}),
            "client-key-data is missing: a client certificate needs its key, and the key its certificate",
        ),
        (
            json!({key: good.key}),
            "client-certificate-data is missing: a client certificate needs its key, and the key its certificate",
        ),
        (
            json!({certificate: old.certificate, key: old.key}),
            "the client certificate expired at 2021-01-01T00:00:00Z",
        ),
        (
            json!({certificate: new.certificate, key: new.key}),
            "the client certificate is not valid before 2100-01-01T00:00:00Z",
        ),
        (
            json!({"token": format!("{MARK}\n")}),
            "the user's token holds characters that no HTTP header may hold, as a line break",
        ),
        (
            json!({"as": format!("{MARK}\n")}),
            "the user's name or password, or whom it impersonates, cannot be sent in an HTTP header",
        ),
    ] {
        let said = refused(|config| config["users"][0]["user"] = fields).await;
        assert_eq!(said, reason);
    }
    for (authority, reason) in [
        (
            format!("{MARK}!"),
            "certificate-authority-data is not base64",
        ),
        (
            text.clone(),
            "certificate-authority-data holds no PEM text of the kind that belongs there",
        ),
        (
            junk.clone(),
            "certificate-authority-data holds a certificate that cannot be read",
        ),
    ] {
        let said = refused(|config| {
            config["clusters"][0]["cluster"]["certificate-authority-data"] = authority.into();
        })
        .await;
        assert_eq!(said, reason);
    }
}

#[tokio::test]
async fn files_are_read_only_where_that_is_allowed() {
    let folder = tempfile::tempdir().unwrap();
    let identity = Identity::new(2020, 2100);
    let write = |name: &str, data: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, data).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let certificate = write("certificate", &fixture::from_base64(&identity.certificate));
    let key = write("key", &fixture::from_base64(&identity.key));
    let large = write("large", &vec![b'x'; 2 << 20]);
    let missing = folder.path().join(MARK).to_str().unwrap().to_owned();
    let allowed = Allowed::NOTHING.files();
    for (fields, reason) in [
        // It is read, and the port is the next thing that is wrong.
        (
            json!({"client-certificate": certificate, "client-key": key}),
            "cannot reach https://127.0.0.1:1: ",
        ),
        (
            json!({"client-certificate": certificate, "client-key": missing}),
            "cannot read the file of client-key: No such file",
        ),
        (
            json!({"client-certificate": key, "client-key": key}),
            "client-certificate-data holds no PEM text",
        ),
        (
            json!({"tokenFile": missing}),
            "cannot read the file of tokenFile: No such file",
        ),
        (
            json!({"tokenFile": large}),
            "the file of tokenFile is larger than 1 MiB",
        ),
    ] {
        let text = kubeconfig("https://127.0.0.1:1", |config| {
            config["users"][0]["user"] = fields;
        });
        let said = refusal(text.as_bytes(), allowed).await;
        assert!(said.starts_with(reason), "{said}");
    }
}

#[test]
fn allowances_are_what_they_say() {
    let one_by_one = Allowed::NOTHING
        .exec()
        .auth_provider()
        .proxy()
        .files()
        .insecure_tls();
    assert_eq!(one_by_one, Allowed::EVERYTHING);
    assert_eq!(Allowed::default(), Allowed::NOTHING);
}
