//! The rights of the manifests: enough, and not one too many.

use std::collections::BTreeSet;

use futures_util::{StreamExt, future::join_all, stream};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, ListParams, PostParams},
};

use super::SECOND;
use crate::fleet::{
    ANIMAL,
    assertions::between,
    backend::Server,
    change,
    kubectl::Kubectl,
    program::program,
    rights::Rights,
    trial::{Facts, Promise, Trial},
};

/// A fleet with all rights keeps its promises and is refused nothing; without any one of them it breaks one.
///
/// All fleets see the same clusters, and have their Leases in namespaces of their own.
pub(crate) async fn every_rule_is_needed() {
    program();
    let begun = Timestamp::now();
    let mut server = Server::cluster().await;
    let kubectl = Kubectl::new(&server.admin_kubeconfig());
    let rights = Rights::of_manifests(&kubectl).await;
    let all = rights.each();
    let variants = [None].into_iter().chain(all.iter().cloned().map(Some));
    let prepared = variants
        .enumerate()
        .map(|(number, missing)| Trial::prepare(&server, number, &rights, missing));
    let mut trials: Vec<_> = stream::iter(prepared).buffered(4).collect().await;
    for cluster in ["zoo", "old"] {
        create(&server, cluster).await;
    }

    let mut facts = Facts {
        clusters: clusters(&server).await,
        changed: ["zoo", "old"].map(str::to_owned).into(),
        since: Timestamp::now(),
    };
    join_all(trials.iter_mut().map(|trial| trial.start(&server))).await;
    demand(&mut trials, Promise::Start, &facts, 15).await;

    facts.since = Timestamp::now();
    change(&server.admin, "zoo")
        .await
        .expect("change a ConfigMap");
    create(&server, "new").await;
    facts.clusters.insert("new".into());
    facts.changed = ["zoo", "new"].map(str::to_owned).into();
    demand(&mut trials, Promise::Change, &facts, 8).await;

    join_all(trials.iter_mut().map(Trial::lose_one)).await;
    let namespaces: Api<Namespace> = Api::all(server.admin.clone());
    // The others give it up when it begins to go; with what is in it, it needs some seconds.
    let deleted = namespaces.delete("old", &DeleteParams::default()).await;
    deleted.expect("delete a Namespace");
    facts.clusters.remove("old");
    facts.changed.clear();
    demand(&mut trials, Promise::Survive, &facts, 15).await;

    let log = server.plane().audit_log();
    for trial in &trials {
        let deeds = trial.deeds(&log);
        let Some(missing) = &trial.missing else {
            assert_eq!(trial.broken, None, "with all rights");
            assert_eq!(deeds.refused, [].into(), "with all rights");
            assert_eq!(deeds.permitted, all.iter().cloned().collect());
            continue;
        };
        let (promise, how) = trial
            .broken
            .as_ref()
            .unwrap_or_else(|| panic!("nobody needs the right to {missing}"));
        println!("MEASURED real without {missing}: {promise:?} fails, {how}");
        assert_eq!(deeds.refused, [missing.clone()].into());
    }
    let time = between(begun, Timestamp::now());
    println!("MEASURED real all {} rights tried: {time:.3?}", all.len());
}

/// Gives all fleets `seconds` to keep a promise.
async fn demand(trials: &mut [Trial], promise: Promise, facts: &Facts, seconds: u32) {
    let limit = seconds * SECOND;
    let asked = trials.iter_mut();
    join_all(asked.map(|trial| trial.demand(promise, facts, limit))).await;
}

async fn clusters(server: &Server) -> BTreeSet<String> {
    let namespaces: Api<Namespace> = Api::all(server.admin.clone());
    let all = namespaces.list(&ListParams::default()).await;
    let all = all.expect("list the Namespaces").into_iter();
    all.map(|namespace| namespace.name_any()).collect()
}

/// Creates a Namespace with its ConfigMap.
async fn create(server: &Server, name: &str) {
    let params = PostParams::default();
    let mut namespace = Namespace::default();
    namespace.metadata.name = Some(name.to_owned());
    let namespaces: Api<Namespace> = Api::all(server.admin.clone());
    let created = namespaces.create(&params, &namespace).await;
    created.expect("create a Namespace");
    let mut map = ConfigMap::default();
    map.metadata.name = Some(ANIMAL.to_owned());
    let maps: Api<ConfigMap> = Api::namespaced(server.admin.clone(), name);
    maps.create(&params, &map)
        .await
        .expect("create a ConfigMap");
}
