//! What a controller can watch, and what asks for a reconcile.

use k8s_openapi::{
    api::{
        apps::v1::Deployment,
        core::v1::{ConfigMap, Secret},
    },
    apimachinery::pkg::apis::meta::v1::OwnerReference,
};
use kube::{
    Resource, ResourceExt,
    api::ApiResource,
    core::{DynamicObject, PartialObjectMeta},
    runtime::reflector::ObjectRef,
};
use kube_sandbox::{Fault, Rule, Verb};
use multicluster::{
    Action, BoxError, Context, Controller,
    informer::{GenerationChanged, ObjectEvent, Predicate, PredicateExt, Watch, from_fn},
};
use serde_json::json;

use crate::local::{Member, SECOND, Seen, config_map, name, run, secret, until};

fn owned_by(owner: &ConfigMap, mut child: Secret) -> Secret {
    let reference = owner.controller_owner_ref(&()).unwrap();
    child.metadata.owner_references = Some(vec![reference]);
    child
}

#[tokio::test(start_paused = true)]
async fn a_change_of_an_owned_object_reconciles_its_controller() {
    let member = Member::new();
    let owner = member.create(&config_map("owner")).await;
    member.create(&config_map("other")).await;
    let seen = Seen::default();
    let (_replica, _) = run(&[("zoo", &member)], |manager| {
        manager.with(seen.controller::<ConfigMap>("maps").owns::<Secret>())
    });
    seen.exactly(&["zoo/other", "zoo/owner"]).await;

    let child = member.create(&owned_by(&owner, secret("child"))).await;
    seen.exactly(&["zoo/owner"]).await;
    let patch = json!({"stringData": {"a": "b"}});
    member.merge::<Secret>("child", patch).await;
    seen.exactly(&["zoo/owner"]).await;
    // One that loses its owner still concerns it.
    let patch = json!({"metadata": {"ownerReferences": []}});
    member.merge::<Secret>("child", patch).await;
    seen.exactly(&["zoo/owner"]).await;
    let patch = json!({"metadata": {"labels": {"a": "b"}}});
    member.merge::<Secret>("child", patch).await;
    seen.exactly(&[]).await;

    // An owner of the same name and another kind is somebody else, and so is one that is no controller.
    let reference = OwnerReference {
        kind: "Deployment".into(),
        api_version: "apps/v1".into(),
        ..owner.controller_owner_ref(&()).unwrap()
    };
    let mut foreign = secret("foreign");
    foreign.metadata.owner_references = Some(vec![reference, owner.owner_ref(&()).unwrap()]);
    member.create(&foreign).await;
    seen.exactly(&[]).await;
    drop(child);
}

/// What is asked for by hand is judged by `generic` alone, and by nothing when it is not there.
#[tokio::test(start_paused = true)]
async fn requests_from_elsewhere_are_judged_by_a_method_of_their_own() {
    struct NotMuted;
    impl Predicate<ConfigMap> for NotMuted {
        fn create(&self, _: &ConfigMap) -> bool {
            false
        }

        fn generic(&self, object: &ConfigMap) -> bool {
            !object.labels().contains_key("muted")
        }
    }
    let member = Member::new();
    let mut muted = config_map("muted");
    muted.labels_mut().insert("muted".into(), String::new());
    member.create(&muted).await;
    member.create(&config_map("loud")).await;
    let seen = Seen::default();
    let both = PredicateExt::<ConfigMap>::and(NotMuted, GenerationChanged);
    let controller = seen.controller::<ConfigMap>("maps").predicate(both);
    let requests = controller.requests();
    let (_replica, owned) = run(&[("zoo", &member)], |manager| manager.with(controller));
    let zoo = "zoo".parse().unwrap();
    until(SECOND, "engaged", || owned.get(&zoo).is_ok()).await;
    seen.exactly(&[]).await;
    for name in ["muted", "loud", "gone"] {
        let object = ObjectRef::new(name).within("default");
        requests.add(&zoo, &object).unwrap();
    }
    seen.exactly(&["zoo/loud", "-zoo/gone"]).await;
}

#[tokio::test(start_paused = true)]
async fn a_watched_object_reconciles_those_that_an_index_finds() {
    let member = Member::new();
    for (map, secret) in [("a", "red"), ("b", "blue"), ("c", "red")] {
        let mut object = config_map(map);
        object
            .annotations_mut()
            .insert("secret".into(), secret.into());
        member.create(&object).await;
    }
    let seen = Seen::default();
    let (_replica, _) = run(&[("zoo", &member)], |manager| {
        let controller = seen
            .controller::<ConfigMap>("maps")
            .index("secret", |map| {
                map.annotations()
                    .get("secret")
                    .cloned()
                    .into_iter()
                    .collect()
            })
            .watches::<Secret>(|secret, maps| {
                let users = maps.by_index("secret", &secret.name_any());
                users
                    .iter()
                    .map(|map| ObjectRef::from_obj(&**map))
                    .collect()
            });
        manager.with(controller)
    });
    seen.exactly(&["zoo/a", "zoo/b", "zoo/c"]).await;
    member.create(&secret("red")).await;
    seen.exactly(&["zoo/a", "zoo/c"]).await;
    let patch = json!({"metadata": {"annotations": {"secret": "red"}}});
    member.merge::<ConfigMap>("b", patch).await;
    seen.exactly(&["zoo/b"]).await;
    member.delete::<ConfigMap>("a").await;
    seen.exactly(&["-zoo/a"]).await;
    member.delete::<Secret>("red").await;
    seen.exactly(&["zoo/b", "zoo/c"]).await;
}

#[tokio::test(start_paused = true)]
async fn metadata_are_enough_to_watch_and_nothing_else_is_sent() {
    let member = Member::new();
    let mut heavy = secret("heavy");
    heavy.string_data = Some([("key".into(), "x".repeat(1_000))].into());
    member.create(&heavy).await;
    let seen = Seen::default();
    let (notes, reader) = (seen.clone(), |secret: &PartialObjectMeta<Secret>, _: &_| {
        vec![ObjectRef::new(&name(secret)).within("default")]
    });
    let controller = Controller::new("maps", move |context: Context<ConfigMap>| {
        let secrets = context.objects::<PartialObjectMeta<Secret>>().unwrap();
        let known: Vec<_> = secrets
            .list()
            .iter()
            .map(|secret| name(&**secret))
            .collect();
        assert!(context.objects::<Secret>().is_none());
        notes.say(format!("{} of {known:?}", context.key().name));
        async { Ok::<_, BoxError>(Action::await_change()) }
    });
    let (_replica, _) = run(&[("zoo", &member)], |manager| {
        manager.with(controller.watches_metadata::<Secret>(reader))
    });
    seen.exactly(&["heavy of [\"heavy\"]"]).await;
    let secrets = member.faults.calls().into_iter();
    let secrets = secrets.filter(|call| call.kind == "Secret");
    assert_eq!(secrets.count(), 2, "a list and a watch");
}

#[tokio::test(start_paused = true)]
async fn a_kind_may_be_named_at_run_time() {
    let member = Member::new();
    member.create(&config_map("a")).await;
    let seen = Seen::default();
    let notes = seen.clone();
    let resource = ApiResource::erase::<ConfigMap>(&());
    let reconcile = move |context: Context<DynamicObject>| {
        notes.note(&context);
        async { Ok::<_, BoxError>(Action::await_change()) }
    };
    let (_replica, _) = run(&[("zoo", &member)], |manager| {
        manager.with(Controller::dynamic(resource, "maps", (), reconcile))
    });
    seen.exactly(&["zoo/a"]).await;
    member.delete::<ConfigMap>("a").await;
    seen.exactly(&["-zoo/a"]).await;
}

/// W22: what several controllers watch is watched once, and no longer than one of them is there.
#[tokio::test(start_paused = true)]
async fn controllers_share_their_watches() {
    let member = Member::new();
    member.create(&config_map("a")).await;
    let (first, second) = (Seen::default(), Seen::default());
    let (replica, _) = run(&[("zoo", &member)], |manager| {
        let other = second
            .controller::<Secret>("secrets")
            .watches::<ConfigMap>(|map, _| vec![ObjectRef::new(&name(map)).within("default")]);
        manager
            .with(first.controller::<ConfigMap>("maps"))
            .with(other)
    });
    first.exactly(&["zoo/a"]).await;
    second.exactly(&["-zoo/a"]).await;
    assert_eq!(member.calls(Verb::Watch, "ConfigMap"), 1);
    assert_eq!(member.calls(Verb::List, "ConfigMap"), 1);
    assert_eq!(member.calls(Verb::Watch, "Secret"), 1);
    replica.leave().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_predicate_keeps_changes_away_that_do_not_matter() {
    let member = Member::new();
    let deployment = json!({
        "metadata": {"name": "shop", "namespace": "default"},
        "spec": {
            "selector": {"matchLabels": {"app": "shop"}},
            "template": {
                "metadata": {"labels": {"app": "shop"}},
                "spec": {"containers": [{"name": "shop", "image": "shop:1"}]},
            },
        },
    });
    let deployment: Deployment = serde_json::from_value(deployment).unwrap();
    member.create(&deployment).await;
    let seen = Seen::default();
    let (_replica, _) = run(&[("zoo", &member)], |manager| {
        let controller = seen.controller::<Deployment>("deployments");
        manager.with(controller.predicate(GenerationChanged))
    });
    seen.exactly(&["zoo/shop"]).await;
    let patch = json!({"metadata": {"labels": {"a": "b"}}});
    member.merge::<Deployment>("shop", patch).await;
    seen.exactly(&[]).await;
    let patch = json!({"spec": {"replicas": 3}});
    member.merge::<Deployment>("shop", patch).await;
    seen.exactly(&["zoo/shop"]).await;
    member.delete::<Deployment>("shop").await;
    seen.exactly(&["-zoo/shop"]).await;
}

#[tokio::test(start_paused = true)]
async fn selectors_and_transformations_decide_what_is_seen() {
    let member = Member::new();
    for (name, label) in [("a", "yes"), ("b", "no")] {
        let mut object = config_map(name);
        object.labels_mut().insert("wanted".into(), label.into());
        object.data = Some([("key".into(), "value".into())].into());
        member.create(&object).await;
    }
    let seen = Seen::default();
    let notes = seen.clone();
    let watch = Watch::<ConfigMap>::new()
        .labels("wanted=yes")
        .transform(|map| map.data = None);
    let reconcile = move |context: Context<ConfigMap>| {
        notes.note(&context);
        assert_eq!(context.last_known().unwrap().data, None);
        async { Ok::<_, BoxError>(Action::await_change()) }
    };
    let (_replica, _) = run(&[("zoo", &member)], |manager| {
        manager.with(Controller::of(watch, "maps", (), reconcile))
    });
    seen.exactly(&["zoo/a"]).await;
    let patch = json!({"metadata": {"labels": {"wanted": "no"}}});
    member.merge::<ConfigMap>("a", patch).await;
    seen.exactly(&["-zoo/a"]).await;
}

/// A mapping is user's code: when it panics, one change is lost and said to be, and everything else goes on.
#[tokio::test(start_paused = true)]
async fn a_mapping_that_panics_stops_nothing_else() {
    let member = Member::new();
    let seen = Seen::default();
    let (_replica, _) = run(&[("zoo", &member)], |manager| {
        let controller = seen
            .controller::<ConfigMap>("maps")
            .watches::<Secret>(|secret, _| {
                assert_ne!(secret.name_any(), "bad");
                vec![ObjectRef::new(&secret.name_any()).within("default")]
            });
        manager.with(controller)
    });
    until(5 * SECOND, "watching", || {
        member.calls(Verb::Watch, "Secret") == 1
    })
    .await;
    for name in ["good", "bad", "better"] {
        member.create(&secret(name)).await;
    }
    seen.exactly(&["-zoo/better", "-zoo/good"]).await;
}

/// A predicate and an index are user's code too: rather one reconcile too many.
#[tokio::test(start_paused = true)]
async fn a_predicate_that_panics_costs_a_reconcile_and_no_other_object() {
    let member = Member::new();
    for name in ["a", "odd", "z"] {
        member.create(&config_map(name)).await;
    }
    let seen = Seen::default();
    let (_replica, _) = run(&[("zoo", &member)], |manager| {
        let picky = from_fn(|event: &ObjectEvent<ConfigMap>| {
            assert_ne!(event.object().name_any(), "odd");
            event.object().name_any() != "z"
        });
        manager.with(seen.controller::<ConfigMap>("maps").predicate(picky))
    });
    seen.exactly(&["zoo/a", "zoo/odd"]).await;
    member.delete::<ConfigMap>("odd").await;
    seen.exactly(&["-zoo/odd"]).await;
}

#[tokio::test(start_paused = true)]
async fn a_list_by_a_watch_is_used_where_it_works() {
    let member = Member::new();
    member.create(&config_map("a")).await;
    let seen = Seen::default();
    let (_replica, _) = run(&[("zoo", &member)], |manager| {
        let notes = seen.clone();
        let watch = Watch::<ConfigMap>::new().streaming_list();
        let reconcile = move |context: Context<ConfigMap>| {
            notes.note(&context);
            async { Ok::<_, BoxError>(Action::await_change()) }
        };
        manager.with(Controller::of(watch, "maps", (), reconcile))
    });
    seen.exactly(&["zoo/a"]).await;
    assert_eq!(member.calls(Verb::List, "ConfigMap"), 0);
    member.create(&config_map("b")).await;
    seen.exactly(&["zoo/b"]).await;
}

/// A server that refuses such a list, and one that never completes it.
#[tokio::test(start_paused = true)]
async fn where_a_list_by_a_watch_does_not_work_plain_lists_do() {
    for fault in [Fault::Status(422), Fault::StallWatch] {
        let member = Member::new();
        member.create(&config_map("a")).await;
        // Only the first watch, which is to list.
        let rule = Rule::new(fault).verbs([Verb::Watch]).times(1);
        member.faults.add(rule);
        let seen = Seen::default();
        let (_replica, _) = run(&[("zoo", &member)], |manager| {
            let notes = seen.clone();
            let watch = Watch::<ConfigMap>::new().streaming_list();
            let reconcile = move |context: Context<ConfigMap>| {
                notes.note(&context);
                async { Ok::<_, BoxError>(Action::await_change()) }
            };
            manager.with(Controller::of(watch, "maps", (), reconcile))
        });
        seen.exactly(&["zoo/a"]).await;
        assert_eq!(member.calls(Verb::List, "ConfigMap"), 1);
        member.create(&config_map("b")).await;
        seen.exactly(&["zoo/b"]).await;
    }
}
