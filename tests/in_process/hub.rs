//! Objects of a hub that are copied to every member, and work on the hub itself.

use std::sync::{Arc, Mutex};

use k8s_openapi::api::{
    coordination::v1::Lease,
    core::v1::{ConfigMap, Secret},
};
use kube::{
    Api, ResourceExt,
    api::{Patch, PatchParams},
    runtime::reflector::ObjectRef,
};
use kube_sandbox::{Fault, Rule, Verb};
use multicluster::{
    Action, BoxError, Context, Controller, Error, Manager, NotOwner, NotOwnerReason, Sharding,
    Watch, clock::TokioClock, for_each_cluster, providers::FixedProvider, sharding::Timings,
};
use serde_json::json;

use crate::{
    fleet::{LEASE, Replica},
    local::{Member, SECOND, Seen, config_map, run, secret},
};

const MEMBERS: [&str; 3] = ["north", "south", "west"];

/// A hub, its members, and who works on the hub, in order.
struct Hub {
    hub: Member,
    members: Vec<Member>,
    clock: TokioClock,
    on_hub: Arc<Mutex<Vec<String>>>,
}

/// Makes the copy of one ConfigMap what the hub says.
async fn sync(context: Context<ConfigMap>) -> Result<Action, BoxError> {
    let originals = context.host_objects::<ConfigMap>().ok_or("no hub")?;
    let (api, name) = (context.api::<ConfigMap>(), context.key().name.clone());
    match originals.get(context.key()) {
        Some(original) => {
            let copy = json!({
                "apiVersion": "v1", "kind": "ConfigMap",
                "metadata": {"name": name, "labels": {"synced-from": "hub"}},
                "data": original.data,
            });
            let params = PatchParams::apply("hub-sync").force();
            api.patch(&name, &params, &Patch::Apply(copy)).await?;
        }
        None if context.object().is_some() && is_gone(&context).await? => {
            drop(api.delete(&name, &Default::default()).await?);
        }
        None => {}
    }
    Ok(Action::await_change())
}

/// Whether the hub itself says so: its cache here may be behind another replica that made the copy.
async fn is_gone(context: &Context<ConfigMap>) -> Result<bool, BoxError> {
    let host = context.engagement().host().ok_or("no hub")?.client();
    let originals: Api<ConfigMap> = Api::default_namespaced(host);
    let original = originals.get_opt(&context.key().name).await?;
    Ok(original.is_none_or(|map| map.labels().get("sync").is_none_or(|sync| sync != "true")))
}

// === impl Hub ===

impl Hub {
    fn new() -> Self {
        Self {
            hub: Member::new(),
            members: MEMBERS.iter().map(|_| Member::new()).collect(),
            clock: TokioClock::new(),
            on_hub: Arc::default(),
        }
    }

    fn start(&self, peer: &str) -> Replica {
        let mut provider = FixedProvider::new();
        for (name, member) in MEMBERS.iter().zip(&self.members) {
            provider = provider.cluster(name.parse().unwrap(), member.client());
        }
        let copies = Watch::<ConfigMap>::new().labels("synced-from=hub");
        let originals = Watch::<ConfigMap>::new().labels("sync=true");
        let controller = Controller::of(copies, "sync", (), sync)
            .watches_host_with(originals, |map, _| vec![ObjectRef::from_obj(map)]);
        let sharding = Sharding::with_client(self.hub.faults.client(peer), "mcr")
            .peer(peer)
            .lease_namespace("kube-system")
            .timings(Timings::new(LEASE))
            .clock(self.clock);
        let (on_hub, name) = (self.on_hub.clone(), peer.to_owned());
        let status = for_each_cluster("status", move |host| {
            let (on_hub, peer) = (on_hub.clone(), name.clone());
            async move {
                on_hub.lock().unwrap().push(format!("+{peer}"));
                let maps: Api<ConfigMap> = Api::default_namespaced(host.client());
                let status = json!({
                    "apiVersion": "v1", "kind": "ConfigMap",
                    "metadata": {"name": "status"}, "data": {"by": peer},
                });
                let params = PatchParams::apply("status").force();
                maps.patch("status", &params, &Patch::Apply(status)).await?;
                host.cancelled().await;
                on_hub.lock().unwrap().push(format!("-{peer}"));
                Ok::<_, BoxError>(())
            }
        });
        let manager = Manager::builder(provider)
            .host(self.hub.faults.client(peer))
            .sharding(sharding)
            .with(controller)
            .with_host(status);
        Replica::run(manager.build().unwrap())
    }

    async fn publish(&self, name: &str, value: &str) {
        let map = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": name, "labels": {"sync": "true"}},
            "data": {"value": value},
        });
        let params = PatchParams::apply("user").force();
        let maps = self.hub.api::<ConfigMap>();
        maps.patch(name, &params, &Patch::Apply(map)).await.unwrap();
    }

    /// Waits until every member has this value under a name, or nothing.
    async fn everywhere(&self, name: &str, value: Option<&str>) {
        self.shown(&self.members.iter().collect::<Vec<_>>(), name, value)
            .await;
    }

    /// The same for some members.
    async fn shown(&self, members: &[&Member], name: &str, value: Option<&str>) {
        let start = tokio::time::Instant::now();
        loop {
            let mut values = Vec::new();
            for member in members {
                let map = member.api::<ConfigMap>().get_opt(name).await.unwrap();
                values.push(map.map(|map| map.data.unwrap_or_default()["value"].clone()));
            }
            if values.iter().all(|present| present.as_deref() == value) {
                return;
            }
            assert!(
                start.elapsed() < 30 * SECOND,
                "{name}: {values:?}, not {value:?}"
            );
            tokio::time::sleep(SECOND / 100).await;
        }
    }

    /// The members whose Lease a replica holds, once all of them are held.
    async fn members_of(&self, peer: &str) -> Vec<&Member> {
        let leases: Api<Lease> = Api::namespaced(self.hub.sandbox.client(), "kube-system");
        let start = tokio::time::Instant::now();
        loop {
            let mut holders = Vec::new();
            for name in MEMBERS {
                let lease = leases.get_opt(&format!("mcr-shard-{name}")).await.unwrap();
                let spec = lease.and_then(|lease| lease.spec);
                holders.push(spec.and_then(|spec| spec.holder_identity));
            }
            if holders.iter().all(Option::is_some) {
                let held = self.members.iter().zip(holders);
                let held = held.filter(|(_, holder)| holder.as_deref() == Some(peer));
                return held.map(|(member, _)| member).collect();
            }
            assert!(start.elapsed() < 30 * SECOND, "{holders:?}");
            tokio::time::sleep(SECOND / 100).await;
        }
    }

    fn on_hub(&self) -> Vec<String> {
        self.on_hub.lock().unwrap().clone()
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_hub_says_is_in_every_member_and_goes_with_it() {
    let hub = Hub::new();
    // Of the same name and not ours: never touched.
    let of_same_name = hub.members[0].create(&secret("motd")).await;
    let own = hub.members[0].create(&config_map("own")).await;
    let (a, _b) = (hub.start("a"), hub.start("b"));
    hub.publish("motd", "hello").await;
    hub.everywhere("motd", Some("hello")).await;
    hub.publish("motd", "bye").await;
    hub.everywhere("motd", Some("bye")).await;

    // A change by hand in a member is undone, a deletion too.
    let by_hand = json!({"data": {"value": "mine"}});
    hub.members[1].merge::<ConfigMap>("motd", by_hand).await;
    hub.everywhere("motd", Some("bye")).await;
    hub.members[2].delete::<ConfigMap>("motd").await;
    hub.everywhere("motd", Some("bye")).await;

    // It goes from the members of a replica that has crashed as well.
    assert!(!hub.members_of("a").await.is_empty());
    drop(a);
    hub.hub.delete::<ConfigMap>("motd").await;
    hub.everywhere("motd", None).await;
    let (secrets, maps) = (
        hub.members[0].api::<Secret>(),
        hub.members[0].api::<ConfigMap>(),
    );
    assert_eq!(secrets.get("motd").await.unwrap(), of_same_name);
    assert_eq!(maps.get("own").await.unwrap(), own);
}

/// A replica whose watch of the hub is late does not take the copies of another one for leftovers.
#[tokio::test(start_paused = true)]
async fn a_copy_is_not_removed_because_the_hub_is_seen_late() {
    let hub = Hub::new();
    let (a, _c) = (hub.start("a"), hub.start("c"));
    hub.publish("first", "hello").await;
    hub.everywhere("first", Some("hello")).await;
    let late = Rule::new(Fault::FreezeWatch).verbs([Verb::Watch]);
    let late = hub.hub.faults.add(late.kind("ConfigMap").user("c"));
    let members = hub.members_of("a").await;
    assert!(
        !members.is_empty() && members.len() < MEMBERS.len(),
        "{}",
        members.len()
    );
    hub.publish("motd", "hello").await;
    hub.shown(&members, "motd", Some("hello")).await;
    let copies = members[0].api::<ConfigMap>();
    let before = copies.get("motd").await.unwrap().metadata;

    a.leave().await.unwrap();
    tokio::time::sleep(20 * SECOND).await;
    assert_eq!(hub.members_of("c").await.len(), MEMBERS.len());
    let after = copies
        .get_opt("motd")
        .await
        .unwrap()
        .map(|map| map.metadata);
    assert_eq!(after.and_then(|after| after.uid), before.uid);
    assert!(hub.hub.faults.remove(late) > 0);
    hub.everywhere("motd", Some("hello")).await;
}

#[tokio::test(start_paused = true)]
async fn one_replica_at_a_time_works_on_the_hub() {
    let hub = Hub::new();
    let a = hub.start("a");
    crate::local::until(10 * SECOND, "the first works", || hub.on_hub() == ["+a"]).await;
    let b = hub.start("b");
    tokio::time::sleep(10 * SECOND).await;
    let before = hub.on_hub();
    let (owner, other) = match before.last().unwrap().as_str() {
        "+a" => (a, "b"),
        _ => (b, "a"),
    };
    owner.leave().await.unwrap();
    crate::local::until(10 * SECOND, "the other one works", || {
        hub.on_hub().last().unwrap() == &format!("+{other}")
    })
    .await;
    // Each begin is followed by its end before the next one's begin.
    let all = hub.on_hub();
    for pair in all.chunks(2).filter(|pair| pair.len() == 2) {
        assert_eq!(pair[0].replace('+', "-"), pair[1], "{all:?}");
    }
    let status = hub.hub.api::<ConfigMap>().get("status").await.unwrap();
    assert_eq!(status.data.unwrap()["by"], other);
}

#[tokio::test(start_paused = true)]
async fn everybody_may_read_the_host_and_nobody_write_to_it_in_passing() {
    let (host, member) = (Member::new(), Member::new());
    host.create(&config_map("a")).await;
    member.create(&config_map("a")).await;
    let seen = Seen::default();
    let notes = seen.clone();
    let controller = Controller::new("maps", move |context: Context<ConfigMap>| {
        let notes = notes.clone();
        async move {
            let host = context.engagement().host().ok_or("no host")?.client();
            let maps: Api<ConfigMap> = Api::default_namespaced(host);
            let read = maps.get("a").await?;
            let written = maps.create(&Default::default(), &config_map("b")).await;
            let Err(kube::Error::Service(refusal)) = written else {
                return Err("it was written".into());
            };
            let refusal = refusal.downcast_ref::<NotOwner>().ok_or("another error")?;
            notes.say(format!(
                "{} {}",
                read.name_any(),
                refusal.reason == NotOwnerReason::ReadOnly
            ));
            Ok::<_, BoxError>(Action::await_change())
        }
    });
    let (_replica, _) = run(&[("zoo", &member)], |manager| {
        manager.host(host.client()).with(controller)
    });
    seen.exactly(&["a true"]).await;
}

/// Bad input: a controller that needs a host and has none, and a cluster with the host's name.
#[tokio::test(start_paused = true)]
async fn a_host_that_is_missing_or_has_a_namesake_is_an_error_that_says_what_to_do() {
    let (host, member) = (Member::new(), Member::new());
    let seen = Seen::default();
    let needing = || {
        seen.controller::<ConfigMap>("copies")
            .watches_host::<ConfigMap>(|map, _| vec![ObjectRef::from_obj(map)])
    };
    let error = Manager::builder(FixedProvider::new())
        .with(needing())
        .build();
    let error = error.unwrap_err().to_string();
    assert_eq!(
        error,
        "copies works with the host: name it with ManagerBuilder::host"
    );

    // Work on the host needs one too.
    let error = Manager::builder(FixedProvider::new())
        .with_host(seen.controller::<ConfigMap>("status"))
        .build();
    let Err(Error::Setting(error)) = error else {
        panic!("{error:?}")
    };
    assert_eq!(
        error,
        "status works with the host: name it with ManagerBuilder::host"
    );

    // The namesake is left out; everything else works.
    host.create(&config_map("a")).await;
    let on_host = Seen::default();
    let clusters = [("host", &member), ("zoo", &member)];
    let (_replica, owned) = run(&clusters, |manager| {
        manager
            .host(host.client())
            .with(needing())
            .with_host(on_host.controller::<ConfigMap>("hub"))
    });
    seen.exactly(&["-zoo/a"]).await;
    on_host.exactly(&["host/a"]).await;
    assert_eq!(owned.names().len(), 2);
}
