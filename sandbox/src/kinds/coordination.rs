//! Leases.

use super::Kind;
use crate::rules::{self, MetadataRules};

pub(super) fn kinds() -> Vec<Kind> {
    vec![Kind {
        create_on_update: true,
        unconditional_update: false,
        metadata: MetadataRules::custom(),
        prepare: rules::prepare_lease,
        validate: rules::validate_lease,
        ..Kind::new("coordination.k8s.io", "v1", "Lease", "leases")
    }]
}
