//! The replicas: managers of one small program, each with a client of its own.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, Config};
use multicluster::{
    Action, BoxError, ClusterAware, Context, Controller, Engagement, Manager, Report, Sharding,
    cluster_client, for_each_cluster, informer::Watch, providers::KubeconfigProvider,
    sharding::Timings, testing::Running,
};
use tokio::time::interval;

use super::{
    beats::{PULSE, number},
    hub::NAMESPACE,
    notes::{Notes, What},
};

/// The Lease duration.
const LEASE: Duration = Duration::from_secs(5);

/// How often a replica asks a cluster for something beside its reconciles.
const POLL: Duration = Duration::from_secs(1);

/// Starts a replica that works on the clusters of the hub.
pub(crate) fn start(hub: &Config, peer: &str, notes: &Notes) -> Running {
    let client = cluster_client(hub.clone()).expect("a client of the hub");
    let sharding = Sharding::new(hub, "mcr")
        .peer(peer)
        .lease_namespace(NAMESPACE)
        .timings(Timings::new(LEASE));
    let manager = Manager::builder(KubeconfigProvider::new(client, NAMESPACE))
        .sharding(sharding)
        .with(engagements(peer, notes))
        .with(controller(peer, notes))
        .with(poll());
    Running::start(manager).expect("a manager")
}

/// Notes when a cluster is engaged, and when that ends.
fn engagements(peer: &str, notes: &Notes) -> impl ClusterAware {
    let (peer, notes) = (peer.to_owned(), notes.clone());
    for_each_cluster("engagements", move |engagement: Engagement| {
        let (peer, notes) = (peer.clone(), notes.clone());
        async move {
            let cluster = engagement.name().as_str();
            notes.push(&peer, cluster, What::Engaged);
            engagement.cancelled().await;
            notes.push(&peer, cluster, What::Ended);
            Ok::<_, BoxError>(())
        }
    })
}

/// Notes each reconcile, which asks the cluster for something: a watch that is open says nothing about credentials.
fn controller(peer: &str, notes: &Notes) -> Controller<ConfigMap, Notes> {
    let peer = peer.to_owned();
    let pulse = Watch::new().fields(format!("metadata.name={PULSE}"));
    Controller::of(pulse, "pulse", notes.clone(), move |context| {
        reconcile(peer.clone(), context)
    })
}

async fn reconcile(peer: String, context: Context<ConfigMap, Notes>) -> Result<Action, BoxError> {
    let Some(number) = context.object().and_then(|map| number(map)) else {
        return Ok(Action::await_change());
    };
    let answer = context.api::<ConfigMap>().get(PULSE).await;
    let what = match &answer {
        Ok(_) => What::Reconciled(number),
        Err(error) => What::Failed(Report(error).to_string()),
    };
    let cluster = context.cluster_name().as_str();
    context.state().push(&peer, cluster, what);
    answer?;
    Ok(Action::await_change())
}

/// Asks now and then, as other parts of a program would; a request that hangs does not hold up the next one.
fn poll() -> impl ClusterAware {
    for_each_cluster("poll", |engagement: Engagement| async move {
        let maps: Api<ConfigMap> = Api::default_namespaced(engagement.client());
        let clock = stream::unfold(interval(POLL), async |mut clock| {
            clock.tick().await;
            Some(((), clock))
        });
        clock
            .map(|()| maps.get_opt(PULSE))
            .buffer_unordered(100)
            .take_until(engagement.cancelled())
            .for_each(async |_| {})
            .await;
        Ok::<_, BoxError>(())
    })
}
