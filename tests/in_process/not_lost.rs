//! Requests, states and watches that must not get lost.

use std::{borrow::Cow, sync::Arc, time::Duration};

use k8s_openapi::{
    NamespaceResourceScope,
    api::core::v1::{ConfigMap, Node, Secret},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::{Api, Resource, ResourceExt, api::ApiResource};
use kube_sandbox::{End, Fault, Rule};
use multicluster::{Action, BoxError, Context, Controller, HealthState};
use serde::{Deserialize, Deserializer};
use serde_json::json;
use tokio::sync::Semaphore;

use crate::local::{Member, SECOND, Seen, config_map, run, secret, until};

/// A request that has to wait for its cluster's rate is looked at when its time has come, with nothing else going on.
#[tokio::test(start_paused = true)]
async fn a_single_late_request_of_a_cluster_with_a_rate_is_served_in_time() {
    let member = Member::new();
    member.create(&config_map("a")).await;
    let seen = Seen::default();
    let controller = seen.controller::<ConfigMap>("maps");
    let (_replica, _) = run(&[("zoo", &member)], |manager| {
        manager.with(controller.per_cluster_rate(10 * SECOND, 1))
    });
    until(SECOND, "the first", || seen.timed().len() == 1).await;
    tokio::time::sleep(SECOND).await;
    member.create(&config_map("b")).await;
    until(10 * SECOND, "the second", || seen.timed().len() == 2).await;
    let times: Vec<_> = seen.timed().into_iter().map(|(at, _)| at).collect();
    assert!(times[1] - times[0] >= 10 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_requeue_in_the_far_future_keeps_the_object() {
    let member = Member::new();
    member.create(&config_map("a")).await;
    let seen = Seen::default();
    let notes = seen.clone();
    let controller = Controller::new("maps", move |context: Context<ConfigMap>| {
        notes.note(&context);
        async { Ok::<_, BoxError>(Action::requeue(Duration::MAX)) }
    });
    let (_replica, _) = run(&[("zoo", &member)], |manager| manager.with(controller));
    seen.exactly(&["zoo/a"]).await;
    member
        .merge::<ConfigMap>("a", json!({"data": {"x": "y"}}))
        .await;
    seen.exactly(&["zoo/a"]).await;
}

/// While the deletion of one object is dealt with, another one of its name comes and goes.
#[tokio::test(start_paused = true)]
async fn each_deletion_is_reconciled_with_its_own_last_state() {
    let member = Member::new();
    let labelled = |value: &str| {
        let mut object = config_map("a");
        object.labels_mut().insert("is".into(), value.into());
        object
    };
    member.create(&labelled("first")).await;
    let (seen, gate) = (Seen::default(), Arc::new(Semaphore::new(0)));
    let (notes, goes_on) = (seen.clone(), gate.clone());
    let controller = Controller::new("maps", move |context: Context<ConfigMap>| {
        let (notes, goes_on) = (notes.clone(), goes_on.clone());
        async move {
            let label = |object: Option<&Arc<ConfigMap>>| {
                object
                    .map_or("none", |object| &object.labels()["is"])
                    .to_owned()
            };
            notes.say(match context.object() {
                Some(object) => label(Some(object)),
                None => format!("-{}", label(context.last_known())),
            });
            if context.object().is_none() {
                goes_on.acquire().await.unwrap().forget();
            }
            Ok::<_, BoxError>(Action::await_change())
        }
    });
    let (_replica, _) = run(&[("zoo", &member)], |manager| manager.with(controller));
    seen.exactly(&["first"]).await;
    member.delete::<ConfigMap>("a").await;
    seen.exactly(&["-first"]).await;
    member.create(&labelled("second")).await;
    member.delete::<ConfigMap>("a").await;
    seen.exactly(&[]).await;
    gate.add_permits(2);
    seen.exactly(&["-second"]).await;
}

/// A kind that is named at run time may have no namespaces.
#[tokio::test(start_paused = true)]
async fn an_owner_without_a_namespace_is_found_for_a_kind_that_is_named_at_run_time() {
    let member = Member::new();
    let nodes: Api<Node> = Api::all(member.sandbox.client());
    let mut node = Node::default();
    node.metadata.name = Some("n".into());
    let node = nodes.create(&Default::default(), &node).await.unwrap();
    let seen = Seen::default();
    let notes = seen.clone();
    let kind = ApiResource::erase::<Node>(&());
    let controller = Controller::dynamic(kind, "nodes", (), move |context: Context<_>| {
        notes.note(&context);
        async { Ok::<_, BoxError>(Action::await_change()) }
    });
    let (_replica, _) = run(&[("zoo", &member)], |manager| {
        manager.with(controller.owns::<Secret>())
    });
    seen.exactly(&["zoo/n"]).await;
    let mut child = secret("child");
    child.metadata.owner_references = Some(vec![node.controller_owner_ref(&()).unwrap()]);
    member.create(&child).await;
    seen.exactly(&["zoo/n"]).await;
}

/// A watch that was cut and works again is no problem any more, although nothing changes in the cluster.
#[tokio::test(start_paused = true)]
async fn a_quiet_cluster_is_healthy_again_after_its_watches_were_cut() {
    let member = Member::new();
    let seen = Seen::default();
    let (_replica, owned) = run(&[("zoo", &member)], |manager| {
        manager.with(seen.controller::<ConfigMap>("maps"))
    });
    let state = || owned.health().get("zoo").map(|health| health.state);
    until(SECOND, "healthy", || state() == Some(HealthState::Healthy)).await;
    tokio::time::sleep(SECOND).await;
    let cut = Fault::CutWatch {
        after: Duration::ZERO..=Duration::ZERO,
        end: End::Broken,
    };
    let cut = member.faults.add(Rule::new(cut));
    until(10 * SECOND, "noticed", || {
        state() == Some(HealthState::Degraded)
    })
    .await;
    member.faults.remove(cut);
    until(40 * SECOND, "healthy again", || {
        state() == Some(HealthState::Healthy)
    })
    .await;
    assert!(seen.take().is_empty());
}

/// A ConfigMap whose type does not like some of them.
#[derive(Clone, Debug)]
struct Picky(ConfigMap);

impl<'de> Deserialize<'de> for Picky {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let object = ConfigMap::deserialize(deserializer)?;
        assert!(object.name_any() != "bad", "no such animal");
        Ok(Self(object))
    }
}

impl Resource for Picky {
    type DynamicType = ();
    type Scope = NamespaceResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        ConfigMap::kind(&())
    }

    fn group((): &()) -> Cow<'_, str> {
        ConfigMap::group(&())
    }

    fn version((): &()) -> Cow<'_, str> {
        ConfigMap::version(&())
    }

    fn plural((): &()) -> Cow<'_, str> {
        ConfigMap::plural(&())
    }

    fn meta(&self) -> &ObjectMeta {
        &self.0.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.0.metadata
    }
}

#[tokio::test(start_paused = true)]
async fn a_type_that_panics_while_it_decodes_is_reported_and_watched_again() {
    let member = Member::new();
    member.create(&config_map("good")).await;
    let seen = Seen::default();
    let (_replica, owned) = run(&[("zoo", &member)], |manager| {
        manager.with(seen.controller::<Picky>("picky"))
    });
    seen.exactly(&["zoo/good"]).await;
    member.create(&config_map("bad")).await;
    let state = || owned.health()["zoo"].clone();
    until(10 * SECOND, "reported", || {
        let health = state();
        let reason = health.reason.unwrap_or_default();
        health.state == HealthState::Degraded && reason.contains("no such animal")
    })
    .await;
    member.delete::<ConfigMap>("bad").await;
    member.create(&config_map("better")).await;
    until(120 * SECOND, "watched again", || {
        seen.timed().iter().any(|(_, what)| what == "zoo/better")
    })
    .await;
    assert_eq!(state().state, HealthState::Healthy);
}
