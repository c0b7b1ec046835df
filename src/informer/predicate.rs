//! Which changes matter.

use super::{ObjectEvent, Watched};

/// Decides which changes of objects ask for a reconcile.
///
/// The methods are those of controller-runtime's predicates; each lets everything pass unless it is written anew.
pub trait Predicate<K>: Send + Sync + 'static {
    /// The object appeared, or was there when the watch began.
    fn create(&self, object: &K) -> bool {
        let _ = object;
        true
    }

    /// The object has changed.
    fn update(&self, old: &K, object: &K) -> bool {
        let _ = (old, object);
        true
    }

    /// The object is gone; this is its last known state.
    fn delete(&self, object: &K) -> bool {
        let _ = object;
        true
    }

    /// Somebody has asked for the object from elsewhere than a watch, through [`Requests`](crate::Requests).
    ///
    /// It is not asked about objects that the watch does not know.
    fn generic(&self, object: &K) -> bool {
        let _ = object;
        true
    }

    /// Judges any event.
    fn passes(&self, event: &ObjectEvent<K>) -> bool {
        match event {
            ObjectEvent::Created { object, .. } => self.create(object),
            ObjectEvent::Updated { old, object } => self.update(old, object),
            ObjectEvent::Deleted { object } => self.delete(object),
        }
    }
}

/// Combinations of predicates.
pub trait PredicateExt<K>: Predicate<K> + Sized {
    /// Both let it pass.
    fn and(self, other: impl Predicate<K>) -> impl Predicate<K>
    where
        K: 'static,
    {
        And(self, other)
    }

    /// One of them lets it pass.
    fn or(self, other: impl Predicate<K>) -> impl Predicate<K>
    where
        K: 'static,
    {
        Or(self, other)
    }

    /// This one does not let it pass.
    fn not(self) -> impl Predicate<K>
    where
        K: 'static,
    {
        Not(self)
    }
}

impl<K, P: Predicate<K>> PredicateExt<K> for P {}

struct And<A, B>(A, B);

impl<K, A: Predicate<K>, B: Predicate<K>> Predicate<K> for And<A, B> {
    fn generic(&self, object: &K) -> bool {
        self.0.generic(object) && self.1.generic(object)
    }

    fn passes(&self, event: &ObjectEvent<K>) -> bool {
        self.0.passes(event) && self.1.passes(event)
    }
}

struct Or<A, B>(A, B);

impl<K, A: Predicate<K>, B: Predicate<K>> Predicate<K> for Or<A, B> {
    fn generic(&self, object: &K) -> bool {
        self.0.generic(object) || self.1.generic(object)
    }

    fn passes(&self, event: &ObjectEvent<K>) -> bool {
        self.0.passes(event) || self.1.passes(event)
    }
}

struct Not<A>(A);

impl<K, A: Predicate<K>> Predicate<K> for Not<A> {
    fn generic(&self, object: &K) -> bool {
        !self.0.generic(object)
    }

    fn passes(&self, event: &ObjectEvent<K>) -> bool {
        !self.0.passes(event)
    }
}

/// A predicate that is a closure; what is asked for from elsewhere passes.
pub fn from_fn<K, F>(passes: F) -> impl Predicate<K>
where
    F: Fn(&ObjectEvent<K>) -> bool + Send + Sync + 'static,
{
    FromFn(passes)
}

struct FromFn<F>(F);

impl<K, F: Fn(&ObjectEvent<K>) -> bool + Send + Sync + 'static> Predicate<K> for FromFn<F> {
    fn passes(&self, event: &ObjectEvent<K>) -> bool {
        (self.0)(event)
    }
}

/// Updates that change the specification (`metadata.generation`), and everything but updates.
///
/// For kinds whose server counts generations; that of a ConfigMap, for one, never changes.
#[derive(Clone, Copy, Debug)]
pub struct GenerationChanged;

/// Updates that change labels, and everything but updates.
#[derive(Clone, Copy, Debug)]
pub struct LabelsChanged;

/// Updates that change annotations, and everything but updates.
#[derive(Clone, Copy, Debug)]
pub struct AnnotationsChanged;

impl<K: Watched> Predicate<K> for GenerationChanged {
    fn update(&self, old: &K, object: &K) -> bool {
        old.meta().generation != object.meta().generation
    }
}

impl<K: Watched> Predicate<K> for LabelsChanged {
    fn update(&self, old: &K, object: &K) -> bool {
        old.meta().labels != object.meta().labels
    }
}

impl<K: Watched> Predicate<K> for AnnotationsChanged {
    fn update(&self, old: &K, object: &K) -> bool {
        old.meta().annotations != object.meta().annotations
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use k8s_openapi::api::core::v1::Pod;

    use super::*;

    fn pod(generation: i64, label: &str) -> Arc<Pod> {
        let mut pod = Pod::default();
        pod.metadata.generation = Some(generation);
        pod.metadata.labels = Some([("app".to_owned(), label.to_owned())].into());
        Arc::new(pod)
    }

    #[test]
    fn combinations_judge_updates_and_nothing_else() {
        let update = |old, object| ObjectEvent::Updated { old, object };
        let status = update(pod(1, "a"), pod(1, "a"));
        let spec = update(pod(1, "a"), pod(2, "a"));
        let labels = update(pod(1, "a"), pod(1, "b"));
        let gone = ObjectEvent::Deleted {
            object: pod(1, "a"),
        };
        let either = PredicateExt::<Pod>::or(GenerationChanged, LabelsChanged);
        let judged = [&status, &spec, &labels, &gone].map(|event| either.passes(event));
        assert_eq!(judged, [false, true, true, true]);
        let both = PredicateExt::<Pod>::and(GenerationChanged, LabelsChanged);
        assert!(!both.passes(&spec) && both.passes(&gone));
        let neither = PredicateExt::<Pod>::not(either);
        assert!(neither.passes(&status) && !neither.passes(&gone));
        assert!(!Predicate::<Pod>::passes(&AnnotationsChanged, &labels));
    }
}
