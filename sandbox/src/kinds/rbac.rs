//! The kinds that say who may do what.

use super::Kind;
use crate::rules::{self, MetadataRules, NameForm, Repeats};

pub(super) fn kinds() -> Vec<Kind> {
    vec![
        Kind {
            validate: rules::validate_cluster_role,
            ..cluster(role("ClusterRole", "clusterroles"))
        },
        Kind {
            validate: rules::validate_cluster_role_binding,
            ..cluster(binding("ClusterRoleBinding", "clusterrolebindings"))
        },
        role("Role", "roles"),
        binding("RoleBinding", "rolebindings"),
    ]
}

fn role(kind: &'static str, plural: &'static str) -> Kind {
    Kind {
        create_on_update: true,
        metadata: MetadataRules::of(NameForm::PathSegment, Repeats::All),
        prepare: rules::prepare_role,
        validate: rules::validate_role,
        ..Kind::new("rbac.authorization.k8s.io", "v1", kind, plural)
    }
}

fn binding(kind: &'static str, plural: &'static str) -> Kind {
    Kind {
        default: rules::default_binding,
        prepare: |_, _| {},
        validate: rules::validate_role_binding,
        ..role(kind, plural)
    }
}

fn cluster(kind: Kind) -> Kind {
    Kind {
        namespaced: false,
        ..kind
    }
}
