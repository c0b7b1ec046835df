//! The kinds that limit disruptions.

use super::{Generation, Kind, Subresource, texts};
use crate::rules::{self, MetadataRules, NameForm, Repeats};

pub(super) fn kinds() -> Vec<Kind> {
    vec![Kind {
        short_names: texts(["pdb"]),
        unconditional_update: false,
        subresources: vec![Subresource::Status],
        generation: Generation::Spec,
        metadata: MetadataRules::of(NameForm::PathSegment, Repeats::Nothing),
        prepare: rules::prepare_budget,
        validate: rules::validate_budget,
        ..Kind::new(
            "policy",
            "v1",
            "PodDisruptionBudget",
            "poddisruptionbudgets",
        )
    }]
}
