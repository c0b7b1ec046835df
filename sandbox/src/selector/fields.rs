//! Field selectors, and the fields of each kind that can be selected by.

use serde_json::Value;

use crate::{kinds::Kind, meta, status::ApiError};

/// What every kind can be selected by.
const COMMON: [&str; 2] = ["metadata.name", "metadata.namespace"];

/// Yes or no, where a missing field means no.
const SWITCHES: [&str; 2] = ["spec.hostNetwork", "spec.unschedulable"];

/// A condition on one field.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Requirement {
    field: String,
    value: String,
    equal: bool,
}

/// Reads a selector; an empty one has no conditions.
pub(super) fn parse(text: &str) -> Result<Vec<Requirement>, ApiError> {
    let terms = terms(text).into_iter().filter(|term| !term.is_empty());
    terms.map(|term| Requirement::parse(text, term)).collect()
}

/// The parts between commas; one behind a backslash belongs to a value.
fn terms(text: &str) -> Vec<&str> {
    let mut escaped = false;
    let splits = |letter: char| {
        let splits = letter == ',' && !escaped;
        escaped = letter == '\\' && !escaped;
        splits
    };
    text.split(splits).collect()
}

// === impl Requirement ===

impl Requirement {
    fn parse(all: &str, term: &str) -> Result<Self, ApiError> {
        let Some((place, _)) = term.char_indices().find(|(place, _)| {
            term.get(*place..)
                .is_some_and(|rest| rest.starts_with("!=") || rest.starts_with('='))
        }) else {
            let message = format!("invalid selector: '{all}'; can't understand '{term}'");
            return Err(ApiError::bad_request(message));
        };
        let (field, rest) = term.split_at(place);
        let equal = !rest.starts_with('!');
        let value = ["!=", "==", "="]
            .into_iter()
            .find_map(|operator| rest.strip_prefix(operator));
        Ok(Self {
            field: field.to_owned(),
            value: unescape(value.unwrap_or_default())?,
            equal,
        })
    }

    /// Refuses a field that the kind cannot be selected by.
    pub(super) fn check(&self, kind: &Kind) -> Result<(), ApiError> {
        let field = self.field.as_str();
        let special = kind.selectable.iter().any(|one| one == field);
        if special || COMMON.contains(&field) {
            return Ok(());
        }
        Err(ApiError::bad_request(
            if kind.selectable.is_empty() && !kind.is_custom() {
                let [name, namespace] = COMMON;
                format!("{field:?} is not a known field selector: only {name:?}, {namespace:?}")
            } else {
                format!("field label not supported: {field}")
            },
        ))
    }

    /// Whether only an object of one name can match.
    pub(super) fn names(&self) -> bool {
        self.field == "metadata.name" && self.equal
    }

    pub(super) fn matches(&self, object: &Value) -> bool {
        (value(object, &self.field) == self.value) == self.equal
    }
}

/// Removes the backslashes before `,`, `=` and themselves.
fn unescape(text: &str) -> Result<String, ApiError> {
    let refuse = |what: String| ApiError::bad_request(format!("invalid field selector: {what}"));
    let mut value = String::new();
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => match letters.next() {
                Some(next @ ('\\' | ',' | '=')) => value.push(next),
                other => {
                    let other = other.map(String::from).unwrap_or_default();
                    return Err(refuse(format!("invalid escape sequence: \\{other}")));
                }
            },
            ',' | '=' => {
                let code = u32::from(letter);
                return Err(refuse(format!("unescaped character in value: {code}")));
            }
            _ => value.push(letter),
        }
    }
    Ok(value)
}

/// A field of an object as it is kept; one that is missing is empty.
fn value(object: &Value, field: &str) -> String {
    let found = match field {
        "metadata.name" => return meta::text(object, "name").to_owned(),
        "metadata.namespace" => return meta::text(object, "namespace").to_owned(),
        // An Event says in one of two places who reports it.
        "source" if object["source"].is_object() => &object["source"]["component"],
        "source" => &object["reportingComponent"],
        "status.podIP" => &object["status"]["podIPs"][0]["ip"],
        // Events are kept under the names that the older group has.
        "reportingController" if object["involvedObject"].is_object() => {
            &object["reportingComponent"]
        }
        _ if field.starts_with("regarding.") && object["involvedObject"].is_object() => {
            let parts = field.split('.').skip(1);
            parts.fold(&object["involvedObject"], |value, part| &value[part])
        }
        _ => field.split('.').fold(object, |value, part| &value[part]),
    };
    match found {
        Value::String(text) => text.clone(),
        Value::Null if SWITCHES.contains(&field) => "false".to_owned(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_are_compared_as_texts() {
        let pod = json!({
            "metadata": {"name": "p", "namespace": "zoo"},
            "spec": {"nodeName": "n"},
            "status": {"phase": "Running", "podIPs": [{"ip": "10.0.0.1"}]},
        });
        for (selector, expected) in [
            ("", true),
            ("metadata.name=p", true),
            ("metadata.name==p,metadata.namespace=zoo,", true),
            ("metadata.name!=p", false),
            ("spec.nodeName=n,status.phase!=Failed", true),
            ("spec.hostNetwork=false", true),
            ("status.podIP=10.0.0.1", true),
            ("spec.schedulerName=", true),
            (r"metadata.name=p\,q", false),
        ] {
            let requirements = parse(selector).unwrap();
            let matches = requirements
                .iter()
                .all(|requirement| requirement.matches(&pod));
            assert_eq!(matches, expected, "{selector}");
        }
    }

    #[test]
    fn a_refused_field_selector_says_what_is_wrong() {
        for (selector, expected) in [
            (
                "metadata.name",
                "invalid selector: 'metadata.name'; can't understand 'metadata.name'",
            ),
            (
                "a=b=c",
                "invalid field selector: unescaped character in value: 61",
            ),
            (
                r"a=x\y",
                r"invalid field selector: invalid escape sequence: \y",
            ),
        ] {
            assert_eq!(parse(selector).unwrap_err().message, expected);
        }
    }
}
