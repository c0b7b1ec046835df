//! Clean-up before an object is deleted.

use std::{fmt::Debug, sync::Arc};

use kube::{
    Api, Resource,
    runtime::{
        controller::Action as KubeAction,
        finalizer::{Error, Event, finalizer as kube_finalizer},
    },
};
use serde::{Serialize, de::DeserializeOwned};

use super::Action;

/// Keeps an object from being deleted before `reconcile` has cleaned up: kube's
/// [`finalizer`](kube::runtime::finalizer::finalizer) with this crate's [`Action`].
///
/// `name` is written to `metadata.finalizers` and must be a qualified name, as in `example.com/cleanup`.
///
/// # Errors
/// As kube's: the step that failed, with `reconcile`'s own error as its source.
pub async fn finalizer<K, R, F, E>(
    api: &Api<K>,
    name: &str,
    object: Arc<K>,
    reconcile: R,
) -> Result<Action, Error<E>>
where
    K: Resource + Clone + DeserializeOwned + Serialize + Debug,
    R: FnOnce(Event<K>) -> F,
    F: Future<Output = Result<Action, E>>,
    E: std::error::Error + 'static,
{
    let mut wanted = Action::await_change();
    let wanted_of_user = &mut wanted;
    let outcome = kube_finalizer(api, name, object, |event| async move {
        *wanted_of_user = reconcile(event).await?;
        Ok(KubeAction::await_change())
    });
    outcome.await?;
    Ok(wanted)
}
