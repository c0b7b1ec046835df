//! A place in an object: a value with the path that leads to it.

use serde_json::{Value, json};

use crate::status::FieldError;

static NULL: Value = Value::Null;

/// A value and its path, as refusals name it.
#[derive(Clone, Debug)]
pub(crate) struct At<'a> {
    path: String,
    value: &'a Value,
}

// === impl At ===

impl<'a> At<'a> {
    /// The object itself.
    pub(crate) fn root(value: &'a Value) -> Self {
        let path = String::new();
        Self { path, value }
    }

    /// The same value under another path.
    pub(crate) fn renamed(&self, path: &str) -> Self {
        let path = path.to_owned();
        Self { path, ..*self }
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    pub(crate) fn value(&self) -> &'a Value {
        self.value
    }

    /// A field, which may be missing.
    pub(crate) fn field(&self, name: &str) -> Self {
        let path = match self.path.as_str() {
            "" => name.to_owned(),
            path => format!("{path}.{name}"),
        };
        let value = self.value.get(name).unwrap_or(&NULL);
        Self { path, value }
    }

    /// The items of a list; none when it is missing.
    pub(crate) fn items(&self) -> impl Iterator<Item = Self> + use<'a> {
        let path = self.path.clone();
        let items = self.value.as_array().into_iter().flatten().enumerate();
        items.map(move |(index, value)| Self {
            path: format!("{path}[{index}]"),
            value,
        })
    }

    /// The entries of a map with their keys; none when it is missing.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&'a str, Self)> + use<'a> {
        let path = self.path.clone();
        let entries = self.value.as_object().into_iter().flatten();
        entries.map(move |(key, value)| {
            let path = format!("{path}[{key}]");
            (key.as_str(), Self { path, value })
        })
    }

    pub(crate) fn is_set(&self) -> bool {
        !self.value.is_null()
    }

    /// The text; empty when it is missing, as in Go.
    pub(crate) fn text(&self) -> &'a str {
        self.value.as_str().unwrap_or_default()
    }

    /// The number; 0 when it is missing, as in Go.
    pub(crate) fn number(&self) -> i64 {
        self.value.as_i64().unwrap_or_default()
    }

    pub(crate) fn is_true(&self) -> bool {
        self.value.as_bool().unwrap_or_default()
    }

    /// How many items or entries there are.
    pub(crate) fn len(&self) -> usize {
        match self.value {
            Value::Array(items) => items.len(),
            Value::Object(fields) => fields.len(),
            _ => 0,
        }
    }

    // What is wrong here.

    pub(crate) fn invalid(&self, why: &str) -> FieldError {
        FieldError::invalid(&self.path, self.value, why)
    }

    /// As [`invalid`](Self::invalid), about a text that may be missing.
    pub(crate) fn invalid_text(&self, why: &str) -> FieldError {
        FieldError::invalid(&self.path, &json!(self.text()), why)
    }

    pub(crate) fn required(&self, why: &str) -> FieldError {
        FieldError::required(&self.path, why)
    }

    pub(crate) fn forbidden(&self, why: &str) -> FieldError {
        FieldError::forbidden(&self.path, why)
    }

    pub(crate) fn duplicate(&self) -> FieldError {
        FieldError::duplicate(&self.path, self.value)
    }

    /// One error for each reason why a text is none of a form.
    pub(crate) fn misformed(&self, reasons: Vec<String>) -> impl Iterator<Item = FieldError> {
        let (path, text) = (self.path.clone(), json!(self.text()));
        reasons
            .into_iter()
            .map(move |why| FieldError::invalid(&path, &text, &why))
    }

    /// Refuses a number below 0.
    pub(crate) fn not_negative(&self) -> Option<FieldError> {
        let why = "must be greater than or equal to 0";
        (self.number() < 0).then(|| self.invalid(why))
    }

    /// Refuses a text that is none of `known`.
    pub(crate) fn one_of(&self, known: &[&str]) -> Option<FieldError> {
        let text = self.text();
        (!known.contains(&text)).then(|| FieldError::unsupported(&self.path, &json!(text), known))
    }

    /// Refuses a text that is empty, or none of `known`.
    pub(crate) fn required_one_of(&self, known: &[&str]) -> Option<FieldError> {
        match self.text() {
            "" => Some(self.required("")),
            _ => self.one_of(known),
        }
    }

    /// Refuses a change.
    pub(crate) fn unchanged(&self, old: &Self) -> Option<FieldError> {
        (self.value != old.value).then(|| self.invalid("field is immutable"))
    }
}
