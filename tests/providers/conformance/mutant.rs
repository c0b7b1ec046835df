//! What a mutant does in place of what a sound provider does.

use std::{collections::BTreeMap, sync::atomic::Ordering::Relaxed, time::Duration};

use futures_util::{StreamExt, future, stream, stream::BoxStream};
use kube_sandbox::Sandbox;
use multicluster::{Cluster, ClusterEvent, ClusterRef, Error};
use tokio::{sync::watch, task::yield_now, time::sleep};

use super::sound::{Look, Shared, State, connected, error, looks, to_ref};

type Event = Result<ClusterEvent, Error>;

/// A mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mutant {
    SyncedTooEarly,
    NothingForAnEmptySource,
    Duplicates,
    RemovedTwice,
    OneChangeAtATime,
    ForgetsRemoved,
    RemovesOthers,
    ErrorRemoves,
    ErrorIsSynced,
    FloodOfErrors,
    EndsWithAnError,
    BlindToDeletionsOfAnOutage,
    TellsOnlyOnce,
    FingerprintOfTheStream,
    StreamsStealFromEachOther,
    StreamLeavesATask,
    ConstantFingerprint,
    FingerprintOfTheWholeSource,
    FingerprintOfEverything,
    NoLabels,
    ConnectIgnoresTheName,
    KeepsCredentials,
    ConnectsToUnknown,
    SlowForUnknown,
    BrokenIsRemoved,
    BrokenStopsAll,
    ConnectsToBroken,
    ConnectLeavesATask,
    DroppedConnectSpoils,
    ConnectRotates,
    OnePage,
    RebornIsTheSame,
    TokenInAnError,
    TokenInALabel,
}
use Mutant::*;

// === impl Mutant ===

impl Mutant {
    /// The stream with the mistake.
    pub(super) fn clusters(self, look: Look) -> BoxStream<'static, Event> {
        if self == StreamLeavesATask {
            tokio::spawn(future::pending::<()>());
        }
        if self == EndsWithAnError {
            let alive = looks(look, move |look| self.events(look));
            let alive = alive.scan(false, |failed, event| {
                let before = *failed;
                *failed |= event.is_err();
                future::ready((!before).then_some(event))
            });
            return alive.chain(stream::pending()).boxed();
        }
        if self == FloodOfErrors {
            let watched = look.state.clone();
            let events = looks(look, move |look| self.events(look));
            return stream::unfold((events, watched), |(mut events, watched)| async move {
                if watched.borrow().down {
                    return Some((Err(error("the source is down")), (events, watched)));
                }
                Some((events.next().await?, (events, watched)))
            })
            .boxed();
        }
        looks(look, move |look| self.events(look))
    }

    fn events(self, look: &mut Look) -> Vec<Event> {
        let state = look.state.borrow_and_update().clone();
        let shown = self.shown(look, &state);
        let first = !std::mem::replace(&mut look.listed, true);
        if state.down {
            look.was_down = true;
            return match self {
                ErrorRemoves => look.set.replace([]).into_iter().map(Ok).collect(),
                ErrorIsSynced => vec![Err(error("down")), Ok(ClusterEvent::Synced)],
                _ => vec![Err(error("the source is down"))],
            };
        }
        if self == BrokenStopsAll && state.clusters.values().any(|entry| entry.broken) {
            return vec![Err(error("an entry is broken"))];
        }
        let news = |events: Vec<ClusterEvent>| events.into_iter().map(Ok).collect::<Vec<_>>();
        match self {
            SyncedTooEarly if first => {
                let mut events = look.set.replace(shown);
                events.rotate_right(1);
                news(events)
            }
            NothingForAnEmptySource if first && shown.is_empty() => Vec::new(),
            Duplicates => {
                look.set.replace(shown.clone());
                let again = shown.into_iter().map(ClusterEvent::Applied);
                news(again.chain([ClusterEvent::Synced]).collect())
            }
            RemovedTwice => {
                let mut events = look.set.replace(shown);
                let gone = |event: &&ClusterEvent| matches!(event, ClusterEvent::Removed(_));
                events.extend(events.iter().find(gone).cloned());
                news(events)
            }
            OneChangeAtATime if !first => {
                let mut set = std::mem::take(&mut look.set);
                let mut known: BTreeMap<_, _> = look.known.clone();
                let gone = known
                    .keys()
                    .find(|key| !state.clusters.contains_key(*key))
                    .cloned();
                let mut events = Vec::new();
                if let Some(key) = gone {
                    known.remove(&key);
                    events.extend(set.remove(&key.parse().unwrap()));
                } else if let Some(new) = shown.into_iter().find(|new| {
                    known
                        .get(new.name.as_str())
                        .is_none_or(|(_, old)| old != new)
                }) {
                    known.insert(new.name.to_string(), (0, new.clone()));
                    events.extend(set.apply(new));
                }
                (look.set, look.known) = (set, known);
                news(events)
            }
            ForgetsRemoved => {
                let events = look.set.replace(shown);
                let kept = |event: &ClusterEvent| !matches!(event, ClusterEvent::Removed(_));
                news(events.into_iter().filter(kept).collect())
            }
            RemovesOthers => {
                let mut events = look.set.replace(shown);
                if events
                    .iter()
                    .any(|event| matches!(event, ClusterEvent::Removed(_)))
                {
                    events.extend(look.set.replace([]));
                }
                news(events)
            }
            BlindToDeletionsOfAnOutage if look.was_down => {
                let events = shown
                    .into_iter()
                    .filter_map(|cluster| look.set.apply(cluster));
                news(events.chain([ClusterEvent::Synced]).collect())
            }
            TellsOnlyOnce => news(look.shared.set.lock().unwrap().replace(shown)),
            StreamsStealFromEachOther => {
                let taken = look.shared.taken.fetch_max(state.version, Relaxed);
                if !first && taken >= state.version {
                    return Vec::new();
                }
                news(look.set.replace(shown))
            }
            _ => news(look.set.replace(shown)),
        }
    }

    /// The clusters as the mutant sees them.
    fn shown(self, look: &mut Look, state: &State) -> Vec<ClusterRef> {
        let mut shown = Vec::new();
        for (key, entry) in &state.clusters {
            let cluster = to_ref(key, entry);
            let cluster = match self {
                ConstantFingerprint => cluster.fingerprint_of("always"),
                FingerprintOfTheWholeSource => {
                    let tokens: Vec<_> = state
                        .clusters
                        .values()
                        .map(|entry| entry.token.as_str())
                        .collect();
                    cluster.fingerprint_of(tokens.concat())
                }
                FingerprintOfEverything => {
                    cluster.fingerprint_of(format!("{} {}", entry.token, entry.note))
                }
                FingerprintOfTheStream => {
                    cluster.fingerprint_of(format!("{} {}", entry.token, look.number))
                }
                NoLabels => cluster.labels(BTreeMap::new()),
                TokenInALabel => cluster.labels([("token".to_owned(), entry.token.clone())].into()),
                BrokenIsRemoved if entry.broken => continue,
                RebornIsTheSame => {
                    let known = look.known.get(key).cloned();
                    match known {
                        Some((born, known)) if born != entry.born => known,
                        _ => cluster,
                    }
                }
                _ => cluster,
            };
            if self == KeepsCredentials {
                let mut tokens = look.shared.tokens.lock().unwrap();
                tokens
                    .entry(key.clone())
                    .or_insert_with(|| entry.token.clone());
            }
            if self != OneChangeAtATime || !look.listed {
                look.known
                    .insert(key.clone(), (entry.born, cluster.clone()));
            }
            shown.push(cluster);
        }
        if self == RebornIsTheSame {
            look.known.retain(|key, _| state.clusters.contains_key(key));
        }
        if self == OnePage {
            shown.truncate(100);
        }
        shown
    }

    /// The connection with the mistake, if it is one of these.
    pub(super) async fn connect(
        self,
        state: &watch::Sender<State>,
        sandbox: &Sandbox,
        cluster: &ClusterRef,
        shared: &Shared,
    ) -> Option<Result<Cluster, Error>> {
        let key = cluster.name.as_str();
        let entry = state.borrow().clusters.get(key).cloned();
        let token = entry
            .as_ref()
            .map(|entry| entry.token.clone())
            .unwrap_or_default();
        match self {
            ConnectIgnoresTheName => {
                let first = state.borrow().clusters.first_key_value()?.0.clone();
                let first = ClusterRef::new(first.parse().unwrap());
                Some(Ok(connected(sandbox, &first, &token)))
            }
            KeepsCredentials => {
                let token = shared.tokens.lock().unwrap().get(key).cloned();
                Some(Ok(connected(sandbox, cluster, &token?)))
            }
            ConnectsToUnknown => Some(Ok(connected(sandbox, cluster, &token))),
            ConnectsToBroken => entry.map(|entry| Ok(connected(sandbox, cluster, &entry.token))),
            SlowForUnknown if entry.is_none() => {
                sleep(Duration::from_secs(30)).await;
                None
            }
            ConnectLeavesATask => {
                tokio::spawn(future::pending::<()>());
                None
            }
            DroppedConnectSpoils => {
                if shared.busy.swap(true, Relaxed) {
                    return Some(Err(error("somebody is connecting")));
                }
                yield_now().await;
                shared.busy.store(false, Relaxed);
                None
            }
            ConnectRotates => {
                state.send_modify(|state| {
                    if let Some(entry) = state.clusters.get_mut(key) {
                        entry.token += "'";
                    }
                });
                None
            }
            TokenInAnError if entry.as_ref().is_some_and(|entry| entry.broken) => {
                Some(Err(error(&format!("cannot log in with {token}"))))
            }
            _ => None,
        }
    }
}
