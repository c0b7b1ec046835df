//! What clusters share is not lost with the one who began it.

use std::time::Duration;

use futures_util::{StreamExt, future::join_all};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, Client, ResourceExt,
    api::ListParams,
    runtime::{WatchStreamExt, watcher},
};
use kube_sandbox::{Fault, Rule, Verb};
use tokio::time::timeout;

use super::sharing::{names, place};

/// Runs `work` on a runtime of its own, which is gone once `until` holds.
fn elsewhere(work: impl Future<Output = ()> + Send + 'static, until: impl Fn() -> bool) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    runtime.spawn(work);
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    while !until() {
        assert!(std::time::Instant::now() < deadline);
        std::thread::sleep(Duration::from_millis(5));
    }
    runtime.shutdown_background();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_goes_on_without_the_runtime_of_the_one_who_began_it() {
    let place = place(2);
    let (first, second) = (place.connect("n0").await, place.connect("n1").await);
    let follow = |client: Client| {
        let events = watcher(Api::<ConfigMap>::all(client), watcher::Config::default());
        events.default_backoff().boxed()
    };
    let work = follow(first).for_each(async |_| ());
    tokio::task::block_in_place(|| {
        elsewhere(work, || place.calls(Verb::Watch) == [""]);
    });
    let mut events = follow(second);
    let shown = async {
        loop {
            match events.next().await.unwrap() {
                Ok(watcher::Event::InitDone) => drop(place.create("n1", "late").await),
                Ok(watcher::Event::Apply(map) | watcher::Event::InitApply(map)) => {
                    return map.name_any();
                }
                _ => {}
            }
        }
    };
    assert_eq!(
        timeout(Duration::from_secs(30), shown).await.unwrap(),
        "late"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_go_on_without_the_runtime_of_the_one_who_began_them() {
    let place = place(20);
    let slow = Fault::Delay {
        before: Duration::from_secs(1)..=Duration::from_secs(1),
        after: Duration::ZERO..=Duration::ZERO,
    };
    place.faults.add(Rule::new(slow).verbs([Verb::List]));
    let clients = join_all(names(20).iter().map(async |name| place.connect(name).await)).await;
    let last = clients[0].clone();
    let list = async |client: Client| {
        let maps: Api<ConfigMap> = Api::all(client);
        maps.list(&ListParams::default())
            .await
            .map(|list| list.items.len())
    };
    let work = async move {
        let all = clients.into_iter().map(list);
        join_all(all).await;
    };
    tokio::task::block_in_place(|| {
        elsewhere(work, || place.calls(Verb::List).contains(&String::new()));
    });
    // What it waited for may be gone with the others; it is not left waiting.
    let asked = async { while list(last.clone()).await.is_err() {} };
    timeout(Duration::from_secs(30), asked).await.unwrap();
}
