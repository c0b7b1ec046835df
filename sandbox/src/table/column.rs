//! The definition of a column.

use serde_json::{Value, json};

use crate::schema::Schemas;

/// A column of a table.
#[derive(Debug)]
pub(crate) struct Column {
    name: &'static str,
    kind: &'static str,
    format: &'static str,
    /// 0 for the columns that are always shown, 1 for those of `-o wide`.
    priority: u8,
    about: About,
}

/// What a column is about.
#[derive(Debug)]
enum About {
    Text(&'static str),
    /// What the schema says about a field: the name of the schema without `io.k8s.`, and of the field.
    Field(&'static str, &'static str),
}

const META: &str = "apimachinery.pkg.apis.meta.v1.ObjectMeta";

/// The name of the object.
pub(crate) const NAME: Column = Column {
    format: "name",
    ..text("Name").field(META, "name")
};

/// The time since the object was made.
pub(crate) const AGE: Column = text("Age").field(META, "creationTimestamp");

/// The time when the object was made.
pub(crate) const CREATED_AT: Column = Column {
    kind: "date",
    ..text("Created At").field(META, "creationTimestamp")
};

/// A column of texts.
pub(crate) const fn text(name: &'static str) -> Column {
    Column {
        name,
        kind: "string",
        format: "",
        priority: 0,
        about: About::Text(""),
    }
}

/// A column of numbers.
pub(crate) const fn number(name: &'static str) -> Column {
    Column {
        kind: "integer",
        ..text(name)
    }
}

// === impl Column ===

impl Column {
    /// The same column, shown with `-o wide` only.
    pub(crate) const fn wide(mut self) -> Self {
        self.priority = 1;
        self
    }

    pub(crate) const fn about(mut self, text: &'static str) -> Self {
        self.about = About::Text(text);
        self
    }

    pub(crate) const fn field(mut self, schema: &'static str, field: &'static str) -> Self {
        self.about = About::Field(schema, field);
        self
    }

    pub(crate) fn to_json(&self) -> Value {
        definition(
            self.name,
            self.kind,
            self.format,
            self.about.text(),
            i64::from(self.priority),
        )
    }
}

/// A column as clients read it.
pub(crate) fn definition(
    name: &str,
    kind: &str,
    format: &str,
    description: &str,
    priority: i64,
) -> Value {
    json!({"name": name, "type": kind, "format": format, "description": description, "priority": priority})
}

// === impl About ===

impl About {
    fn text(&self) -> &str {
        let (schema, field) = match self {
            Self::Text(text) => return text,
            Self::Field(schema, field) => (schema, field),
        };
        let place = Schemas::kubernetes()
            .all()
            .get(&format!("io.k8s.{schema}"))
            .map(|schema| &schema["properties"][*field]["description"]);
        place.and_then(Value::as_str).unwrap_or_default()
    }
}
