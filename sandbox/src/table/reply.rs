//! The tables of replies and of watch events.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Printer;
use crate::status::{ApiError, FieldError};

/// How a client wants to see tables.
#[derive(Clone, Debug)]
pub(crate) struct TableForm {
    include: Include,
    /// The version of the kind `Table`, and of the metadata in it.
    version: &'static str,
    /// Whether the columns have been written: a watch defines them once.
    headed: bool,
}

/// What a row says about its object beside the cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Include {
    None,
    Metadata,
    Object,
}

// === impl TableForm ===

impl TableForm {
    /// The form for a version of `Table`; `None` for one that is not served.
    pub(crate) fn of(version: &str) -> Option<Self> {
        let version = match version {
            "v1" => "meta.k8s.io/v1",
            "v1beta1" => "meta.k8s.io/v1beta1",
            _ => return None,
        };
        Some(Self {
            include: Include::Metadata,
            version,
            headed: false,
        })
    }

    /// Reads the parameter `includeObject`.
    pub(crate) fn including(mut self, text: &str) -> Result<Self, ApiError> {
        self.include = match text {
            "" | "Metadata" => Include::Metadata,
            "None" => Include::None,
            "Object" => Include::Object,
            _ => {
                let why = "must be 'Metadata', 'Object', 'None', or empty";
                let error = FieldError::invalid("includeObject", &json!(text), why);
                let message = format!("Unable to convert to Table as requested: {error}");
                return Err(ApiError::bad_request(message));
            }
        };
        Ok(self)
    }

    /// A table of objects; each comes in the form of the shelf, and `served` makes the one that clients know.
    pub(crate) fn table<'a>(
        &self,
        printer: &Printer,
        metadata: &Value,
        objects: impl Iterator<Item = &'a Value>,
        served: impl Fn(&Value) -> Value,
        now: Timestamp,
    ) -> Value {
        let row = |object: &Value| {
            let shown = match self.include {
                Include::None => Value::Null,
                Include::Metadata => json!({
                    "kind": "PartialObjectMetadata",
                    "apiVersion": self.version,
                    "metadata": object["metadata"],
                }),
                Include::Object => served(object),
            };
            printer.row(object, &shown, now)
        };
        let rows: Vec<_> = objects.map(row).collect();
        let columns = match self.headed {
            true => Value::Null,
            false => Value::Array(printer.columns()),
        };
        json!({
            "kind": "Table",
            "apiVersion": self.version,
            "metadata": metadata,
            "columnDefinitions": columns,
            "rows": printer.rows(&rows),
        })
    }

    /// The columns are known from here on.
    pub(crate) fn head(&mut self) {
        self.headed = true;
    }

    /// The same form, with the metadata of objects whatever the client asked for.
    pub(crate) fn with_metadata(&self) -> Self {
        Self {
            include: Include::Metadata,
            ..self.clone()
        }
    }
}
