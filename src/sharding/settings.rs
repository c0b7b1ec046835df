//! What can be set about sharding without code.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{names, peer::MAX_WEIGHT, timings::Timings};
use crate::{
    error::{Error, Result},
    setting::{Broken, duration, holds},
};

/// How clusters are shared among the replicas of a program; see [`Sharding::settings`](super::Sharding::settings).
///
/// All replicas of a fleet need the same, but for the weight.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Settings {
    /// The namespace of the Leases. By default that of the connection, which in a Pod is the Pod's own: no other needs
    /// rights.
    pub lease_namespace: Option<String>,
    /// What the names of peer Leases begin with, a DNS label. By default `<fleet>-peer`, so that fleets in one namespace
    /// are apart.
    pub peer_prefix: Option<String>,
    /// What the names of fences begin with, a DNS label that does not overlap with the other. By default
    /// `<fleet>-shard`.
    pub fence_prefix: Option<String>,
    /// How long a Lease lasts after its last renewal; whole seconds from 5 to 600. A crash is noticed after about this
    /// time: 15 s ride out hiccups of the API server, 5 s take over three times faster for three times the renewals.
    #[serde(with = "duration")]
    pub lease_duration: Duration,
    /// The time between two renewals, at least 100 ms. By default a third of the Lease duration, which leaves room for a
    /// lost renewal and its retry.
    #[serde(with = "duration::optional")]
    pub renew_interval: Option<Duration>,
    /// How much earlier than others could take over work stops: a write may take effect for this long after it was given
    /// up. Longer is safer in slow networks, and leaves less time to renew.
    #[serde(with = "duration")]
    pub stop_margin: Duration,
    /// How long running reconciles may take to end when a cluster is handed over; then they are dropped. 30 s let
    /// most requests end.
    #[serde(with = "duration")]
    pub drain_timeout: Duration,
    /// The share of this replica relative to others, a number up to 33554432. 0 counts as 1: every replica can be the last.
    pub weight: u32,
    /// The least time between two attempts to acquire the Lease of one cluster, at most a Lease duration. None by default:
    /// attempts answer to events and are spaced by a back-off, and a pause would delay hand-overs.
    #[serde(with = "duration")]
    pub throttle: Duration,
    /// Whether the process ends itself when a reconcile blocks its thread beyond its permission. Off by default, since it
    /// ends all that the process does; good for a program of its own.
    pub watchdog: bool,
}

// === impl Settings ===

impl Default for Settings {
    fn default() -> Self {
        let timings = Timings::default();
        Self {
            lease_namespace: None,
            peer_prefix: None,
            fence_prefix: None,
            lease_duration: timings.lease(),
            renew_interval: None,
            stop_margin: timings.margin(),
            drain_timeout: timings.drain(),
            weight: 1,
            throttle: timings.between_attempts(),
            watchdog: false,
        }
    }
}

impl Settings {
    /// The times of membership and fencing.
    #[must_use]
    pub fn timings(&self) -> Timings {
        let timings = Timings::new(self.lease_duration)
            .stop_margin(self.stop_margin)
            .drain_timeout(self.drain_timeout)
            .throttle(self.throttle);
        match self.renew_interval {
            Some(interval) => timings.renew_interval(interval),
            None => timings,
        }
    }

    /// Checks what can be checked without the fleet's name.
    pub(crate) fn validate(&self) -> Result<(), Broken> {
        let timings = self.timings();
        holds(&["throttle", "lease_duration"], timings.check_throttle())?;
        holds(
            &["lease_duration", "renew_interval", "stop_margin"],
            timings.validate(),
        )?;
        holds(&["weight"], check_weight(self.weight))?;
        if let Some(namespace) = &self.lease_namespace {
            holds(&["lease_namespace"], check_namespace(namespace))?;
        }
        match (&self.peer_prefix, &self.fence_prefix) {
            (Some(peers), Some(fences)) => holds(
                &["peer_prefix", "fence_prefix"],
                names::check_prefixes(peers, fences),
            ),
            (Some(peers), None) => holds(&["peer_prefix"], names::check_prefix(peers)),
            (None, Some(fences)) => holds(&["fence_prefix"], names::check_prefix(fences)),
            (None, None) => Ok(()),
        }
    }
}

/// Refuses a weight that placements cannot count with.
pub(super) fn check_weight(weight: u32) -> Result<()> {
    if weight > MAX_WEIGHT {
        return Err(Error::setting(format!(
            "the weight must be at most {MAX_WEIGHT}, not {weight}"
        )));
    }
    Ok(())
}

/// Refuses a namespace that cannot exist.
pub(super) fn check_namespace(namespace: &str) -> Result<()> {
    if namespace.is_empty() {
        return Err(Error::setting("the namespace of the Leases is empty"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use kube::{Client, client::Body};

    use super::*;
    use crate::Sharding;

    fn sharding() -> Sharding {
        let nobody = tower::service_fn(|_: http::Request<Body>| async {
            Ok::<_, Infallible>(http::Response::new(Body::empty()))
        });
        Sharding::with_client(Client::new(nobody, "pod"), "zoo")
    }

    #[tokio::test]
    async fn settings_apply_and_code_overrides_them() {
        let settings = Settings {
            lease_namespace: Some("fleet".into()),
            fence_prefix: Some("f".into()),
            lease_duration: Duration::from_secs(30),
            weight: 3,
            watchdog: true,
            ..Settings::default()
        };
        let applied = sharding().settings(&settings);
        assert_eq!(applied.lease_namespace, "fleet");
        assert_eq!(
            (&*applied.peer_prefix, &*applied.fence_prefix),
            ("zoo-peer", "f")
        );
        assert_eq!((applied.weight, applied.watchdog), (3, true));
        assert_eq!(applied.timings, Timings::new(Duration::from_secs(30)));

        let overridden = applied.weight(4).lease_namespace("other").watchdog(false);
        assert_eq!((overridden.weight, overridden.watchdog), (4, false));
        assert_eq!(overridden.lease_namespace, "other");
        assert_eq!(overridden.timings, settings.timings());
    }

    #[tokio::test]
    async fn the_defaults_change_nothing() {
        let (plain, applied) = (sharding(), sharding().settings(&Settings::default()));
        assert_eq!(format!("{plain:?}"), format!("{applied:?}"));
    }
}
