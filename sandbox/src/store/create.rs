//! Creating objects.

use std::sync::Arc;

use serde_json::Value;

use super::{Call, Key, Object, Store, isolation};
use crate::{auth, kinds::Kind, meta, status::ApiError};

/// What the server sets itself; whatever a client sends here is dropped.
const SYSTEM: [&str; 5] = [
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "resourceVersion",
];

/// The letters of generated names: none that form words or look alike.
const SUFFIX_LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
const SUFFIX_LENGTH: usize = 5;

/// The longest name that is generated, for whatever kind.
const GENERATED_LIMIT: usize = 63;

// === impl Store ===

impl Store {
    /// Creates the object of a POST.
    pub(crate) fn create(&mut self, call: &Call, body: Value) -> Result<Arc<Object>, ApiError> {
        if !meta::text(&body, "resourceVersion").is_empty() {
            let message = "resourceVersion should not be set on objects to be created";
            return Err(ApiError::bad_request(message));
        }
        self.insert(call, body)
    }

    /// Stores an object that a cluster starts with; nobody is asked whether it fits.
    pub(crate) fn seed(&mut self, kind: &Kind, mut new: Value, now: &str) {
        let key = Key::of(&new);
        meta::set(&mut new, "uid", uuid::Uuid::new_v4().to_string());
        meta::set(&mut new, "creationTimestamp", now);
        self.put(kind, &key, new);
    }

    /// Creates an object, for a POST or for a PUT of a kind that allows it.
    pub(super) fn insert(&mut self, call: &Call, mut new: Value) -> Result<Arc<Object>, ApiError> {
        let kind = &*call.kind;
        let namespace = meta::text(&new, "namespace");
        if kind.namespaced && !namespace.is_empty() && namespace != call.namespace {
            let message = "the namespace of the provided object does not match the namespace sent on the request";
            return Err(ApiError::bad_request(message));
        }
        for field in SYSTEM {
            meta::remove(&mut new, field);
        }
        self.name(call, &mut new);
        let name = meta::text(&new, "name").to_owned();
        self.check_namespace(call, &name)?;
        self.check_definition(kind, &name)?;
        if kind.namespaced {
            meta::set(&mut new, "namespace", call.namespace.as_str());
        } else {
            meta::remove(&mut new, "namespace");
        }
        let owners = call.track(&mut new, None);
        auth::check_escalation(self, &call.user, kind, &call.namespace, &new, None)?;
        (kind.admit)(&mut new, None).map_err(|why| ApiError::forbidden(kind, &name, &why))?;
        isolation::start(kind, &mut new);
        (kind.prepare)(&mut new, None);

        let errors = kind.check(&new, None);
        let mut errors = kind.metadata.check_new(&new, errors);
        let key = Key::new(&call.namespace, &name);
        if errors.is_empty() {
            errors = (kind.claim)(&mut new, &mut self.others(kind, &key));
        }
        if !errors.is_empty() {
            return Err(ApiError::invalid(
                kind.stored_group(),
                &kind.kind,
                &name,
                &errors,
            ));
        }
        if let Some(old) = self.find(kind, &key) {
            let refuse = if meta::is_deleting(old.value()) {
                ApiError::still_exists
            } else {
                ApiError::already_exists
            };
            return Err(refuse(kind, &name));
        }
        meta::set(&mut new, "uid", uuid::Uuid::new_v4().to_string());
        meta::set(&mut new, "creationTimestamp", call.now.as_str());
        if call.dry_run {
            return Ok(Arc::new(Object::new(new)));
        }
        let object = self.put(kind, &key, new);
        object.remember(owners);
        self.settle(call, &name);
        self.tidy(&call.now);
        Ok(object)
    }

    /// Generates a free name where only the start of one is given.
    fn name(&self, call: &Call, new: &mut Value) {
        let base = meta::text(new, "generateName");
        if !meta::text(new, "name").is_empty() || base.is_empty() {
            return;
        }
        let base: String = base.chars().take(GENERATED_LIMIT - SUFFIX_LENGTH).collect();
        loop {
            let name = format!("{base}{}", suffix());
            if self
                .find(&call.kind, &Key::new(&call.namespace, &name))
                .is_none()
            {
                return meta::set(new, "name", name);
            }
        }
    }

    fn check_namespace(&self, call: &Call, name: &str) -> Result<(), ApiError> {
        if !call.kind.namespaced {
            return Ok(());
        }
        let namespace = self.get(&self.registry.namespace(), "", &call.namespace)?;
        if meta::is_deleting(namespace.value()) {
            return Err(ApiError::terminating(&call.kind, name, &call.namespace));
        }
        Ok(())
    }
}

fn suffix() -> String {
    let random = uuid::Uuid::new_v4();
    let letters = random.as_bytes().iter().take(SUFFIX_LENGTH);
    letters
        .map(|byte| char::from(SUFFIX_LETTERS[usize::from(*byte) % SUFFIX_LETTERS.len()]))
        .collect()
}
