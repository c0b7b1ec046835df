//! Follows the CustomResourceDefinitions: accepts their names, serves their kinds, and clears up behind them.
//!
//! kube-apiserver does this in controllers, a moment after the write; here it is done before the next request.

use std::sync::Arc;

use serde_json::json;

use super::{Call, Key, Object, Store};
use crate::{
    custom::{self, definition},
    deletion::DeleteOptions,
    kinds::{Kind, Subresource},
    meta,
    status::ApiError,
};

// === impl Store ===

impl Store {
    /// Lets the definition that `call` has written take effect.
    pub(super) fn settle(&mut self, call: &Call, name: &str) {
        if !call.kind.is_definition() || call.dry_run {
            return;
        }
        let key = Key::new("", name);
        let Some(found) = self.find(&call.kind, &key) else {
            self.withdraw(name);
            return;
        };
        if meta::is_deleting(found.value()) {
            return;
        }
        let all = self.objects(&call.kind, "");
        let others = all.iter().map(|object| object.value());
        let status = custom::accept(found.value(), others, &call.now);
        let mut value = found.value().clone();
        if value["status"] != status {
            value["status"] = status;
            let by_server = Call {
                part: Some(Subresource::Status),
                manager: "kube-apiserver".to_owned(),
                decided: None,
                ..call.clone()
            };
            by_server.track(&mut value, Some(&*found));
            value = self.put(&call.kind, &key, value).value().clone();
        }
        let mut registry = (*self.registry).clone();
        if registry.define(name, &value) {
            self.registry = Arc::new(registry);
            self.wake(name);
        }
    }

    /// Refuses new objects of a definition that is being deleted.
    pub(super) fn check_definition(&self, kind: &Kind, name: &str) -> Result<(), ApiError> {
        let definitions = self.registry.named("CustomResourceDefinition");
        let (Some(custom), Some(definitions)) = (&kind.custom, definitions) else {
            return Ok(());
        };
        let found = self.find(&definitions, &Key::new("", &custom.definition));
        if found.is_some_and(|found| meta::is_deleting(found.value())) {
            let why = "create not allowed while custom resource definition is terminating";
            return Err(ApiError::forbidden(kind, name, why));
        }
        Ok(())
    }

    /// Marks a definition, and deletes the objects of its kind; it goes with the last of them.
    pub(super) fn delete_definition(
        &mut self,
        kind: &Kind,
        name: &str,
        object: &Arc<Object>,
        now: &str,
    ) -> Arc<Object> {
        let mut marked = object.clone();
        if !meta::is_deleting(object.value()) {
            let value = definition::terminating(object.value(), now);
            marked = self.put(kind, &Key::new("", name), value);
        }
        if let Some(of_objects) = self.registry.defined_by(name) {
            for (key, object) in self.everything(&of_objects) {
                self.discard(&of_objects, &key, object, &DeleteOptions::default(), now);
            }
        }
        self.finish_definition(name);
        marked
    }

    /// Removes a definition that is being deleted once no object of its kind is left.
    pub(super) fn finish_definition(&mut self, name: &str) {
        let Some(kind) = self.registry.named("CustomResourceDefinition") else {
            return;
        };
        let key = Key::new("", name);
        let found = self.find(&kind, &key);
        let Some(found) = found.filter(|found| meta::is_deleting(found.value())) else {
            return;
        };
        let of_objects = self.registry.defined_by(name);
        if of_objects.is_some_and(|kind| !self.everything(&kind).is_empty()) {
            return;
        }
        self.withdraw(name);
        let mut left = meta::finalizers(found.value());
        left.retain(|finalizer| *finalizer != definition::FINALIZER);
        if left.is_empty() {
            self.take(&kind, &key);
        } else if left.len() < meta::finalizers(found.value()).len() {
            let mut value = found.value().clone();
            meta::set(&mut value, "finalizers", json!(left));
            self.put(&kind, &key, value);
        }
    }

    /// Serves the kinds of a definition no longer.
    fn withdraw(&mut self, name: &str) {
        let mut registry = (*self.registry).clone();
        if registry.remove(name) {
            self.registry = Arc::new(registry);
            self.wake(name);
        }
    }

    /// Tells the watches of a shelf to look again.
    fn wake(&mut self, shelf: &str) {
        if let Some(shelf) = self.shelves.get_mut(shelf) {
            shelf.news.send_modify(|_| {});
        }
    }

    fn everything(&self, kind: &Kind) -> Vec<(Key, Arc<Object>)> {
        let shelf = self.shelves.get(&kind.shelf).into_iter();
        let objects = shelf.flat_map(|shelf| &shelf.objects);
        objects
            .map(|(key, object)| (key.clone(), object.clone()))
            .collect()
    }
}
