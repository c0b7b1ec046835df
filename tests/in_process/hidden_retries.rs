//! The trap of kube's own retries, over loopback and in real time: only there is the client built from a `Config`.

use std::time::Duration;

use kube::config::KubeConfigOptions;
use kube_sandbox::{ApiCall, Fault, Rule, Verb};
use multicluster::{Manager, Sharding, providers::FixedProvider, sharding::Timings};
use tokio::net::TcpListener;

use crate::fleet::{Fleet, LEASE, Replica};

const SECOND: Duration = Duration::from_secs(1);

/// The first two requests about the own peer Lease, of which the first has `fault`.
async fn first_two(fault: Fault) -> [ApiCall; 2] {
    let fleet = Fleet::new(&[]).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = fleet.faults.serve(listener).unwrap();
    let options = KubeConfigOptions::default();
    let config = kube::Config::from_custom_kubeconfig(server.kubeconfig_for("a"), &options)
        .await
        .unwrap();
    assert!(
        config.default_retry,
        "the trap is gone: so can this test be"
    );

    let rule = Rule::new(fault).name_prefix("mcr-peer-a").times(1);
    fleet.faults.add(rule);
    let sharding = Sharding::new(&config, "mcr")
        .peer("a")
        .lease_namespace("kube-system")
        .timings(Timings::new(LEASE));
    let manager = Manager::builder(FixedProvider::new())
        .sharding(sharding)
        .build()
        .unwrap();
    let replica = Replica::run(manager);
    let calls = || {
        let mut calls = fleet.faults.calls();
        calls.retain(|call| call.name == "mcr-peer-a");
        calls
    };
    fleet
        .until(5 * SECOND, "two requests", async || calls().len() >= 2)
        .await;
    drop(replica);
    let mut calls = calls().into_iter();
    std::array::from_fn(|_| calls.next().unwrap())
}

#[tokio::test]
async fn an_unavailable_server_is_seen_at_once() {
    let [first, second] = first_two(Fault::Status(503)).await;
    assert_eq!(first.verb, Verb::Create);
    // kube would send the same again after some milliseconds; a peer looks whether it was applied.
    assert_eq!(second.verb, Verb::Get);
}

#[tokio::test]
async fn a_busy_server_is_seen_at_once_and_left_alone() {
    let [first, second] = first_two(Fault::Throttle { retry_after: 1 }).await;
    assert_eq!((first.verb, second.verb), (Verb::Create, Verb::Create));
    let gap = second.at - first.at;
    assert!(gap >= SECOND, "{gap:?}");
}
