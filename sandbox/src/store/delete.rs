//! Deleting objects, and namespaces with all that is in them.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{
    Call, Key, Object, Page, Store,
    grace::{self, Step},
    namespace,
};
use crate::{deletion::DeleteOptions, kinds::Kind, meta, query::ListOptions, status::ApiError};

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
        options: &DeleteOptions,
    ) -> Result<Deleted, ApiError> {
        let kind = &call.kind;
        if kind.is_namespace() && IMMORTAL.contains(&name) {
            return Err(ApiError::forbidden(
                kind,
                name,
                "this namespace may not be deleted",
            ));
        }
        let object = self.get(kind, &call.namespace, name)?;
        options.only_if.check(kind, name, object.value())?;
        let key = Key::new(&call.namespace, name);
        if call.dry_run {
            return Ok(rehearse(kind, object, options, &call.now));
        }
        let deleted = self.discard(kind, &key, object, options, &call.now);
        self.tidy(&call.now);
        Ok(deleted)
    }

    /// Deletes the objects of a page, and says which they were.
    pub(crate) fn delete_all(
        &mut self,
        call: &Call,
        selected: &ListOptions,
        options: &DeleteOptions,
    ) -> Result<Page, ApiError> {
        let page = self.page(&call.kind, selected, u64::MAX)?;
        for object in &page.objects {
            let key = Key::of(object.value());
            // A page of an earlier version may name what is gone.
            let Some(object) = self.find(&call.kind, &key) else {
                continue;
            };
            options
                .only_if
                .check(&call.kind, &key.name, object.value())?;
            if !call.dry_run {
                self.discard(&call.kind, &key, object, options, &call.now);
            }
        }
        self.tidy(&call.now);
        Ok(page)
    }

    /// Removes an object, or marks it where something holds it.
    pub(super) fn discard(
        &mut self,
        kind: &Arc<Kind>,
        key: &Key,
        object: Arc<Object>,
        options: &DeleteOptions,
        now: &str,
    ) -> Deleted {
        if kind.is_namespace() {
            return self.terminate(kind, key, object, now);
        }
        if kind.is_definition() {
            return Deleted::Marked(self.delete_definition(kind, &key.name, &object, now));
        }
        match grace::step(kind, object.value(), options, now) {
            Step::Pending => Deleted::Marked(object),
            Step::Mark(new) if new == *object.value() => Deleted::Marked(object),
            Step::Mark(new) => Deleted::Marked(self.put(kind, key, new)),
            Step::Remove(last) => {
                let last = last.map(|last| self.put(kind, key, last));
                self.take(kind, key);
                let gone = object.at(self.version);
                Deleted::Gone(last.unwrap_or(Arc::new(gone)))
            }
        }
    }

    /// Marks a namespace; its controller empties it and lets it go.
    fn terminate(
        &mut self,
        kind: &Arc<Kind>,
        key: &Key,
        object: Arc<Object>,
        now: &str,
    ) -> Deleted {
        match namespace_step(object.value(), now) {
            Step::Mark(new) => Deleted::Marked(self.put(kind, key, new)),
            Step::Pending => Deleted::Marked(object),
            Step::Remove(_) => {
                self.take(kind, key);
                Deleted::Gone(object)
            }
        }
    }
}

/// The next step of the deletion of a namespace.
fn namespace_step(namespace: &Value, now: &str) -> Step {
    if !namespace::is_held(namespace) {
        return Step::Remove(None);
    }
    if meta::is_deleting(namespace) {
        return Step::Pending;
    }
    let mut new = namespace.clone();
    grace::mark(&mut new, namespace, now);
    meta::remove(&mut new, "deletionGracePeriodSeconds");
    new["status"]["phase"] = json!("Terminating");
    Step::Mark(new)
}

/// What a deletion would answer.
fn rehearse(kind: &Kind, object: Arc<Object>, options: &DeleteOptions, now: &str) -> Deleted {
    let step = match kind.is_namespace() {
        true => namespace_step(object.value(), now),
        false => grace::step(kind, object.value(), options, now),
    };
    match step {
        Step::Mark(new) => Deleted::Marked(Arc::new(Object::new(new))),
        Step::Remove(Some(last)) => Deleted::Gone(Arc::new(Object::new(last))),
        Step::Remove(None) => Deleted::Gone(object),
        Step::Pending => Deleted::Marked(object),
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
