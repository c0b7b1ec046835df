//! Label selectors inside of objects.

use serde_json::Value;

use super::{at::At, metadata, names};
use crate::status::FieldError;

/// The rules for a label selector; one that is missing breaks none.
pub(crate) fn check(selector: &At<'_>) -> Vec<FieldError> {
    let mut errors = metadata::labels(&selector.field("matchLabels"));
    for requirement in selector.field("matchExpressions").items() {
        let values = requirement.field("values");
        match requirement.field("operator").text() {
            "In" | "NotIn" if values.len() == 0 => {
                errors
                    .push(values.required("must be specified when `operator` is 'In' or 'NotIn'"));
            }
            "In" | "NotIn" => {}
            "Exists" | "DoesNotExist" if values.len() > 0 => {
                let why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
                errors.push(values.forbidden(why));
            }
            "Exists" | "DoesNotExist" => {}
            _ => {
                let operator = requirement.field("operator");
                errors.push(operator.invalid_text("not a valid selector operator"));
            }
        }
        let key = requirement.field("key");
        errors.extend(key.misformed(names::qualified(key.text())));
        for value in values.items() {
            errors.extend(value.misformed(names::label_value(value.text())));
        }
    }
    errors
}

/// Whether a selector that follows the rules selects these labels.
pub(crate) fn matches(selector: &Value, labels: &Value) -> bool {
    let root = At::root(selector);
    let equal = root
        .field("matchLabels")
        .entries()
        .all(|(key, value)| labels.get(key) == Some(value.value()));
    equal
        && root.field("matchExpressions").items().all(|requirement| {
            let label = labels.get(requirement.field("key").text());
            let values = requirement.field("values");
            let listed =
                || label.is_some_and(|label| values.items().any(|value| value.value() == label));
            match requirement.field("operator").text() {
                "In" => listed(),
                "NotIn" => !listed(),
                "Exists" => label.is_some(),
                _ => label.is_none(),
            }
        })
}
