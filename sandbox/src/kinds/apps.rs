//! The kinds of workloads.

use super::{
    Generation, Kind, ScaleFields,
    Subresource::{Scale, Status},
    texts,
};
use crate::rules::{self, MetadataRules, NameForm, Repeats};

const GROUP: &str = "apps";

pub(super) fn kinds() -> Vec<Kind> {
    vec![controller_revision(), deployment(), stateful_set()]
}

fn controller_revision() -> Kind {
    Kind {
        validate: rules::validate_controller_revision,
        ..Kind::new(GROUP, "v1", "ControllerRevision", "controllerrevisions")
    }
}

fn deployment() -> Kind {
    Kind {
        short_names: texts(["deploy"]),
        categories: texts(["all"]),
        subresources: vec![Scale, Status],
        scale: Some(ScaleFields::of_workloads()),
        generation: Generation::SpecAndAnnotations,
        kept_by_status: &["labels"],
        metadata: MetadataRules::of(NameForm::Subdomain, Repeats::Change),
        default: rules::default_deployment,
        prepare: rules::prepare_deployment,
        validate: rules::validate_deployment,
        ..Kind::new(GROUP, "v1", "Deployment", "deployments")
    }
}

fn stateful_set() -> Kind {
    Kind {
        short_names: texts(["sts"]),
        categories: texts(["all"]),
        subresources: vec![Scale, Status],
        scale: Some(ScaleFields::of_workloads()),
        generation: Generation::Spec,
        metadata: MetadataRules::of(NameForm::Label, Repeats::Change),
        default: rules::default_stateful_set,
        prepare: rules::prepare_stateful_set,
        validate: rules::validate_stateful_set,
        ..Kind::new(GROUP, "v1", "StatefulSet", "statefulsets")
    }
}
