//! Nobody grants rights that it does not hold: the check of writes of roles and bindings.

use std::{collections::BTreeSet, fmt::Write};

use serde_json::Value;

use super::{
    attributes::{Attributes, Resource, Target},
    rbac::{self, GROUP, MissingRole, Policy},
    rule::PolicyRule,
    user::User,
};
use crate::{kinds::Kind, meta, status::ApiError};

/// Checks that `user` may write `new` in place of `old`, when it is a role or a binding.
pub(crate) fn check(
    policy: &impl Policy,
    user: &User,
    kind: &Kind,
    namespace: &str,
    new: &Value,
    old: Option<&Value>,
) -> Result<(), ApiError> {
    if kind.group != GROUP || user.is_master() || old.is_some_and(|old| same_rights(old, new)) {
        return Ok(());
    }
    let name = meta::text(new, "name");
    let allowed = |verb: &str, resource: &str, name: &str| {
        let target = Resource {
            group: GROUP.to_owned(),
            resource: resource.to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            ..Resource::default()
        };
        let (verb, target) = (verb.to_owned(), Target::Resource(target));
        rbac::decide(policy, user, &Attributes { verb, target }).allowed
    };
    let wanted = if new.get("roleRef").is_some() {
        let reference = &new["roleRef"];
        let resource = match reference["kind"].as_str() {
            Some("Role") => "roles",
            _ => "clusterroles",
        };
        let role = reference["name"].as_str().unwrap_or_default();
        if allowed("bind", resource, role) {
            return Ok(());
        }
        let missing = |role: MissingRole| ApiError::not_found(kind, &role.name);
        rbac::rules_of(policy, reference, namespace).map_err(missing)?
    } else {
        // The object of a POST has no name in the path, which is where the name of this check comes from.
        let on_path = old.map(|_| name).unwrap_or_default();
        if allowed("escalate", &kind.plural, on_path) {
            return Ok(());
        }
        PolicyRule::all_of(new)
    };
    let (held, missing) = rbac::rules_for(policy, user, namespace);
    match excess(&held, &wanted) {
        None => Ok(()),
        Some(excess) => {
            let why = refusal(kind, user, &excess, missing);
            Err(ApiError::forbidden(kind, name, &why))
        }
    }
}

fn same_rights(old: &Value, new: &Value) -> bool {
    // What the garbage collector changes grants nothing.
    let fields = ["rules", "roleRef", "subjects", "aggregationRule"];
    let metadata = ["labels", "annotations"];
    fields.iter().all(|field| old.get(field) == new.get(field))
        && metadata
            .iter()
            .all(|field| old["metadata"].get(field) == new["metadata"].get(field))
}

/// The wanted rights that are not held, described in order; `None` if all are.
fn excess(held: &[PolicyRule], wanted: &[PolicyRule]) -> Option<String> {
    let mut compact: Vec<PolicyRule> = Vec::new();
    for atom in wanted.iter().flat_map(PolicyRule::atoms) {
        if held.iter().any(|rule| rule.covers(&atom)) {
            continue;
        }
        let same = |other: &&mut PolicyRule| {
            atom.paths.is_empty()
                && (&other.groups, &other.resources, &other.names, &other.paths)
                    == (&atom.groups, &atom.resources, &atom.names, &atom.paths)
        };
        match compact.iter_mut().find(same) {
            Some(other) => other.verbs.extend(atom.verbs),
            None => compact.push(atom),
        }
    }
    let lines: BTreeSet<_> = compact.iter().map(describe).collect();
    let lines: Vec<_> = lines.into_iter().collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

fn refusal(kind: &Kind, user: &User, excess: &str, missing: Vec<MissingRole>) -> String {
    let mut why = format!(
        "user {:?} (groups={}) is attempting to grant RBAC permissions not currently held:\n{excess}",
        user.name,
        quoted(&user.groups)
    );
    let missing = missing
        .into_iter()
        .map(|role| format!("{} {:?} not found", kind.resource(), role.name));
    if let Some(missing) = rbac::together(missing.collect()) {
        let missing = missing.trim_matches(['[', ']']);
        let _ = write!(why, "; resolution errors: [{missing}]");
    }
    why
}

fn describe(rule: &PolicyRule) -> String {
    let parts = [
        ("APIGroups", &rule.groups),
        ("Resources", &rule.resources),
        ("NonResourceURLs", &rule.paths),
        ("ResourceNames", &rule.names),
        ("Verbs", &rule.verbs),
    ];
    let filled = parts.iter().filter(|(_, texts)| !texts.is_empty());
    let texts: Vec<_> = filled
        .map(|(name, texts)| format!("{name}:{}", quoted(texts)))
        .collect();
    format!("{{{}}}", texts.join(", "))
}

/// A list of texts as Go quotes one.
fn quoted(texts: &[String]) -> String {
    let texts: Vec<_> = texts.iter().map(|text| format!("{text:?}")).collect();
    format!("[{}]", texts.join(" "))
}
