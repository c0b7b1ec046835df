use std::time::Duration;

use http::StatusCode;
use k8s_openapi::jiff::Timestamp;
use kube::Config;
use kube_sandbox::{Fault, Faults, Rule, Sandbox, Server};
use tokio::net::TcpListener;

use super::*;
use crate::cluster::Cluster;

fn get(path: &str) -> Request<Body> {
    Request::get(path).body(Body::empty()).unwrap()
}

fn config(url: &str) -> Config {
    let mut config = Config::new(url.parse().unwrap());
    config.root_cert = Some(Vec::new());
    config.default_namespace = "zoo".to_owned();
    config
}

async fn served() -> (Faults, Server) {
    let faults = Faults::new(&Sandbox::new(), 1);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = faults.serve(listener).unwrap();
    (faults, server)
}

#[tokio::test]
async fn a_request_without_an_answer_holds_up_no_other() {
    let (faults, server) = served().await;
    let cluster = Cluster::from_config("zoo".parse().unwrap(), config(&server.url())).unwrap();
    faults.add(Rule::new(Fault::Hang).kind("ConfigMap"));
    let hanging = cluster.send(get("/api/v1/configmaps"));
    let hanging = tokio::time::timeout(Duration::from_secs(60), hanging);
    let others = async {
        for _ in 0..3 {
            let answer = cluster.send(get("/api/v1/namespaces")).await.unwrap();
            assert_eq!(answer.status(), StatusCode::OK);
        }
    };
    tokio::select! {
        biased;
        hung = hanging => panic!("it was answered: {}", hung.is_ok()),
        () = others => {}
    }
}

#[tokio::test]
async fn the_client_of_a_service_asks_the_same_cluster() {
    let (_, server) = served().await;
    let cluster = Cluster::from_config("zoo".parse().unwrap(), config(&server.url())).unwrap();
    assert_eq!(cluster.client().default_namespace(), "zoo");
    let version = cluster.client().apiserver_version().await.unwrap();
    assert!(!version.git_version.is_empty());
    let answer = cluster.send(get("/version")).await.unwrap();
    let text = answer.into_body().collect().await.unwrap().to_bytes();
    let text = String::from_utf8(text.to_vec()).unwrap();
    assert!(text.contains(&version.git_version), "{text}");
}

#[tokio::test]
async fn errors_are_those_of_a_client() {
    let nobody = config("http://127.0.0.1:1");
    let client = crate::cluster_client(nobody.clone()).unwrap();
    let cluster = Cluster::from_config("zoo".parse().unwrap(), nobody).unwrap();
    let Err(error) = cluster.send(get("/version")).await else {
        panic!("somebody answered")
    };
    let same = client.send(get("/version")).await.unwrap_err();
    assert_eq!(error.to_string(), same.to_string());
}

#[tokio::test]
async fn the_end_of_credentials_is_known() {
    let end = Timestamp::from_second(2_000_000_000).ok();
    let builder = ClientBuilder::try_from(config("http://127.0.0.1:1")).unwrap();
    let transport = Transport::of_builder(builder.with_valid_until(end));
    assert_eq!(transport.valid_until(), end);
    assert_eq!(*transport.client().valid_until(), end);
}
