//! What the clusters of one provider share.

use std::time::Duration;

use futures_util::{StreamExt, future::join_all, stream::BoxStream};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, Client, ResourceExt,
    api::{ListParams, WatchEvent, WatchParams},
    runtime::watcher,
};
use kube_sandbox::{End, Fault, Rule, Sandbox, Verb};
use serde_json::json;
use tokio::time::{Instant, sleep, timeout};

use super::{Place, get, parsed};

const JSON: &str = "application/json";

pub(super) fn names(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("n{number}")).collect()
}

pub(super) fn place(count: usize) -> Place {
    let names = names(count);
    Place::new(&names.iter().map(String::as_str).collect::<Vec<_>>())
}

async fn version(client: &Client) -> String {
    let maps: Api<ConfigMap> = Api::all(client.clone());
    let list = maps.list(&ListParams::default()).await.unwrap();
    list.metadata.resource_version.unwrap()
}

/// A watch of ConfigMaps from the present version on.
async fn watch(client: &Client) -> BoxStream<'static, kube::Result<WatchEvent<ConfigMap>>> {
    let maps: Api<ConfigMap> = Api::all(client.clone());
    let version = version(client).await;
    let events = maps.watch(&WatchParams::default(), &version).await;
    events.unwrap().boxed()
}

/// The first change of a ConfigMap that a watch shows.
async fn next(
    events: &mut (impl StreamExt<Item = kube::Result<WatchEvent<ConfigMap>>> + Unpin),
) -> String {
    loop {
        match events.next().await {
            Some(Ok(WatchEvent::Added(map))) => return format!("+{}", map.name_any()),
            Some(Ok(WatchEvent::Deleted(map))) => return format!("-{}", map.name_any()),
            Some(Ok(WatchEvent::Error(status))) => return status.code.to_string(),
            Some(Ok(WatchEvent::Modified(_) | WatchEvent::Bookmark(_))) => {}
            Some(Err(error)) => return format!("{error:?}"),
            None => return "end".to_owned(),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn many_clusters_cost_a_handful_of_lists_and_one_watch() {
    const CLUSTERS: usize = 200;
    let place = place(CLUSTERS);
    for name in names(CLUSTERS) {
        place.create(&name, "first").await;
    }
    let watch = async |name: String| {
        let maps: Api<ConfigMap> = Api::all(place.connect(&name).await);
        let mut events = watcher(maps, watcher::Config::default()).boxed();
        loop {
            match events.next().await.unwrap().unwrap() {
                watcher::Event::InitApply(map) => assert_eq!(map.name_any(), "first"),
                watcher::Event::Apply(map) => {
                    assert_eq!(map.name_any(), name);
                    return;
                }
                watcher::Event::InitDone => {
                    place.create(&name, &name).await;
                }
                _ => {}
            }
        }
    };
    join_all(names(CLUSTERS).into_iter().map(watch)).await;
    let lists = place.calls(Verb::List);
    assert!(lists.len() <= 8, "{lists:?}");
    assert_eq!(place.calls(Verb::Watch), [""]);
}

#[tokio::test(start_paused = true)]
async fn a_list_shows_what_was_there_when_it_was_asked_for() {
    let place = place(20);
    let slow = Fault::Delay {
        before: Duration::ZERO..=Duration::ZERO,
        after: Duration::from_secs(1)..=Duration::from_secs(1),
    };
    place.faults.add(Rule::new(slow).verbs([Verb::List]));
    let clients = join_all(names(20).iter().map(async |name| place.connect(name).await)).await;
    let ask = async |number: usize| {
        // Lists run already when the object is made, and lists of before do not answer.
        sleep(Duration::from_millis(100 * number as u64)).await;
        let name = format!("n{number}");
        place.create(&name, "late").await;
        let maps: Api<ConfigMap> = Api::all(clients[number].clone());
        let list = maps.list(&ListParams::default()).await.unwrap();
        assert_eq!(list.items.len(), 1, "{name}");
        assert_eq!(list.items[0].namespace().as_deref(), Some("default"));
        assert_eq!(list.types.kind, "ConfigMapList");
    };
    join_all((0..20).map(ask)).await;
    let everywhere = place.calls(Verb::List).into_iter();
    let everywhere = everywhere.filter(String::is_empty).count();
    assert!(everywhere > 0, "all lists were sent as they are");
}

#[tokio::test(start_paused = true)]
async fn watches_are_served_from_the_version_they_ask_for() {
    let place = place(2);
    let (zoo, jungle) = (place.connect("n0").await, place.connect("n1").await);
    // Who lists will watch: from then on nothing is skipped.
    version(&jungle).await;
    let early = version(&zoo).await;
    place.create("n0", "a").await;
    let middle = version(&zoo).await;
    let maps: Api<ConfigMap> = Api::all(zoo);
    let params = WatchParams::default();
    // The first one starts the watch of all, and the second is older: its list was answered before.
    let mut late = maps.watch(&params, &middle).await.unwrap().boxed();
    let mut whole = maps.watch(&params, &early).await.unwrap().boxed();
    place.create("n1", "x").await;
    place.create("n0", "b").await;
    assert_eq!(next(&mut whole).await, "+a");
    assert_eq!(next(&mut whole).await, "+b");
    assert_eq!(next(&mut late).await, "+b");
    let others: Api<ConfigMap> = Api::all(jungle);
    let mut other = others.watch(&params, &early).await.unwrap().boxed();
    assert_eq!(next(&mut other).await, "+x");
    // One from before all of that is told to list.
    let mut ancient = maps.watch(&params, "1").await.unwrap().boxed();
    assert_eq!(next(&mut ancient).await, "410");
    assert_eq!(next(&mut ancient).await, "end");
    assert_eq!(place.calls(Verb::Watch), [""]);
}

#[tokio::test(start_paused = true)]
async fn each_watch_ends_when_it_asked_to() {
    let place = place(1);
    let client = place.connect("n0").await;
    let version = version(&client).await;
    let start = Instant::now();
    let path = |seconds| {
        format!(
            "/api/v1/configmaps?watch=true&allowWatchBookmarks=true&resourceVersion={version}&timeoutSeconds={seconds}"
        )
    };
    let (code, text) = get(&client, &path(5), JSON).await;
    assert_eq!(
        (code, text.as_str(), start.elapsed().as_secs()),
        (200, "", 5)
    );
    // Bookmarks reach those that asked for them, beyond the life of one watch of all.
    let (_, text) = get(&client, &path(400), JSON).await;
    assert_eq!(start.elapsed().as_secs(), 405);
    let bookmarks: Vec<_> = text.lines().map(parsed).collect();
    assert!(!bookmarks.is_empty() || text.is_empty());
    let silent = path(400).replace("allowWatchBookmarks=true", "allowWatchBookmarks=false");
    let (_, text) = get(&client, &silent, JSON).await;
    assert_eq!(text, "");
}

#[tokio::test(start_paused = true)]
async fn bookmarks_move_on_while_others_change() {
    let place = place(2);
    let client = place.connect("n0").await;
    let version = version(&client).await;
    place.create("n1", "x").await;
    let path = format!(
        "/api/v1/configmaps?watch=true&allowWatchBookmarks=true&resourceVersion={version}&timeoutSeconds=100"
    );
    let (_, text) = get(&client, &path, JSON).await;
    let bookmark = parsed(text.lines().next().unwrap());
    assert_eq!(bookmark["type"], "BOOKMARK");
    let until: u64 = bookmark["object"]["metadata"]["resourceVersion"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!(until > version.parse().unwrap());
}

#[tokio::test(start_paused = true)]
async fn nobody_notices_that_the_watch_of_all_breaks() {
    let place = place(1);
    let client = place.connect("n0").await;
    let mut events = watch(&client).await;
    for (name, end) in [("a", End::Clean), ("b", End::Broken)] {
        place.create("n0", name).await;
        assert_eq!(next(&mut events).await, format!("+{name}"));
        let after = Duration::ZERO..=Duration::ZERO;
        let cut = place.faults.add(Rule::new(Fault::CutWatch { after, end }));
        place.faults.remove(cut);
        place.create("n0", &format!("{name}{name}")).await;
        assert_eq!(next(&mut events).await, format!("+{name}{name}"));
    }
    assert_eq!(place.calls(Verb::Watch).len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_watch_of_all_that_is_silently_dead_is_replaced() {
    let place = place(1);
    let client = place.connect("n0").await;
    let mut events = watch(&client).await;
    place.create("n0", "a").await;
    assert_eq!(next(&mut events).await, "+a");
    let stall = place.faults.add(Rule::new(Fault::StallWatch));
    place.faults.remove(stall);
    place.create("n0", "b").await;
    let start = Instant::now();
    assert_eq!(next(&mut events).await, "+b");
    assert!(
        start.elapsed() <= Duration::from_secs(126),
        "{:?}",
        start.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn a_server_that_fails_is_told_of() {
    let place = place(1);
    let client = place.connect("n0").await;
    let version = version(&client).await;
    let maps: Api<ConfigMap> = Api::all(client);
    let params = WatchParams::default();
    let rule = place
        .faults
        .add(Rule::new(Fault::Status(503)).verbs([Verb::Watch]));
    let refused = maps.watch(&params, &version).await.map(drop);
    assert!(matches!(refused, Err(kube::Error::Api(status)) if status.code == 503));
    place.faults.remove(rule);
    let mut events = maps.watch(&params, &version).await.unwrap().boxed();
    // A compaction while the watch is cut: its successor is refused, and everybody lists again.
    let down = place
        .faults
        .add(Rule::new(Fault::Disconnect).verbs([Verb::Watch]));
    let after = Duration::ZERO..=Duration::ZERO;
    place.faults.add(
        Rule::new(Fault::CutWatch {
            after,
            end: End::Broken,
        })
        .times(1),
    );
    assert!(next(&mut events).await.starts_with("Read"), "an error");
    assert_eq!(next(&mut events).await, "end");
    place.create("n0", "a").await;
    place.sandbox.compact();
    place.faults.remove(down);
    let mut events = maps.watch(&params, &version).await.unwrap().boxed();
    assert_eq!(next(&mut events).await, "410");
}

#[tokio::test(start_paused = true)]
async fn who_does_not_read_is_dropped_and_holds_up_nobody() {
    let sandbox = Sandbox::builder().history(100_000).build();
    let place = Place::on(sandbox, &["n0", "n1"], "operator");
    let (slow, quick) = (place.connect("n0").await, place.connect("n1").await);
    let version = version(&slow).await;
    let params = WatchParams::default();
    let maps: Api<ConfigMap> = Api::all(slow);
    let mut unread = maps.watch(&params, &version).await.unwrap().boxed();
    let maps: Api<ConfigMap> = Api::all(quick);
    let mut read = maps.watch(&params, &version).await.unwrap().boxed();
    for number in 0..5_000 {
        place.create("n0", &format!("a{number}")).await;
    }
    place.create("n1", "x").await;
    assert_eq!(next(&mut read).await, "+x");
    let mut seen = 0;
    loop {
        match next(&mut unread).await.as_str() {
            "end" => break,
            change => assert_eq!(change, format!("+a{seen}")),
        }
        seen += 1;
    }
    assert!(seen < 5_000, "{seen}");
}

#[tokio::test(start_paused = true)]
async fn the_watch_of_all_ends_a_while_after_its_last_reader() {
    let place = place(1);
    let client = place.connect("n0").await;
    let version = version(&client).await;
    let maps: Api<ConfigMap> = Api::all(client.clone());
    let open = async || {
        maps.watch(&WatchParams::default(), &version)
            .await
            .unwrap()
            .boxed()
    };
    drop(open().await);
    sleep(Duration::from_secs(5)).await;
    // One that comes back in time finds it.
    let mut events = open().await;
    place.create("n0", "a").await;
    assert_eq!(next(&mut events).await, "+a");
    assert_eq!(place.calls(Verb::Watch).len(), 1);
    drop(events);
    sleep(Duration::from_secs(11)).await;
    let rule = place.faults.add(Rule::new(Fault::CutWatch {
        after: Duration::ZERO..=Duration::ZERO,
        end: End::Clean,
    }));
    assert_eq!(place.faults.hits(rule), 0, "a watch is open");
    place.faults.remove(rule);
    assert_eq!(next(&mut open().await).await, "+a");
    assert_eq!(place.calls(Verb::Watch).len(), 2);
    // And with the last client everything ends at once.
    drop((maps, client));
    sleep(Duration::from_secs(1)).await;
    let rule = place.faults.add(Rule::new(Fault::StallWatch));
    assert_eq!(place.faults.hits(rule), 0, "a watch is open");
}

#[tokio::test(start_paused = true)]
async fn roles_in_the_namespaces_are_enough() {
    let sandbox = Sandbox::new();
    let user = "system:serviceaccount:fleet:operator";
    let place = Place::on(sandbox, &["fleet", "zoo", "jungle"], user);
    let subject = json!([{"kind": "ServiceAccount", "name": "operator", "namespace": "fleet"}]);
    let role = |kind: &str, namespace: Option<&str>, resource: &str| {
        let name = json!({"name": "operator", "namespace": namespace});
        [
            json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": name,
                "rules": [{"apiGroups": [""], "resources": [resource], "verbs": ["get", "list", "watch"]}]}),
            json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": format!("{kind}Binding"), "metadata": name,
                "subjects": subject, "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": "operator"}}),
        ]
    };
    place
        .sandbox
        .load(role("ClusterRole", None, "namespaces"))
        .unwrap();
    for namespace in ["zoo", "jungle"] {
        place
            .sandbox
            .load(role("Role", Some(namespace), "configmaps"))
            .unwrap();
    }
    let clients = [place.connect("zoo").await, place.connect("jungle").await];
    for (namespace, client) in ["zoo", "jungle"].into_iter().zip(&clients) {
        let mut events = watch(client).await;
        place.create(namespace, "a").await;
        assert_eq!(next(&mut events).await, "+a");
    }
    // The refusal is remembered for a while.
    assert_eq!(place.calls(Verb::Watch), ["", "zoo", "jungle"]);
}

#[tokio::test(start_paused = true)]
async fn other_selections_and_forms_have_watches_of_their_own() {
    let place = place(1);
    let client = place.connect("n0").await;
    let version = version(&client).await;
    let maps: Api<ConfigMap> = Api::all(client);
    let params = WatchParams::default();
    let mut labelled = maps
        .watch(&params.clone().labels("a=b"), &version)
        .await
        .unwrap()
        .boxed();
    let mut all = maps.watch(&params, &version).await.unwrap().boxed();
    place.create("n0", "a").await;
    assert_eq!(next(&mut all).await, "+a");
    assert!(
        timeout(Duration::from_secs(1), labelled.next())
            .await
            .is_err()
    );
}
