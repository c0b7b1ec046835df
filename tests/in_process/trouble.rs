//! Objects, kinds and reconcilers that make trouble, and all the others that must not notice.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use k8s_openapi::{
    NamespaceResourceScope,
    api::core::v1::{ConfigMap, Secret},
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::{
    Api, Resource,
    api::ApiResource,
    core::{DynamicObject, GroupVersionKind},
};
use kube_sandbox::{Fault, Rule};
use multicluster::{Action, BoxError, Context, Controller, HealthState};
use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::json;
use tokio::time::Instant;

use crate::local::{Member, SECOND, Seen, config_map, run, until};

/// A ConfigMap whose values are numbers.
#[derive(Clone, Debug, Deserialize)]
struct Numbers {
    metadata: ObjectMeta,
    #[serde(default, deserialize_with = "numbers")]
    data: BTreeMap<String, u32>,
}

fn numbers<'de, D: Deserializer<'de>>(source: D) -> Result<BTreeMap<String, u32>, D::Error> {
    let texts = BTreeMap::<String, String>::deserialize(source)?;
    let numbers = texts
        .into_iter()
        .map(|(key, text)| Ok((key, text.parse()?)));
    numbers
        .collect::<Result<_, std::num::ParseIntError>>()
        .map_err(D::Error::custom)
}

impl Resource for Numbers {
    type DynamicType = ();
    type Scope = NamespaceResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        "ConfigMap".into()
    }

    fn group((): &()) -> Cow<'_, str> {
        "".into()
    }

    fn version((): &()) -> Cow<'_, str> {
        "v1".into()
    }

    fn plural((): &()) -> Cow<'_, str> {
        "configmaps".into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

fn number(name: &str, value: &str) -> ConfigMap {
    let mut object = config_map(name);
    object.data = Some([("value".to_owned(), value.to_owned())].into());
    object
}

/// Bad input: one object that cannot be decoded hides no other, from the first list or later, and heals.
#[tokio::test(start_paused = true)]
async fn an_object_that_cannot_be_decoded_hides_no_other() {
    let member = Member::new();
    for (name, value) in [("a", "1"), ("bad", "one"), ("b", "2")] {
        member.create(&number(name, value)).await;
    }
    let seen = Seen::default();
    let notes = seen.clone();
    let controller = Controller::new("numbers", move |context: Context<Numbers>| {
        let sum = context
            .object()
            .map(|object| object.data.values().sum::<u32>());
        notes.say(format!("{} {sum:?}", context.key().name));
        async { Ok::<_, BoxError>(Action::await_change()) }
    });
    let (_replica, owned) = run(&[("zoo", &member)], |manager| manager.with(controller));
    seen.exactly(&["a Some(1)", "b Some(2)"]).await;
    member.create(&number("worse", "two")).await;
    member.create(&number("c", "3")).await;
    seen.exactly(&["c Some(3)"]).await;
    let patch = json!({"data": {"value": "7"}});
    member.merge::<ConfigMap>("bad", patch).await;
    seen.exactly(&["bad Some(7)"]).await;
    // What is known of an object stays when a newer state cannot be read; its deletion is told.
    let patch = json!({"data": {"value": "seven"}});
    member.merge::<ConfigMap>("bad", patch).await;
    seen.exactly(&[]).await;
    member.delete::<ConfigMap>("bad").await;
    seen.exactly(&["bad None"]).await;
    let health = owned.health();
    assert_eq!(health.values().next().unwrap().state, HealthState::Healthy);
}

/// Bad input: a kind that this program may not read keeps one controller from one cluster, says what to change, and heals.
#[tokio::test(start_paused = true)]
async fn a_kind_that_is_forbidden_stops_one_controller_in_one_cluster() {
    let (zoo, reef) = (Member::new(), Member::new());
    for member in [&zoo, &reef] {
        member.create(&config_map("a")).await;
    }
    let forbidden = Rule::new(Fault::Status(403)).kind("Secret");
    let forbidden = zoo.faults.add(forbidden);
    let (maps, both) = (Seen::default(), Seen::default());
    let (_replica, owned) = run(&[("zoo", &zoo), ("reef", &reef)], |manager| {
        manager
            .with(maps.controller::<ConfigMap>("maps"))
            .with(both.controller::<ConfigMap>("both").owns::<Secret>())
    });
    maps.exactly(&["reef/a", "zoo/a"]).await;
    both.exactly(&["reef/a"]).await;
    let health = owned.health();
    let zoo_health = &health["zoo"];
    assert_eq!(zoo_health.state, HealthState::Degraded);
    let reason = zoo_health.reason.as_deref().unwrap();
    assert!(
        reason.contains("watch secrets") && reason.contains("403"),
        "{reason}"
    );
    assert_eq!(health["reef"].state, HealthState::Healthy);
    tokio::time::sleep(120 * SECOND).await;
    let attempts = zoo.faults.hits(forbidden);
    assert!((5..30).contains(&attempts), "{attempts} attempts in 120 s");
    zoo.faults.remove(forbidden);
    both.exactly(&["zoo/a"]).await;
    assert_eq!(owned.health()["zoo"].state, HealthState::Healthy);
}

/// Bad input: a kind whose definition comes later.
#[tokio::test(start_paused = true)]
async fn a_kind_that_is_missing_is_waited_for() {
    let member = Member::new();
    let kind = GroupVersionKind::gvk("example.com", "v1", "Shop");
    let resource = ApiResource::from_gvk_with_plural(&kind, "shops");
    let seen = Seen::default();
    let notes = seen.clone();
    let reconcile = move |context: Context<DynamicObject>| {
        notes.note(&context);
        async { Ok::<_, BoxError>(Action::await_change()) }
    };
    let (_replica, owned) = run(&[("zoo", &member)], |manager| {
        manager.with(Controller::dynamic(
            resource.clone(),
            "shops",
            (),
            reconcile,
        ))
    });
    until(5 * SECOND, "degraded", || {
        owned
            .health()
            .values()
            .any(|health| health.state == HealthState::Degraded)
    })
    .await;
    let definition: CustomResourceDefinition = serde_json::from_value(json!({
        "metadata": {"name": "shops.example.com"},
        "spec": {
            "group": "example.com", "scope": "Namespaced",
            "names": {"plural": "shops", "singular": "shop", "kind": "Shop", "listKind": "ShopList"},
            "versions": [{
                "name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
            }],
        },
    }))
    .unwrap();
    let definitions = Api::all(member.sandbox.client());
    definitions
        .create(&Default::default(), &definition)
        .await
        .unwrap();
    let shops =
        Api::<DynamicObject>::namespaced_with(member.sandbox.client(), "default", &resource);
    let shop = DynamicObject::new("corner", &resource).within("default");
    shops.create(&Default::default(), &shop).await.unwrap();
    seen.exactly(&["zoo/corner"]).await;
    assert_eq!(owned.health()["zoo"].state, HealthState::Healthy);
}

#[tokio::test(start_paused = true)]
async fn a_reconcile_that_never_ends_is_dropped_and_tried_again() {
    let member = Member::new();
    for name in ["endless", "fine"] {
        member.create(&config_map(name)).await;
    }
    let seen = Seen::default();
    let notes = seen.clone();
    let controller = Controller::new("maps", move |context: Context<ConfigMap>| {
        notes.note(&context);
        async move {
            if context.key().name == "endless" {
                std::future::pending::<()>().await;
            }
            Ok::<_, BoxError>(Action::await_change())
        }
    });
    let start = Instant::now();
    let (_replica, _) = run(&[("zoo", &member)], |manager| {
        manager.with(controller.concurrency(2).reconcile_timeout(10 * SECOND))
    });
    let attempts = || {
        let seen = seen.timed().into_iter();
        let begun = seen.filter(|(_, what)| what == "zoo/endless");
        begun
            .map(|(at, _)| (at - start).as_secs())
            .collect::<Vec<_>>()
    };
    until(40 * SECOND, "three attempts", || attempts().len() == 3).await;
    assert_eq!(attempts(), [0, 10, 20]);
}

#[tokio::test(start_paused = true)]
async fn an_error_policy_decides_what_follows_an_error() {
    let member = Member::new();
    for name in ["hopeless", "later"] {
        member.create(&config_map(name)).await;
    }
    let seen = Seen::default();
    let notes = seen.clone();
    let controller = Controller::new("maps", move |context: Context<ConfigMap>| {
        notes.note(&context);
        async { Err::<Action, BoxError>("no".into()) }
    })
    .error_policy(|context, error| {
        assert_eq!(error.to_string(), "no");
        match context.key().name.as_str() {
            "later" => Action::requeue(60 * SECOND),
            _ => Action::await_change(),
        }
    });
    let (_replica, _) = run(&[("zoo", &member)], |manager| manager.with(controller));
    seen.exactly(&["zoo/hopeless", "zoo/later"]).await;
    tokio::time::sleep(130 * SECOND).await;
    assert_eq!(seen.take(), ["zoo/later", "zoo/later"]);
}

/// W25: one cluster whose reconciles hang for ever takes half of the places, and the others go on.
#[tokio::test(start_paused = true)]
async fn a_cluster_whose_reconciles_hang_delays_no_other() {
    let (hangs, works) = (Member::new(), Member::new());
    for name in 0..20 {
        hangs.create(&config_map(&format!("map-{name}"))).await;
    }
    let hanging = Arc::new(AtomicUsize::new(0));
    let (seen, counter) = (Seen::default(), hanging.clone());
    let notes = seen.clone();
    let controller = Controller::new("maps", move |context: Context<ConfigMap>| {
        let (notes, counter) = (notes.clone(), counter.clone());
        async move {
            if context.cluster_name().as_str() == "hangs" {
                counter.fetch_add(1, Ordering::SeqCst);
                std::future::pending::<()>().await;
            }
            notes.note(&context);
            Ok::<_, BoxError>(Action::await_change())
        }
    });
    let (_replica, _) = run(&[("hangs", &hangs), ("works", &works)], |manager| {
        manager.with(controller.concurrency(4))
    });
    until(5 * SECOND, "hanging", || {
        hanging.load(Ordering::SeqCst) >= 2
    })
    .await;
    for name in ["a", "b", "c"] {
        works.create(&config_map(name)).await;
        seen.exactly(&[&format!("works/{name}")]).await;
    }
    assert_eq!(hanging.load(Ordering::SeqCst), 2);
}
