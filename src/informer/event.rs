//! What a watch tells of an object.

use std::sync::Arc;

/// A change of one object, as a watch shows it.
///
/// A list that follows a gap in the watch is compared with what was known, so that what was deleted in the gap is told
/// too, and what has not changed is not.
#[derive(Debug)]
pub enum ObjectEvent<K> {
    /// The object appeared.
    Created {
        /// The object.
        object: Arc<K>,
        /// Whether it was there when the watch began.
        initial: bool,
    },
    /// The object has changed.
    Updated {
        /// What was known of it before.
        old: Arc<K>,
        /// The object.
        object: Arc<K>,
    },
    /// The object is gone.
    Deleted {
        /// Its last known state.
        object: Arc<K>,
    },
}

// === impl ObjectEvent ===

impl<K> ObjectEvent<K> {
    /// The object; of a deleted one, its last known state.
    #[must_use]
    pub fn object(&self) -> &Arc<K> {
        match self {
            Self::Created { object, .. }
            | Self::Updated { object, .. }
            | Self::Deleted { object } => object,
        }
    }

    /// Whether this tells of an object that was there when the watch began.
    #[must_use]
    pub fn is_initial(&self) -> bool {
        matches!(self, Self::Created { initial: true, .. })
    }
}

impl<K> Clone for ObjectEvent<K> {
    fn clone(&self) -> Self {
        match self {
            Self::Created { object, initial } => Self::Created {
                object: object.clone(),
                initial: *initial,
            },
            Self::Updated { old, object } => Self::Updated {
                old: old.clone(),
                object: object.clone(),
            },
            Self::Deleted { object } => Self::Deleted {
                object: object.clone(),
            },
        }
    }
}
