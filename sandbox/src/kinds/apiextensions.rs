//! The kind that defines further kinds.

use super::{Generation, Kind, Subresource, texts};
use crate::custom::definition;

pub(super) fn kinds() -> Vec<Kind> {
    let kind = Kind::new(
        "apiextensions.k8s.io",
        "v1",
        "CustomResourceDefinition",
        super::DEFINITIONS,
    );
    let package = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1";
    vec![Kind {
        short_names: texts(["crd", "crds"]),
        categories: texts(["api-extensions"]),
        namespaced: false,
        unconditional_update: false,
        subresources: vec![Subresource::Status],
        generation: Generation::Spec,
        default: definition::default,
        prepare: definition::prepare,
        validate: definition::validate,
        type_name: format!("{package}.{}", kind.kind).into(),
        ..kind
    }]
}
