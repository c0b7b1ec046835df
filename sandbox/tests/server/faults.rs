//! What tests can rely on when they let things go wrong.

mod refusals;
mod requests;
mod store_down;
mod watches;

use std::time::Duration;

use crate::support::{config_map, next};
use futures_util::{StreamExt, stream::BoxStream};
use k8s_openapi::api::{coordination::v1::Lease, core::v1::ConfigMap};
use kube::{
    Api, ResourceExt,
    api::{PostParams, WatchEvent, WatchParams},
};
use kube_sandbox::{Faults, Sandbox};

const SECOND: Duration = Duration::from_secs(1);

/// A server with the ConfigMap `lion`, its faults, and the ConfigMaps as "a" sees them.
async fn setup() -> (Sandbox, Faults, Api<ConfigMap>) {
    let sandbox = Sandbox::new();
    create(&direct(&sandbox), "lion").await.unwrap();
    let faults = Faults::new(&sandbox, 1);
    let maps = Api::default_namespaced(faults.client("a"));
    (sandbox, faults, maps)
}

/// The ConfigMaps past all faults.
fn direct(sandbox: &Sandbox) -> Api<ConfigMap> {
    Api::default_namespaced(sandbox.client())
}

async fn create(maps: &Api<ConfigMap>, name: &str) -> kube::Result<ConfigMap> {
    maps.create(&PostParams::default(), &config_map(name)).await
}

async fn exists(sandbox: &Sandbox, name: &str) -> bool {
    direct(sandbox).get_opt(name).await.unwrap().is_some()
}

/// Whether `request` has no answer for a minute.
async fn is_unanswered<T>(request: impl Future<Output = T>) -> bool {
    tokio::time::timeout(60 * SECOND, request).await.is_err()
}

/// Leases of "a", of "b", and so on.
fn leases(faults: &Faults, user: &str) -> Api<Lease> {
    Api::default_namespaced(faults.client(user))
}

type Events = BoxStream<'static, kube::Result<String>>;

/// The names in the events of a watch, and its errors.
async fn follow(maps: &Api<ConfigMap>) -> Events {
    let params = WatchParams::default().disable_bookmarks();
    let events = maps.watch(&params, "0").await.unwrap();
    let name = |event: WatchEvent<ConfigMap>| match event {
        WatchEvent::Added(map) => map.name_any(),
        other => format!("{other:?}"),
    };
    events.map(move |event| event.map(name)).boxed()
}

async fn next_name(events: &mut Events) -> String {
    next(events).await.unwrap()
}
