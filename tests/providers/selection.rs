//! Parts that work on some clusters, by their labels.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use k8s_openapi::api::{coordination::v1::Lease, core::v1::ConfigMap};
use kube::{Api, Client, core::Expression};
use kube_sandbox::{Faults, Sandbox, Verb};
use multicluster::{
    Action, BoxError, Cluster, Context, Controller, Engagement, Error, Manager, Sharding,
    clock::TokioClock,
    for_each_cluster, parse_selector,
    sharding::Timings,
    testing::{Running, eventually},
};
use tokio::time::sleep;

use crate::scripted::{Shown, cluster};

const SECOND: Duration = Duration::from_secs(1);

/// What happened, in order.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<Vec<String>>>);

impl Notes {
    fn say(&self, what: impl Into<String>) {
        self.0.lock().unwrap().push(what.into());
    }

    /// Waits for these in any order, and a while longer to see that no more come.
    async fn exactly(&self, expected: &[&str]) {
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        let look = || {
            let mut said = self.0.lock().unwrap().clone();
            said.sort();
            said
        };
        for _ in 0..1_000 {
            if look().len() >= expected.len() {
                break;
            }
            sleep(SECOND / 100).await;
        }
        sleep(SECOND).await;
        assert_eq!(look(), expected);
        self.0.lock().unwrap().clear();
    }

    /// A controller that notes what it is called for, and when it begins and ends.
    fn controller(&self, name: &'static str) -> Controller<ConfigMap> {
        let (notes, begins, ends) = (self.clone(), self.clone(), self.clone());
        Controller::new(name, move |context: Context<ConfigMap>| {
            let labels = context.cluster().get_labels();
            let env = labels.get("env").map_or("", String::as_str);
            notes.say(format!("{name}: {} ({env})", context.key().name));
            async { Ok::<_, BoxError>(Action::await_change()) }
        })
        .on_engage(move |_, _| {
            begins.say(format!("{name} begins"));
            async { Ok::<_, BoxError>(()) }
        })
        .on_disengage(move |_, _| {
            ends.say(format!("{name} ends"));
            async {}
        })
    }

    /// A part that takes `drain` to end.
    fn slow(
        &self,
        drain: Duration,
    ) -> impl Fn(Engagement) -> futures_util::future::BoxFuture<'static, Result<(), Error>> + use<>
    {
        let notes = self.clone();
        move |engagement| {
            let notes = notes.clone();
            Box::pin(async move {
                notes.say("begins");
                engagement.cancelled().await;
                sleep(drain).await;
                notes.say("ends");
                Ok(())
            })
        }
    }
}

async fn create(client: Client, name: &str) {
    let mut map = ConfigMap::default();
    map.metadata.name = Some(name.to_owned());
    let maps: Api<ConfigMap> = Api::default_namespaced(client);
    maps.create(&Default::default(), &map).await.unwrap();
}

fn prod(cluster: &Cluster) -> bool {
    cluster
        .get_labels()
        .get("env")
        .is_some_and(|env| env == "prod")
}

#[tokio::test(start_paused = true)]
async fn a_change_of_labels_engages_and_drains_one_controller_and_disturbs_no_other() {
    let sandbox = Sandbox::new();
    create(sandbox.client(), "a").await;
    let faults = Faults::new(&sandbox, 1);
    let clusters = Shown::new(faults.client("manager"), [cluster("zoo", "env=prod")]);
    let notes = Notes::default();
    // The one that leaves is the first to watch, and the other shares its watch.
    let some = notes
        .controller("some")
        .cluster_labels(parse_selector("env in (prod)").unwrap());
    let manager = Manager::builder(clusters.clone())
        .with(some)
        .with(notes.controller("all"));
    let running = Running::start(manager).unwrap();
    let beginning = [
        "some begins",
        "all begins",
        "some: a (prod)",
        "all: a (prod)",
    ];
    notes.exactly(&beginning).await;
    let engagement = running
        .owned_clusters()
        .get(&"zoo".parse().unwrap())
        .unwrap();

    clusters.show([cluster("zoo", "env=test")]);
    notes.exactly(&["some ends"]).await;
    create(sandbox.client(), "b").await;
    notes.exactly(&["all: b (prod)"]).await;

    // Labels that change nothing for it.
    clusters.show([cluster("zoo", "env=test tier=1")]);
    notes.exactly(&[]).await;

    clusters.show([cluster("zoo", "env=prod tier=1")]);
    notes
        .exactly(&["some begins", "some: a (prod)", "some: b (prod)"])
        .await;

    assert!(!engagement.is_cancelled(), "the cluster stayed engaged");
    let lists = faults
        .calls()
        .into_iter()
        .filter(|call| call.verb == Verb::List);
    assert_eq!(lists.count(), 1, "everything over one watch");
    running.stop().await.unwrap();
    notes.exactly(&["some ends", "all ends"]).await;
}

#[tokio::test(start_paused = true)]
async fn a_watch_of_its_own_ends_with_the_controller() {
    let sandbox = Sandbox::new();
    let faults = Faults::new(&sandbox, 1);
    let clusters = Shown::new(faults.client("manager"), [cluster("zoo", "env=prod")]);
    let notes = Notes::default();
    let controller = notes.controller("some").clusters(prod);
    let running = Running::start(Manager::builder(clusters.clone()).with(controller)).unwrap();
    notes.exactly(&["some begins"]).await;
    clusters.show([cluster("zoo", "")]);
    notes.exactly(&["some ends"]).await;
    faults.forget_calls();
    create(sandbox.client(), "unseen").await;
    sleep(3600 * SECOND).await;
    let calls = faults.calls();
    assert!(calls.is_empty(), "{calls:?}");
    clusters.show([cluster("zoo", "env=prod")]);
    notes.exactly(&["some begins", "some: unseen (prod)"]).await;
    running.stop().await.unwrap();
}

/// Of several filters all must hold, whichever kind they are, and closures select like controllers.
#[tokio::test(start_paused = true)]
async fn filters_and_selectors_add_up() {
    let shown = |labels: [&str; 4]| {
        let names = ["a", "b", "c", "d"].into_iter();
        names
            .zip(labels)
            .map(|(name, labels)| cluster(name, labels))
            .collect::<Vec<_>>()
    };
    let client = Sandbox::new().client();
    let clusters = Shown::new(
        client,
        shown(["env=prod", "env=prod canary=", "env=test", ""]),
    );
    let notes = Notes::default();
    let said = notes.clone();
    let part = for_each_cluster("closure", move |engagement| {
        let said = said.clone();
        async move {
            said.say(format!("+{}", engagement.name()));
            engagement.cancelled().await;
            said.say(format!("-{}", engagement.name()));
            Ok::<_, Error>(())
        }
    })
    .cluster_labels(parse_selector("env=prod").unwrap())
    .cluster_labels(Expression::DoesNotExist("canary".into()))
    .clusters(|cluster| cluster.name().as_str() != "d");
    let running = Running::start(Manager::builder(clusters.clone()).with(part)).unwrap();
    notes.exactly(&["+a"]).await;
    clusters.show(shown([
        "env=prod canary=",
        "env=prod",
        "env=prod",
        "env=prod",
    ]));
    notes.exactly(&["-a", "+b", "+c"]).await;
    running.stop().await.unwrap();
}

/// Labels that change quickly do not bring a part beside itself.
#[tokio::test(start_paused = true)]
async fn a_part_begins_again_after_it_has_drained() {
    let clusters = Shown::new(Sandbox::new().client(), [cluster("zoo", "env=prod")]);
    let notes = Notes::default();
    let part = for_each_cluster("slow", notes.slow(5 * SECOND)).clusters(prod);
    let running = Running::start(Manager::builder(clusters.clone()).with(part)).unwrap();
    notes.exactly(&["begins"]).await;
    clusters.show([cluster("zoo", "env=test")]);
    sleep(SECOND).await;
    clusters.show([cluster("zoo", "env=prod")]);
    notes.exactly(&["ends", "begins"]).await;
    running.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_part_that_does_not_drain_is_dropped_and_the_others_go_on() {
    let clusters = Shown::new(Sandbox::new().client(), [cluster("zoo", "env=prod")]);
    let (notes, others) = (Notes::default(), Notes::default());
    let manager = Manager::builder(clusters.clone())
        .with(for_each_cluster("never ends", notes.slow(86_400 * SECOND)).clusters(prod))
        .with(for_each_cluster("other", others.slow(SECOND)));
    let running = Running::start(manager).unwrap();
    notes.exactly(&["begins"]).await;
    others.exactly(&["begins"]).await;
    clusters.show([cluster("zoo", "env=test")]);
    clusters.show([cluster("zoo", "env=test")]);
    sleep(3600 * SECOND).await;
    clusters.show([cluster("zoo", "env=prod")]);
    notes.exactly(&["begins"]).await;
    others.exactly(&[]).await;
    drop(running);
}

/// The fence is kept until a part that no longer selects the cluster has drained, too.
#[tokio::test(start_paused = true)]
async fn a_cluster_is_not_released_before_a_deselected_part_has_drained() {
    let (host, zoo) = (Sandbox::new(), Sandbox::new());
    let clusters = Shown::new(zoo.client(), [cluster("zoo", "env=prod")]);
    let notes = Notes::default();
    let sharding = Sharding::with_client(host.client(), "mcr")
        .peer("a")
        .lease_namespace("kube-system")
        .timings(Timings::new(15 * SECOND))
        .clock(TokioClock::new());
    let drain = 3 * SECOND;
    let manager = Manager::builder(clusters.clone())
        .sharding(sharding)
        .with(for_each_cluster("slow", notes.slow(drain)).clusters(prod));
    let running = Running::start(manager).unwrap();
    notes.exactly(&["begins"]).await;
    let leases: Api<Lease> = Api::namespaced(host.client(), "kube-system");
    let held = async || {
        let lease = leases.get("mcr-shard-zoo").await.unwrap();
        lease
            .spec
            .unwrap()
            .holder_identity
            .is_some_and(|holder| holder == "a")
    };
    clusters.show([cluster("zoo", "env=test")]);
    sleep(SECOND / 2).await;
    let stopped = tokio::spawn(running.stop());
    sleep(2 * SECOND).await;
    assert!(held().await, "kept while the part drains");
    assert!(!stopped.is_finished());
    stopped.await.unwrap().unwrap();
    notes.exactly(&["ends"]).await;
    assert!(!held().await, "released afterwards");
}

/// A filter is user's code: one that panics changes nothing where the part works, and is asked again where it does not.
#[tokio::test(start_paused = true)]
async fn a_filter_that_panics_is_reported_and_asked_again() {
    let clusters = Shown::new(Sandbox::new().client(), [cluster("zoo", "env=prod")]);
    let (notes, others) = (Notes::default(), Notes::default());
    let calm = Arc::new(Mutex::new(false));
    let is_calm = calm.clone();
    let filter = move |cluster: &Cluster| match cluster.get_labels()["env"].as_str() {
        "panics" => *is_calm.lock().unwrap() || panic!("at the disco"),
        env => env == "prod",
    };
    let manager = Manager::builder(clusters.clone())
        .with(for_each_cluster("some", notes.slow(SECOND)).clusters(filter))
        .with(for_each_cluster("all", others.slow(SECOND)));
    let running = Running::start(manager).unwrap();
    notes.exactly(&["begins"]).await;
    others.exactly(&["begins"]).await;
    clusters.show([cluster("zoo", "env=panics")]);
    notes.exactly(&[]).await;
    clusters.show([cluster("zoo", "env=test")]);
    notes.exactly(&["ends"]).await;
    clusters.show([cluster("zoo", "env=panics")]);
    notes.exactly(&[]).await;
    *calm.lock().unwrap() = true;
    eventually(120 * SECOND, "asked again", async || {
        !notes.0.lock().unwrap().is_empty()
    })
    .await;
    notes.exactly(&["begins"]).await;
    others.exactly(&[]).await;
    running.stop().await.unwrap();
}

/// A change of the source is not that of labels alone: everything begins anew, with the newest labels.
#[tokio::test(start_paused = true)]
async fn a_new_fingerprint_with_new_labels_connects_anew() {
    let sandbox = Sandbox::new();
    create(sandbox.client(), "a").await;
    let clusters = Shown::new(sandbox.client(), [cluster("zoo", "env=prod")]);
    let notes = Notes::default();
    let manager = Manager::builder(clusters.clone())
        .with(notes.controller("some").clusters(prod))
        .with(notes.controller("all"));
    let running = Running::start(manager).unwrap();
    let beginning = [
        "some begins",
        "all begins",
        "some: a (prod)",
        "all: a (prod)",
    ];
    notes.exactly(&beginning).await;
    clusters.show([cluster("zoo", "env=test").fingerprint_of("rotated")]);
    notes
        .exactly(&["some ends", "all ends", "all begins", "all: a (test)"])
        .await;
    running.stop().await.unwrap();
}
