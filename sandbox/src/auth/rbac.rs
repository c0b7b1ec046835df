//! Which rules apply to a user: from bindings to roles.

use std::{fmt::Write, sync::Arc};

use serde_json::Value;

use super::{attributes::Attributes, rule::PolicyRule, user, user::User};
use crate::store::Object;

pub(super) const GROUP: &str = "rbac.authorization.k8s.io";

/// Where roles and bindings are found.
pub(crate) trait Policy {
    /// The object of this name; the namespace is empty for ClusterRoles.
    fn role(&self, resource: &str, namespace: &str, name: &str) -> Option<Arc<Object>>;

    /// All objects in a namespace; it is empty for ClusterRoleBindings.
    fn bindings(&self, resource: &str, namespace: &str) -> Vec<Arc<Object>>;
}

/// The answer of authorization.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Decision {
    pub allowed: bool,
    /// What allows it, or what went wrong while rules were looked for; may be empty.
    pub reason: String,
}

/// A binding that gives a user a role.
struct Grant {
    binding: Arc<Object>,
    /// The subject of the binding that is the user.
    subject: usize,
    /// The rules of the role, or the role that is missing.
    rules: Result<Vec<PolicyRule>, MissingRole>,
}

/// A role that a binding names and that is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MissingRole {
    /// `role` or `clusterrole`.
    singular: &'static str,
    pub(super) name: String,
}

/// Decides whether `user` may do what is asked.
pub(crate) fn decide(policy: &impl Policy, user: &User, asked: &Attributes) -> Decision {
    if user.is_master() {
        return Decision {
            allowed: true,
            reason: String::new(),
        };
    }
    let mut missing = Vec::new();
    for grant in grants(policy, user, asked.namespace()) {
        match &grant.rules {
            Ok(rules) if rules.iter().any(|rule| rule.allows(asked)) => {
                return Decision {
                    allowed: true,
                    reason: format!("RBAC: allowed by {}", grant.describe()),
                };
            }
            Ok(_) => {}
            Err(role) => missing.push(role.to_string()),
        }
    }
    let reason = match together(missing) {
        None => String::new(),
        Some(missing) => format!("RBAC: {missing}"),
    };
    Decision {
        allowed: false,
        reason,
    }
}

/// All rules of a user in a namespace, and the roles that are missing.
pub(super) fn rules_for(
    policy: &impl Policy,
    user: &User,
    namespace: &str,
) -> (Vec<PolicyRule>, Vec<MissingRole>) {
    let (mut rules, mut missing) = (Vec::new(), Vec::new());
    for grant in grants(policy, user, namespace) {
        match grant.rules {
            Ok(found) => rules.extend(found),
            Err(role) => missing.push(role),
        }
    }
    (rules, missing)
}

/// The rules of the role that a binding in `namespace` refers to.
pub(super) fn rules_of(
    policy: &impl Policy,
    reference: &Value,
    namespace: &str,
) -> Result<Vec<PolicyRule>, MissingRole> {
    let (resource, singular, namespace) = match reference["kind"].as_str() {
        Some("Role") => ("roles", "role", namespace),
        _ => ("clusterroles", "clusterrole", ""),
    };
    let name = reference["name"].as_str().unwrap_or_default();
    match policy.role(resource, namespace, name) {
        Some(role) => Ok(PolicyRule::all_of(role.value())),
        None => Err(MissingRole {
            singular,
            name: name.to_owned(),
        }),
    }
}

/// Several texts as Go joins errors, each said once.
pub(super) fn together(mut texts: Vec<String>) -> Option<String> {
    let mut seen = Vec::new();
    texts.retain(|text| {
        let new = !seen.contains(text);
        seen.push(text.clone());
        new
    });
    match texts.as_slice() {
        [] => None,
        [one] => Some(one.clone()),
        many => Some(format!("[{}]", many.join(", "))),
    }
}

fn grants(policy: &impl Policy, user: &User, namespace: &str) -> Vec<Grant> {
    let mut bindings = policy.bindings("clusterrolebindings", "");
    let in_cluster = bindings.len();
    if !namespace.is_empty() {
        bindings.extend(policy.bindings("rolebindings", namespace));
    }
    let grant = |(index, binding): (usize, Arc<Object>)| {
        let namespace = if index < in_cluster { "" } else { namespace };
        let subjects = binding.value()["subjects"].as_array()?;
        let subject = subjects
            .iter()
            .position(|subject| applies(subject, user, namespace))?;
        let rules = rules_of(policy, &binding.value()["roleRef"], namespace);
        Some(Grant {
            binding,
            subject,
            rules,
        })
    };
    bindings.into_iter().enumerate().filter_map(grant).collect()
}

/// Whether a subject of a binding in `namespace` is the user.
fn applies(subject: &Value, user: &User, namespace: &str) -> bool {
    let text = |field: &str| subject[field].as_str().unwrap_or_default();
    match text("kind") {
        "User" => text("name") == user.name,
        "Group" => user.is_in(text("name")),
        "ServiceAccount" => {
            let namespace = match text("namespace") {
                "" => namespace,
                given => given,
            };
            user::service_account(&user.name) == Some((namespace, text("name")))
        }
        _ => false,
    }
}

// === impl Grant ===

impl Grant {
    fn describe(&self) -> String {
        let binding = self.binding.value();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (mut name, namespace) = (
            text(&binding["metadata"]["name"]),
            text(&binding["metadata"]["namespace"]),
        );
        let subject = &binding["subjects"][self.subject];
        let mut who = text(&subject["name"]);
        if subject["kind"] == "ServiceAccount" {
            let given = text(&subject["namespace"]);
            let home = if given.is_empty() { &namespace } else { &given };
            let _ = write!(who, "/{home}");
        }
        let mut kind = "ClusterRoleBinding";
        if !namespace.is_empty() {
            kind = "RoleBinding";
            let _ = write!(name, "/{namespace}");
        }
        let role = &binding["roleRef"];
        format!(
            "{kind} {name:?} of {} {:?} to {} {who:?}",
            text(&role["kind"]),
            text(&role["name"]),
            text(&subject["kind"])
        )
    }
}

// === impl MissingRole ===

impl std::fmt::Display for MissingRole {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { singular, name } = self;
        write!(f, "{singular}.{GROUP} {name:?} not found")
    }
}
