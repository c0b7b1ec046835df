//! What a client can rely on: watches.

use std::time::Duration;

use crate::support::{config_map, labelled, lease, next, watch};
use futures_util::{StreamExt, TryStreamExt, pin_mut};
use k8s_openapi::api::{
    coordination::v1::Lease,
    core::v1::{ConfigMap, Namespace},
};
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams},
    runtime::watcher::{self, Event, InitialListStrategy, watcher},
};
use kube_sandbox::Sandbox;
use serde_json::json;
use tokio::time::Instant;

fn maps(sandbox: &Sandbox) -> Api<ConfigMap> {
    Api::default_namespaced(sandbox.client())
}

async fn create(maps: &Api<ConfigMap>, name: &str) -> String {
    let created = maps
        .create(&PostParams::default(), &config_map(name))
        .await
        .unwrap();
    created.resource_version().unwrap()
}

async fn label(maps: &Api<ConfigMap>, name: &str, value: &str) -> String {
    let patch = Patch::Merge(json!({"metadata": {"labels": {"tier": value}}}));
    let patched = maps
        .patch(name, &PatchParams::default(), &patch)
        .await
        .unwrap();
    patched.resource_version().unwrap()
}

async fn delete(maps: &Api<ConfigMap>, name: &str) {
    maps.delete(name, &DeleteParams::default()).await.unwrap();
}

fn quiet() -> WatchParams {
    WatchParams::default().disable_bookmarks()
}

#[tokio::test(start_paused = true)]
async fn a_watch_continues_where_a_list_ended() {
    let maps = maps(&Sandbox::new());
    create(&maps, "before").await;
    let version = maps
        .list(&ListParams::default())
        .await
        .unwrap()
        .metadata
        .resource_version
        .unwrap();
    let one = create(&maps, "one").await;
    let mut events = watch(&maps, &quiet(), &version).await;
    let two = label(&maps, "before", "x").await;
    delete(&maps, "one").await;
    assert_eq!(next(&mut events).await, format!("ADDED one@{one}"));
    assert_eq!(next(&mut events).await, format!("MODIFIED before@{two}"));
    let last = two.parse::<u64>().unwrap() + 1;
    assert_eq!(next(&mut events).await, format!("DELETED one@{last}"));
}

#[tokio::test(start_paused = true)]
async fn a_watch_from_zero_starts_with_what_is_there() {
    let maps = maps(&Sandbox::new());
    let (b, a) = (create(&maps, "b").await, create(&maps, "a").await);
    let mut events = watch(&maps, &quiet(), "0").await;
    assert_eq!(next(&mut events).await, format!("ADDED a@{a}"));
    assert_eq!(next(&mut events).await, format!("ADDED b@{b}"));
    let c = create(&maps, "c").await;
    assert_eq!(next(&mut events).await, format!("ADDED c@{c}"));
}

#[tokio::test(start_paused = true)]
async fn every_watcher_sees_every_write_once_and_in_order() {
    let sandbox = Sandbox::new();
    let maps = maps(&sandbox);
    let watchers = 20;
    let writes = 200;
    let mut tasks = Vec::new();
    for _ in 0..watchers {
        let mut events = watch(&maps, &quiet(), "0").await;
        tasks.push(tokio::spawn(async move {
            let mut seen = Vec::new();
            while seen.len() < writes {
                seen.push(next(&mut events).await);
            }
            seen
        }));
    }
    let writers = (0..4).map(async |writer| {
        let mut written = Vec::new();
        for index in 0..writes / 4 {
            let name = format!("m-{writer}-{index}");
            written.push((create(&maps, &name).await.parse::<u64>().unwrap(), name));
            tokio::task::yield_now().await;
        }
        written
    });
    let mut written: Vec<_> = futures_util::future::join_all(writers).await.concat();
    written.sort_unstable();
    let expected: Vec<_> = written
        .iter()
        .map(|(version, name)| format!("ADDED {name}@{version}"))
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_selective_watch_sees_objects_come_and_go() {
    let maps = maps(&Sandbox::new());
    create(&maps, "m").await;
    let mut events = watch(&maps, &quiet().labels("tier=x"), "0").await;
    let came = label(&maps, "m", "x").await;
    let patch = Patch::Merge(json!({"data": {"a": "1"}}));
    let changed = maps
        .patch("m", &PatchParams::default(), &patch)
        .await
        .unwrap();
    let left = label(&maps, "m", "y").await;
    label(&maps, "m", "z").await;
    let again = label(&maps, "m", "x").await;
    delete(&maps, "m").await;
    assert_eq!(next(&mut events).await, format!("ADDED m@{came}"));
    assert_eq!(
        next(&mut events).await,
        format!("MODIFIED m@{}", changed.resource_version().unwrap())
    );
    assert_eq!(next(&mut events).await, format!("DELETED m@{left}"));
    assert_eq!(next(&mut events).await, format!("ADDED m@{again}"));
    assert!(next(&mut events).await.starts_with("DELETED m@"));
}

#[tokio::test(start_paused = true)]
async fn an_object_that_leaves_a_selection_is_shown_as_it_was_known() {
    let maps = maps(&Sandbox::new());
    maps.create(
        &PostParams::default(),
        &labelled("m", &json!({"tier": "x"})),
    )
    .await
    .unwrap();
    let events = maps.watch(&quiet().labels("tier=x"), "0").await.unwrap();
    pin_mut!(events);
    events.try_next().await.unwrap();
    label(&maps, "m", "y").await;
    let Some(WatchEvent::Deleted(known)) = events.try_next().await.unwrap() else {
        panic!("the object did not leave");
    };
    assert_eq!(known.labels()["tier"], "x");
}

#[tokio::test(start_paused = true)]
async fn a_deletion_carries_the_last_state() {
    let maps = maps(&Sandbox::new());
    create(&maps, "m").await;
    let version = label(&maps, "m", "x").await;
    let events = maps.watch(&quiet(), &version).await.unwrap();
    pin_mut!(events);
    delete(&maps, "m").await;
    let Some(WatchEvent::Deleted(last)) = events.try_next().await.unwrap() else {
        panic!("not deleted");
    };
    assert_eq!(last.labels()["tier"], "x");
    assert!(last.resource_version().unwrap().parse::<u64>().unwrap() > version.parse().unwrap());
}

#[tokio::test(start_paused = true)]
async fn other_namespaces_and_kinds_are_not_seen() {
    let sandbox = Sandbox::new();
    let maps = maps(&sandbox);
    let mut events = watch(&maps, &quiet(), "0").await;
    let elsewhere: Api<ConfigMap> = Api::namespaced(sandbox.client(), "kube-public");
    create(&elsewhere, "there").await;
    let leases: Api<Lease> = Api::default_namespaced(sandbox.client());
    leases
        .create(&PostParams::default(), &lease("x"))
        .await
        .unwrap();
    let here = create(&maps, "here").await;
    assert_eq!(next(&mut events).await, format!("ADDED here@{here}"));
}

#[tokio::test(start_paused = true)]
async fn forgotten_history_is_gone() {
    let sandbox = Sandbox::builder().history(2).build();
    let maps = maps(&sandbox);
    let one = create(&maps, "one").await;
    let two = create(&maps, "two").await;
    create(&maps, "three").await;
    let mut events = watch(&maps, &quiet(), &one).await;
    assert!(next(&mut events).await.starts_with("ADDED two"));
    create(&maps, "four").await;
    let mut events = watch(&maps, &quiet(), &one).await;
    assert_eq!(next(&mut events).await, "ERROR 410 Expired");
    assert_eq!(events.next().await, None);
    let mut events = watch(&maps, &quiet(), &two).await;
    assert!(next(&mut events).await.starts_with("ADDED three"));

    sandbox.compact();
    let mut events = watch(&maps, &quiet(), &two).await;
    assert_eq!(next(&mut events).await, "ERROR 410 Expired");
}

#[tokio::test(start_paused = true)]
async fn writes_of_other_kinds_do_not_age_a_watch() {
    let sandbox = Sandbox::builder().history(2).build();
    let maps = maps(&sandbox);
    let version = create(&maps, "m").await;
    let leases: Api<Lease> = Api::default_namespaced(sandbox.client());
    for name in ["a", "b", "c", "d"] {
        leases
            .create(&PostParams::default(), &lease(name))
            .await
            .unwrap();
    }
    let mut events = watch(&maps, &quiet(), &version).await;
    create(&maps, "n").await;
    assert!(next(&mut events).await.starts_with("ADDED n"));
}

#[tokio::test(start_paused = true)]
async fn bookmarks_come_every_minute_and_at_the_end() {
    let sandbox = Sandbox::new();
    let maps = maps(&sandbox);
    let version = create(&maps, "m").await;
    let start = Instant::now();
    let mut events = watch(&maps, &WatchParams::default().timeout(90), &version).await;
    assert_eq!(events.next().await.unwrap(), format!("BOOKMARK @{version}"));
    assert_eq!(start.elapsed().as_secs(), 60);

    // A bookmark moves on with the writes of other kinds.
    let leases: Api<Lease> = Api::default_namespaced(sandbox.client());
    let lease = leases
        .create(&PostParams::default(), &lease("x"))
        .await
        .unwrap();
    assert_eq!(
        events.next().await.unwrap(),
        format!("BOOKMARK @{}", lease.resource_version().unwrap())
    );
    assert_eq!(events.next().await, None);
    assert_eq!(start.elapsed().as_secs(), 90);
}

#[tokio::test(start_paused = true)]
async fn a_watch_ends_on_time_without_bookmarks_too() {
    let maps = maps(&Sandbox::new());
    let start = Instant::now();
    let mut events = watch(&maps, &quiet().timeout(200), "0").await;
    assert_eq!(events.next().await, None);
    assert_eq!(start.elapsed().as_secs(), 200);
}

#[tokio::test(start_paused = true)]
async fn a_watch_for_ages_is_no_problem() {
    let sandbox = Sandbox::new();
    let path = "/api/v1/configmaps?watch=true&timeoutSeconds=9223372036854775807";
    let request = http::Request::get(path).body(Vec::new()).unwrap();
    let events = sandbox
        .client()
        .request_events::<ConfigMap>(request)
        .await
        .unwrap();
    pin_mut!(events);
    create(&maps(&sandbox), "m").await;
    let event = events.try_next().await.unwrap();
    assert!(matches!(event, Some(WatchEvent::Added(_))));
}

#[tokio::test(start_paused = true)]
async fn a_streaming_list_marks_the_end_of_what_is_there() {
    let maps = maps(&Sandbox::new());
    let (a, b) = (create(&maps, "a").await, create(&maps, "b").await);
    let mut events = watch(&maps, &WatchParams::default().initial_events(), "0").await;
    assert_eq!(next(&mut events).await, format!("ADDED a@{a}"));
    assert_eq!(next(&mut events).await, format!("ADDED b@{b}"));
    assert_eq!(next(&mut events).await, format!("END @{b}"));
    let c = create(&maps, "c").await;
    assert_eq!(next(&mut events).await, format!("ADDED c@{c}"));
    let mut events = watch(&maps, &WatchParams::default().initial_events(), "1000").await;
    assert_eq!(next(&mut events).await, "ERROR 504 Timeout");
    assert_eq!(events.next().await, None);
}

#[tokio::test(start_paused = true)]
async fn a_namespace_goes_after_its_contents() {
    let sandbox = Sandbox::new();
    let namespaces: Api<Namespace> = Api::all(sandbox.client());
    let zoo: Namespace = serde_json::from_value(json!({"metadata": {"name": "zoo"}})).unwrap();
    let zoo = namespaces
        .create(&PostParams::default(), &zoo)
        .await
        .unwrap();
    let maps: Api<ConfigMap> = Api::namespaced(sandbox.client(), "zoo");
    let version = create(&maps, "elephant").await;
    let events = namespaces
        .watch(&quiet(), &zoo.resource_version().unwrap())
        .await
        .unwrap();
    pin_mut!(events);
    let mut inside = watch(&maps, &quiet(), &version).await;

    namespaces
        .delete("zoo", &DeleteParams::default())
        .await
        .unwrap();
    let Some(WatchEvent::Modified(ending)) = events.try_next().await.unwrap() else {
        panic!("the namespace is not marked first");
    };
    let Some(WatchEvent::Deleted(gone)) = events.try_next().await.unwrap() else {
        panic!("the namespace is not removed");
    };
    let number = |namespace: &Namespace| {
        namespace
            .resource_version()
            .unwrap()
            .parse::<u64>()
            .unwrap()
    };
    let between = number(&ending) + 1;
    assert_eq!(
        next(&mut inside).await,
        format!("DELETED elephant@{between}")
    );
    assert!(number(&gone) > between);
}

/// Plays the same story for both ways in which `kube::runtime` starts a watch.
async fn follow(strategy: InitialListStrategy) {
    let sandbox = Sandbox::builder().history(3).build();
    let maps = maps(&sandbox);
    create(&maps, "first").await;
    let config = watcher::Config {
        initial_list_strategy: strategy,
        ..watcher::Config::default()
    };
    let events = watcher(maps.clone(), config.timeout(30)).boxed();
    let mut events = events.map(|event| match event {
        Ok(Event::Init) => "init".to_owned(),
        Ok(Event::InitApply(map)) => format!("init {}", map.name_any()),
        Ok(Event::InitDone) => "done".to_owned(),
        Ok(Event::Apply(map)) => format!("apply {}", map.name_any()),
        Ok(Event::Delete(map)) => format!("delete {}", map.name_any()),
        Err(error) => format!("error {error}"),
    });
    for expected in ["init", "init first", "done"] {
        assert_eq!(next(&mut events).await, expected);
    }
    create(&maps, "second").await;
    assert_eq!(next(&mut events).await, "apply second");
    delete(&maps, "first").await;
    assert_eq!(next(&mut events).await, "delete first");

    // The stream ends after 30 s and is opened again where it ended, without a new list.
    let later = tokio::time::timeout(Duration::from_secs(100), events.next()).await;
    assert!(later.is_err(), "{later:?}");
    create(&maps, "third").await;
    assert_eq!(next(&mut events).await, "apply third");
}

#[tokio::test(start_paused = true)]
async fn a_watcher_that_lists_first_follows() {
    follow(InitialListStrategy::ListWatch).await;
}

#[tokio::test(start_paused = true)]
async fn a_watcher_that_streams_its_list_follows() {
    follow(InitialListStrategy::StreamingList).await;
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_objects_and_a_hundred_watchers_are_no_burden() {
    let sandbox = Sandbox::builder().history(20_000).build();
    let maps = maps(&sandbox);
    for index in 0..10_000 {
        create(&maps, &format!("m-{index}")).await;
    }
    let version = maps
        .list(&ListParams::default())
        .await
        .unwrap()
        .metadata
        .resource_version
        .unwrap();
    let mut watchers = Vec::new();
    for _ in 0..100 {
        watchers.push(watch(&maps, &quiet().fields("metadata.name=m-77"), &version).await);
    }
    for _ in 0..20 {
        for tier in ["x", "y"] {
            label(&maps, "m-78", tier).await;
            let changed = label(&maps, "m-77", tier).await;
            for events in &mut watchers {
                assert_eq!(next(events).await, format!("MODIFIED m-77@{changed}"));
            }
        }
    }
}
