//! The kinds that limit disruptions.

use super::{Kind, Shape, texts};

pub(super) fn kinds() -> Vec<Kind> {
    vec![Kind {
        short_names: texts(["pdb"]),
        unconditional_update: false,
        shape: &[("spec", Shape::Map), ("status", Shape::Map)],
        ..Kind::new(
            "policy",
            "v1",
            "PodDisruptionBudget",
            "poddisruptionbudgets",
        )
    }]
}
