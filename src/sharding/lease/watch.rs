//! Follows all Leases of the namespace.

use std::{ops::ControlFlow, sync::Arc, time::Duration};

use futures_util::{StreamExt, TryStreamExt};
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{ListParams, WatchEvent, WatchParams};
use tokio::sync::mpsc::Sender;

use super::{LeaseApi, record, stored::StoredLease};
use crate::{
    clock::{Clock, Moment},
    error::{Error, Report, Result},
    sharding::{
        names,
        record::{LeaseName, Record},
    },
};

/// How long a list may take: it is larger than a Lease.
const LIST_TIMEOUT: Duration = Duration::from_secs(30);

/// The longest pause before the next attempt: fail-over waits for this watch.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// What the watch tells its driver.
#[derive(Debug)]
pub(crate) enum Told {
    /// A complete list, begun at `asked`.
    Listed {
        asked: Moment,
        leases: Vec<(LeaseName, Arc<Record>)>,
    },
    /// A version of a Lease.
    Seen(LeaseName, Arc<Record>),
    /// A Lease was deleted, in this version.
    Deleted(LeaseName, Arc<Record>),
    /// A list or a watch failed; it is tried again.
    Problem(Error),
}

/// Lists and watches for ever, telling `driver` of everything under one of `prefixes`.
///
/// Ends when the driver is gone. The driver restarts it when the stream turns out to be silent.
pub(crate) async fn follow(
    api: LeaseApi,
    prefixes: [String; 2],
    clock: impl AsRef<dyn Clock>,
    driver: Sender<Told>,
) {
    let mut failures = 0_u32;
    loop {
        let result = list_and_watch(&api, &prefixes, clock.as_ref(), &driver, &mut failures).await;
        match result {
            Ok(ControlFlow::Break(())) => return,
            Ok(ControlFlow::Continue(())) => {}
            Err(error) => {
                if driver.send(Told::Problem(error)).await.is_err() {
                    return;
                }
            }
        }
        let pause = Duration::from_millis(100) * 2_u32.saturating_pow(failures.min(8));
        failures = failures.saturating_add(1);
        tokio::time::sleep(
            pause
                .min(LONGEST_PAUSE)
                .mul_f64(0.5 + fastrand::f64() / 2.0),
        )
        .await;
    }
}

async fn list_and_watch(
    api: &LeaseApi,
    prefixes: &[String; 2],
    clock: &dyn Clock,
    driver: &Sender<Told>,
    failures: &mut u32,
) -> Result<ControlFlow<()>> {
    let asked = clock.now();
    let step = || format!("list the Leases in {}", api.place);
    let all = ListParams::default();
    let list = tokio::time::timeout(LIST_TIMEOUT, api.api.list(&all))
        .await
        .map_err(|_| Error::Timeout {
            step: step(),
            limit: LIST_TIMEOUT,
        })?
        .map_err(|error| match &error {
            kube::Error::Api(status) if status.code == 404 => Error::api(
                format!("{} (does the server have coordination.k8s.io/v1?)", step()),
                error,
            ),
            _ => Error::api(step(), error),
        })?;
    let mut version = list.metadata.resource_version.unwrap_or_default();
    // Consumed: the watch lasts, and the list must not.
    let leases = list
        .items
        .into_iter()
        .filter_map(|lease| ours(&lease.0, prefixes))
        .collect();
    let listed = Told::Listed { asked, leases };
    if driver.send(listed).await.is_err() {
        return Ok(ControlFlow::Break(()));
    }
    // The server ends a watch after its timeout; the next one goes on from the same version.
    loop {
        let step = || format!("watch the Leases in {}", api.place);
        let params = WatchParams::default().timeout(fastrand::u32(180..230));
        let request = api.api.watch(&params, &version);
        let events = tokio::time::timeout(LIST_TIMEOUT, request)
            .await
            .map_err(|_| Error::Timeout {
                step: step(),
                limit: LIST_TIMEOUT,
            })?
            .map_err(|error| Error::api(step(), error))?;
        let mut events = events.boxed();
        let mut delivered = false;
        while let Some(event) = events
            .try_next()
            .await
            .map_err(|error| Error::api(step(), error))?
        {
            let told = match event {
                WatchEvent::Added(StoredLease(lease))
                | WatchEvent::Modified(StoredLease(lease)) => {
                    version = lease.metadata.resource_version.clone().unwrap_or(version);
                    ours(&lease, prefixes).map(|(name, record)| Told::Seen(name, record))
                }
                WatchEvent::Deleted(StoredLease(lease)) => {
                    version = lease.metadata.resource_version.clone().unwrap_or(version);
                    ours(&lease, prefixes).map(|(name, record)| Told::Deleted(name, record))
                }
                WatchEvent::Bookmark(bookmark) => {
                    version = bookmark.metadata.resource_version;
                    None
                }
                // The version is too old, as a rule: a list tells what was missed.
                WatchEvent::Error(status) if status.code == 410 => {
                    return Ok(ControlFlow::Continue(()));
                }
                WatchEvent::Error(status) => {
                    return Err(Error::api(step(), kube::Error::Api(status)));
                }
            };
            delivered = true;
            *failures = 0;
            if let Some(told) = told
                && driver.send(told).await.is_err()
            {
                return Ok(ControlFlow::Break(()));
            }
        }
        if !delivered {
            // A stream that ends without a word may not be one: do not ask in a tight loop.
            return Ok(ControlFlow::Continue(()));
        }
    }
}

fn ours(lease: &Lease, prefixes: &[String; 2]) -> Option<(LeaseName, Arc<Record>)> {
    let name = lease.metadata.name.as_ref()?;
    let under = |prefix: &String| names::under(prefix, name).is_some();
    prefixes.iter().any(under).then_some(())?;
    Some((name.as_str().into(), Arc::new(record(lease)?)))
}

/// One line for a problem of the watch.
pub(crate) fn describe(error: &Error) -> String {
    Report(error).to_string()
}
