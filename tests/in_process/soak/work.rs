//! What the replicas of a soak do, and what is checked of it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::StreamExt;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, ResourceExt,
    api::{ListParams, Patch, WatchEvent, WatchParams},
};
use multicluster::{Action, BoxError, Context};
use tokio::{task::JoinHandle, time::Instant};

use super::CLUSTERS;
use crate::fleet::Fleet;

/// All reconciles, with their beginning and their end.
#[derive(Clone, Default)]
pub(super) struct Work {
    spans: Arc<Mutex<Vec<Span>>>,
}

/// One reconcile.
#[derive(Clone, Debug)]
struct Span {
    cluster: String,
    peer: String,
    token: u64,
    from: Instant,
    /// `None` while it runs.
    to: Option<Instant>,
}

/// Ends a span, however the reconcile ends.
struct Running {
    work: Work,
    index: usize,
}

/// The tokens in writes, in the order in which the server applied them.
pub(super) struct Writes {
    tokens: Arc<Mutex<BTreeMap<String, Vec<u64>>>>,
    task: JoinHandle<()>,
}

// === impl Work ===

impl Work {
    /// A reconcile of `peer`: a write that carries the token, and then something that takes time.
    pub(super) async fn reconcile(
        self,
        peer: &'static str,
        context: Context<ConfigMap>,
    ) -> Result<Action, BoxError> {
        let token = context.token().unwrap().0;
        let _running = self.begin(peer, &context, token);
        let maps: Api<ConfigMap> = Api::default_namespaced(context.client());
        let patch = serde_json::json!({"data": {"token": token.to_string()}});
        maps.patch(
            &context.key().name,
            &Default::default(),
            &Patch::Merge(patch),
        )
        .await?;
        // Mostly short; one in eight lasts for longer than a Lease, and would not notice by a write that it is over.
        let rest = match fastrand::u8(..8) {
            0 => 6_000,
            _ => 300,
        };
        tokio::time::sleep(Duration::from_millis(rest)).await;
        Ok(Action::requeue(Duration::from_millis(500)))
    }

    fn begin(&self, peer: &str, context: &Context<ConfigMap>, token: u64) -> Running {
        let mut spans = self.spans.lock().unwrap();
        spans.push(Span {
            cluster: context.cluster_name().to_string(),
            peer: peer.to_owned(),
            token,
            from: Instant::now(),
            to: None,
        });
        Running {
            work: self.clone(),
            index: spans.len() - 1,
        }
    }

    /// No two peers, and no two tenures, have worked on one cluster at a time, and tokens have only grown.
    pub(super) fn assert_one_at_a_time(&self, fleet: &Fleet) {
        let spans = self.spans.lock().unwrap();
        for cluster in CLUSTERS {
            let of = spans.iter().filter(|span| span.cluster == cluster);
            let mut last: Option<&Span> = None;
            let mut tenures = 0;
            for span in of {
                let Some(before) = last else {
                    last = Some(span);
                    continue;
                };
                if span.token == before.token {
                    assert_eq!(span.peer, before.peer);
                } else {
                    tenures += 1;
                    assert!(span.token > before.token, "{before:?} {span:?}");
                    let ended = before.to.is_some_and(|to| to <= span.from);
                    assert!(ended, "two at a time: {before:?} {span:?}");
                }
                // The one that ends last, as reconciles of several objects may run at a time.
                let end = |span: &Span| span.to.unwrap_or_else(Instant::now);
                if span.token != before.token || end(span) > end(before) {
                    last = Some(span);
                }
            }
            assert!(
                tenures > 0,
                "{cluster} never moved: {:?}",
                fleet.notes().len()
            );
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Ok(mut spans) = self.work.spans.lock() {
            spans[self.index].to = Some(Instant::now());
        }
    }
}

// === impl Writes ===

/// Follows the ConfigMaps past all faults.
pub(super) async fn follow_writes(fleet: &Fleet) -> Writes {
    let maps: Api<ConfigMap> = Api::all(fleet.client());
    let list = maps.list(&ListParams::default()).await.unwrap();
    let mut version = list.metadata.resource_version.unwrap();
    let tokens: Arc<Mutex<BTreeMap<String, Vec<u64>>>> = Arc::default();
    let found = tokens.clone();
    let task = tokio::spawn(async move {
        loop {
            let params = WatchParams::default();
            let mut events = maps.watch(&params, &version).await.unwrap().boxed();
            while let Some(event) = events.next().await {
                match event.unwrap() {
                    WatchEvent::Bookmark(bookmark) => {
                        version = bookmark.metadata.resource_version;
                    }
                    WatchEvent::Error(status) => panic!("{status:?}"),
                    WatchEvent::Added(map)
                    | WatchEvent::Modified(map)
                    | WatchEvent::Deleted(map) => {
                        version = map.resource_version().unwrap();
                        let token = map.data.as_ref().and_then(|data| data.get("token"));
                        if let Some(token) = token {
                            let mut found = found.lock().unwrap();
                            let of = found.entry(map.namespace().unwrap()).or_default();
                            of.push(token.parse().unwrap());
                        }
                    }
                }
            }
        }
    });
    Writes { tokens, task }
}

impl Writes {
    /// A write of an earlier tenure never came after one of a later tenure.
    pub(super) fn assert_tokens_grow(&self) {
        assert!(!self.task.is_finished());
        let tokens = self.tokens.lock().unwrap();
        for cluster in CLUSTERS {
            // Several objects are written at a time; each event shows one of them.
            assert!(
                tokens[cluster].is_sorted(),
                "{cluster}: {:?}",
                tokens[cluster]
            );
        }
    }
}

impl Drop for Writes {
    fn drop(&mut self) {
        self.task.abort();
    }
}
