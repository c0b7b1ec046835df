//! What is wrong with single fields.

use std::fmt;

use serde_json::{Value, json};

/// What is wrong with one field of an object.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FieldError {
    /// The path of the field, like `spec.ports[0].name`.
    field: String,
    reason: &'static str,
    text: String,
}

// === impl FieldError ===

impl fmt::Display for FieldError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.field, self.text)
    }
}

impl FieldError {
    /// A value that breaks a rule.
    pub(crate) fn invalid(field: impl Into<String>, value: &Value, why: &str) -> Self {
        Self::about_value(field, "FieldValueInvalid", "Invalid value", value, why)
    }

    /// As [`invalid`](Self::invalid), about a value in a form of its own.
    pub(crate) fn invalid_form(field: impl Into<String>, value: &str, why: &str) -> Self {
        let what = format!("Invalid value: {value}");
        Self::new(field, "FieldValueInvalid", &what, why)
    }

    /// A field that is missing; some have no more to say about it.
    pub(crate) fn required(field: impl Into<String>, why: &str) -> Self {
        Self::new(field, "FieldValueRequired", "Required value", why)
    }

    pub(crate) fn forbidden(field: impl Into<String>, why: &str) -> Self {
        Self::new(field, "FieldValueForbidden", "Forbidden", why)
    }

    /// A value that another item has already.
    pub(crate) fn duplicate(field: impl Into<String>, value: &Value) -> Self {
        Self::about_value(field, "FieldValueDuplicate", "Duplicate value", value, "")
    }

    /// A value that names something that is not there.
    pub(crate) fn not_found(field: impl Into<String>, value: &Value) -> Self {
        Self::about_value(field, "FieldValueNotFound", "Not found", value, "")
    }

    /// A value that is none of those that are known.
    pub(crate) fn unsupported(field: impl Into<String>, value: &Value, supported: &[&str]) -> Self {
        Self::unsupported_form(field, &value.to_string(), supported)
    }

    /// As [`unsupported`](Self::unsupported), about a value in a form of its own.
    pub(crate) fn unsupported_form(
        field: impl Into<String>,
        value: &str,
        supported: &[&str],
    ) -> Self {
        let supported: Vec<_> = supported.iter().map(|one| format!("{one:?}")).collect();
        let why = format!("supported values: {}", supported.join(", "));
        let what = format!("Unsupported value: {value}");
        Self::new(field, "FieldValueNotSupported", &what, &why)
    }

    /// A value of another type.
    pub(crate) fn wrong_type(field: impl Into<String>, found: &Value, why: &str) -> Self {
        Self::about_value(field, "FieldValueTypeInvalid", "Invalid value", found, why)
    }

    /// A list or map with more items than there may be.
    pub(crate) fn too_many(field: impl Into<String>, count: usize, limit: usize) -> Self {
        let why = format!("must have at most {limit} items");
        Self::new(
            field,
            "FieldValueTooMany",
            &format!("Too many: {count}"),
            &why,
        )
    }

    /// A value of more than `limit` bytes, which is not repeated.
    pub(crate) fn too_long(field: impl Into<String>, limit: usize) -> Self {
        let why = format!("may not be more than {limit} bytes");
        Self::new(field, "FieldValueTooLong", "Too long", &why)
    }

    fn about_value(
        field: impl Into<String>,
        reason: &'static str,
        what: &str,
        value: &Value,
        why: &str,
    ) -> Self {
        Self::new(field, reason, &format!("{what}: {value}"), why)
    }

    fn new(field: impl Into<String>, reason: &'static str, what: &str, why: &str) -> Self {
        let text = match why {
            "" => what.to_owned(),
            why => format!("{what}: {why}"),
        };
        Self {
            field: field.into(),
            reason,
            text,
        }
    }

    pub(super) fn to_json(&self) -> Value {
        json!({"reason": self.reason, "message": self.text, "field": self.field})
    }
}
