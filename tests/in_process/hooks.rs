//! Requests from elsewhere than a watch, hooks, other clusters, and kube's own helpers.

use std::{sync::Arc, time::Duration};

use k8s_openapi::api::core::v1::{ConfigMap, Event};
use kube::{
    ResourceExt,
    runtime::{
        events::{Event as Occurrence, EventType, Recorder},
        finalizer::Event as Finalize,
        reflector::ObjectRef,
    },
};
use multicluster::{Action, BoxError, ClusterName, Context, Controller, NotOwnerReason, finalizer};

use crate::local::{Member, SECOND, Seen, config_map, run, until};

fn map(name: &str) -> ObjectRef<ConfigMap> {
    ObjectRef::new(name).within("default")
}

fn cluster(name: &str) -> ClusterName {
    name.parse().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_handle_asks_for_reconciles() {
    let member = Member::new();
    member.create(&config_map("a")).await;
    let seen = Seen::default();
    let controller = seen.controller::<ConfigMap>("maps");
    let requests = controller.requests();
    let early = requests.add(&cluster("zoo"), &map("a")).unwrap_err();
    assert_eq!(early.reason, NotOwnerReason::NotEngaged);
    let (_replica, _) = run(&[("zoo", &member)], |manager| manager.with(controller));
    seen.exactly(&["zoo/a"]).await;
    requests.add(&cluster("zoo"), &map("a")).unwrap();
    seen.exactly(&["zoo/a"]).await;
    // What does not exist can be asked for; a later time gives way to an earlier one.
    requests
        .add_after(&cluster("zoo"), &map("b"), 60 * SECOND)
        .unwrap();
    requests
        .add_after(&cluster("zoo"), &map("b"), 30 * SECOND)
        .unwrap();
    seen.exactly(&[]).await;
    tokio::time::sleep(30 * SECOND).await;
    seen.exactly(&["-zoo/b"]).await;
    let stream = [("reef", "a"), ("zoo", "a")];
    let stream = stream.map(|(name, object)| (cluster(name), map(object)));
    requests.forward(futures_util::stream::iter(stream)).await;
    seen.exactly(&["zoo/a"]).await;
}

/// What users of multicluster-runtime ask for: a cluster that joins or leaves asks for objects of other clusters.
#[tokio::test(start_paused = true)]
async fn hooks_see_clusters_come_and_go_and_may_ask_for_objects_of_others() {
    let (zoo, reef) = (Member::new(), Member::new());
    zoo.create(&config_map("fleet")).await;
    let seen = Seen::default();
    let (engaged, disengaged) = (seen.clone(), seen.clone());
    let controller = seen
        .controller::<ConfigMap>("maps")
        .on_engage(move |engagement, requests| {
            let seen = engaged.clone();
            async move {
                seen.say(format!("engaged {}", engagement.name()));
                requests.add_after(&cluster("zoo"), &map("fleet"), 20 * SECOND)?;
                Ok::<_, BoxError>(())
            }
        })
        .on_disengage(move |name, _| {
            let seen = disengaged.clone();
            async move { seen.say(format!("disengaged {name}")) }
        });
    let (replica, _) = run(&[("zoo", &zoo), ("reef", &reef)], |manager| {
        manager.with(controller)
    });
    tokio::time::sleep(10 * SECOND).await;
    let mut first = seen.take();
    // Only what comes before is certain: the hook of a cluster precedes its reconciles.
    assert!(
        first.iter().position(|what| what == "engaged zoo")
            < first.iter().position(|what| what == "zoo/fleet")
    );
    first.sort();
    // The hook is tried again when the other cluster was not engaged yet.
    first.dedup();
    assert_eq!(first, ["engaged reef", "engaged zoo", "zoo/fleet"]);
    tokio::time::sleep(30 * SECOND).await;
    assert_eq!(seen.take(), ["zoo/fleet"]);
    replica.leave().await.unwrap();
    let mut last = seen.take();
    last.sort();
    assert_eq!(last, ["disengaged reef", "disengaged zoo"]);
}

#[tokio::test(start_paused = true)]
async fn a_hook_that_fails_is_tried_again_before_anything_is_reconciled() {
    let member = Member::new();
    member.create(&config_map("a")).await;
    let seen = Seen::default();
    let notes = seen.clone();
    let controller = seen.controller::<ConfigMap>("maps").on_engage(move |_, _| {
        let attempts = notes.timed().len();
        notes.say("hook");
        async move {
            match attempts {
                0 | 1 => Err::<(), BoxError>("not yet".into()),
                _ => Ok(()),
            }
        }
    });
    let (_replica, _) = run(&[("zoo", &member)], |manager| manager.with(controller));
    until(10 * SECOND, "reconciled", || seen.timed().len() == 4).await;
    assert_eq!(seen.take(), ["hook", "hook", "hook", "zoo/a"]);
}

#[tokio::test(start_paused = true)]
async fn a_reconciler_reaches_other_clusters_that_are_owned_and_no_others() {
    let (zoo, reef) = (Member::new(), Member::new());
    zoo.create(&config_map("a")).await;
    let seen = Seen::default();
    let notes = seen.clone();
    let controller = Controller::new("maps", move |context: Context<ConfigMap>| {
        let notes = notes.clone();
        async move {
            if context.cluster_name().as_str() == "zoo" {
                let refusal = context.other(&cluster("nowhere")).unwrap_err();
                assert_eq!(refusal.reason, NotOwnerReason::NotEngaged);
                let other = context.other(&cluster("reef"))?;
                let copies = kube::Api::<ConfigMap>::namespaced(other.client(), "default");
                copies
                    .create(&Default::default(), &config_map("copy"))
                    .await?;
            }
            notes.note(&context);
            Ok::<_, BoxError>(Action::await_change())
        }
    });
    let clusters = |name: &str| name != "jungle";
    let (_replica, owned) = run(&[("zoo", &zoo), ("reef", &reef)], |manager| {
        manager.with(controller.clusters(move |cluster| clusters(cluster.name().as_str())))
    });
    until(10 * SECOND, "copied", || seen.timed().len() == 2).await;
    let mut names = owned.names();
    names.sort();
    assert_eq!(names, [cluster("reef"), cluster("zoo")]);
    let mut seen = seen.take();
    seen.sort();
    assert_eq!(seen, ["reef/copy", "zoo/a"]);
}

#[tokio::test(start_paused = true)]
async fn a_controller_leaves_out_the_clusters_that_its_filter_does() {
    let (zoo, reef) = (Member::new(), Member::new());
    for member in [&zoo, &reef] {
        member.create(&config_map("a")).await;
    }
    let (some, all) = (Seen::default(), Seen::default());
    let (replica, _) = run(&[("zoo", &zoo), ("reef", &reef)], |manager| {
        let controller = some.controller::<ConfigMap>("some");
        manager
            .with(controller.clusters(|cluster| cluster.name().as_str() == "reef"))
            .with(all.controller::<ConfigMap>("all"))
    });
    some.exactly(&["reef/a"]).await;
    all.exactly(&["reef/a", "zoo/a"]).await;
    replica.leave().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn kubes_finalizer_and_recorder_work_with_the_context() {
    let member = Member::new();
    member.create(&config_map("a")).await;
    let seen = Seen::default();
    let notes = seen.clone();
    let controller = Controller::new("maps", move |context: Context<ConfigMap>| {
        let notes = notes.clone();
        async move {
            let Some(object) = context.object().cloned() else {
                notes.say("gone");
                return Ok(Action::await_change());
            };
            let recorder = Recorder::new(context.client(), "maps".into());
            let occurrence = Occurrence {
                type_: EventType::Normal,
                reason: "Seen".into(),
                note: None,
                action: "Reconcile".into(),
                secondary: None,
            };
            recorder
                .publish(&occurrence, &kube::Resource::object_ref(&*object, &()))
                .await?;
            let api = context.api::<ConfigMap>();
            let action = finalizer(&api, "example.com/cleanup", object, |event| async {
                match event {
                    Finalize::Apply(object) => notes.say(format!("apply {}", object.name_any())),
                    Finalize::Cleanup(object) => notes.say(format!("clean {}", object.name_any())),
                }
                Ok::<_, kube::Error>(Action::requeue(Duration::from_secs(3600)))
            });
            Ok::<_, BoxError>(action.await?)
        }
    });
    let (_replica, _) = run(&[("zoo", &member)], |manager| manager.with(controller));
    until(5 * SECOND, "applied", || {
        seen.timed().iter().any(|(_, what)| what == "apply a")
    })
    .await;
    tokio::time::sleep(3700 * SECOND).await;
    let applied = seen.take().len();
    assert!(applied >= 2, "the action of the closure counts: {applied}");
    member.delete::<ConfigMap>("a").await;
    until(5 * SECOND, "cleaned up", || {
        seen.timed().iter().any(|(_, what)| what == "gone")
    })
    .await;
    assert_eq!(seen.take()[0], "clean a");
    let events = member
        .api::<Event>()
        .list(&Default::default())
        .await
        .unwrap();
    assert!(
        events
            .items
            .iter()
            .any(|event| event.reason.as_deref() == Some("Seen"))
    );
    drop(Arc::new(member));
}
