//! What is watched, and in which form it is kept.

use std::{any::TypeId, fmt, sync::Arc};

use kube::runtime::watcher;

use super::{ObjectEvent, Predicate, Watched, changes::Transform};

/// Which objects of a kind are watched, and what is kept of them.
///
/// ```
/// use multicluster::{informer::{GenerationChanged, Watch}, k8s_openapi::api::core::v1::Pod};
///
/// let pods = Watch::<Pod>::new()
///     .labels("app=shop")
///     .predicate(GenerationChanged)
///     .transform(|pod| pod.spec = None);
/// # let _ = pods;
/// ```
///
/// For the metadata alone, which is a fraction of most objects, watch `PartialObjectMeta<Pod>`: the server then sends
/// nothing else.
pub struct Watch<K: Watched> {
    dyntype: K::DynamicType,
    labels: Option<String>,
    fields: Option<String>,
    transform: Option<Transform<K>>,
    predicates: Vec<Arc<dyn Predicate<K>>>,
    streaming: bool,
}

/// What makes two watches of one kind the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Identity {
    kind: TypeId,
    resource: (String, String, String),
    labels: Option<String>,
    fields: Option<String>,
    /// The address of the transformation; it lives as long as the watch that has it.
    transform: Option<usize>,
    streaming: bool,
}

// === impl Watch ===

impl<K: Watched> Watch<K> {
    /// All objects, without `managedFields`.
    #[must_use]
    pub fn new() -> Self
    where
        K::DynamicType: Default,
    {
        Self::of(K::DynamicType::default())
    }

    /// All objects of a kind that is named at run time, as an `ApiResource` names that of a `DynamicObject`.
    #[must_use]
    pub fn of(dyntype: K::DynamicType) -> Self {
        Self {
            dyntype,
            labels: None,
            fields: None,
            transform: None,
            predicates: Vec::new(),
            streaming: false,
        }
    }

    /// Only objects that match this label selector; the API server selects.
    #[must_use]
    pub fn labels(mut self, selector: impl Into<String>) -> Self {
        self.labels = Some(selector.into());
        self
    }

    /// Only objects that match this field selector; the API server selects.
    #[must_use]
    pub fn fields(mut self, selector: impl Into<String>) -> Self {
        self.fields = Some(selector.into());
        self
    }

    /// Changes each object before it is kept: what a reconciler does not read need not use memory.
    ///
    /// Name, namespace, labels and owners must stay. The full object is seen by nobody then, deletions included.
    #[must_use]
    pub fn transform(mut self, transform: impl Fn(&mut K) + Send + Sync + 'static) -> Self {
        self.transform = Some(Arc::new(transform));
        self
    }

    /// Only changes that pass: of several predicates, all of them.
    #[must_use]
    pub fn predicate(mut self, predicate: impl Predicate<K>) -> Self {
        self.predicates.push(Arc::new(predicate));
        self
    }

    /// Lists by a watch (`sendInitialEvents`), which takes less of the server's memory for very many objects.
    ///
    /// A server that refuses it, or does not complete the list, is asked for plain lists from then on. Off by default.
    #[must_use]
    pub fn streaming_list(mut self) -> Self {
        self.streaming = true;
        self
    }

    pub(crate) fn dyntype(&self) -> &K::DynamicType {
        &self.dyntype
    }

    /// Whether all predicates let a request from elsewhere pass.
    pub(crate) fn passes_generic(&self, object: &K) -> bool {
        self.predicates
            .iter()
            .all(|predicate| predicate.generic(object))
    }

    /// Whether all predicates let an event pass.
    pub(crate) fn passes(&self, event: &ObjectEvent<K>) -> bool {
        self.predicates
            .iter()
            .all(|predicate| predicate.passes(event))
    }

    pub(super) fn identity(&self) -> Identity {
        let dyntype = &self.dyntype;
        let address = |transform: &Transform<K>| Arc::as_ptr(transform).cast::<()>() as usize;
        Identity {
            kind: TypeId::of::<K>(),
            resource: (
                K::group(dyntype).into_owned(),
                K::version(dyntype).into_owned(),
                K::plural(dyntype).into_owned(),
            ),
            labels: self.labels.clone(),
            fields: self.fields.clone(),
            transform: self.transform.as_ref().map(address),
            streaming: self.streaming,
        }
    }

    pub(super) fn get_transform(&self) -> Option<Transform<K>> {
        self.transform.clone()
    }

    /// Lists without a watch from now on.
    pub(super) fn plain_list(&mut self) {
        self.streaming = false;
    }

    pub(super) fn is_streaming(&self) -> bool {
        self.streaming
    }

    pub(super) fn config(&self) -> watcher::Config {
        // Watches that were started together must not reconnect together.
        let mut config = watcher::Config::default().timeout(fastrand::u32(180..230));
        config.label_selector.clone_from(&self.labels);
        config.field_selector.clone_from(&self.fields);
        if self.streaming {
            config = config.streaming_lists();
        }
        config
    }
}

impl<K: Watched<DynamicType: Default>> Default for Watch<K> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: Watched> Clone for Watch<K> {
    fn clone(&self) -> Self {
        Self {
            dyntype: self.dyntype.clone(),
            labels: self.labels.clone(),
            fields: self.fields.clone(),
            transform: self.transform.clone(),
            predicates: self.predicates.clone(),
            streaming: self.streaming,
        }
    }
}

impl<K: Watched> fmt::Debug for Watch<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch")
            .field("labels", &self.labels)
            .field("fields", &self.fields)
            .field("transformed", &self.transform.is_some())
            .field("streaming", &self.streaming)
            .finish()
    }
}
