//! Roles and their bindings.

use serde_json::{Value, json};

use super::{at::At, names, selection};
use crate::status::FieldError;

const GROUP: &str = "rbac.authorization.k8s.io";

// === roles ===

/// A list of rules that is missing is shown as null, which no other list of these kinds is.
pub(crate) fn prepare_role(new: &mut Value, _: Option<&Value>) {
    if let Some(fields) = new.as_object_mut() {
        fields.entry("rules").or_insert(Value::Null);
    }
}

pub(crate) fn validate_role(new: &Value, _: Option<&Value>) -> Vec<FieldError> {
    let rules = At::root(new).field("rules");
    rules
        .items()
        .flat_map(|rule| rule_errors(&rule, true))
        .collect()
}

pub(crate) fn validate_cluster_role(new: &Value, _: Option<&Value>) -> Vec<FieldError> {
    let root = At::root(new);
    let mut errors: Vec<_> = root
        .field("rules")
        .items()
        .flat_map(|rule| rule_errors(&rule, false))
        .collect();
    let aggregation = root.field("aggregationRule");
    let selectors = aggregation.field("clusterRoleSelectors");
    if aggregation.is_set() && selectors.len() == 0 {
        let why = "at least one clusterRoleSelector required if aggregationRule is non-nil";
        errors.push(selectors.required(why));
    }
    errors.extend(
        selectors
            .items()
            .flat_map(|selector| selection::check(&selector)),
    );
    errors
}

fn rule_errors(rule: &At<'_>, namespaced: bool) -> Vec<FieldError> {
    let has = |field: &str| rule.field(field).len() > 0;
    let mut errors = Vec::new();
    if !has("verbs") {
        let verbs = rule.field("verbs");
        errors.push(verbs.required("verbs must contain at least one value"));
    }
    let urls = rule.field("nonResourceURLs");
    if urls.len() > 0 {
        if namespaced {
            errors.push(urls.invalid("namespaced rules cannot apply to non-resource URLs"));
        }
        if has("apiGroups") || has("resources") || has("resourceNames") {
            let why = "rules cannot apply to both regular resources and non-resource URLs";
            errors.push(urls.invalid(why));
        }
        return errors;
    }
    for (field, why) in [
        (
            "apiGroups",
            "resource rules must supply at least one api group",
        ),
        (
            "resources",
            "resource rules must supply at least one resource",
        ),
    ] {
        if !has(field) {
            errors.push(rule.field(field).required(why));
        }
    }
    errors
}

// === bindings ===

pub(crate) fn default_binding(new: &mut Value) {
    if let Some(fields) = new.as_object_mut()
        && let Some(role) = fields
            .entry("roleRef")
            .or_insert_with(|| json!({}))
            .as_object_mut()
    {
        fill_group(role);
    }
    let subjects = new.get_mut("subjects").and_then(Value::as_array_mut);
    for subject in subjects
        .into_iter()
        .flatten()
        .filter_map(Value::as_object_mut)
    {
        let kind = subject.get("kind").and_then(Value::as_str);
        if matches!(kind, Some("User" | "Group")) {
            fill_group(subject);
        }
    }
}

fn fill_group(reference: &mut serde_json::Map<String, Value>) {
    if reference.get("apiGroup").is_none_or(|group| group == "") {
        reference.insert("apiGroup".to_owned(), json!(GROUP));
    }
}

pub(crate) fn validate_role_binding(new: &Value, old: Option<&Value>) -> Vec<FieldError> {
    binding_errors(new, old, &["Role", "ClusterRole"], true)
}

pub(crate) fn validate_cluster_role_binding(new: &Value, old: Option<&Value>) -> Vec<FieldError> {
    binding_errors(new, old, &["ClusterRole"], false)
}

fn binding_errors(
    new: &Value,
    old: Option<&Value>,
    kinds: &[&str],
    namespaced: bool,
) -> Vec<FieldError> {
    let root = At::root(new);
    let role = root.field("roleRef");
    let mut errors = Vec::new();
    errors.extend(role.field("apiGroup").one_of(&[GROUP]));
    errors.extend(role.field("kind").one_of(kinds));
    let name = role.field("name");
    if name.text().is_empty() {
        errors.push(name.required(""));
    } else {
        errors.extend(name.misformed(names::path_segment(name.text())));
    }
    for subject in root.field("subjects").items() {
        errors.extend(subject_errors(&subject, namespaced));
    }
    if old.is_some_and(|old| old["roleRef"] != new["roleRef"]) {
        let text = |field: &str| Value::from(role.field(field).text());
        let shown = format!(
            "{{\"APIGroup\":{},\"Kind\":{},\"Name\":{}}}",
            text("apiGroup"),
            text("kind"),
            text("name")
        );
        errors.push(FieldError::invalid_form(
            "roleRef",
            &shown,
            "cannot change roleRef",
        ));
    }
    errors
}

fn subject_errors(subject: &At<'_>, namespaced: bool) -> Vec<FieldError> {
    let (name, group) = (subject.field("name"), subject.field("apiGroup"));
    let mut errors = Vec::new();
    if name.text().is_empty() {
        errors.push(name.required(""));
    }
    match subject.field("kind").text() {
        "ServiceAccount" => {
            if !name.text().is_empty() {
                errors.extend(name.misformed(names::subdomain(name.text())));
            }
            errors.extend(group.one_of(&[""]));
            let namespace = subject.field("namespace");
            if !namespaced && namespace.text().is_empty() {
                errors.push(namespace.required(""));
            }
        }
        "User" | "Group" => errors.extend(group.one_of(&[GROUP])),
        _ => {
            let kinds = ["ServiceAccount", "User", "Group"];
            errors.extend(subject.field("kind").one_of(&kinds));
        }
    }
    errors
}
