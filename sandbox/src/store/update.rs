//! Replacing objects, which includes patching them and removing their last finalizer.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Call, Key, Object, Store, grace, isolation, namespace};
use crate::{
    auth,
    kinds::{Kind, Subresource},
    meta, ownership,
    status::{ApiError, FieldError},
};

/// What the server keeps over a replacement, whatever the new state says.
const KEPT: [&str; 3] = ["creationTimestamp", "generation", "resourceVersion"];

/// What the server keeps from the time on when an object is being deleted; until then nobody can write it.
const KEPT_IN_DELETION: [&str; 2] = ["deletionTimestamp", "deletionGracePeriodSeconds"];

/// What a new state was made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Intent {
    /// A whole object: its uid says which object it is meant for.
    Replace,
    /// The stored object and a patch: its uid is a field like others.
    Patch,
    /// The stored object and what a client states of it, or that alone when there is none yet.
    Apply,
}

// === impl Store ===

impl Store {
    /// Replaces an object, or creates it where the kind allows that; the flag says which.
    pub(crate) fn update(
        &mut self,
        call: &Call,
        name: &str,
        new: Value,
        intent: Intent,
    ) -> Result<(Arc<Object>, bool), ApiError> {
        check_name(call, name, &new)?;
        let kind = &*call.kind;
        let key = Key::new(&call.namespace, name);
        let old = self.find(kind, &key);
        let creates = kind.create_on_update && intent == Intent::Replace || intent == Intent::Apply;
        if old.is_none() && !(creates && call.part.is_none()) {
            return Err(ApiError::not_found(kind, name));
        }
        if intent == Intent::Replace {
            check_uid(call, name, &new, old.as_deref())?;
        }
        match old {
            Some(old) => {
                let object = self.replace(call, &key, new, &old)?;
                self.settle(call, name);
                Ok((object, false))
            }
            None => Ok((self.insert(call, new)?, true)),
        }
    }

    fn replace(
        &mut self,
        call: &Call,
        key: &Key,
        mut new: Value,
        old: &Arc<Object>,
    ) -> Result<Arc<Object>, ApiError> {
        let (kind, stored) = (&*call.kind, old.value());
        check_version(kind, &key.name, &new, stored)?;
        for field in KEPT {
            meta::carry(&mut new, field, stored);
        }
        if meta::is_deleting(stored) {
            for field in KEPT_IN_DELETION {
                meta::carry(&mut new, field, stored);
            }
        }
        if meta::text(&new, "uid").is_empty() {
            meta::carry(&mut new, "uid", stored);
        }
        meta::carry(&mut new, "namespace", stored);
        let owners = call.track(&mut new, Some(old));
        auth::check_escalation(self, &call.user, kind, &call.namespace, &new, Some(stored))?;
        isolation::isolate(kind, call.part, &mut new, stored);
        if matches!(call.part, None | Some(Subresource::Scale)) {
            (kind.admit)(&mut new, Some(stored))
                .map_err(|why| ApiError::forbidden(kind, &key.name, &why))?;
            (kind.prepare)(&mut new, Some(stored));
        }
        isolation::count(kind, &mut new, stored);
        ownership::keep_times(&mut new, stored);

        let errors = kind.check(&new, Some(stored));
        let mut errors = kind.metadata.check_change(&new, stored, errors);
        if errors.is_empty() {
            errors = (kind.claim)(&mut new, &mut self.others(kind, key));
        }
        if !errors.is_empty() {
            return Err(ApiError::invalid(
                kind.stored_group(),
                &kind.kind,
                &key.name,
                &errors,
            ));
        }
        // The last finalizer of an object that is being deleted ends it. A namespace also waits for its contents.
        let ends = grace::is_over(stored) && meta::finalizers(&new).is_empty();
        let finalized = !namespace::is_held(&new);
        if call.dry_run {
            return Ok(Arc::new(Object::new(new)));
        }
        if ends && (finalized || !kind.is_namespace()) {
            self.take(kind, key);
            self.tidy(&call.now);
            return Ok(Arc::new(Object::new(new)));
        }
        if new == *stored {
            return Ok(old.clone());
        }
        let object = self.put(kind, key, new);
        object.remember(owners);
        self.tidy(&call.now);
        Ok(object)
    }
}

fn check_name(call: &Call, name: &str, new: &Value) -> Result<(), ApiError> {
    let (given, namespace) = (meta::text(new, "name"), meta::text(new, "namespace"));
    let message = if given.is_empty() {
        format!(
            "the name of the object ({name} based on URL) was undeterminable: name must be provided"
        )
    } else if given != name {
        format!("the name of the object ({given}) does not match the name on the URL ({name})")
    } else if call.kind.namespaced && !namespace.is_empty() && namespace != call.namespace {
        "the namespace of the provided object does not match the namespace sent on the request"
            .to_owned()
    } else {
        return Ok(());
    };
    Err(ApiError::bad_request(message))
}

/// A whole object with a uid is meant for that object alone, also when there is none now.
fn check_uid(call: &Call, name: &str, new: &Value, old: Option<&Object>) -> Result<(), ApiError> {
    let given = meta::text(new, "uid");
    let found = old.map_or("", |old| meta::text(old.value(), "uid"));
    if given.is_empty() || given == found {
        return Ok(());
    }
    let place = match call.namespace.as_str() {
        "" => name.to_owned(),
        namespace => format!("{namespace}/{name}"),
    };
    let why = format!(
        "StorageError: invalid object, Code: 4, Key: /registry/{}/{place}, ResourceVersion: 0, \
         AdditionalErrorMsg: Precondition failed: UID in precondition: {given}, UID in object meta: {found}",
        call.kind.plural
    );
    Err(ApiError::conflict(&call.kind, name, &why))
}

fn check_version(kind: &Kind, name: &str, new: &Value, stored: &Value) -> Result<(), ApiError> {
    let given = meta::text(new, "resourceVersion");
    if given.is_empty() || given == "0" {
        if kind.unconditional_update {
            return Ok(());
        }
        let error = FieldError::invalid(
            "metadata.resourceVersion",
            &json!(0),
            "must be specified for an update",
        );
        // The API server names the resource here, where other errors name the kind.
        return Err(ApiError::invalid(&kind.group, &kind.plural, name, &[error]));
    }
    if given.parse::<u64>().is_err() {
        let message = format!("invalid resource version {given:?}");
        return Err(ApiError::bad_request(message));
    }
    if given != meta::text(stored, "resourceVersion") {
        return Err(ApiError::stale(kind, name));
    }
    Ok(())
}
