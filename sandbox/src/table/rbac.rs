//! The tables of role bindings; roles have the plain one.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    Own,
    cells::{age, items, name, text},
    column::{self, AGE, NAME},
};

pub(super) static ROLE_BINDING: Own = Own {
    columns: &[
        NAME,
        column::text("Role").about(
            "RoleRef can reference a Role in the current namespace or a ClusterRole in the global namespace. \
             If the RoleRef cannot be resolved, the Authorizer must return an error.",
        ),
        AGE,
        column::text("Users").about("Users in the roleBinding").wide(),
        column::text("Groups").about("Groups in the roleBinding").wide(),
        column::text("ServiceAccounts")
            .about("ServiceAccounts in the roleBinding")
            .wide(),
    ],
    cells: binding,
    conditions: |_| None,
};

pub(super) static CLUSTER_ROLE_BINDING: Own = Own {
    columns: &[
        NAME,
        column::text("Role").about(
            "RoleRef can only reference a ClusterRole in the global namespace. \
             If the RoleRef cannot be resolved, the Authorizer must return an error.",
        ),
        AGE,
        column::text("Users")
            .about("Users in the clusterRoleBinding")
            .wide(),
        column::text("Groups")
            .about("Groups in the clusterRoleBinding")
            .wide(),
        column::text("ServiceAccounts")
            .about("ServiceAccounts in the clusterRoleBinding")
            .wide(),
    ],
    cells: binding,
    conditions: |_| None,
};

fn binding(object: &Value, now: Timestamp) -> Vec<Value> {
    let role = &object["roleRef"];
    let role = format!("{}/{}", text(&role["kind"]), text(&role["name"]));
    vec![
        name(object),
        json!(role),
        age(object, now),
        subjects(object, "User"),
        subjects(object, "Group"),
        subjects(object, "ServiceAccount"),
    ]
}

/// The names of the subjects of one kind.
fn subjects(object: &Value, kind: &str) -> Value {
    let of_kind = items(&object["subjects"])
        .iter()
        .filter(|subject| text(&subject["kind"]) == kind);
    let names: Vec<_> = of_kind
        .map(|subject| match kind {
            "ServiceAccount" => {
                format!("{}/{}", text(&subject["namespace"]), text(&subject["name"]))
            }
            _ => text(&subject["name"]).to_owned(),
        })
        .collect();
    json!(names.join(", "))
}
