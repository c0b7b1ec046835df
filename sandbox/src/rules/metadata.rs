//! The rules for metadata that all kinds share.

use serde_json::Value;

use super::{
    at::At,
    names::{self, NameForm},
};
use crate::{meta, status::FieldError};

/// The largest size of all annotations together.
const ANNOTATIONS_LIMIT: usize = 256 * 1024;

/// Finalizers without a domain that are known nevertheless.
const STANDARD_FINALIZERS: [&str; 3] = ["kubernetes", "orphan", "foregroundDeletion"];

const IMMUTABLE: [&str; 4] = [
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
];

/// How far a kind goes beyond the rules for all kinds; the API server repeats some, and each time adds a cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MetadataRules {
    /// The form of names.
    pub name: NameForm,
    /// Which rules the kind itself repeats.
    pub repeats: Repeats,
    /// Whether finalizers must have a domain or be standard ones.
    pub qualified_finalizers: bool,
}

/// The rules that a kind itself applies, besides those for all kinds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Repeats {
    /// None at all: only the rules for all kinds are left, after those of the kind.
    Nothing,
    /// Those for a change.
    Change,
    /// Those for a change, and then those for a new object.
    #[default]
    All,
}

// === impl MetadataRules ===

impl Default for MetadataRules {
    fn default() -> Self {
        Self::of(NameForm::default(), Repeats::default())
    }
}

impl MetadataRules {
    pub(crate) fn of(name: NameForm, repeats: Repeats) -> Self {
        Self {
            name,
            repeats,
            qualified_finalizers: true,
        }
    }

    /// The rules of custom resources.
    pub(crate) fn custom() -> Self {
        Self {
            qualified_finalizers: false,
            ..Self::of(NameForm::Subdomain, Repeats::Change)
        }
    }

    /// What is wrong with the metadata of a new object; the kind's own rules found `others`.
    pub(crate) fn check_new(&self, new: &Value, others: Vec<FieldError>) -> Vec<FieldError> {
        if self.repeats == Repeats::Nothing {
            if others.is_empty() {
                return whole(new, NameForm::PathSegment, false);
            }
            return others;
        }
        let mut errors = whole(new, self.name, self.qualified_finalizers);
        errors.extend(others);
        errors
    }

    /// What is wrong with the metadata of an object that replaces `old`; the kind's own rules found `others`.
    pub(crate) fn check_change(
        &self,
        new: &Value,
        old: &Value,
        others: Vec<FieldError>,
    ) -> Vec<FieldError> {
        let mut errors = whole(new, NameForm::PathSegment, false);
        errors.extend(change(new, old));
        if self.repeats != Repeats::Nothing {
            errors.extend(change(new, old));
            if self.qualified_finalizers {
                errors.extend(unqualified_finalizers(new));
            }
        }
        if self.repeats == Repeats::All {
            errors.extend(whole(new, self.name, self.qualified_finalizers));
        }
        errors.extend(others);
        errors
    }
}

/// The rules for the metadata of any object.
fn whole(object: &Value, form: NameForm, qualified_finalizers: bool) -> Vec<FieldError> {
    let metadata = At::root(object).field("metadata");
    let mut errors = Vec::new();
    let start = metadata.field("generateName");
    if !start.text().is_empty() {
        errors.extend(start.misformed(form.check_start(start.text())));
    }
    let name = metadata.field("name");
    if name.text().is_empty() {
        errors.push(name.required("name or generateName is required"));
    } else {
        errors.extend(name.misformed(form.check(name.text())));
    }
    errors.extend(tags(&metadata));
    errors.extend(finalizers(&metadata));
    if qualified_finalizers {
        errors.extend(unqualified_finalizers(object));
    }
    errors
}

/// The rules for a change of metadata.
fn change(new: &Value, old: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let (new_at, old_at) = (
        At::root(new).field("metadata"),
        At::root(old).field("metadata"),
    );
    errors.extend(new_finalizers(new, old));
    for field in IMMUTABLE {
        errors.extend(new_at.field(field).unchanged(&old_at.field(field)));
    }
    errors.extend(tags(&new_at));
    errors
}

/// Nothing may hold an object from the time on when it is being deleted.
fn new_finalizers(new: &Value, old: &Value) -> Option<FieldError> {
    let before = meta::finalizers(old);
    let mut added = meta::finalizers(new);
    added.retain(|finalizer| !before.contains(finalizer));
    if !meta::is_deleting(old) || added.is_empty() {
        return None;
    }
    added.sort_unstable();
    added.dedup();
    let list = format!("{added:?}");
    let list = list.trim_matches(['[', ']']);
    let why = format!(
        "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{list}}}"
    );
    Some(FieldError::forbidden("metadata.finalizers", &why))
}

/// Labels, annotations and owners.
fn tags(metadata: &At<'_>) -> Vec<FieldError> {
    let mut errors = labels(&metadata.field("labels"));
    errors.extend(annotations(&metadata.field("annotations")));
    errors.extend(owners(&metadata.field("ownerReferences")));
    errors
}

/// The rules for the keys and values of labels.
pub(crate) fn labels(labels: &At<'_>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for (key, value) in labels.entries() {
        for why in names::qualified(key) {
            errors.push(FieldError::invalid(labels.path(), &key.into(), &why));
        }
        for why in names::label_value(value.text()) {
            errors.push(FieldError::invalid(labels.path(), value.value(), &why));
        }
    }
    errors
}

/// The rules for the keys of annotations, and for their size.
pub(crate) fn annotations(annotations: &At<'_>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut size = 0;
    for (key, value) in annotations.entries() {
        size += key.len() + value.text().len();
        for why in names::qualified(&key.to_lowercase()) {
            errors.push(FieldError::invalid(annotations.path(), &key.into(), &why));
        }
    }
    if size > ANNOTATIONS_LIMIT {
        errors.push(FieldError::too_long(annotations.path(), ANNOTATIONS_LIMIT));
    }
    errors
}

fn owners(owners: &At<'_>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut controller: Option<String> = None;
    for owner in owners.items() {
        let text = |field| owner.field(field).text();
        for field in ["apiVersion", "kind", "name", "uid"] {
            let version = text("apiVersion").rsplit('/').next().unwrap_or_default();
            let (empty, why) = match field {
                "apiVersion" => (version.is_empty(), "version must not be empty"),
                field => (text(field).is_empty(), "must not be empty"),
            };
            if empty {
                let path = format!("{}.{field}", owners.path());
                errors.push(FieldError::invalid(path, &text(field).into(), why));
            }
        }
        if (text("apiVersion"), text("kind")) == ("v1", "Event") {
            let why = "/v1, Kind=Event is disallowed from being an owner";
            errors.push(FieldError::invalid_form(
                owners.path(),
                &reference(&owner),
                why,
            ));
        }
        if owner.field("controller").is_true() {
            let name = format!("{}/{}", text("kind"), text("name"));
            if let Some(first) = &controller {
                let why = format!(
                    "Only one reference can have Controller set to true. Found \"true\" in references for {first} and {name}"
                );
                let all: Vec<_> = owners.items().map(|owner| reference(&owner)).collect();
                let all = format!("[{}]", all.join(","));
                errors.push(FieldError::invalid_form(owners.path(), &all, &why));
            } else {
                controller = Some(name);
            }
        }
    }
    errors
}

/// An owner reference with its fields in the order in which Go writes them.
fn reference(owner: &At<'_>) -> String {
    let required = ["apiVersion", "kind", "name", "uid"];
    let mut fields: Vec<_> = required
        .into_iter()
        .map(|field| format!("\"{field}\":{}", Value::from(owner.field(field).text())))
        .collect();
    for field in ["controller", "blockOwnerDeletion"] {
        if owner.field(field).is_set() {
            fields.push(format!("\"{field}\":{}", owner.field(field).value()));
        }
    }
    format!("{{{}}}", fields.join(","))
}

fn finalizers(metadata: &At<'_>) -> Vec<FieldError> {
    let list = metadata.field("finalizers");
    let mut errors = Vec::new();
    for finalizer in list.items() {
        for why in names::qualified(finalizer.text()) {
            errors.push(FieldError::invalid(list.path(), finalizer.value(), &why));
        }
    }
    let has = |wanted: &str| list.items().any(|finalizer| finalizer.text() == wanted);
    if has("orphan") && has("foregroundDeletion") {
        let why = "finalizer orphan and foregroundDeletion cannot be both set";
        errors.push(list.invalid(why));
    }
    errors
}

fn unqualified_finalizers(object: &Value) -> Vec<FieldError> {
    let list = At::root(object).field("metadata").field("finalizers");
    let wrong = list
        .items()
        .filter(|one| !one.text().contains('/') && !STANDARD_FINALIZERS.contains(&one.text()));
    let why = "name is neither a standard finalizer name nor is it fully qualified";
    wrong.map(|one| one.invalid(why)).collect()
}
