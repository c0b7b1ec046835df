//! Between a list and the watch that follows it nothing is missed and nothing comes twice, whatever happens to the server.
//!
//! Readers list and watch through clients of clusters, and others with plain requests; each notes what it sees. A writer
//! notes the truth. Meanwhile watches are cut and go silent, versions are compacted, and some readers are slow.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
    time::Duration,
};

use fastrand::Rng;
use futures_util::StreamExt;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{DeleteParams, ListParams, Patch, PostParams, WatchEvent, WatchParams},
};
use kube_sandbox::{End, Fault, Rule, Sandbox, Verb};
use tokio::{
    task::{JoinSet, LocalSet},
    time::{Instant, sleep},
};

use super::{Place, config_map};

const NAMESPACES: [&str; 5] = ["n0", "n1", "n2", "n3", "n4"];

/// A change in the one order of versions; the version is `None` for a deletion.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Change {
    version: u64,
    namespace: String,
    name: String,
    deleted: bool,
}

/// What has happened on the server.
#[derive(Clone, Default)]
struct Truth {
    /// The version of the server before the first change.
    start: Rc<Cell<u64>>,
    changes: Rc<RefCell<Vec<Change>>>,
    /// How many lists, changes and bookmarks were seen.
    seen: Rc<Cell<[u64; 3]>>,
}

/// One that lists and watches a namespace, and checks each step.
struct Observer {
    maps: Api<ConfigMap>,
    namespace: &'static str,
    truth: Truth,
    random: Rng,
    /// Everything up to this version is known.
    version: Rc<Cell<u64>>,
}

// === impl Truth ===

impl Truth {
    fn newest(&self) -> u64 {
        let changes = self.changes.borrow();
        changes
            .last()
            .map_or(self.start.get(), |change| change.version)
    }

    /// Waits until the writer has noted a version, which readers may see first.
    async fn reaches(&self, version: u64) {
        while self.newest() < version {
            sleep(Duration::from_millis(1)).await;
        }
    }

    fn count(&self, what: usize) {
        let mut seen = self.seen.get();
        seen[what] += 1;
        self.seen.set(seen);
    }

    /// The objects of a namespace and their versions, as they were at a version.
    fn at(&self, namespace: &str, version: u64) -> BTreeMap<String, u64> {
        let mut objects = BTreeMap::new();
        for change in self.changes.borrow().iter() {
            if change.namespace == namespace && change.version <= version {
                match change.deleted {
                    true => objects.remove(&change.name),
                    false => objects.insert(change.name.clone(), change.version),
                };
            }
        }
        objects
    }

    /// The first change in a namespace after a version.
    fn after(&self, namespace: &str, version: u64) -> Option<Change> {
        let changes = self.changes.borrow();
        let mut later = changes
            .iter()
            .filter(|change| change.namespace == namespace && change.version > version);
        later.next().cloned()
    }
}

// === impl Observer ===

impl Observer {
    async fn observe(mut self) {
        loop {
            if self.list().await {
                while self.watch().await {}
            }
            sleep(Duration::from_millis(self.random.u64(1..500))).await;
        }
    }

    async fn list(&mut self) -> bool {
        let before = self.truth.newest();
        let params = match self.random.bool() {
            true => ListParams::default(),
            false => ListParams::default().limit(500),
        };
        let Ok(list) = self.maps.list(&params).await else {
            return false;
        };
        let version = number(list.metadata.resource_version.as_deref());
        assert!(
            version >= before,
            "a list of {version} was asked for after {before}"
        );
        let shown = list.iter().map(|map| {
            (
                map.name_any(),
                number(map.meta().resource_version.as_deref()),
            )
        });
        let shown: BTreeMap<_, _> = shown.collect();
        self.truth.reaches(version).await;
        assert_eq!(
            shown,
            self.truth.at(self.namespace, version),
            "at {version}"
        );
        self.version.set(version);
        self.truth.count(0);
        true
    }

    /// Watches until the end; says whether it can be taken up again.
    async fn watch(&mut self) -> bool {
        let seconds = self.random.u32(1..60);
        let mut params = WatchParams::default().timeout(seconds);
        params.bookmarks = self.random.bool();
        let slow = self.random.u8(..8) == 0;
        let opened = self
            .maps
            .watch(&params, &self.version.get().to_string())
            .await;
        let Ok(events) = opened else {
            sleep(Duration::from_millis(self.random.u64(1..500))).await;
            return true;
        };
        // One that lasts longer is dead.
        let end = sleep(Duration::from_secs(seconds.into()) + Duration::from_secs(5));
        let mut events = events.take_until(end).boxed();
        loop {
            if slow {
                sleep(Duration::from_millis(self.random.u64(0..20_000))).await;
            }
            let (map, deleted) = match events.next().await {
                Some(Ok(WatchEvent::Added(map) | WatchEvent::Modified(map))) => (map, false),
                Some(Ok(WatchEvent::Deleted(map))) => (map, true),
                Some(Ok(WatchEvent::Bookmark(bookmark))) => {
                    let version = number(Some(&bookmark.metadata.resource_version));
                    let missed = self.truth.after(self.namespace, self.version.get());
                    assert!(
                        missed
                            .as_ref()
                            .is_none_or(|missed| missed.version > version),
                        "a bookmark of {version} leaves out {missed:?}"
                    );
                    self.version.set(self.version.get().max(version));
                    self.truth.count(2);
                    continue;
                }
                Some(Ok(WatchEvent::Error(status))) if status.code == 410 => return false,
                Some(_) | None => return true,
            };
            let shown = Change {
                version: number(map.meta().resource_version.as_deref()),
                namespace: self.namespace.to_owned(),
                name: map.name_any(),
                deleted,
            };
            self.truth.reaches(shown.version).await;
            let known = self.version.get();
            let expected = self.truth.after(self.namespace, known);
            assert_eq!(Some(&shown), expected.as_ref(), "after {known}");
            self.version.set(shown.version);
            self.truth.count(1);
        }
    }
}

fn number(version: Option<&str>) -> u64 {
    version.unwrap().parse().unwrap()
}

/// Creates, changes and deletes objects; each of its writes is one event, which it notes.
struct Writer {
    sandbox: Sandbox,
    truth: Truth,
    random: Rng,
}

// === impl Writer ===

impl Writer {
    async fn write(&mut self, steps: usize) {
        for step in 0..steps {
            sleep(Duration::from_millis(self.random.u64(0..1_500))).await;
            if self.random.u8(..40) == 0 {
                self.sandbox.compact();
            }
            let namespace = NAMESPACES[self.random.usize(..NAMESPACES.len())];
            let name = format!("m{}", self.random.u8(..4));
            self.change(namespace, &name, step).await;
        }
    }

    async fn change(&mut self, namespace: &'static str, name: &str, step: usize) {
        let all: Api<ConfigMap> = Api::all(self.sandbox.client());
        let params = WatchParams::default().timeout(290);
        let newest = self.truth.newest().to_string();
        let mut log = all.watch(&params, &newest).await.unwrap().boxed();
        let maps: Api<ConfigMap> = Api::namespaced(self.sandbox.client(), namespace);
        let there = maps.get_opt(name).await.unwrap().is_some();
        if !there {
            maps.create(&PostParams::default(), &config_map(name))
                .await
                .unwrap();
        } else if self.random.u8(..3) == 0 {
            maps.delete(name, &DeleteParams::default()).await.unwrap();
        } else {
            let patch = serde_json::json!({"data": {"step": step.to_string()}});
            maps.patch(name, &Default::default(), &Patch::Merge(patch))
                .await
                .unwrap();
        }
        let (map, deleted) = match log.next().await {
            Some(Ok(WatchEvent::Added(map) | WatchEvent::Modified(map))) => (map, false),
            Some(Ok(WatchEvent::Deleted(map))) => (map, true),
            other => panic!("{other:?}"),
        };
        self.truth.changes.borrow_mut().push(Change {
            version: number(map.meta().resource_version.as_deref()),
            namespace: namespace.to_owned(),
            name: map.name_any(),
            deleted,
        });
    }
}

/// Now and then, something goes wrong between the provider and the server.
async fn disturb(place: &Place, random: &mut Rng) {
    loop {
        sleep(Duration::from_millis(random.u64(0..20_000))).await;
        let short = Duration::ZERO..=Duration::from_millis(random.u64(1..2_000));
        let (fault, verb) = match random.u8(..8) {
            0 => (
                Fault::CutWatch {
                    after: short,
                    end: End::Clean,
                },
                Verb::Watch,
            ),
            1 => (
                Fault::CutWatch {
                    after: short,
                    end: End::Broken,
                },
                Verb::Watch,
            ),
            2 => (Fault::StallWatch, Verb::Watch),
            3 => (Fault::FreezeWatch, Verb::Watch),
            4 => (Fault::Status(503), Verb::Watch),
            5 => (Fault::Disconnect, Verb::List),
            6 => (
                Fault::Delay {
                    before: short.clone(),
                    after: short,
                },
                Verb::List,
            ),
            _ => (
                Fault::Delay {
                    before: short.clone(),
                    after: short,
                },
                Verb::Watch,
            ),
        };
        let rule = place
            .faults
            .add(Rule::new(fault).verbs([verb]).kind("ConfigMap"));
        sleep(Duration::from_millis(random.u64(0..3_000))).await;
        place.faults.remove(rule);
    }
}

async fn run(seed: u64) -> [u64; 3] {
    let mut random = Rng::with_seed(seed);
    let place = Place::on(
        Sandbox::builder().history(200).build(),
        &NAMESPACES,
        "operator",
    );
    let truth = Truth::default();
    let all: Api<ConfigMap> = Api::all(place.sandbox.client());
    let start = all.list(&ListParams::default()).await.unwrap().metadata;
    truth.start.set(number(start.resource_version.as_deref()));
    let mut observers = JoinSet::new();
    let mut known = Vec::new();
    for namespace in NAMESPACES {
        let shared: Client = place.connect(namespace).await;
        let plain = place.faults.client("plain");
        for maps in [
            Api::all(shared.clone()),
            Api::all(shared),
            Api::namespaced(plain, namespace),
        ] {
            let observer = Observer {
                maps,
                namespace,
                truth: truth.clone(),
                random: random.fork(),
                version: Rc::default(),
            };
            known.push((namespace, observer.version.clone()));
            observers.spawn_local(observer.observe());
        }
    }
    let mut trouble = random.fork();
    let mut writer = Writer {
        sandbox: place.sandbox.clone(),
        truth: truth.clone(),
        random,
    };
    let complete = async {
        tokio::select! {
            () = writer.write(300) => {}
            () = disturb(&place, &mut trouble) => {}
        }
        place.faults.clear();
        // And now all of them get to know everything.
        for namespace in NAMESPACES {
            writer.change(namespace, "last", 0).await;
        }
        let behind = || {
            let behind = known
                .iter()
                .filter(|(namespace, version)| truth.after(namespace, version.get()).is_some());
            behind.count()
        };
        let start = Instant::now();
        while behind() > 0 {
            assert!(
                start.elapsed() < Duration::from_secs(300),
                "{} are behind",
                behind()
            );
            sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::select! {
        () = complete => truth.seen.get(),
        failed = observers.join_next() => panic!("seed {seed}: {failed:?}"),
    }
}

#[test]
fn every_version_is_seen_once_and_in_order() {
    let mut seen = [0; 3];
    for seed in 0..20 {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        let counts = runtime.block_on(LocalSet::new().run_until(run(seed)));
        seen = std::array::from_fn(|what| seen[what] + counts[what]);
    }
    // That there was much to see.
    let [lists, changes, bookmarks] = seen;
    assert!(
        lists > 400 && changes > 10_000 && bookmarks > 20,
        "{seen:?}"
    );
}
