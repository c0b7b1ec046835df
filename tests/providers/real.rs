//! The suite that judges every provider, on a real API server and in real time.
//!
//! `cargo test --all-features --test providers real -- --ignored --nocapture`; it needs the programs that
//! `tests/assets/build.sh` makes. Providers reach the server over a [`Link`] that is cut in outages, while the changes of
//! the suite and the clusters of Secrets do not. The provider of Secrets has the rights that its documentation asks for,
//! and no others.

mod accounts;
mod link;
mod over_link;

use std::{cell::Cell, time::Instant};

use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, ResourceExt, api::ListParams};
use multicluster::{
    cluster_client,
    testing::conformance::{self, Clause, Harness, Part, Settings},
};

use crate::{
    conformance::{kubeconfig::Secrets, namespace::Namespaces},
    fleet::{
        backend::{ADMIN, Backend, Server},
        rights::{Account, Rights},
    },
};
use accounts::Accounts;
use link::Link;
use over_link::OverLink;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KUBEBUILDER_ASSETS, see tests/assets/README.md"]
async fn namespaces_keep_the_contract() {
    let server = Backend::Real.start(&[]).await;
    let not_judged = [
        (Clause::BrokenCluster, Part::Break),
        (Clause::NoSecrets, Part::Secrets),
    ];
    judge("namespace", &server, namespaces, &not_judged).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KUBEBUILDER_ASSETS, see tests/assets/README.md"]
async fn secrets_keep_the_contract() {
    let server = Backend::Real.start(&[]).await;
    judge("kubeconfig", &server, secrets, &[]).await;
}

/// The Namespaces with a label of their own, after those of earlier checks are gone.
async fn namespaces(server: &Server, link: &Link, check: usize) -> Namespaces {
    let all: Api<Namespace> = Api::all(server.admin.clone());
    let earlier = all.list(&ListParams::default().labels("conformance")).await;
    for namespace in earlier.expect("list the Namespaces") {
        server.delete_namespace(&namespace.name_any()).await;
    }
    let reader = server.config_over(&link.url(), &ADMIN.token()).await;
    let reader = cluster_client(reader).expect("a client");
    Namespaces::new(server.admin.clone(), reader, &format!("check-{check}"))
}

/// The Secrets of a new namespace, where the provider may read them and do nothing else.
async fn secrets<'a>(server: &'a Server, link: &Link, check: usize) -> Secrets<Accounts<'a>> {
    let namespace = format!("check-{check}");
    let rights = Rights::new(&[("", "secrets", "get list watch")], &[]);
    let account = Account::create(&server.admin, namespace.clone(), &rights).await;
    let reader = server
        .config_over(&link.url(), &account.token().await)
        .await;
    let reader = cluster_client(reader).expect("a client");
    Secrets::new(server.admin.clone(), reader, &namespace, Accounts(server))
}

/// Runs the suite on harnesses that `fresh` makes for each of its checks, which have numbers.
async fn judge<'a, H: Harness>(
    provider: &str,
    server: &'a Server,
    fresh: impl AsyncFn(&'a Server, &Link, usize) -> H,
    not_judged: &[(Clause, Part)],
) {
    let checks = Cell::new(0);
    let settings = Settings::default().many(100).steps(150);
    let begun = Instant::now();
    let report = conformance::run_with(&settings, async || {
        checks.set(checks.get() + 1);
        let link = Link::to(&server.address().0);
        let harness = fresh(server, &link, checks.get()).await;
        Ok(OverLink { harness, link })
    })
    .await
    .unwrap_or_else(|failure| panic!("{failure:?}"));
    assert_eq!(report.not_judged, not_judged);
    println!(
        "MEASURED conformance of {provider}: {} clauses in {:.0?}",
        report.kept.len(),
        begun.elapsed()
    );
}
