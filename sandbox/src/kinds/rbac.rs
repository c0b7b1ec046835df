//! The kinds that say who may do what.

use super::{Kind, Shape};

pub(super) fn kinds() -> Vec<Kind> {
    vec![
        cluster(role("ClusterRole", "clusterroles")),
        cluster(binding("ClusterRoleBinding", "clusterrolebindings")),
        role("Role", "roles"),
        binding("RoleBinding", "rolebindings"),
    ]
}

fn role(kind: &'static str, plural: &'static str) -> Kind {
    Kind {
        create_on_update: true,
        shape: &[("rules", Shape::List)],
        ..Kind::new("rbac.authorization.k8s.io", "v1", kind, plural)
    }
}

fn binding(kind: &'static str, plural: &'static str) -> Kind {
    Kind {
        shape: &[("subjects", Shape::List), ("roleRef", Shape::Map)],
        ..role(kind, plural)
    }
}

fn cluster(kind: Kind) -> Kind {
    Kind {
        namespaced: false,
        ..kind
    }
}
