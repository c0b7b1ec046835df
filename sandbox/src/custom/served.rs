//! From an established definition to the kinds that it declares.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{CustomType, names};
use crate::{
    kinds::{Generation, Kind, ScaleFields, ScaleSelector, Subresource, Text},
    meta,
    schema::Schemas,
    table::{Custom, Printer},
};

/// The kinds of a definition, one for each served version; none before it is established.
pub(crate) fn kinds(definition: &Value) -> Vec<Kind> {
    let spec = &definition["spec"];
    if !names::is_true(&definition["status"], "Established") {
        return Vec::new();
    }
    let versions = spec["versions"].as_array().into_iter().flatten();
    let served = versions.filter(|version| version["served"] == true);
    served.map(|version| kind(definition, version)).collect()
}

fn kind(definition: &Value, version: &Value) -> Kind {
    let spec = &definition["spec"];
    let names = &definition["status"]["acceptedNames"];
    let text = |value: &Value| Text::from(value.as_str().unwrap_or_default().to_owned());
    let texts = |value: &Value| value.as_array().into_iter().flatten().map(text).collect();
    let subresources = &version["subresources"];
    let mut parts = Vec::new();
    if subresources["status"].is_object() {
        parts.push(Subresource::Status);
    }
    let scale = scale(&subresources["scale"]);
    if scale.is_some() {
        parts.push(Subresource::Scale);
    }
    let (group, kind) = (text(&spec["group"]), text(&names["kind"]));
    let version_name = text(&version["name"]);
    let type_name = type_name(&group, &version_name, &kind);
    let schema = &version["schema"]["openAPIV3Schema"];
    let of_kind = json!([{"group": group, "version": version_name, "kind": kind}]);
    let schemas = Schemas::custom(&type_name, schema, &of_kind);
    let custom = CustomType {
        definition: meta::text(definition, "name").to_owned(),
        schema: schema.clone(),
    };
    Kind {
        singular: text(&names["singular"]),
        list_kind: text(&names["listKind"]),
        short_names: texts(&names["shortNames"]),
        categories: texts(&names["categories"]),
        namespaced: spec["scope"] == "Namespaced",
        shelf: meta::text(definition, "name").to_owned().into(),
        unconditional_update: false,
        subresources: parts,
        scale,
        generation: Generation::Contents,
        kept_by_status: &["labels", "annotations", "finalizers", "ownerReferences"],
        printer: Printer::Custom(Custom::new(&version["additionalPrinterColumns"])),
        type_name: type_name.into(),
        schemas: Some(Arc::new(schemas)),
        custom: Some(Arc::new(custom)),
        ..Kind::named(group, version_name, kind, text(&names["plural"]))
    }
}

fn scale(declared: &Value) -> Option<ScaleFields> {
    let path = |field: &str| {
        let path = declared[field].as_str().unwrap_or_default();
        let parts = path.split('.').filter(|part| !part.is_empty());
        parts.map(str::to_owned).collect::<Vec<_>>()
    };
    declared.is_object().then(|| ScaleFields {
        replicas: path("specReplicasPath"),
        observed: path("statusReplicasPath"),
        selector: ScaleSelector::Text(path("labelSelectorPath")),
    })
}

/// The name of a type in the published schemas: the group backwards, the version and the kind.
fn type_name(group: &str, version: &str, kind: &str) -> String {
    let parts: Vec<_> = group.rsplit('.').collect();
    format!("{}.{version}.{kind}", parts.join("."))
}
