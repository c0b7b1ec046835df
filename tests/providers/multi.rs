//! Several providers as one.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::{FutureExt, future, future::BoxFuture, stream::BoxStream};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, Client};
use kube_sandbox::{Fault, Faults, Rule, Sandbox, Verb};
use multicluster::{
    Action, BoxError, Cluster, ClusterEvent, ClusterProvider, ClusterRef, Context, Controller,
    Error, Manager, Report,
    providers::{FixedProvider, MultiProvider},
    testing::{Running, eventually},
};

use crate::scripted::{
    SYNCED, Scripted,
    Step::{Fails, Panics, Stays, Waits},
    applied, cluster, next, removed, silent, some,
};

const SECOND: Duration = Duration::from_secs(1);

fn fixed(names: &[&str]) -> FixedProvider {
    let client = Sandbox::new().client();
    let add =
        |fixed: FixedProvider, name: &&str| fixed.cluster(name.parse().unwrap(), client.clone());
    names.iter().fold(FixedProvider::new(), add)
}

fn scripted(streams: impl IntoIterator<Item = Vec<crate::scripted::Step>>) -> Scripted {
    Scripted::new(Sandbox::new().client(), streams)
}

/// The next events in order of their words: between providers there is none.
async fn sorted(
    events: &mut BoxStream<'static, Result<ClusterEvent, Error>>,
    number: usize,
) -> Vec<String> {
    let mut words = some(events, number).await;
    words.sort();
    words
}

/// Notes the clusters and objects that it is called for.
fn controller(seen: &Arc<Mutex<BTreeSet<String>>>) -> Controller<ConfigMap> {
    let seen = seen.clone();
    Controller::new("maps", move |context: Context<ConfigMap>| {
        let what = format!("{}/{}", context.cluster_name(), context.key().name);
        seen.lock().unwrap().insert(what);
        async { Ok::<_, BoxError>(Action::await_change()) }
    })
}

async fn create(client: Client, name: &str) {
    let mut map = ConfigMap::default();
    map.metadata.name = Some(name.to_owned());
    let maps: Api<ConfigMap> = Api::default_namespaced(client);
    maps.create(&Default::default(), &map).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn clusters_of_all_providers_are_shown_with_prefixes_and_synced_once_all_are() {
    let late = scripted([vec![
        Waits(5 * SECOND),
        applied("zoo", "x=y"),
        SYNCED,
        Stays,
    ]]);
    let multi = MultiProvider::new()
        .provider("eu", fixed(&["zoo", "reef"]))
        .unwrap()
        .provider("us", late)
        .unwrap();
    let mut events = multi.clusters();
    assert_eq!(sorted(&mut events, 2).await, ["+eu#reef", "+eu#zoo"]);
    assert_eq!(some(&mut events, 2).await, ["+us#zoo x=y", "synced"]);
    silent(&mut events).await;
    // No provider, no clusters.
    let mut none = MultiProvider::new().clusters();
    assert_eq!(next(&mut none).await, "synced");
}

#[tokio::test(start_paused = true)]
async fn a_cluster_is_connected_by_its_provider_and_renamed() {
    let (eu, us) = (Sandbox::new(), Sandbox::new());
    create(eu.client(), "eu").await;
    create(us.client(), "us").await;
    let of = |sandbox: &Sandbox| {
        let labels = [("env".to_owned(), "prod".to_owned())].into();
        let provider = FixedProvider::new();
        // A separator in a cluster's own name is part of that name.
        let zoo = Cluster::new("zoo#1".parse().unwrap(), sandbox.client());
        provider.add(zoo.labels(labels));
        provider
    };
    let multi = MultiProvider::new();
    multi.add("eu", of(&eu)).unwrap();
    multi.add("us", of(&us)).unwrap();
    for region in ["eu", "us"] {
        let name = format!("{region}#zoo#1");
        let connected = multi.connect(&cluster(&name, "")).await.unwrap();
        assert_eq!(connected.name().as_str(), name);
        assert_eq!(connected.get_labels()["env"], "prod");
        let maps: Api<ConfigMap> = Api::default_namespaced(connected.client().clone());
        assert!(maps.get(region).await.is_ok(), "the cluster of {region}");
    }
    for (name, expected) in [
        (
            "asia#zoo",
            "provider multi: connect: there is no provider with the prefix \"asia\"",
        ),
        (
            "zoo",
            "provider multi: connect: the name \"zoo\" has no prefix",
        ),
        ("eu#", "cluster name \"\" is empty"),
        (
            "eu#reef",
            "provider multi: provider \"eu\": provider fixed: connect: there is no cluster reef",
        ),
    ] {
        let error = multi.connect(&cluster(name, "")).await.unwrap_err();
        assert_eq!(Report(&error).to_string(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn providers_come_and_go_while_they_are_followed() {
    let multi = MultiProvider::new()
        .provider("eu", fixed(&["zoo"]))
        .unwrap();
    let mut events = multi.clusters();
    assert_eq!(some(&mut events, 2).await, ["+eu#zoo", "synced"]);

    let us = fixed(&["zoo"]);
    multi.add("us", us.clone()).unwrap();
    assert_eq!(some(&mut events, 2).await, ["+us#zoo", "synced"]);
    us.remove(&"zoo".parse().unwrap());
    assert_eq!(some(&mut events, 2).await, ["-us#zoo", "synced"]);

    multi.remove("eu");
    multi.remove("asia");
    assert_eq!(some(&mut events, 2).await, ["-eu#zoo", "synced"]);
    us.add(Cluster::new(
        "reef".parse().unwrap(),
        Sandbox::new().client(),
    ));
    assert_eq!(some(&mut events, 2).await, ["+us#reef", "synced"]);

    // Another provider under the same prefix is another one, however soon it comes.
    multi.remove("us");
    multi.add("us", fixed(&["reef"])).unwrap();
    assert_eq!(
        some(&mut events, 3).await,
        ["-us#reef", "+us#reef", "synced"]
    );
    // And the old one is not heard any more.
    us.remove(&"reef".parse().unwrap());
    silent(&mut events).await;
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_fails_panics_or_ends_is_named_and_stops_no_other() {
    let good = fixed(&["zoo"]);
    let bad = scripted([
        vec![
            applied("a", ""),
            applied("b", ""),
            SYNCED,
            Waits(SECOND),
            Fails,
            Panics,
        ],
        vec![Waits(60 * SECOND)],
        vec![applied("b", ""), SYNCED, Stays],
    ]);
    let multi = MultiProvider::new();
    multi.add("bad", bad).unwrap();
    multi.add("good", good.clone()).unwrap();
    let mut events = multi.clusters();
    assert_eq!(
        sorted(&mut events, 4).await,
        ["+bad#a", "+bad#b", "+good#zoo", "synced"]
    );
    assert_eq!(
        some(&mut events, 2).await,
        [
            "! provider multi: provider \"bad\": provider scripted: watch the source: connection refused",
            "! provider multi: provider \"bad\": the provider panicked: at the disco",
        ]
    );
    // Meanwhile the other goes on, and nothing is forgotten.
    good.remove(&"zoo".parse().unwrap());
    assert_eq!(some(&mut events, 2).await, ["-good#zoo", "synced"]);
    assert_eq!(some(&mut events, 2).await, ["-bad#a", "synced"]);
    silent(&mut events).await;
}

#[tokio::test(start_paused = true)]
async fn clashes_are_errors_of_their_provider_or_cluster_alone() {
    let multi = MultiProvider::new()
        .provider("eu", fixed(&["zoo"]))
        .unwrap();
    for (prefix, expected) in [
        (
            "eu",
            "there is a provider with the prefix \"eu\": give this one another",
        ),
        ("e#u", "holds '#', which ends a prefix"),
        ("", "cluster name \"\" is empty"),
        ("a\nb", "holds a control character"),
    ] {
        let error = multi.add(prefix, fixed(&["other"])).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert!(!error.is_transient());
        let error = multi.clone().provider(prefix, fixed(&["other"]));
        assert!(error.is_err());
    }
    // With the prefix and the separator, one byte too long.
    let (fits, long) = ("x".repeat(509), "x".repeat(510));
    multi
        .add(
            "us",
            scripted([vec![
                applied(&long, ""),
                applied(&fits, ""),
                applied("zoo", ""),
                SYNCED,
                removed(&long),
                removed("zoo"),
                Stays,
            ]]),
        )
        .unwrap();
    let mut events = multi.clusters();
    let events = sorted(&mut events, 6).await;
    assert!(
        events[0].starts_with("! provider multi: provider \"us\": cluster name \"us#xxx")
            && events[0].ends_with("is longer than 512 bytes"),
        "{}",
        events[0]
    );
    let others = [
        "+eu#zoo",
        &format!("+us#{fits}"),
        "+us#zoo",
        "-us#zoo",
        "synced",
    ];
    assert_eq!(events[1..], others);
}

/// One that never lists keeps the whole from being listed, and no cluster from being worked on.
#[tokio::test(start_paused = true)]
async fn clusters_are_worked_on_while_another_provider_never_lists() {
    let (eu, us) = (Sandbox::new(), Sandbox::new());
    create(eu.client(), "a").await;
    create(us.client(), "b").await;
    let of =
        |sandbox: &Sandbox| FixedProvider::new().cluster("zoo".parse().unwrap(), sandbox.client());
    let multi = MultiProvider::new();
    multi.add("eu", of(&eu)).unwrap();
    multi.add("never", scripted(vec![vec![Fails]; 3])).unwrap();
    let seen = Arc::default();
    let manager = Manager::builder(multi.clone()).with(controller(&seen));
    let running = Running::start(manager).unwrap();
    let saw = |expected: &[&str]| {
        let seen = seen.lock().unwrap();
        seen.iter().eq(expected)
    };
    eventually(SECOND, "one is worked on", async || saw(&["eu#zoo/a"])).await;
    multi.add("us", of(&us)).unwrap();
    eventually(SECOND, "so is another", async || {
        saw(&["eu#zoo/a", "us#zoo/b"])
    })
    .await;

    multi.remove("eu");
    eventually(SECOND, "the first one is left", async || {
        running.owned_clusters().names() == ["us#zoo".parse().unwrap()]
    })
    .await;
    create(eu.client(), "unseen").await;
    create(us.client(), "c").await;
    eventually(SECOND, "the other goes on", async || {
        saw(&["eu#zoo/a", "us#zoo/b", "us#zoo/c"])
    })
    .await;
    running.stop().await.unwrap();
}

/// What a set start-up timeout means: the one that cannot be listed is named. Once it is removed, the rest is listed.
#[tokio::test(start_paused = true)]
async fn a_start_up_timeout_names_the_provider_that_was_not_listed() {
    let multi = MultiProvider::new()
        .provider("eu", fixed(&["zoo"]))
        .unwrap();
    multi.add("never", scripted([vec![Fails, Stays]])).unwrap();
    let start = || {
        Manager::builder(multi.clone())
            .startup_timeout(10 * SECOND)
            .build()
            .unwrap()
    };
    let error = start().run(tokio::time::sleep(60 * SECOND));
    let error = error.await.unwrap_err();
    let error = Report(&error).to_string();
    assert!(
        error.contains("provider multi: provider \"never\": provider scripted"),
        "{error}"
    );

    let mut events = multi.clusters();
    assert_eq!(next(&mut events).await, "+eu#zoo");
    silent(&mut events).await;
    multi.remove("never");
    assert_eq!(next(&mut events).await, "synced");
    let running = start().run(tokio::time::sleep(60 * SECOND));
    running.await.unwrap();
}

/// A provider whose clusters cannot be connected to, in three ways.
struct Unreachable(Faults);

impl ClusterProvider for Unreachable {
    fn clusters(&self) -> BoxStream<'static, Result<ClusterEvent, Error>> {
        let names = ["fails", "hangs", "panics"];
        scripted([names
            .map(|name| applied(name, ""))
            .into_iter()
            .chain([SYNCED, Stays])
            .collect()])
        .clusters()
    }

    fn connect(&self, cluster: &ClusterRef) -> BoxFuture<'static, Result<Cluster, Error>> {
        match cluster.name.as_str() {
            "hangs" => future::pending().boxed(),
            "panics" => panic!("at the disco"),
            _ => {
                let maps: Api<ConfigMap> = Api::default_namespaced(self.0.client("manager"));
                async move {
                    let asked = maps.get("a").await;
                    Err(Error::provider(
                        "unreachable",
                        "connect",
                        asked.unwrap_err(),
                    ))
                }
                .boxed()
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn clusters_that_cannot_be_connected_to_stop_no_other() {
    let (zoo, broken) = (Sandbox::new(), Sandbox::new());
    create(zoo.client(), "a").await;
    let faults = Faults::new(&broken, 1);
    faults.add(Rule::new(Fault::Status(500)).verbs([Verb::Get]));
    let multi = MultiProvider::new()
        .provider("broken", Unreachable(faults))
        .unwrap();
    let handle = multi.clone();
    let seen = Arc::default();
    let running = Running::start(Manager::builder(multi).with(controller(&seen))).unwrap();
    let owned = || running.owned_clusters().health();
    eventually(SECOND, "all are tried", async || owned().len() == 3).await;
    handle
        .add(
            "good",
            FixedProvider::new().cluster("zoo".parse().unwrap(), zoo.client()),
        )
        .unwrap();
    eventually(SECOND, "the good one is worked on", async || {
        seen.lock().unwrap().contains("good#zoo/a")
    })
    .await;
    handle.remove("broken");
    eventually(SECOND, "the others are left", async || owned().len() == 1).await;
    running.stop().await.unwrap();
}
