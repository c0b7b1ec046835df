//! Somebody who changes a ConfigMap of a member all the time.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, Client,
    api::{Patch, PatchParams},
};
use serde_json::json;
use tokio::{
    task::JoinHandle,
    time::{Instant, MissedTickBehavior, interval, timeout},
};

/// The ConfigMap.
pub(crate) const PULSE: &str = "pulse";

/// The time between two changes.
pub(crate) const PERIOD: Duration = Duration::from_millis(50);

/// How long a change may take before it is given up.
const LIMIT: Duration = Duration::from_secs(1);

/// One change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Beat {
    pub(crate) number: u64,
    /// Just before it was sent.
    pub(crate) at: Instant,
}

/// Writes a number that grows; ends when dropped.
#[derive(Debug)]
pub(crate) struct Beats {
    /// What the member has confirmed.
    written: Arc<Mutex<Vec<Beat>>>,
    task: JoinHandle<()>,
}

// === impl Beats ===

impl Beats {
    pub(crate) fn start(member: Client) -> Self {
        let written: Arc<Mutex<Vec<Beat>>> = Arc::default();
        let maps: Api<ConfigMap> = Api::default_namespaced(member);
        let beats = written.clone();
        let task = tokio::spawn(async move {
            let mut clock = interval(PERIOD);
            clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
            for number in 1.. {
                clock.tick().await;
                let at = Instant::now();
                let map = Patch::Apply(json!({
                    "apiVersion": "v1",
                    "kind": "ConfigMap",
                    "metadata": {"name": PULSE},
                    "data": {"beat": number.to_string()},
                }));
                // Creates it too.
                let params = PatchParams::apply("beats").force();
                let write = maps.patch(PULSE, &params, &map);
                if let Ok(Ok(_)) = timeout(LIMIT, write).await {
                    let mut beats = beats.lock().unwrap_or_else(PoisonError::into_inner);
                    beats.push(Beat { number, at });
                }
            }
        });
        Self { written, task }
    }

    /// All changes that the member has confirmed, oldest first.
    pub(crate) fn written(&self) -> Vec<Beat> {
        let written = self.written.lock();
        written.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The first change that was sent after `since`, if there is one.
    pub(crate) fn after(&self, since: Instant) -> Option<Beat> {
        let written = self.written();
        written.into_iter().find(|beat| beat.at > since)
    }
}

impl Drop for Beats {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The number that a ConfigMap has.
pub(crate) fn number(map: &ConfigMap) -> Option<u64> {
    map.data.as_ref()?.get("beat")?.parse().ok()
}
