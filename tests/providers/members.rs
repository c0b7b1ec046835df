//! Members that are real API servers: what happens to one of them is nothing to the others.
//!
//! `cargo test --all-features --test providers members -- --ignored --nocapture` prints the figures; it needs the programs
//! that `tests/assets/build.sh` makes. Five kube-apiservers share one etcd: a hub and three members, each with a
//! certificate authority, users and objects of its own. Two replicas share the members, which they know from Secrets in
//! the hub, under Leases of 5 s. Their account in a member may read ConfigMaps there, and the one in the hub may read the
//! Secrets and keep Leases. In each member somebody changes a ConfigMap every 50 ms, and each reconcile asks the member.
//!
//! | test | what happens to a member | claims |
//! |---|---|---|
//! | `rotated` | its Secret gets a new token, and the old one is revoked | it is connected to anew, once, and its work goes on under the new one |
//! | `revoked` | its token is revoked | it is reported with the reason; a new token heals it within 2 s |
//! | `scripted` | `manifests/kubeconfig-secret.sh` makes its Secret, and does so again with `--revoke` | as `rotated`; the account may do what was asked for, and no more |
//! | `killed` | its API server is killed, and started again | it is unreachable within 25 s, and worked on 6 s after it is ready |
//! | `suspended` | its API server takes connections and does not answer | it is unreachable within 65 s, and worked on 6 s after it answers |
//! | `deleted` | its Secret is deleted | its work ends within 2 s, and its Lease is gone within 15 s |
//!
//! All the while the replica of that member works on another one too, and every change of the others is reconciled within
//! 1 s.

mod beats;
mod fleet;
mod hub;
mod member;
mod notes;
mod replicas;
mod script;

use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::Api;
use multicluster::HealthState::{Healthy, Unreachable};
use tokio::time::Instant;

use crate::fleet::eventually::eventually;
use fleet::{Fleet, measured};
use member::refused;
use notes::What;

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KUBEBUILDER_ASSETS, see tests/assets/README.md"]
async fn rotated() {
    let mut fleet = Fleet::start().await;
    let victim = fleet.victim();
    let start = Instant::now();
    let old = fleet.rotate(victim).await;
    let stored = Instant::now();
    let engaged = fleet.noted(victim, What::Engaged, start).await;
    let worked = fleet.works(victim, stored, 10 * SECOND).await;
    measured(format_args!(
        "rotated: connected to anew {engaged:.1?} after the Secret was written, reconciled {worked:.1?} after that"
    ));
    fleet.member(victim).revoke(&old).await;
    let revoked = Instant::now();
    fleet.works(victim, revoked, 2 * SECOND).await;
    fleet.becomes(victim, Healthy, &[], SECOND).await;
    let trouble = fleet.trouble(victim, start);
    assert_eq!(trouble, [What::Ended, What::Engaged]);
    fleet.others_never_paused(victim, start).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KUBEBUILDER_ASSETS, see tests/assets/README.md"]
async fn revoked() {
    let mut fleet = Fleet::start().await;
    let victim = fleet.victim();
    let start = Instant::now();
    fleet.revoke(victim).await;
    let refused = Instant::now();
    let reason = fleet
        .becomes(victim, Unreachable, &["401"], 15 * SECOND)
        .await;
    let seen = refused.elapsed();
    measured(format_args!(
        "revoked: reported {seen:.1?} after the first refusal: {reason}"
    ));
    // The attempts are rare by then, and what is new ends the wait.
    fleet.remains(victim, Unreachable, 20 * SECOND).await;
    fleet.rotate(victim).await;
    let stored = Instant::now();
    let healed = fleet.works(victim, stored, 40 * SECOND).await;
    measured(format_args!(
        "revoked: reconciled {healed:.1?} after a new token was stored"
    ));
    assert!(healed <= 2 * SECOND, "{healed:?}");
    fleet.becomes(victim, Healthy, &[], SECOND).await;
    fleet.others_never_paused(victim, start).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KUBEBUILDER_ASSETS, see tests/assets/README.md"]
async fn scripted() {
    let fleet = Fleet::start().await;
    let victim = fleet.victim();
    let start = Instant::now();
    let first = fleet.run_script(victim, &[]).await;
    let stored = Instant::now();
    fleet.noted(victim, What::Engaged, start).await;
    fleet.works(victim, stored, 10 * SECOND).await;

    let maps: Api<ConfigMap> = Api::default_namespaced(first.clone());
    assert!(maps.list(&Default::default()).await.is_ok());
    let created = maps
        .create(&Default::default(), &ConfigMap::default())
        .await;
    let secrets: Api<Secret> = Api::default_namespaced(first.clone());
    let listed = secrets.list(&Default::default()).await;
    for error in [created.err(), listed.err()] {
        let is_forbidden = matches!(&error, Some(kube::Error::Api(status)) if status.code == 403);
        assert!(is_forbidden, "{error:?}");
    }

    let again = Instant::now();
    fleet.run_script(victim, &["--revoke"]).await;
    let stored = Instant::now();
    refused(&first).await;
    fleet.noted(victim, What::Engaged, again).await;
    fleet.works(victim, stored, 10 * SECOND).await;
    fleet.becomes(victim, Healthy, &[], SECOND).await;
    fleet.others_never_paused(victim, start).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KUBEBUILDER_ASSETS, see tests/assets/README.md"]
async fn killed() {
    let mut fleet = Fleet::start().await;
    let victim = fleet.victim();
    let start = Instant::now();
    fleet.member(victim).kill();
    let reason = fleet
        .becomes(victim, Unreachable, &["refused"], 25 * SECOND)
        .await;
    let seen = start.elapsed();
    measured(format_args!(
        "killed: unreachable after {seen:.1?}: {reason}"
    ));
    fleet.member(victim).start_again().await;
    let ready = Instant::now();
    let worked = fleet.works(victim, ready, 6 * SECOND).await;
    measured(format_args!(
        "killed: reconciled {worked:.1?} after it was ready"
    ));
    fleet.becomes(victim, Healthy, &[], 6 * SECOND).await;
    fleet.others_never_paused(victim, start).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KUBEBUILDER_ASSETS, see tests/assets/README.md"]
async fn suspended() {
    let mut fleet = Fleet::start().await;
    let victim = fleet.victim();
    let start = Instant::now();
    fleet.member(victim).suspend();
    let reason = fleet
        .becomes(victim, Unreachable, &["no answer"], 65 * SECOND)
        .await;
    let seen = start.elapsed();
    measured(format_args!(
        "suspended: unreachable after {seen:.1?}: {reason}"
    ));
    fleet.member(victim).resume();
    let resumed = Instant::now();
    let worked = fleet.works(victim, resumed, 6 * SECOND).await;
    measured(format_args!(
        "suspended: reconciled {worked:.1?} after it answered again"
    ));
    fleet.becomes(victim, Healthy, &[], 6 * SECOND).await;
    fleet.others_never_paused(victim, start).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KUBEBUILDER_ASSETS, see tests/assets/README.md"]
async fn deleted() {
    let fleet = Fleet::start().await;
    let victim = fleet.victim();
    let lease = format!("mcr-shard-{victim}");
    assert!(fleet.hub.leases().await.contains(&lease));
    let start = Instant::now();
    fleet.hub.delete(victim).await;
    let ended = fleet.noted(victim, What::Ended, start).await;
    assert!(ended <= 2 * SECOND, "{ended:?}");
    eventually(15 * SECOND, "its Lease is gone", async || {
        let leases = fleet.hub.leases().await;
        let is_owned = fleet.owner(victim).is_some();
        (!leases.contains(&lease) && !is_owned)
            .then_some(())
            .ok_or_else(|| format!("{leases:?}"))
    })
    .await;
    let gone = start.elapsed();
    measured(format_args!(
        "deleted: work ends after {ended:.1?}, the Lease is gone after {gone:.1?}"
    ));
    // Its changes are nobody's concern any more.
    let released = Instant::now();
    fleet.changed(victim, 20, released).await;
    assert!(fleet.notes.of(victim, released).is_empty());
    fleet.others_never_paused(victim, start).await;
}
