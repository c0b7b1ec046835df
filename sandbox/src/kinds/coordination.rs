//! Leases.

use super::{Kind, Shape};
use crate::rules::{self, MetadataRules};

pub(super) fn kinds() -> Vec<Kind> {
    vec![Kind {
        create_on_update: true,
        unconditional_update: false,
        shape: &[
            ("spec", Shape::Map),
            ("spec.acquireTime", Shape::Text),
            ("spec.holderIdentity", Shape::Text),
            ("spec.leaseDurationSeconds", Shape::Int),
            ("spec.leaseTransitions", Shape::Int),
            ("spec.renewTime", Shape::Text),
        ],
        metadata: MetadataRules::custom(),
        prepare: rules::prepare_lease,
        validate: rules::validate_lease,
        ..Kind::new("coordination.k8s.io", "v1", "Lease", "leases")
    }]
}
