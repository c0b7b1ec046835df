//! Questions about users and their rights, which are posted and answered, and kept nowhere.

use serde_json::{Value, json};

use super::{
    attributes::{Attributes, Resource, Target},
    rbac::{self, Policy},
    rule::PolicyRule,
    user::User,
};
use crate::status::{ApiError, FieldError};

/// The kinds of reviews.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Review {
    SelfSubjectAccess,
    SubjectAccess,
    LocalSubjectAccess,
    SelfSubjectRules,
    SelfSubject,
}

// === impl Review ===

impl Review {
    /// Answers a review that `user` has posted; the object comes decoded, without its type.
    pub(crate) fn answer(
        self,
        policy: &impl Policy,
        user: &User,
        namespace: &str,
        mut review: Value,
        now: &str,
    ) -> Result<Value, ApiError> {
        match self {
            Self::SelfSubject => Ok(json!({
                "metadata": {"creationTimestamp": now},
                "status": {"userInfo": user.to_json()},
            })),
            Self::SelfSubjectRules => rules_review(policy, user, &review),
            _ => {
                if self == Self::LocalSubjectAccess {
                    review["metadata"]["namespace"] = json!(namespace);
                }
                self.validate(&review)?;
                let spec = &review["spec"];
                let subject = match self {
                    Self::SelfSubjectAccess => user.clone(),
                    _ => subject(spec),
                };
                let decision = rbac::decide(policy, &subject, &asked(spec));
                let mut status = json!({"allowed": decision.allowed});
                if !decision.reason.is_empty() {
                    status["reason"] = json!(decision.reason);
                }
                review["status"] = status;
                Ok(review)
            }
        }
    }

    fn validate(self, review: &Value) -> Result<(), ApiError> {
        let spec = &review["spec"];
        let (resource, path) = (&spec["resourceAttributes"], &spec["nonResourceAttributes"]);
        let mut errors = Vec::new();
        let mut refuse = |field: &'static str, value: &Value, why: &str| {
            errors.push(FieldError::invalid(field, value, why));
        };
        let shown = json!({"Path": text(path, "path"), "Verb": text(path, "verb")});
        if !resource.is_null() && !path.is_null() {
            let why = "cannot be specified in combination with resourceAttributes";
            refuse("spec.nonResourceAttributes", &shown, why);
        }
        if resource.is_null() && path.is_null() {
            let why =
                "exactly one of nonResourceAttributes or resourceAttributes must be specified";
            refuse("spec.resourceAttributes", &Value::Null, why);
        }
        let no_groups = spec["groups"].as_array().is_none_or(Vec::is_empty);
        if self != Self::SelfSubjectAccess && text(spec, "user").is_empty() && no_groups {
            let why = "at least one of user or group must be specified";
            refuse("spec.user", &json!(""), why);
        }
        let metadata = &review["metadata"];
        let is_local = self == Self::LocalSubjectAccess;
        let allowed = |key: &String| key == "managedFields" || (is_local && key == "namespace");
        let fields = metadata.as_object();
        if !fields.is_none_or(|fields| fields.keys().all(allowed)) {
            let why = match is_local {
                true => "must be empty except for namespace",
                false => "must be empty",
            };
            refuse("metadata", metadata, why);
        }
        if is_local {
            let namespace = text(resource, "namespace");
            if !resource.is_null() && metadata["namespace"] != namespace {
                let (field, why) = (
                    "spec.resourceAttributes.namespace",
                    "must match metadata.namespace",
                );
                refuse(field, &json!(namespace), why);
            }
            if !path.is_null() {
                let why = "disallowed on this kind of request";
                refuse("spec.nonResourceAttributes", &shown, why);
            }
        }
        if errors.is_empty() {
            return Ok(());
        }
        // The API server does not name the kind here.
        Err(ApiError::invalid("authorization.k8s.io", "", "", &errors))
    }
}

fn rules_review(policy: &impl Policy, user: &User, review: &Value) -> Result<Value, ApiError> {
    let namespace = &*text(&review["spec"], "namespace");
    if namespace.is_empty() {
        return Err(ApiError::bad_request("no namespace on request"));
    }
    let (rules, missing) = rbac::rules_for(policy, user, namespace);
    let about_resources = rules.iter().filter(|rule| !rule.resources.is_empty());
    let about_paths = rules.iter().filter(|rule| !rule.paths.is_empty());
    let resource_rule = |rule: &PolicyRule| {
        let mut shown = json!({
            "verbs": rule.verbs, "apiGroups": rule.groups, "resources": rule.resources,
        });
        if !rule.names.is_empty() {
            shown["resourceNames"] = json!(rule.names);
        }
        shown
    };
    let path_rule = |rule: &PolicyRule| json!({"verbs": rule.verbs, "nonResourceURLs": rule.paths});
    let mut status = json!({
        "resourceRules": about_resources.map(resource_rule).collect::<Vec<_>>(),
        "nonResourceRules": about_paths.map(path_rule).collect::<Vec<_>>(),
        "incomplete": false,
    });
    let missing = missing.iter().map(ToString::to_string).collect();
    if let Some(missing) = rbac::together(missing) {
        status["evaluationError"] = json!(missing);
    }
    Ok(json!({"metadata": {}, "spec": {}, "status": status}))
}

/// The user that a review is about.
fn subject(spec: &Value) -> User {
    let groups = spec["groups"].as_array().into_iter().flatten();
    let groups = groups.filter_map(Value::as_str).map(str::to_owned);
    User {
        name: text(spec, "user"),
        uid: text(spec, "uid"),
        groups: groups.collect(),
        extra: spec["extra"].as_object().cloned().unwrap_or_default(),
    }
}

fn asked(spec: &Value) -> Attributes {
    let (resource, path) = (&spec["resourceAttributes"], &spec["nonResourceAttributes"]);
    if resource.is_null() {
        return Attributes {
            verb: text(path, "verb"),
            target: Target::Path(text(path, "path")),
        };
    }
    Attributes {
        verb: text(resource, "verb"),
        target: Target::Resource(Resource {
            group: text(resource, "group"),
            resource: text(resource, "resource"),
            subresource: text(resource, "subresource"),
            namespace: text(resource, "namespace"),
            name: text(resource, "name"),
        }),
    }
}

fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_default().to_owned()
}
