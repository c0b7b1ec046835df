//! Refusals as a real server words them, in process and on a socket.

use std::future::ready;

use futures_util::StreamExt;
use http::{Request, StatusCode, header};
use http_body_util::BodyExt;
use kube::{Api, Client, api::PostParams};
use kube_sandbox::{Fault, Rule, Server};
use tokio::net::TcpListener;
use tower::ServiceExt;

use super::{SECOND, create, exists, follow, setup};
use crate::support::refusal;

#[tokio::test(start_paused = true)]
async fn conflicts_are_worded_by_verb_and_leave_reads_alone() {
    let (sandbox, faults, maps) = setup().await;
    faults.add(Rule::new(Fault::Conflict));
    let lion = maps.get("lion").await.unwrap();
    let status = refusal(maps.replace("lion", &PostParams::default(), &lion).await);
    assert_eq!((status.code, status.reason.as_str()), (409, "Conflict"));
    let status = refusal(create(&maps, "tiger").await);
    assert_eq!(
        (status.code, status.reason.as_str()),
        (409, "AlreadyExists")
    );
    assert!(!exists(&sandbox, "tiger").await);
}

#[tokio::test(start_paused = true)]
async fn throttling_says_when_to_come_again() {
    let (_sandbox, faults, maps) = setup().await;
    let rule = faults.add(Rule::new(Fault::Throttle { retry_after: 3 }));
    let status = refusal(maps.get("lion").await);
    assert_eq!(
        (status.code, status.reason.as_str()),
        (429, "TooManyRequests")
    );
    assert_eq!(status.details.unwrap().retry_after_seconds, 3);
    faults.remove(rule);

    faults.add(Rule::new(Fault::ThrottleText { retry_after: 1 }));
    let request = Request::get("/api/v1/namespaces/default/configmaps/lion");
    let request = request.body(kube::client::Body::empty()).unwrap();
    let reply = faults.service("a").oneshot(request).await.unwrap();
    assert_eq!(reply.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(reply.headers()[header::RETRY_AFTER], "1");
    let body = reply.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, "Too many requests, please try again later.\n");
}

#[tokio::test(start_paused = true)]
async fn a_refused_write_is_not_applied() {
    let (sandbox, faults, maps) = setup().await;
    for code in [403, 500, 503] {
        let rule = faults.add(Rule::new(Fault::Status(code)));
        assert_eq!(refusal(create(&maps, "tiger").await).code, code);
        faults.remove(rule);
    }
    assert!(!exists(&sandbox, "tiger").await);
}

async fn remote(server: &Server, user: &str) -> Api<k8s_openapi::api::core::v1::ConfigMap> {
    let options = kube::config::KubeConfigOptions::default();
    let mut config = kube::Config::from_custom_kubeconfig(server.kubeconfig_for(user), &options)
        .await
        .unwrap();
    config.default_retry = false;
    Api::default_namespaced(Client::try_from(config).unwrap())
}

#[tokio::test]
async fn on_a_socket_the_token_is_the_user() {
    let (_sandbox, faults, _) = setup().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = faults.serve(listener).unwrap();
    let (a, b) = (remote(&server, "a").await, remote(&server, "b").await);
    faults.add(Rule::new(Fault::Status(403)).user("a"));
    assert_eq!(refusal(a.get("lion").await).code, 403);
    assert!(b.get("lion").await.is_ok());
    assert_eq!(faults.calls()[0].user, "a");
}

#[tokio::test]
async fn on_a_socket_a_broken_connection_is_one() {
    let (sandbox, faults, _) = setup().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = faults.serve(listener).unwrap();
    let maps = remote(&server, "a").await;
    let events = follow(&maps).await;
    let rule = faults.add(Rule::new(Fault::DisconnectAfter));
    let error = create(&maps, "tiger").await.unwrap_err();
    assert!(!matches!(error, kube::Error::Api(_)), "{error}");
    assert!(exists(&sandbox, "tiger").await);
    faults.remove(rule);

    faults.add(Rule::new(Fault::Outage(kube_sandbox::Outage::Refuse)));
    // kube hides how a stream over HTTP ended; that it ended it does not.
    let end = tokio::time::timeout(5 * SECOND, events.for_each(|_| ready(())));
    assert!(end.await.is_ok());
    assert!(maps.get("lion").await.is_err());
    faults.clear();
    assert!(maps.get("lion").await.is_ok(), "a new connection works");
}
