//! The rules for the resources of a container.

use serde_json::json;

use crate::{
    rules::{at::At, names, quantity},
    status::FieldError,
};

/// The resources of which a container can have less than it asks for.
const STANDARD: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];

/// Resources that are known, though not of containers.
const OTHERS: [&str; 12] = [
    "storage",
    "pods",
    "services",
    "secrets",
    "configmaps",
    "requests.cpu",
    "requests.memory",
    "requests.storage",
    "limits.cpu",
    "limits.memory",
    "persistentvolumeclaims",
    "replicationcontrollers",
];

/// Checks limits and requests, and that the latter stay within the former.
pub(super) fn check(resources: &At<'_>) -> Vec<FieldError> {
    let (limits, requests) = (resources.field("limits"), resources.field("requests"));
    let mut errors = Vec::new();
    for (name, limit) in limits.entries() {
        errors.extend(resource(name, &limit));
        errors.extend(amount(name, &limit));
    }
    for (name, request) in requests.entries() {
        errors.extend(resource(name, &request));
        errors.extend(amount(name, &request));
        let limit = limits.field(name);
        if !limit.is_set() {
            continue;
        }
        let (asked, most) = (
            quantity::parse(request.text()),
            quantity::parse(limit.text()),
        );
        let fixed = !STANDARD.contains(&name);
        if fixed && asked != most {
            let why = format!("must be equal to {name} limit of {}", limit.text());
            errors.push(FieldError::invalid(requests.path(), request.value(), &why));
        } else if asked > most {
            let why = format!(
                "must be less than or equal to {name} limit of {}",
                limit.text()
            );
            errors.push(FieldError::invalid(requests.path(), request.value(), &why));
        }
    }
    errors
}

/// The name of a resource.
fn resource(name: &str, place: &At<'_>) -> Vec<FieldError> {
    let error = |why: &str| FieldError::invalid(place.path(), &json!(name), why);
    let wrong = names::qualified(name);
    let mut errors: Vec<_> = wrong.iter().map(|why| error(why)).collect();
    if name.contains('/') || STANDARD.contains(&name) || name.starts_with("hugepages-") {
        return errors;
    }
    if errors.is_empty() && !OTHERS.contains(&name) {
        errors.push(error("must be a standard resource type or fully qualified"));
    }
    errors.push(error("must be a standard resource for containers"));
    errors
}

fn amount(name: &str, place: &At<'_>) -> Option<FieldError> {
    let amount = quantity::parse(place.text())?;
    if amount < 0 {
        return Some(place.invalid("must be greater than or equal to 0"));
    }
    // What others define comes in whole pieces.
    let whole = amount % 1_000_000_000 == 0;
    let extended = name.contains('/') && !name.contains("kubernetes.io/");
    (extended && !whole).then(|| place.invalid("must be an integer"))
}
