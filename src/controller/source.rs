//! What asks for reconciles: watches of kinds, in the cluster itself and in the host.

use std::{
    any::{Any, TypeId},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use kube::{
    core::{ClusterResourceScope, DynamicResourceScope, Resource},
    runtime::reflector::ObjectRef,
};

use super::{queue::Lane, scheduler::Requester};
use crate::{
    cluster::Cluster,
    engage::Engagement,
    error::{Error, Result, panic_message},
    informer::{Call, Key, ObjectEvent, Objects, Subscription, Watch, Watched, subscribe},
};

/// A watch whose events ask for reconciles of `K`.
pub(super) trait Source<K: Watched>: Send + Sync {
    /// Begins to watch for one engagement.
    fn attach(&self, to: &Target<'_, K>) -> Result<Attachment>;

    /// Whether it watches the host.
    fn needs_host(&self) -> bool;
}

/// Who asks, and where the requests go.
pub(super) struct Target<'a, K: Watched> {
    pub(super) controller: &'a str,
    pub(super) engagement: &'a Engagement,
    pub(super) requests: &'a Requester<Key>,
    /// The objects that are reconciled.
    pub(super) objects: &'a Objects<K>,
}

/// A running watch, with what it has seen.
pub(super) struct Attachment {
    pub(super) subscription: Subscription,
    pub(super) objects: Cache,
}

/// The objects of some kind.
pub(super) struct Cache {
    /// Of the kind, not of the box.
    kind: TypeId,
    host: bool,
    objects: Box<dyn Any + Send + Sync>,
}

type MapWithin<K, W> = dyn Fn(&W, &Objects<K>) -> Vec<ObjectRef<K>> + Send + Sync;
type MapFromHost<K, W> = dyn Fn(&W, &Cluster) -> Vec<ObjectRef<K>> + Send + Sync;

/// A watch of `W` in the cluster of the objects.
pub(super) struct Within<K: Watched, W: Watched> {
    pub(super) watch: Watch<W>,
    pub(super) map: Arc<MapWithin<K, W>>,
}

/// A watch of `W` in the host.
pub(super) struct FromHost<K: Watched, W: Watched> {
    pub(super) watch: Watch<W>,
    pub(super) map: Arc<MapFromHost<K, W>>,
}

// === impl Within ===

impl<K: Watched, W: Watched> Source<K> for Within<K, W> {
    fn attach(&self, to: &Target<'_, K>) -> Result<Attachment> {
        let (map, objects) = (self.map.clone(), to.objects.clone());
        let ask = asker(self.watch.clone(), to, move |object| map(object, &objects));
        let (objects, subscription) = subscribe(to.engagement, &self.watch, to.controller, ask);
        Ok(Attachment {
            subscription,
            objects: Cache::new(objects, false),
        })
    }

    fn needs_host(&self) -> bool {
        false
    }
}

// === impl FromHost ===

impl<K: Watched, W: Watched> Source<K> for FromHost<K, W> {
    fn attach(&self, to: &Target<'_, K>) -> Result<Attachment> {
        let Some(host) = to.engagement.host() else {
            let text = format!(
                "controller {} watches the host: name it with ManagerBuilder::host",
                to.controller
            );
            return Err(Error::setting(text));
        };
        let (map, cluster) = (self.map.clone(), to.engagement.cluster().clone());
        let ask = asker(self.watch.clone(), to, move |object| map(object, &cluster));
        let (objects, subscription) = subscribe(host, &self.watch, to.controller, ask);
        Ok(Attachment {
            subscription,
            objects: Cache::new(objects, true),
        })
    }

    fn needs_host(&self) -> bool {
        true
    }
}

/// Asks for what the events of a watch map to.
fn asker<K: Watched, W: Watched>(
    watch: Watch<W>,
    to: &Target<'_, K>,
    map: impl Fn(&W) -> Vec<ObjectRef<K>> + Send + 'static,
) -> Call<W> {
    let requests = to.requests.clone();
    let (controller, cluster) = (to.controller.to_owned(), to.engagement.name().clone());
    let mut asked: [Vec<Key>; 2] = Default::default();
    Box::new(move |events| {
        for event in events {
            let lane = lane(event);
            // User's code, and other objects must not suffer from what it makes of one.
            let keys = catch_unwind(AssertUnwindSafe(|| mapped(&watch, event, &map)));
            match keys {
                Ok(keys) => asked[lane as usize].extend(keys.iter().map(Key::from)),
                Err(panic) => tracing::error!(
                    controller,
                    %cluster,
                    kind = %W::kind(watch.dyntype()),
                    object = %Key::of(&**event.object()),
                    error = panic_message(&*panic),
                    "a predicate or a mapping panicked: this change is not reconciled"
                ),
            }
        }
        for lane in [Lane::Live, Lane::Initial] {
            let keys = std::mem::take(&mut asked[lane as usize]);
            if !keys.is_empty() {
                requests.add(keys, lane);
            }
        }
    })
}

/// What an event maps to: of an update, both what it was and what it is.
fn mapped<K: Watched, W: Watched>(
    watch: &Watch<W>,
    event: &ObjectEvent<W>,
    map: &impl Fn(&W) -> Vec<ObjectRef<K>>,
) -> Vec<ObjectRef<K>> {
    if !watch.passes(event) {
        return Vec::new();
    }
    let mut keys = map(event.object());
    if let ObjectEvent::Updated { old, .. } = event {
        keys.extend(map(old));
    }
    keys
}

/// How urgent an event is.
pub(super) fn lane<K>(event: &ObjectEvent<K>) -> Lane {
    if event.is_initial() {
        Lane::Initial
    } else {
        Lane::Live
    }
}

/// The controller of kind `K` that owns an object.
///
/// Of a kind that is named at run time, only the objects can tell whether it has namespaces.
pub(super) fn owner<K: Watched, C: Watched>(
    dyntype: &K::DynamicType,
    object: &C,
    objects: &Objects<K>,
) -> Vec<ObjectRef<K>> {
    let meta = object.meta();
    let owners = meta.owner_references.iter().flatten();
    let (kind, group) = (K::kind(dyntype), K::group(dyntype));
    let owner = owners
        .filter(|owner| owner.controller == Some(true))
        .find(|owner| {
            let of_group = owner
                .api_version
                .split_once('/')
                .map_or("", |(group, _)| group);
            owner.kind == kind && of_group == group
        });
    let owned = owner.map(|owner| {
        let reference = ObjectRef::new_with(&owner.name, dyntype.clone());
        let Some(namespace) = &meta.namespace else {
            return reference;
        };
        let scope = TypeId::of::<<K as Scoped>::Scope>();
        if scope == TypeId::of::<ClusterResourceScope>() {
            return reference;
        }
        let within = reference.clone().within(namespace);
        let elsewhere = scope == TypeId::of::<DynamicResourceScope>()
            && objects.get(&within).is_none()
            && objects.get(&reference).is_some();
        if elsewhere { reference } else { within }
    });
    owned.into_iter().collect()
}

/// Says whether objects of a kind have a namespace.
trait Scoped {
    type Scope: 'static;
}

impl<K: Resource<Scope: 'static>> Scoped for K {
    type Scope = K::Scope;
}

// === impl Cache ===

impl Cache {
    pub(super) fn new<W: Watched>(objects: Objects<W>, host: bool) -> Self {
        Self {
            kind: TypeId::of::<W>(),
            host,
            objects: Box::new(objects),
        }
    }

    /// The objects, when they are of kind `W`.
    pub(super) fn get<W: Watched>(&self, host: bool) -> Option<Objects<W>> {
        if self.kind != TypeId::of::<W>() || self.host != host {
            return None;
        }
        self.objects.downcast_ref::<Objects<W>>().cloned()
    }
}
