//! Which objects a list, a watch or a collection delete is about.

use serde_json::Value;

use crate::{meta, status::ApiError};

/// A namespace or all of them, labels, and fields.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Selection {
    namespace: Option<String>,
    labels: Vec<Requirement>,
    fields: Vec<FieldRequirement>,
}

/// A condition on one label.
#[derive(Clone, Debug, PartialEq)]
struct Requirement {
    key: String,
    test: Test,
}

#[derive(Clone, Debug, PartialEq)]
enum Test {
    Exists,
    Missing,
    /// The label is there and has one of the values.
    In(Vec<String>),
    /// The label is missing or has another value.
    NotIn(Vec<String>),
}

/// A condition on `metadata.name` or `metadata.namespace`.
#[derive(Clone, Debug, PartialEq)]
struct FieldRequirement {
    field: &'static str,
    value: String,
    equal: bool,
}

// === impl Selection ===

impl Selection {
    /// What `labels` and `fields` select in `namespace`, or in all of them.
    pub(crate) fn parse(
        namespace: Option<String>,
        labels: &str,
        fields: &str,
    ) -> Result<Self, ApiError> {
        Ok(Self {
            namespace,
            labels: split(labels)
                .map(Requirement::parse)
                .collect::<Result<_, _>>()?,
            fields: split(fields)
                .map(FieldRequirement::parse)
                .collect::<Result<_, _>>()?,
        })
    }

    /// The only namespace that can match.
    pub(crate) fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref()
    }

    /// Whether all objects of the namespace match.
    pub(crate) fn is_everything(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    /// Whether it can match one object only: a name is given, and what it is a name in.
    pub(crate) fn is_for_one_object(&self) -> bool {
        self.fields
            .iter()
            .any(|field| field.field == "name" && field.equal)
    }

    pub(crate) fn matches(&self, object: &Value) -> bool {
        let namespace = self.namespace.as_deref();
        namespace.is_none_or(|namespace| namespace == meta::text(object, "namespace"))
            && self
                .labels
                .iter()
                .all(|requirement| requirement.matches(object))
            && self
                .fields
                .iter()
                .all(|requirement| requirement.matches(object))
    }
}

// === impl Requirement ===

impl Requirement {
    fn parse(text: &str) -> Result<Self, ApiError> {
        let malformed = || ApiError::bad_request(format!("unable to parse requirement: {text:?}"));
        let (key, test) = if let Some(key) = text.strip_prefix('!') {
            (key, Test::Missing)
        } else if let Some((key, value)) = text.split_once("!=") {
            (key, Test::NotIn(vec![value.trim().to_owned()]))
        } else if let Some((key, value)) = text.split_once('=') {
            let value = value.strip_prefix('=').unwrap_or(value);
            (key, Test::In(vec![value.trim().to_owned()]))
        } else if let Some((key, rest)) = text.split_once(char::is_whitespace) {
            let rest = rest.trim();
            let (operator, set) = rest.split_at(rest.find('(').ok_or_else(malformed)?);
            let set = set
                .strip_prefix('(')
                .and_then(|set| set.strip_suffix(')'))
                .ok_or_else(malformed)?;
            let values = set
                .split(',')
                .map(|value| value.trim().to_owned())
                .collect();
            match operator.trim() {
                "in" => (key, Test::In(values)),
                "notin" => (key, Test::NotIn(values)),
                _ => return Err(malformed()),
            }
        } else {
            (text, Test::Exists)
        };
        let key = key.trim();
        let values: &[String] = match &test {
            Test::In(values) | Test::NotIn(values) => values,
            Test::Exists | Test::Missing => &[],
        };
        let readable = |text: &str| {
            text.chars()
                .all(|letter| letter.is_ascii_alphanumeric() || "-_./".contains(letter))
        };
        if key.is_empty() || !readable(key) || !values.iter().all(|value| readable(value)) {
            return Err(malformed());
        }
        let key = key.to_owned();
        Ok(Self { key, test })
    }

    fn matches(&self, object: &Value) -> bool {
        let value = meta::label(object, &self.key);
        let among =
            |values: &[String]| value.is_some_and(|value| values.iter().any(|one| one == value));
        match &self.test {
            Test::Exists => value.is_some(),
            Test::Missing => value.is_none(),
            Test::In(values) => among(values),
            Test::NotIn(values) => !among(values),
        }
    }
}

// === impl FieldRequirement ===

impl FieldRequirement {
    fn parse(text: &str) -> Result<Self, ApiError> {
        let (field, value, equal) = if let Some((field, value)) = text.split_once("!=") {
            (field, value, false)
        } else if let Some((field, value)) = text.split_once('=') {
            (field, value.strip_prefix('=').unwrap_or(value), true)
        } else {
            let message = format!("invalid selector: {text:?}; can't understand {text:?}");
            return Err(ApiError::bad_request(message));
        };
        let field = match field {
            "metadata.name" => "name",
            "metadata.namespace" => "namespace",
            other => {
                let known = "only \"metadata.name\", \"metadata.namespace\"";
                let message = format!("{other:?} is not a known field selector: {known}");
                return Err(ApiError::bad_request(message));
            }
        };
        let value = value.to_owned();
        Ok(Self {
            field,
            value,
            equal,
        })
    }

    fn matches(&self, object: &Value) -> bool {
        (meta::text(object, self.field) == self.value) == self.equal
    }
}

/// The parts between commas that are not inside parentheses; none for an empty selector.
fn split(text: &str) -> impl Iterator<Item = &str> {
    let mut inside = false;
    let at_comma = move |letter| {
        match letter {
            '(' => inside = true,
            ')' => inside = false,
            _ => {}
        }
        letter == ',' && !inside
    };
    text.split(at_comma)
        .map(str::trim)
        .filter(move |_| !text.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn label_selectors_mean_what_they_mean_in_kubernetes() {
        let object = json!({"metadata": {"name": "m", "labels": {"tier": "x", "app.io/part": "", "n": "1"}}});
        for (selector, expected) in [
            ("", true),
            (" ", true),
            ("tier", true),
            ("!tier", false),
            ("! tier", false),
            ("none", false),
            ("!none", true),
            ("tier=x", true),
            ("tier == x", true),
            ("tier=y", false),
            ("none=x", false),
            ("tier!=x", false),
            ("tier!=y", true),
            ("none!=x", true),
            ("app.io/part=", true),
            ("tier in (x)", true),
            ("tier in (y,x)", true),
            ("tier in(y , z)", false),
            ("none in (x)", false),
            ("tier notin (y,z)", true),
            ("tier notin (x)", false),
            ("none notin (x)", true),
            ("tier in (x,y),n=1,!none", true),
            ("tier in (x,y),n=2", false),
        ] {
            let selection = Selection::parse(None, selector, "").unwrap();
            assert_eq!(selection.matches(&object), expected, "{selector:?}");
        }
    }

    #[test]
    fn unreadable_selectors_are_refused() {
        for selector in [
            "=x",
            "a=b,",
            ",",
            "a in x",
            "a in (x",
            "a like (x)",
            "a b",
            "a>1",
            "!",
            "a=(x)",
        ] {
            assert!(
                Selection::parse(None, selector, "").is_err(),
                "{selector:?}"
            );
        }
        for selector in ["metadata.name", "spec.nodeName=x", "metadata.name=x,"] {
            assert!(
                Selection::parse(None, "", selector).is_err(),
                "{selector:?}"
            );
        }
    }
}
