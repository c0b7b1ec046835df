//! Watches of member clusters: each kind once per cluster, whoever asks for it.
//!
//! # Flow
//! 1. A controller subscribes to a [`Watch`] in an engaged cluster. The first subscriber starts an informer, a task that
//!    lists and watches; later ones join it, and are told of what it already knows.
//! 2. The informer keeps the newest state of each object ([`Objects`]) and tells its subscribers what has changed
//!    ([`ObjectEvent`]).
//! 3. The informer ends with its last subscriber or with the engagement; then its connection and its memory are gone.
//!
//! # Guarantees
//! - A subscriber is told of every object once per version that the watch shows, in order, after the object is in
//!   [`Objects`]; deletions that happened while nobody watched are told when the next list is complete.
//! - One object that cannot be decoded hides no other: it is reported, and its last state that could be read stays.
//! - Errors are retried: within 5 s while the server does not answer, within 15 s while it refuses, and not at all while
//!   the cluster counts as unreachable ([`health`](crate::health)).
//!
//! # Not guaranteed
//! Two changes of an object in quick succession can be seen as one.

mod changes;
mod event;
mod index;
mod key;
mod objects;
mod predicate;
mod registry;
mod source;
mod task;
mod watch;

use std::hash::Hash;

use kube::Resource;
use serde::de::DeserializeOwned;

pub use event::ObjectEvent;
pub(crate) use index::Indexes;
pub(crate) use key::Key;
pub use objects::Objects;
pub use predicate::{
    AnnotationsChanged, GenerationChanged, LabelsChanged, Predicate, PredicateExt, from_fn,
};
pub(crate) use registry::{Subscription, subscribe};
pub(crate) use task::Call;
pub use watch::Watch;

/// A kind that can be watched.
pub trait Watched:
    Resource<DynamicType: Clone + Eq + Hash + Unpin + Send + Sync>
    + Clone
    + std::fmt::Debug
    + DeserializeOwned
    + Send
    + Sync
    + 'static
{
}

impl<K> Watched for K where
    K: Resource<DynamicType: Clone + Eq + Hash + Unpin + Send + Sync>
        + Clone
        + std::fmt::Debug
        + DeserializeOwned
        + Send
        + Sync
        + 'static
{
}
