//! The suite that judges every provider, on a real API server and in real time.
//!
//! `cargo test --all-features --test providers real -- --ignored --nocapture`; it needs the programs that
//! `tests/assets/build.sh` makes. Providers reach the server over a [`Link`](link::Link) that is cut in outages, while the
//! changes of the suite and the clusters of Secrets do not. The provider of Secrets has the rights that its documentation
//! asks for, and no others.

mod link;
mod namespaces;
mod secrets;

use std::time::Instant;

use multicluster::testing::conformance::{self, Clause, Harness, Part, Settings};

use crate::fleet::backend::{Backend, Server};
use link::Link;
use namespaces::Namespaces;
use secrets::Secrets;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KUBEBUILDER_ASSETS, see tests/assets/README.md"]
async fn namespaces_keep_the_contract() {
    let server = Backend::Real.start(&[]).await;
    let not_judged = [
        (Clause::FingerprintChanges, Part::Rotate),
        (Clause::BrokenCluster, Part::Break),
        (Clause::NoSecrets, Part::Secrets),
    ];
    judge("namespace", &server, Namespaces::new, &not_judged).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KUBEBUILDER_ASSETS, see tests/assets/README.md"]
async fn secrets_keep_the_contract() {
    let server = Backend::Real.start(&[]).await;
    judge("kubeconfig", &server, Secrets::new, &[]).await;
}

/// Runs the suite; each of its checks has a number, so that nothing is left from an earlier one.
async fn judge<'a, H: Harness>(
    provider: &str,
    server: &'a Server,
    harness: impl AsyncFn(&'a Server, Link, usize) -> H,
    not_judged: &[(Clause, Part)],
) {
    let checks = std::cell::Cell::new(0);
    // A server of its own takes some milliseconds for a change.
    let settings = Settings::default().many(100).steps(150);
    let begun = Instant::now();
    let report = conformance::run_with(&settings, async || {
        checks.set(checks.get() + 1);
        let link = Link::to(&server.address().0);
        Ok(harness(server, link, checks.get()).await)
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
