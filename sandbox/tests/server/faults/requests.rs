//! Requests that are late, lost or broken, and which ones a rule selects.

use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube_sandbox::{ApiCall, Fault, Faults, Outage, Rule, Sandbox, Verb};
use tokio::time::Instant;

use super::{SECOND, create, exists, is_unanswered, leases, setup};
use crate::support::{config_map, lease, names};

#[tokio::test(start_paused = true)]
async fn a_lost_request_is_not_applied_and_a_lost_reply_is() {
    let (sandbox, faults, maps) = setup().await;
    let hang = faults.add(Rule::new(Fault::Hang));
    assert!(is_unanswered(create(&maps, "lost")).await);
    assert_eq!(faults.remove(hang), 1);
    assert!(!exists(&sandbox, "lost").await);

    faults.add(Rule::new(Fault::LoseReply));
    assert!(is_unanswered(create(&maps, "done")).await);
    assert!(exists(&sandbox, "done").await);
}

#[tokio::test(start_paused = true)]
async fn a_connection_breaks_before_or_after_the_write() {
    let (sandbox, faults, maps) = setup().await;
    for (fault, name, applied) in [
        (Fault::Disconnect, "before", false),
        (Fault::DisconnectAfter, "after", true),
    ] {
        let rule = faults.add(Rule::new(fault));
        let error = create(&maps, name).await.unwrap_err();
        assert!(matches!(error, kube::Error::Service(_)), "{error}");
        faults.remove(rule);
        assert_eq!(exists(&sandbox, name).await, applied);
    }
}

#[tokio::test(start_paused = true)]
async fn a_delay_is_on_both_ways_and_outlives_the_sender() {
    let (sandbox, faults, maps) = setup().await;
    faults.add(Rule::new(Fault::Delay {
        before: 2 * SECOND..=3 * SECOND,
        after: 5 * SECOND..=5 * SECOND,
    }));
    let start = Instant::now();
    create(&maps, "slow").await.unwrap();
    let took = start.elapsed();
    assert!(took >= 7 * SECOND && took <= 8 * SECOND, "{took:?}");

    let impatient = tokio::time::timeout(SECOND, create(&maps, "late"));
    assert!(impatient.await.is_err());
    assert!(!exists(&sandbox, "late").await);
    tokio::time::sleep(2 * SECOND).await;
    assert!(exists(&sandbox, "late").await);
}

#[tokio::test(start_paused = true)]
async fn what_is_held_is_applied_in_order_when_the_rule_is_removed() {
    let (sandbox, faults, maps) = setup().await;
    let rule = faults.add(Rule::new(Fault::Hold));
    assert!(is_unanswered(create(&maps, "first")).await);
    let again = tokio::spawn({
        let maps = maps.clone();
        async move { create(&maps, "first").await }
    });
    tokio::time::sleep(SECOND).await;
    assert!(!exists(&sandbox, "first").await);
    faults.remove(rule);
    // Who still waits gets the answer, and it is about the state that the first request left.
    let refused = again.await.unwrap().unwrap_err();
    assert!(matches!(refused, kube::Error::Api(status) if status.is_already_exists()));
    assert!(exists(&sandbox, "first").await);
}

#[tokio::test(start_paused = true)]
async fn an_outage_refuses_loses_or_delays_everything() {
    for (outage, answered, applied) in [
        (Outage::Refuse, true, false),
        (Outage::Drop, false, false),
        (Outage::Freeze, false, true),
    ] {
        let (sandbox, faults, maps) = setup().await;
        let rule = faults.add(Rule::new(Fault::Outage(outage)));
        assert_eq!(is_unanswered(create(&maps, "new")).await, !answered);
        assert_eq!(
            is_unanswered(maps.list(&ListParams::default())).await,
            !answered
        );
        assert!(!exists(&sandbox, "new").await);
        faults.remove(rule);
        tokio::time::sleep(SECOND).await;
        assert_eq!(exists(&sandbox, "new").await, applied, "{outage:?}");
        assert!(maps.get("lion").await.is_ok(), "the way is free again");
    }
}

#[tokio::test(start_paused = true)]
async fn a_rule_selects_by_verb_kind_name_and_user() {
    let (_sandbox, faults, maps) = setup().await;
    let rule = Rule::new(Fault::Status(403))
        .verbs([Verb::Create, Verb::Update])
        .kind("Lease")
        .namespace("default")
        .name_prefix("mcr-peer-")
        .user("a");
    let rule = faults.add(rule);
    let (a, b) = (leases(&faults, "a"), leases(&faults, "b"));
    let post = PostParams::default();
    b.create(&post, &lease("mcr-peer-x")).await.unwrap();
    a.create(&post, &lease("mcr-shard-x")).await.unwrap();
    create(&maps, "mcr-peer-x").await.unwrap();
    let present = a.get("mcr-peer-x").await.unwrap();
    a.list(&ListParams::default()).await.unwrap();
    assert_eq!(faults.hits(rule), 0);
    assert!(a.create(&post, &lease("mcr-peer-y")).await.is_err());
    assert!(a.replace("mcr-peer-x", &post, &present).await.is_err());
    let patch = Patch::Merge(serde_json::json!({"metadata": {"labels": {"a": "b"}}}));
    a.patch("mcr-peer-x", &PatchParams::default(), &patch)
        .await
        .unwrap();
    assert_eq!(faults.remove(rule), 2);
}

#[tokio::test(start_paused = true)]
async fn a_rule_can_be_for_the_first_requests_only() {
    let (_sandbox, faults, maps) = setup().await;
    let rule = faults.add(Rule::new(Fault::Disconnect).times(2));
    assert!(maps.get("lion").await.is_err());
    assert!(maps.get("lion").await.is_err());
    assert!(maps.get("lion").await.is_ok());
    assert_eq!(faults.remove(rule), 2);
}

#[tokio::test(start_paused = true)]
async fn of_several_faults_the_first_counts_and_delays_add_up() {
    let (_sandbox, faults, maps) = setup().await;
    let slow = |seconds: u32| Rule::new(Fault::delay_request(seconds * SECOND..=seconds * SECOND));
    faults.add(slow(1));
    faults.add(Rule::new(Fault::Status(500)));
    let second = faults.add(Rule::new(Fault::Hang));
    faults.add(slow(2));
    let start = Instant::now();
    let error = maps.get("lion").await.unwrap_err();
    assert!(matches!(error, kube::Error::Api(status) if status.code == 500));
    assert_eq!(start.elapsed().as_secs(), 3);
    assert_eq!(faults.hits(second), 0);
    faults.clear();
    assert!(maps.get("lion").await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_gives_the_same_faults() {
    async fn play(seed: u64) -> Vec<bool> {
        let sandbox = Sandbox::new();
        let faults = Faults::new(&sandbox, seed);
        let maps = kube::Api::default_namespaced(faults.client("a"));
        faults.add(Rule::new(Fault::Status(503)).chance(0.3));
        let mut failed = Vec::new();
        for i in 0..200 {
            let made = create(&maps, &format!("lion-{i}")).await;
            failed.push(made.is_err());
        }
        failed
    }
    let first = play(7).await;
    assert_eq!(first, play(7).await);
    assert_ne!(first, play(8).await);
    let share = first.iter().filter(|failed| **failed).count();
    assert!((40..=80).contains(&share), "{share} of 200");
}

#[tokio::test(start_paused = true)]
async fn every_request_can_be_looked_up() {
    let (_sandbox, faults, maps) = setup().await;
    let start = Instant::now();
    faults.add(Rule::new(Fault::Hang).verbs([Verb::Get]));
    assert!(is_unanswered(maps.get("lion")).await);
    create(&maps, "tiger").await.unwrap();
    assert_eq!(
        names(&maps.list(&ListParams::default()).await.unwrap()),
        ["lion", "tiger"]
    );
    maps.replace("tiger", &PostParams::default(), &config_map("tiger"))
        .await
        .unwrap();
    let calls = faults.calls();
    let short = |call: &ApiCall| (call.verb, call.name.clone(), (call.at - start).as_secs());
    assert_eq!(
        calls.iter().map(short).collect::<Vec<_>>(),
        [
            (Verb::Get, "lion".to_owned(), 0),
            (Verb::Create, "tiger".to_owned(), 60),
            (Verb::List, String::new(), 60),
            (Verb::Update, "tiger".to_owned(), 60),
        ]
    );
    assert!(
        calls.iter().all(|call| call.user == "a"
            && call.kind == "ConfigMap"
            && call.namespace == "default")
    );
    faults.forget_calls();
    assert!(faults.calls().is_empty());
}
