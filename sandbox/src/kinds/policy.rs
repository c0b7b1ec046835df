//! The kinds that limit disruptions.

use super::{Generation, Kind, Shape, Subresource, texts};

pub(super) fn kinds() -> Vec<Kind> {
    vec![Kind {
        short_names: texts(["pdb"]),
        unconditional_update: false,
        subresources: vec![Subresource::Status],
        generation: Generation::Spec,
        shape: &[("spec", Shape::Map), ("status", Shape::Map)],
        ..Kind::new(
            "policy",
            "v1",
            "PodDisruptionBudget",
            "poddisruptionbudgets",
        )
    }]
}
