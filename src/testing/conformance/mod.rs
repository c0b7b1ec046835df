//! One suite that judges every provider, built-in or not, by the contract of [`ClusterProvider`](crate::ClusterProvider).
//!
//! Whoever writes a provider implements [`Harness`] for its source, and calls [`run`] in a test:
//!
//! ```
//! use multicluster::{BoxError, Cluster, kube::Client, providers::FixedProvider};
//! use multicluster::testing::conformance::{self, Harness, Part};
//!
//! struct Fixed {
//!     provider: FixedProvider,
//!     client: Client,
//! }
//!
//! impl Harness for Fixed {
//!     type Provider = FixedProvider;
//!
//!     fn cannot(&self) -> Vec<Part> {
//!         vec![Part::Touch, Part::Labels, Part::Break, Part::Outage, Part::Secrets]
//!     }
//!     async fn provider(&self) -> Result<FixedProvider, BoxError> {
//!         Ok(self.provider.clone())
//!     }
//!     async fn create(&self, key: &str) -> Result<(), BoxError> {
//!         self.provider.add(Cluster::new(key.parse()?, self.client.clone()));
//!         Ok(())
//!     }
//!     async fn rotate(&self, key: &str) -> Result<(), BoxError> {
//!         self.create(key).await
//!     }
//!     async fn delete(&self, key: &str) -> Result<(), BoxError> {
//!         self.provider.remove(&key.parse()?);
//!         Ok(())
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), conformance::Failure> {
//! // In a test: #[tokio::test(start_paused = true)]
//! let client = kube_sandbox::Sandbox::new().client();
//! let report = conformance::run(async || {
//!     Ok(Fixed { provider: FixedProvider::new(), client: client.clone() })
//! })
//! .await?;
//! assert!(report.kept.contains(&conformance::Clause::Churn));
//! # Ok(()) }
//! ```
//!
//! [`_documentation::writing_a_provider`](crate::_documentation::writing_a_provider) writes a provider and runs the suite
//! on it.
//!
//! # Time
//! The suite works under paused tokio time, where its waits take no time, and in real time, as files and sockets need it:
//! see [`Settings::quiet`]. Its tasks are counted, so run it in a runtime of its own, as each `#[tokio::test]` has.

mod case;
mod checks;
mod clause;
mod follower;
mod harness;
mod report;
mod settings;

use crate::error::BoxError;
use case::Case;
use report::Stop;

pub use clause::Clause;
pub use harness::{Harness, Part};
pub use report::{Failure, Report, Violation};
pub use settings::Settings;

/// Judges the provider of the harness that `fresh` makes, anew for each clause.
///
/// # Errors
/// A [`Failure`] with every broken clause, and what was done and seen before. When the first listing does not work,
/// nothing else is judged.
pub async fn run<H: Harness>(
    fresh: impl AsyncFn() -> Result<H, BoxError>,
) -> Result<Report, Failure> {
    run_with(&Settings::default(), fresh).await
}

/// As [`run`], with other settings.
///
/// # Errors
/// As those of [`run`].
pub async fn run_with<H: Harness>(
    settings: &Settings,
    fresh: impl AsyncFn() -> Result<H, BoxError>,
) -> Result<Report, Failure> {
    let mut failure = Failure {
        violations: Vec::new(),
        harness: Vec::new(),
        report: Report::default(),
    };
    for clause in settings.clauses() {
        let judged = match fresh().await {
            Ok(harness) => judge(settings, harness, clause).await,
            Err(error) => Err(Stop::Harness(format!("a new source: {error}"))),
        };
        match judged {
            Ok(None) => failure.report.kept.push(clause),
            Ok(Some(part)) => failure.report.not_judged.push((clause, part)),
            Err(Stop::Broken(violation)) => failure.violations.push(violation),
            Err(Stop::Harness(problem)) => failure.harness.push(format!("{clause:?}: {problem}")),
        }
        if clause == Clause::FirstListing && !failure.report.kept.contains(&clause) {
            break;
        }
    }
    if failure.violations.is_empty() && failure.harness.is_empty() {
        Ok(failure.report)
    } else {
        Err(failure)
    }
}

/// Judges one clause; gives what the harness cannot do for it.
async fn judge<H: Harness>(
    settings: &Settings,
    harness: H,
    clause: Clause,
) -> Result<Option<Part>, Stop> {
    let cannot = harness.cannot();
    let missing = clause.needs().iter().find(|part| cannot.contains(part));
    if let Some(part) = missing {
        return Ok(Some(*part));
    }
    let case = Case::new(settings, harness, clause);
    checks::check(&case, clause).await.map(|()| None)
}
