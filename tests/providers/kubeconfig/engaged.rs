//! What changes of Secrets do to clusters that are worked on.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::{
    Api,
    api::{DeleteParams, ListParams},
};
use kube_sandbox::{Fault, Faults, Rule, Sandbox};
use multicluster::{
    BoxError, Engagement, HealthState, Manager, for_each_cluster,
    providers::KubeconfigProvider,
    testing::{Running, eventually},
};
use serde_json::json;
use tokio::net::TcpListener;

use super::secrets::{FLEET, hub, kubeconfig, patch, secret, write};

const SOON: Duration = Duration::from_secs(20);

/// How often each cluster was engaged, and how many engagements of it there are.
type Counts = Arc<Mutex<BTreeMap<String, (usize, usize)>>>;

fn count(counts: &Counts, name: &str) -> (usize, usize) {
    let counts = counts.lock().unwrap();
    counts.get(name).copied().unwrap_or_default()
}

/// A manager whose only part asks each cluster for something all the time.
fn run(hub: &Sandbox, counts: &Counts) -> Running {
    let counts = counts.clone();
    let part = for_each_cluster("ask", move |cluster: Engagement| {
        let counts = counts.clone();
        async move {
            let name = cluster.name().to_string();
            let change = |began: usize, ended: usize| {
                let mut counts = counts.lock().unwrap();
                let count = counts.entry(name.clone()).or_default();
                *count = (count.0 + began, count.1 + began - ended);
            };
            change(1, 0);
            let maps = Api::<ConfigMap>::default_namespaced(cluster.client());
            let ask = async {
                loop {
                    // A refusal is the manager's concern.
                    let _ = maps.list(&ListParams::default()).await;
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            };
            tokio::select! {
                () = cluster.cancelled() => {}
                () = ask => {}
            }
            change(0, 1);
            Ok::<_, BoxError>(())
        }
    });
    let provider = KubeconfigProvider::new(hub.client(), FLEET);
    Running::start(Manager::builder(provider).with(part)).unwrap()
}

#[tokio::test]
async fn a_changed_secret_engages_its_cluster_anew_and_no_other() {
    let (hub, counts) = (hub(), Counts::default());
    let member = Sandbox::new().listen("127.0.0.1:0").await.unwrap();
    for name in ["north", "south", "west"] {
        let text = kubeconfig(&member.url(), "keeper");
        write(&hub.client(), secret(name, &text)).await;
    }
    let running = run(&hub, &counts);
    eventually(SOON, "all are engaged", async || {
        ["north", "south", "west"].map(|name| count(&counts, name)) == [(1, 1); 3]
    })
    .await;

    let note = json!({"metadata": {"labels": {"tier": "a"}, "annotations": {"note": "a"}}});
    patch(&hub.client(), "south", note).await;
    let text = kubeconfig(&member.url(), "another");
    let rotated = json!({"stringData": {"kubeconfig": text}});
    patch(&hub.client(), "north", rotated).await;
    eventually(SOON, "north is engaged anew", async || {
        count(&counts, "north") == (2, 1)
    })
    .await;
    assert_eq!(count(&counts, "south"), (1, 1));

    let secrets = Api::<Secret>::namespaced(hub.client(), FLEET);
    let params = DeleteParams::default();
    secrets.delete("west", &params).await.unwrap();
    eventually(SOON, "west is not engaged", async || {
        count(&counts, "west") == (1, 0) && running.owned_clusters().names().len() == 2
    })
    .await;
    assert_eq!(count(&counts, "north"), (2, 1));
    assert_eq!(count(&counts, "south"), (1, 1));
    running.stop().await.unwrap();
}

#[tokio::test]
async fn a_revoked_token_stops_its_cluster_until_the_secret_has_another_one() {
    let (hub, counts) = (hub(), Counts::default());
    let faults = Faults::new(&Sandbox::new(), 1);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let member = faults.serve(listener).unwrap();
    for (name, token) in [("north", "old"), ("south", "other")] {
        let text = kubeconfig(&member.url(), token);
        write(&hub.client(), secret(name, &text)).await;
    }
    let running = run(&hub, &counts);
    eventually(SOON, "both are engaged", async || {
        ["north", "south"].map(|name| count(&counts, name)) == [(1, 1); 2]
    })
    .await;

    faults.add(Rule::new(Fault::Status(401)).user("old"));
    let refused = format!("{} does not accept the credentials (401)", member.url());
    eventually(SOON, "north is known to be refused", async || {
        let health = running.owned_clusters().health();
        let reason = health["north"].reason.as_deref().unwrap_or_default();
        reason.ends_with(&refused) && health["north"].state == HealthState::Unreachable
    })
    .await;

    let text = kubeconfig(&member.url(), "new");
    let rotated = json!({"stringData": {"kubeconfig": text}});
    patch(&hub.client(), "north", rotated).await;
    eventually(SOON, "north works again", async || {
        let health = running.owned_clusters().health();
        count(&counts, "north").1 == 1 && health["north"].state == HealthState::Healthy
    })
    .await;
    assert_eq!(count(&counts, "south"), (1, 1));
    running.stop().await.unwrap();
}
