//! Which objects a list, a watch or a collection delete is about.

mod fields;
mod labels;

use serde_json::Value;

use crate::{kinds::Kind, meta, status::ApiError};

/// A namespace or all of them, labels, and fields.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Selection {
    namespace: Option<String>,
    labels: Vec<labels::Requirement>,
    fields: Vec<fields::Requirement>,
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
            labels: labels::parse(labels)?,
            fields: fields::parse(fields)?,
        })
    }

    /// Refuses fields that objects of the kind cannot be selected by.
    pub(crate) fn check(&self, kind: &Kind) -> Result<(), ApiError> {
        self.fields.iter().try_for_each(|field| field.check(kind))
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
        self.fields.iter().any(fields::Requirement::names)
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
            ("tier in ()", false),
            ("app.io/part in (,x)", true),
            ("n>0,n<2", true),
            ("n>1", false),
            ("tier>0", false),
            ("in in (in)", false),
        ] {
            let selection = Selection::parse(None, selector, "").unwrap();
            assert_eq!(selection.matches(&object), expected, "{selector:?}");
        }
    }

    #[test]
    fn a_refused_label_selector_says_what_is_wrong() {
        let key = "name part must consist of alphanumeric characters";
        for (selector, expected) in [
            (
                "=x",
                "found '=', expected: !, identifier, or 'end of string'",
            ),
            ("a=b,", "found '', expected: identifier after ','"),
            (
                ",",
                "found ',', expected: !, identifier, or 'end of string'",
            ),
            (
                "a in x",
                "unable to parse requirement: found 'x' expected: '('",
            ),
            (
                "a in (x",
                "unable to parse requirement: found '', expected: ',' or ')'",
            ),
            (
                "a like (x)",
                "unable to parse requirement: found 'like', expected: in, notin, =, ==, !=, gt, lt",
            ),
            (
                "a b",
                "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt",
            ),
            (
                "a>x",
                "unable to parse requirement: values[0]: Invalid value: \"x\": for 'Gt', 'Lt' operators",
            ),
            (
                "!",
                "unable to parse requirement: found '', expected: identifier",
            ),
            (
                "a=(x)",
                "unable to parse requirement: found '(', expected: identifier",
            ),
            (
                "-a",
                &format!("unable to parse requirement: <nil>: Invalid value: \"-a\": {key}"),
            ),
            (
                "a=-b",
                "unable to parse requirement: values[0][a]: Invalid value: \"-b\": a valid label must",
            ),
            ("a=b!", "found '!', expected: ',' or 'end of string'"),
            ("!a=b", "found '=', expected: ',' or 'end of string'"),
            ("a in (b) c", "found 'c', expected: ',' or 'end of string'"),
        ] {
            let message = Selection::parse(None, selector, "").unwrap_err().message;
            assert!(message.starts_with(expected), "{selector:?}: {message}");
        }
    }

    #[test]
    fn each_kind_has_its_fields() {
        let registry = crate::kinds::Registry::built_in();
        let kind = |plural| registry.find("", "v1", plural).unwrap();
        let check = |plural, field: &str| {
            let selection = Selection::parse(None, "", field).unwrap();
            selection
                .check(&kind(plural))
                .err()
                .map(|error| error.message)
        };
        assert_eq!(check("pods", "spec.nodeName=x"), None);
        assert_eq!(check("secrets", "type=Opaque"), None);
        assert_eq!(check("events", "involvedObject.name=x"), None);
        assert_eq!(
            check("pods", "spec.x=1").unwrap(),
            "field label not supported: spec.x"
        );
        assert_eq!(
            check("configmaps", "spec.x=1").unwrap(),
            r#""spec.x" is not a known field selector: only "metadata.name", "metadata.namespace""#
        );
    }
}
