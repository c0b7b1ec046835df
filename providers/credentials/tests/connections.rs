//! Servers that answer, and those that do not as they should.

use std::sync::Arc;

use kube_sandbox::{Fault, Faults, Rule, Sandbox};
use rcgen::{CertificateParams, KeyPair};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::ring, pki_types::PrivateKeyDer},
};

use super::{
    super::{Allowed, parse},
    connect,
    fixture::{MARK, base64, kubeconfig},
    refusal,
};

#[tokio::test]
async fn the_current_context_or_the_only_one_or_the_named_one() {
    let server = Sandbox::new().listen("127.0.0.1:0").await.unwrap();
    let (current, only, named) = (
        kubeconfig(&server.url(), |config| {
            let contexts = config["contexts"].as_array_mut().unwrap();
            contexts.push(serde_json::json!({"name": "b"}));
        }),
        kubeconfig(&server.url(), |config| {
            config["current-context"] = "".into();
            config["contexts"][0]["context"]["namespace"] = "zoo".into();
        }),
        kubeconfig(&server.url(), |config| {
            config["current-context"] = "nothing".into();
            config["contexts"][0]["context"]["user"].take();
        }),
    );
    for (text, context, namespace) in [
        (current, None, "default"),
        (only, None, "zoo"),
        (named, Some("a"), "default"),
    ] {
        let kubeconfig = parse(text.as_bytes()).unwrap();
        let cluster = connect(kubeconfig, context, Allowed::NOTHING)
            .await
            .unwrap();
        assert_eq!(cluster.client().default_namespace(), namespace);
    }
}

#[tokio::test]
async fn a_refusal_of_the_credentials_is_not_one_of_the_request() {
    let sandbox = Sandbox::new();
    let faults = Faults::new(&sandbox, 1);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = faults.serve(listener).unwrap();
    let text = kubeconfig(&server.url(), |_| {});
    for (code, reason) in [
        (401, Some("does not accept the credentials (401)")),
        (403, None),
        (
            404,
            Some("answered the request for its version with HTTP status 404"),
        ),
        (
            503,
            Some("answered the request for its version with HTTP status 503"),
        ),
    ] {
        faults.clear();
        faults.add(Rule::new(Fault::Status(code)));
        match reason {
            Some(reason) => assert_eq!(
                refusal(text.as_bytes(), Allowed::NOTHING).await,
                format!("{} {reason}", server.url())
            ),
            None => {
                let kubeconfig = parse(text.as_bytes()).unwrap();
                let connected = connect(kubeconfig, None, Allowed::NOTHING).await;
                assert!(connected.is_ok(), "{code}");
            }
        }
    }
}

#[tokio::test]
async fn something_else_that_answers_is_not_quoted() {
    for answer in [
        format!("HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n{MARK}"),
        format!(
            "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{}",
            MARK.repeat(1 << 20)
        ),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let serve = tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let _ = socket.read(&mut [0; 4096]).await;
            // The client leaves when it has enough.
            let _ = socket.write_all(answer.as_bytes()).await;
        });
        let said = refusal(kubeconfig(&address, |_| {}).as_bytes(), Allowed::NOTHING).await;
        let reason = format!("what answers at {address} is no Kubernetes API server");
        assert_eq!(said, reason);
        serve.await.unwrap();
    }
    let said = refusal(
        kubeconfig("http://127.0.0.1:1", |_| {}).as_bytes(),
        Allowed::NOTHING,
    )
    .await;
    assert!(
        said.starts_with("cannot reach http://127.0.0.1:1: "),
        "{said}"
    );
    assert!(said.contains("refused"), "{said}");
}

#[tokio::test]
async fn a_server_is_trusted_by_the_kubeconfigs_authority_alone() {
    let key = KeyPair::generate().unwrap();
    let names = vec!["localhost".into(), "127.0.0.1".into()];
    let certificate = CertificateParams::new(names).unwrap();
    let certificate = certificate.self_signed(&key).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    let tls = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("https://{}", listener.local_addr().unwrap());
    let serve = tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            let Ok(mut socket) = tls.accept(socket).await else {
                continue;
            };
            let _ = socket.read(&mut [0; 4096]).await;
            let info = r#"{"major":"1","minor":"36","gitVersion":"v1.36.3","gitCommit":"","gitTreeState":"","buildDate":"","goVersion":"","compiler":"","platform":""}"#;
            let length = info.len();
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{info}");
            let _ = socket.write_all(answer.as_bytes()).await;
            let _ = socket.shutdown().await;
        }
    });
    let of = |authority: String| {
        kubeconfig(&address, |config| {
            config["clusters"][0]["cluster"]["certificate-authority-data"] = authority.into();
        })
    };
    let good = parse(of(base64(certificate.pem())).as_bytes()).unwrap();
    connect(good, None, Allowed::NOTHING).await.unwrap();

    // Base64 may be broken into lines, as kubectl's users do it.
    let broken: Vec<_> = base64(certificate.pem())
        .as_bytes()
        .chunks(64)
        .map(|line| String::from_utf8_lossy(line).into_owned())
        .collect();
    let good = parse(of(broken.join("\n")).as_bytes()).unwrap();
    connect(good, None, Allowed::NOTHING).await.unwrap();

    let other = super::Identity::new(2020, 2100);
    let said = refusal(of(other.certificate).as_bytes(), Allowed::NOTHING).await;
    assert!(
        said.starts_with(&format!("cannot reach {address}: ")),
        "{said}"
    );
    assert!(said.contains("certificate"), "{said}");
    serve.abort();
}
