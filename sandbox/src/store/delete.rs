//! Deleting objects, and namespaces with all that is in them.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Call, Key, Object, Page, Store, isolation};
use crate::{kinds::Kind, meta, query::ListOptions, status::ApiError};

/// Namespaces that the server needs itself.
const IMMORTAL: [&str; 3] = ["default", "kube-public", "kube-system"];

/// The outcome of a deletion.
#[derive(Debug)]
pub(crate) enum Deleted {
    /// The object is gone; this was its last state.
    Gone(Arc<Object>),
    /// The object is marked as being deleted, and goes when nothing holds it any more.
    Marked(Arc<Object>),
}

/// What must be true of an object for it to be deleted.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Preconditions {
    pub uid: Option<String>,
    pub version: Option<String>,
}

// === impl Store ===

impl Store {
    /// Deletes one object.
    pub(crate) fn delete(
        &mut self,
        call: &Call,
        name: &str,
        only_if: &Preconditions,
    ) -> Result<Deleted, ApiError> {
        let kind = &*call.kind;
        if kind.is_namespace() && IMMORTAL.contains(&name) {
            return Err(ApiError::forbidden(
                kind,
                name,
                "this namespace may not be deleted",
            ));
        }
        let object = self.get(kind, &call.namespace, name)?;
        only_if.check(kind, name, object.value())?;
        if call.dry_run {
            return Ok(Deleted::Gone(object));
        }
        if kind.is_namespace() {
            return Ok(Deleted::Marked(
                self.delete_namespace(name, &object, &call.now),
            ));
        }
        Ok(self.discard(kind, &Key::new(&call.namespace, name), object, &call.now))
    }

    /// Deletes the objects of a page, and says which they were.
    pub(crate) fn delete_all(
        &mut self,
        call: &Call,
        options: &ListOptions,
    ) -> Result<Page, ApiError> {
        let page = self.page(&call.kind, options, u64::MAX)?;
        if call.dry_run {
            return Ok(page);
        }
        for object in &page.objects {
            let key = Key::of(object.value());
            // A page of an earlier version may name what is gone.
            if let Some(object) = self.find(&call.kind, &key) {
                self.discard(&call.kind, &key, object, &call.now);
            }
        }
        Ok(page)
    }

    /// Removes an object, or marks it when finalizers hold it.
    pub(super) fn discard(
        &mut self,
        kind: &Kind,
        key: &Key,
        object: Arc<Object>,
        now: &str,
    ) -> Deleted {
        if kind.is_definition() {
            return Deleted::Marked(self.delete_definition(kind, &key.name, &object, now));
        }
        if meta::finalizers(object.value()).is_empty() {
            self.take(kind, key);
            self.finish_namespace(&key.namespace);
            return Deleted::Gone(object);
        }
        if meta::is_deleting(object.value()) {
            return Deleted::Marked(object);
        }
        Deleted::Marked(self.put(kind, key.clone(), marked(object.value(), now)))
    }

    /// Marks a namespace, deletes what is in it, and then the namespace unless something is held by finalizers.
    fn delete_namespace(&mut self, name: &str, object: &Arc<Object>, now: &str) -> Arc<Object> {
        let mut namespace = object.clone();
        if !meta::is_deleting(object.value()) {
            let mut value = marked(object.value(), now);
            value["status"] = json!({"phase": "Terminating"});
            meta::remove(&mut value, "deletionGracePeriodSeconds");
            namespace = self.put(&self.registry.namespace(), Key::new("", name), value);
        }
        for (kind, key) in self.contents(name) {
            if let Some(object) = self.find(&kind, &key) {
                self.discard(&kind, &key, object, now);
            }
        }
        self.finish_namespace(name);
        namespace
    }
}

// === impl Preconditions ===

impl Preconditions {
    /// Refuses an object that is not the one that is meant.
    pub(crate) fn check(&self, kind: &Kind, name: &str, object: &Value) -> Result<(), ApiError> {
        let uid = meta::text(object, "uid");
        if let Some(wanted) = self.uid.as_deref().filter(|wanted| *wanted != uid) {
            let why = format!(
                "the UID in the precondition ({wanted}) does not match the UID in record ({uid}). \
                 The object might have been deleted and then recreated"
            );
            return Err(ApiError::precondition(kind, name, &why));
        }
        let version = meta::text(object, "resourceVersion");
        if let Some(wanted) = self.version.as_deref().filter(|wanted| *wanted != version) {
            let why = format!(
                "the ResourceVersion in the precondition ({wanted}) does not match the ResourceVersion in record \
                 ({version}). The object might have been modified"
            );
            return Err(ApiError::precondition(kind, name, &why));
        }
        Ok(())
    }
}

fn marked(object: &Value, now: &str) -> Value {
    let mut value = object.clone();
    meta::set(&mut value, "deletionTimestamp", now);
    meta::set(&mut value, "deletionGracePeriodSeconds", 0);
    isolation::advance(&mut value, object);
    value
}
