//! An API server whose store is away.

use futures_util::FutureExt;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api,
    api::{DeleteParams, ListParams, PostParams, WatchParams},
};
use kube_sandbox::{Fault, Rule, StoreDown};

use super::{SECOND, create, direct, exists, is_unanswered, setup};
use crate::support::{config_map, names, next, refusal, watch};

#[tokio::test(start_paused = true)]
async fn lists_are_answered_and_single_objects_and_writes_are_not() {
    for mode in [StoreDown::Fail, StoreDown::Hang] {
        let (sandbox, faults, maps) = setup().await;
        let rule = faults.add(Rule::new(Fault::StoreDown(mode)));
        let list = maps.list(&ListParams::default()).await.unwrap();
        assert_eq!(names(&list), ["lion"]);
        if mode == StoreDown::Hang {
            assert!(is_unanswered(maps.get("lion")).await);
            assert!(is_unanswered(create(&maps, "tiger")).await);
        } else {
            assert_eq!(refusal(maps.get("lion").await).code, 500);
            assert_eq!(refusal(create(&maps, "tiger").await).code, 500);
        }
        faults.remove(rule);
        assert!(!exists(&sandbox, "tiger").await);
        create(&maps, "tiger").await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_shows_the_past_also_when_others_still_write() {
    let (sandbox, faults, maps) = setup().await;
    let there = direct(&sandbox);
    create(&there, "deleted").await.unwrap();
    let before = maps.list(&ListParams::default()).await.unwrap();
    let rule = faults.add(Rule::new(Fault::StoreDown(StoreDown::Fail)).user("a"));
    create(&there, "created").await.unwrap();
    there
        .delete("deleted", &DeleteParams::default())
        .await
        .unwrap();
    let mut changed = config_map("lion");
    changed.data = Some([("legs".to_owned(), "4".to_owned())].into());
    there
        .replace("lion", &PostParams::default(), &changed)
        .await
        .unwrap();

    let during = maps.list(&ListParams::default()).await.unwrap();
    assert_eq!(during.items, before.items);
    assert_eq!(
        during.metadata.resource_version,
        before.metadata.resource_version
    );
    faults.remove(rule);
    let after = maps.list(&ListParams::default()).await.unwrap();
    assert_eq!(names(&after), ["created", "lion"]);
}

#[tokio::test(start_paused = true)]
async fn watches_are_quiet_but_for_bookmarks_and_catch_up_afterwards() {
    let (sandbox, faults, maps) = setup().await;
    let from = maps.list(&ListParams::default()).await.unwrap();
    let from = from.metadata.resource_version.unwrap();
    let mut open = watch(&maps, &WatchParams::default(), &from).await;
    let rule = faults.add(Rule::new(Fault::StoreDown(StoreDown::Fail)).user("a"));
    let mut new = watch(&maps, &WatchParams::default(), &from).await;
    create(&direct(&sandbox), "tiger").await.unwrap();
    for events in [&mut open, &mut new] {
        assert!(next_within_minutes(events).await.starts_with("BOOKMARK"));
        assert!(
            futures_util::StreamExt::next(events)
                .now_or_never()
                .is_none()
        );
    }
    faults.remove(rule);
    for events in [&mut open, &mut new] {
        assert!(next(events).await.starts_with("ADDED tiger"));
    }
}

async fn next_within_minutes(
    events: &mut (impl futures_util::Stream<Item = String> + Unpin),
) -> String {
    let soon = tokio::time::timeout(120 * SECOND, futures_util::StreamExt::next(events));
    soon.await.unwrap().unwrap()
}

#[tokio::test(start_paused = true)]
async fn what_is_not_about_objects_is_answered() {
    let (_sandbox, faults, _) = setup().await;
    faults.add(Rule::new(Fault::StoreDown(StoreDown::Hang)));
    let client = faults.client("a");
    assert!(client.apiserver_version().await.is_ok());
    let maps: Api<ConfigMap> = Api::all(client);
    assert!(maps.list(&ListParams::default()).await.is_ok());
}
