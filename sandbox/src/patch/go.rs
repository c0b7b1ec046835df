//! Values and types as Go prints them, for messages that quote what a client sent.

use std::fmt;

use serde_json::Value;

/// A value as `%v` prints it: without quotes, fields in the order of their names.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Printed<'a>(pub &'a Value);

/// A value as `%#v` prints it: as Go source.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Syntax<'a>(pub &'a Value);

// === impl Printed ===

impl fmt::Display for Printed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Value::Null => f.write_str("<nil>"),
            Value::Bool(flag) => write!(f, "{flag}"),
            Value::Number(number) => write!(f, "{number}"),
            Value::String(text) => f.write_str(text),
            Value::Array(items) => {
                let items: Vec<_> = items.iter().map(|item| Self(item).to_string()).collect();
                write!(f, "[{}]", items.join(" "))
            }
            Value::Object(fields) => {
                let fields: Vec<_> = fields
                    .iter()
                    .map(|(key, value)| format!("{key}:{}", Self(value)))
                    .collect();
                write!(f, "map[{}]", fields.join(" "))
            }
        }
    }
}

// === impl Syntax ===

impl fmt::Display for Syntax<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Value::Null => f.write_str("interface {}(nil)"),
            Value::Array(items) => {
                let items: Vec<_> = items.iter().map(|item| Self(item).to_string()).collect();
                write!(f, "[]interface {{}}{{{}}}", items.join(", "))
            }
            Value::Object(fields) => {
                let fields: Vec<_> = fields
                    .iter()
                    .map(|(key, value)| format!("{key:?}:{}", Self(value)))
                    .collect();
                write!(f, "map[string]interface {{}}{{{}}}", fields.join(", "))
            }
            other => write!(f, "{other}"),
        }
    }
}

/// The name of the type that a JSON value is decoded into when nothing says more.
pub(crate) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "%!s(<nil>)",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float64",
        Value::Number(_) => "int64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}
