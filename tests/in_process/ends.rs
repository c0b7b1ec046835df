//! Nothing of an engagement outlives it: no request, no reconcile, no task.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret};
use kube::{
    Api,
    api::{DeleteParams, Patch},
    runtime::reflector::ObjectRef,
};
use kube_sandbox::Verb;
use multicluster::{
    Action, BoxError, Context, Controller, Manager, for_each_cluster, providers::NamespaceProvider,
};
use serde_json::json;

use crate::{
    fleet::{Fleet, LEASE, Replica, What},
    local::{SECOND, Seen, until},
};

/// W3, W4, W21: what waits, repeats, fails or is asked for in a lost cluster is never begun, and what runs is told.
#[tokio::test(start_paused = true)]
async fn nothing_of_a_lost_cluster_runs() {
    let fleet = Fleet::new(&["zoo", "reef"]).await;
    for name in ["repeats", "fails", "runs", "waits-1", "waits-2"] {
        fleet.create_config_map("zoo", name).await;
    }
    let seen = Seen::default();
    let notes = seen.clone();
    let controller = Controller::new("maps", move |context: Context<ConfigMap>| {
        let (notes, name) = (notes.clone(), context.key().name.clone());
        notes.note(&context);
        async move {
            match name.as_str() {
                "repeats" => Ok(Action::requeue(5 * SECOND)),
                "fails" => Err::<_, BoxError>("always".into()),
                "runs" => {
                    context.cancelled().await;
                    notes.say("told");
                    tokio::time::sleep(SECOND).await;
                    notes.say("done");
                    Ok(Action::requeue(SECOND))
                }
                _ => Ok(Action::await_change()),
            }
        }
    });
    let requests = controller.requests();
    let manager = Manager::builder(NamespaceProvider::new(fleet.client()))
        .with(controller.concurrency(2).per_cluster_concurrency(1))
        .build()
        .unwrap();
    let _replica = Replica::run(manager);
    until(10 * SECOND, "one runs, and others wait behind it", || {
        seen.timed().iter().any(|(_, what)| what == "zoo/runs")
    })
    .await;
    let zoo = "zoo".parse().unwrap();
    let object = ObjectRef::new("first").within("default");
    requests.add(&zoo, &object).unwrap();
    requests.add_after(&zoo, &object, 30 * SECOND).unwrap();
    seen.take();
    let namespaces: Api<Namespace> = Api::all(fleet.client());
    namespaces
        .delete("zoo", &DeleteParams::default())
        .await
        .unwrap();
    until(5 * SECOND, "ended", || {
        seen.timed().iter().any(|(_, what)| what == "done")
    })
    .await;
    tokio::time::sleep(3600 * SECOND).await;
    assert_eq!(seen.take(), ["told", "done"]);
    assert!(requests.add(&zoo, &object).is_err());
    fleet.touch("reef").await;
    seen.exactly(&["reef/first"]).await;
}

/// A fence that cannot be renewed stops work and nothing else: caches stay, and nothing is listed again.
#[tokio::test(start_paused = true)]
async fn a_pause_keeps_the_caches_and_lists_nothing_again() {
    let fleet = Fleet::new(&["zoo"]).await;
    let first = What::Reconciled("first".into());
    let _replica = fleet.start("a");
    fleet
        .until(3 * SECOND, "start", async || {
            fleet.noted("zoo", &first) == ["a"]
        })
        .await;
    fleet.faults.forget_calls();
    let leases = kube_sandbox::Rule::new(kube_sandbox::Fault::Status(503)).kind("Lease");
    let leases = fleet.faults.add(leases);
    tokio::time::sleep(LEASE).await;
    fleet.create_config_map("zoo", "second").await;
    tokio::time::sleep(60 * SECOND).await;
    let second = What::Reconciled("second".into());
    assert!(fleet.noted("zoo", &second).is_empty());
    fleet.faults.remove(leases);
    fleet
        .until(10 * SECOND, "work goes on", async || {
            fleet.noted("zoo", &second) == ["a"]
        })
        .await;
    assert_eq!(
        fleet.noted("zoo", &first),
        ["a"],
        "nothing unchanged is reconciled again"
    );
    let calls = fleet.faults.calls().into_iter();
    let listed = calls.filter(|call| call.kind == "ConfigMap" && call.verb == Verb::List);
    assert_eq!(listed.count(), 0);
}

/// W23: after a hundred engagements of a cluster there are as many tasks as after one.
#[tokio::test(start_paused = true)]
async fn engagements_leave_no_task_behind() {
    let fleet = Fleet::new(&["zoo"]).await;
    let (engaged, live) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (counter, alive) = (engaged.clone(), live.clone());
    let closure = for_each_cluster("closure", move |engagement| {
        counter.fetch_add(1, Ordering::SeqCst);
        let alive = alive.clone();
        async move {
            alive.fetch_add(1, Ordering::SeqCst);
            engagement.cancelled().await;
            alive.fetch_sub(1, Ordering::SeqCst);
            Ok::<_, BoxError>(())
        }
    });
    let seen = Seen::default();
    let maps = seen
        .controller::<ConfigMap>("maps")
        .owns::<Secret>()
        .watches::<Secret>(|_, _| Vec::new());
    let provider = NamespaceProvider::new(fleet.client()).labels("on=yes");
    let manager = Manager::builder(provider)
        .with(maps)
        .with(seen.controller::<Secret>("secrets"))
        .with(closure)
        .build()
        .unwrap();
    let _replica = Replica::run(manager);
    let metrics = tokio::runtime::Handle::current().metrics();
    let mut tasks = Vec::new();
    for cycle in 1..=101 {
        switch(&fleet, "yes").await;
        until(5 * SECOND, "reconciled", || {
            let seen = seen.timed().into_iter();
            seen.filter(|(_, what)| what == "zoo/first").count() == cycle
        })
        .await;
        switch(&fleet, "no").await;
        until(5 * SECOND, "ended", || live.load(Ordering::SeqCst) == 0).await;
        // Tasks that were told to end have ended when others had a turn.
        tokio::time::sleep(Duration::from_secs(10)).await;
        tasks.push(metrics.num_alive_tasks());
    }
    assert_eq!(engaged.load(Ordering::SeqCst), 101);
    assert_eq!(tasks.first(), tasks.last(), "{tasks:?}");
}

async fn switch(fleet: &Fleet, on: &str) {
    let namespaces: Api<Namespace> = Api::all(fleet.client());
    let patch = Patch::Merge(json!({"metadata": {"labels": {"on": on}}}));
    namespaces
        .patch("zoo", &Default::default(), &patch)
        .await
        .unwrap();
}
